"""Where the cache is, and whether it can be trusted: a folder of this user's that nobody else can write."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

__all__ = ["cache_dir", "private", "secret", "why_not_private"]

_WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_EVERYTHING_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def cache_dir() -> Path:
    """Where hdsym keeps things: ``HDSYM_CACHE_DIR``, else ``hdsym`` in the user's cache folder."""
    chosen = os.environ.get("HDSYM_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "hdsym"


def private(name: str) -> Path:
    """The folder `name` of the cache, made with permissions 0700 if it is not there.

    Raises
    ------
    OSError
        If it cannot be made, or is not trusted: see :func:`why_not_private`.
    RuntimeError
        If there is no home folder.
    """
    root = cache_dir()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    why = why_not_private(folder)
    if why:
        raise PermissionError(f"{folder} {why}")
    return folder


def why_not_private(path: Path, forbidden: int = _WRITTEN_BY_OTHERS) -> str:
    """What makes a folder or a file unfit to be trusted, in words; empty if nothing does.

    Modules from there are executed, and formulas believed. Where the system knows no owners nothing is checked.
    """
    found = path.lstat()
    if not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return "is neither a folder nor a file"
    if not hasattr(os, "getuid"):
        return ""
    if found.st_uid != os.getuid():
        return "belongs to another user"
    return "is open to other users" if found.st_mode & forbidden else ""


def secret(folder: Path) -> bytes:
    """The key that entries in `folder` are signed with: 32 bytes in a file that only its owner can read.

    Raises
    ------
    OSError
        If it can be neither read nor written, or is not trusted.
    """
    path = folder / "key"
    if not path.exists():
        _make_key(path)
    why = why_not_private(path, _EVERYTHING_OF_OTHERS)
    if why:
        raise PermissionError(f"{path} {why}")
    return hashlib.sha256(path.read_bytes()).digest()


def _make_key(path: Path) -> None:
    """Of several processes that do this at once, one succeeds, and the others take its key."""
    temporary = path.with_name(f".writing-key-{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        if hasattr(os, "link"):
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                temporary.replace(path)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
