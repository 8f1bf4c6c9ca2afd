"""Loading generated text as a module, by content hash, from a file on disk."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

from ..errors import CodegenError
from ..modulecache import load_source

__all__ = ["load_module", "source_hash"]

_LOADED: dict[str, ModuleType] = {}


def source_hash(source: str) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the text."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def load_module(source: str, target: str = "numpy") -> ModuleType:
    """The module with this text; the same text is loaded once.

    It is a file on disk, so that tracebacks show its lines, its functions pickle, and a debugger can step into it.

    Raises
    ------
    CodegenError
        If the text does not compile, which would be a defect of the generator, or if it needs a package of its target
        that is not installed.
    """
    if target == "numba":
        return load_source(source, "solver")  # from a folder that stays: numba keeps compiled code beside the module
    key = source_hash(source)
    if key not in _LOADED:
        name = f"hdsym_generated_{key}"
        path = _folder() / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise CodegenError(f"cannot load {path}", remedy="check that the temporary folder can be read")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except SyntaxError as error:
            del sys.modules[name]
            raise CodegenError(f"the generated module does not compile: {error}") from error
        except ModuleNotFoundError as error:
            del sys.modules[name]
            raise CodegenError(
                f"modules of the {target} target need {error.name}, which is not installed",
                remedy=f"pip install hdsym[{target}], or use target='numpy'",
            ) from error
        _LOADED[key] = module
    return _LOADED[key]


@cache
def _folder() -> Path:
    """One temporary folder a process, removed when it ends."""
    folder = tempfile.mkdtemp(prefix="hdsym_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
