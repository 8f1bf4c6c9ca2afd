"""The key of a derivation: a hash of all that it depends on, the code that derives among it.

A derivation of an older or newer hdsym, or of another sympy, is never found: every source file and template is part of
the key. A process in which the files have changed since it started, as after an upgrade beside a running notebook,
neither reads nor writes, for it runs code that is no longer there.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import mpmath

from .. import _IMPORTED
from ..cas import Expr, sp
from ..model import Model
from ..paths import templates_dir
from ..userfunction import UserFunction
from .codec import Functions, NotStorableError, encode

__all__ = ["declared_functions", "model_key", "running_code"]

FORMAT = 1
"""Of the text of entries; the code that writes it is in the key too, so this is for the reader's eye."""
_CLOCK = 0.05
"""Seconds by which the times of files may lag behind the clock."""


def model_key(model: Model, policy: str, functions: Functions) -> str:
    """The hash that everything derived for `model` is kept under, the same in every session.

    Raises
    ------
    NotStorableError
        If the model holds something that has no canonical text.
    """
    used = [functions[name] for name in sorted(functions)]
    statements = tuple((f.__name__, f.source, f.parity, _derivative(f)) for f in used)
    content = (
        ("format", FORMAT, "python", *sys.version_info[:2], "sympy", sp.__version__, "mpmath", mpmath.__version__),
        ("policy", policy),
        (model.loss, model.link, model.noise, model.name, tuple(model.references), model.constraint),
        model.declared_statistics,
        statements,
    )
    text = encode(content, functions)
    return hashlib.sha256(f"{running_code()}\n{text}".encode()).hexdigest()


def declared_functions(model: Model) -> dict[str, Any]:
    """Every function declared by code that a derivation of `model` may meet, by name: those of derivatives too.

    Raises
    ------
    NotStorableError
        If two of them share a name.
    """
    found: dict[str, Any] = {}
    expressions = [model.loss, *model.link_expressions, *(g for _, g in model.declared_statistics)]
    pending = _functions_in(expressions)
    while pending:
        kind = pending.pop()
        if found.setdefault(kind.__name__, kind) is not kind:
            raise NotStorableError(f"two functions are called {kind.__name__}")
        slope = _derivative(kind)
        pending += [other for other in _functions_in([slope]) if found.get(other.__name__) is not other]
    return found


def _functions_in(expressions: Iterable[Expr | None]) -> list[Any]:
    return list({type(node) for expr in expressions if expr is not None for node in expr.atoms(UserFunction)})


def _derivative(kind: Any) -> Expr | None:
    """What was declared as the derivative, at a symbol."""
    derive = kind.derivative
    return None if derive is None else sp.sympify(derive(sp.Symbol("u", real=True)), strict=True)


def running_code() -> str:
    """A hash of every source file and template of hdsym.

    Raises
    ------
    NotStorableError
        If they may not be those that this process runs.
    """
    try:
        digest, newest = _code()
    except OSError as error:
        raise NotStorableError(f"the files of hdsym cannot be read: {error}") from error
    if newest > _IMPORTED - _CLOCK:
        raise NotStorableError("the files of hdsym have changed since it was imported")
    return digest


def _code() -> tuple[str, float]:
    """A hash of all files and their names, and when one of them was changed last."""
    digest, newest = hashlib.sha256(), 0.0
    for root in _roots():
        for path in _sources(str(root)):
            with open(path, "rb") as file:  # noqa: PTH123  # Path would take a third of the time of a derivation found
                digest.update(f"{path.removeprefix(str(root))}\n".encode())
                digest.update(hashlib.sha256(file.read()).digest())
                found = os.fstat(file.fileno())
                newest = max(newest, found.st_ctime if os.name == "posix" else found.st_mtime)  # no archive sets it
    return digest.hexdigest(), newest


def _roots() -> tuple[Path, ...]:
    return Path(__file__).resolve().parent.parent, templates_dir()


def _sources(folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry.path)
        elif entry.name.endswith((".py", ".j2")):
            yield entry.path
