"""Generated modules on disk, named by their content, so that numba's compiled code outlives the session."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from types import ModuleType

from .diskcache.folder import cache_dir, private

__all__ = ["FOLDER", "cache_dir", "clear", "listing", "load_source"]

FOLDER = "modules"
"""The folder within the cache."""

_LOCK = threading.Lock()


def load_source(source: str, prefix: str) -> ModuleType:
    """Import generated source from the cache folder, or from a private temporary one if that cannot be written.

    Safe for several threads and processes: the file appears whole or not at all, and its content is compared with
    `source` before it is used.
    """
    name = f"{prefix}_{hashlib.sha256(source.encode()).hexdigest()[:20]}"
    with _LOCK:
        if name in sys.modules:
            return sys.modules[name]
        path = _store(source, f"{name}.py")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:  # a .py path always has a loader
            raise ImportError(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def _store(source: str, filename: str) -> Path:
    try:
        return _write(private(FOLDER), source, filename)  # where nobody else puts code, nor compiled code beside it
    except (OSError, RuntimeError):  # no permission, full disk, no home folder: the cache is a convenience
        return _write(_temporary(), source, filename)


def _write(folder: Path, source: str, filename: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):  # numba writes its compiled code beside the module
        raise PermissionError(f"{folder} cannot be written")
    path = folder / filename
    # an identical file is left alone: numba throws its compiled code away when the module's time changes
    if _text(path) != source:
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".writing-", suffix=".py")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(source)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


def listing() -> list[Path]:
    """Files of the folder: modules, and compiled code beside them. Raises OSError if it is not trusted."""
    return [path for path in sorted(private(FOLDER).rglob("*")) if path.is_file()]


def clear() -> int:
    """Remove them; how many they were."""
    found = listing()
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _text(path: Path) -> str | None:
    """What the file holds; ``None`` if there is none, or another process has just taken it away."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


@cache
def _temporary() -> Path:
    """A folder only this process's user can read, removed at exit."""
    folder = tempfile.mkdtemp(prefix="hdsym-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
