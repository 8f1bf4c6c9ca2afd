"""What derivations use of the cache: values that are made once for a model, and read in later sessions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..cas import sp
from ..codegen.render import TARGETS
from ..errors import HdsymError
from ..model import Model
from . import files
from .codec import Functions, NotStorableError, decode, round_trip
from .identity import declared_functions, model_key, running_code

__all__ = ["NOWHERE", "Kept", "enabled", "kept"]

T = TypeVar("T")


@dataclass(frozen=True)
class Kept:
    """The entries of one derivation.

    Attributes
    ----------
    key:
        What they are found by; empty if nothing is kept.
    functions:
        Functions declared by code that may occur.
    """

    key: str = ""
    functions: Functions = field(default_factory=dict)

    def value(self, part: str, make: Callable[[], T]) -> T:
        """What `make` gives: formulas, records and tuples of them, read if they are there, else made and kept."""
        if not self.key:
            return make()
        text = files.read(self.key, part)
        if text is not None:
            try:
                found: T = decode(text, self.functions)
                return found
            except NotStorableError:
                pass  # not written by this code: made again, and replaced
        made = make()
        with contextlib.suppress(NotStorableError):  # made again each time
            self._write(part, round_trip(made, self.functions))
        return made

    def text(self, part: str, make: Callable[[], str]) -> str:
        """The same for the text of a generated module."""
        if not self.key:
            return make()
        found = files.read(self.key, part)
        if found is None:
            found = make()
            with contextlib.suppress(NotStorableError):
                self._write(part, found)
        return found

    def module(self, target: str, make: Callable[[], str], *, adaptive: bool) -> str:
        """The text of the solver for a target."""
        name = f"{target}-adaptive" if adaptive else target
        return self.text(f"solver-{name}", make) if target in TARGETS else make()

    def _write(self, part: str, text: str) -> None:
        running_code()  # raises if part of what has run may be newer than the key
        files.write(self.key, part, text)


NOWHERE = Kept()
"""Keeps nothing."""


def enabled() -> bool:
    """Whether derivations are kept: yes, unless ``HDSYM_CACHE=0``."""
    return os.environ.get("HDSYM_CACHE", "1").strip().lower() not in ("0", "off", "no", "false")


def _usual() -> bool:
    """Whether sympy evaluates as ever: under ``sympy.evaluate(False)`` formulas have other forms."""
    settings = sp.core.parameters.global_parameters
    return bool(settings.evaluate and settings.distribute)


def kept(model: Any, policy: str, cache: bool | None = None) -> Kept:
    """Where what is derived for `model` is kept: nowhere if it is switched off, or cannot be told by its content."""
    if not isinstance(model, Model) or not (enabled() if cache is None else cache) or not _usual():
        return NOWHERE
    try:
        functions = declared_functions(model)
        return Kept(model_key(model, policy, functions), functions)
    except (NotStorableError, HdsymError, OSError):  # HdsymError: a declared derivative that needs one that is not
        return NOWHERE
