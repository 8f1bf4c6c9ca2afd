"""Signed text files: written whole or not at all, refused when a byte of them has changed.

The first line of a file says what it is and carries the HMAC-SHA256 of that and of the rest, so that what another
process has left half written, what a disk has garbled and what a stranger has put there are all the same: no entry.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .folder import private, secret

__all__ = ["FOLDER", "LARGEST", "Entry", "clear", "entries", "read", "remove", "write"]

FOLDER = "derivations"
"""The folder within the cache."""
LARGEST = 256 * 2**20
"""Bytes that all entries may take; beyond, those that were not used for longest go."""
_MAGIC, _SUFFIX, _WRITING = "hdsym-cache-1", ".hdsym", ".writing-"
_ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to a process that was killed."""


@dataclass(frozen=True)
class Entry:
    """A file of the cache."""

    path: Path
    size: int
    used: float


def read(key: str, part: str) -> str | None:
    """The text that was written for a part of what `key` stands for; ``None`` if there is no such sound file."""
    try:
        folder = private(FOLDER)
        path = _path(folder, key, part)
        head, _, body = path.read_bytes().partition(b"\n")
        if not hmac.compare_digest(head, _head(folder, key, part, body)):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # what is used stays
        return body.decode("utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError):
        return None


def write(key: str, part: str, text: str) -> bool:
    """Keep a text; whether that was possible. The cache is a convenience, no failure to write is an error."""
    try:
        folder = private(FOLDER)
        body = text.encode("utf-8")
        _replace(_path(folder, key, part), _head(folder, key, part, body) + b"\n" + body)
        _prune(folder)
    except (OSError, RuntimeError):
        return False
    return True


def remove(key: str, part: str) -> None:
    """Remove an entry, if it is there. Raises OSError."""
    _path(private(FOLDER), key, part).unlink(missing_ok=True)


def entries() -> tuple[Entry, ...]:
    """Every file of the cache, the one used last first.

    Raises
    ------
    OSError
        If the folder cannot be read or is not trusted.
    """
    return tuple(sorted(_listed(private(FOLDER)), key=lambda entry: -entry.used))


def clear() -> int:
    """Remove every entry, and what killed processes have left; the number of entries removed. Raises OSError."""
    folder = private(FOLDER)
    found = list(_listed(folder))
    for entry in found:
        entry.path.unlink(missing_ok=True)
    for path in folder.glob(f"{_WRITING}*"):
        path.unlink(missing_ok=True)
    (folder / "key").unlink(missing_ok=True)
    return len(found)


def _path(folder: Path, key: str, part: str) -> Path:
    if not re.fullmatch(r"[0-9a-f]{64} [a-z0-9-]+", f"{key} {part}"):
        raise ValueError(f"{key} {part} would not be a file of the cache")
    return folder / f"{key[:32]}-{part}{_SUFFIX}"


def _head(folder: Path, key: str, part: str, body: bytes) -> bytes:
    what = f"{_MAGIC} {part} {key}".encode("ascii")
    return what + b" " + hmac.new(secret(folder), what + b"\n" + body, hashlib.sha256).hexdigest().encode("ascii")


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_WRITING)  # with permissions 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _listed(folder: Path) -> Iterator[Entry]:
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):  # another process has just taken it away
            found = path.stat()
            yield Entry(path, found.st_size, found.st_mtime)


def _prune(folder: Path) -> None:
    total = 0
    for entry in sorted(_listed(folder), key=lambda entry: -entry.used):
        total += entry.size
        if total > LARGEST:
            entry.path.unlink(missing_ok=True)
    now = time.time()
    for path in folder.glob(f"{_WRITING}*"):
        with contextlib.suppress(FileNotFoundError):
            if now - path.stat().st_mtime > _ABANDONED:
                path.unlink(missing_ok=True)
