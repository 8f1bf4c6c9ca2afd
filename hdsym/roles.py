"""Symbols that know their role in a model: preactivations, labels, noise, parameters, trained scalars, sizes."""

from __future__ import annotations

import re
from typing import Any

from .cas import Symbol, sp
from .errors import DeclarationError

__all__ = [
    "LabelSymbol",
    "NoiseSymbol",
    "Parameter",
    "Size",
    "StudentSymbol",
    "TeacherSymbol",
    "TrainedSymbol",
    "element_name",
    "natural_key",
]


def check_name(name: object) -> None:
    """Raise :class:`DeclarationError` for a name that is not an identifier."""
    if not isinstance(name, str) or not name.isidentifier():
        raise DeclarationError(
            f"{name!r} is not a name", remedy="use letters, digits and underscores, starting with a letter"
        )


class _Declared(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A real symbol whose class says what it stands for; the class is part of its identity."""

    __slots__ = ()

    def __new__(cls, name: str) -> _Declared:
        check_name(name)
        symbol: _Declared = sp.Symbol.__xnew__(cls, name, real=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.name,), {}

    def renamed(self, name: str) -> Symbol:
        """The same role under another name."""
        return type(self)(name)


class StudentSymbol(_Declared):
    """Preactivation x = <X, a> of a trained direction; of order one when d is large."""


class TeacherSymbol(_Declared):
    """Preactivation s = <X*, a> of a target direction; of order one when d is large."""


class LabelSymbol(_Declared):
    """The label y the loss sees."""


class NoiseSymbol(_Declared):
    """Label noise eps, independent of the data."""


class _Valued(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A named number that stays symbolic in every formula and gets its value from a problem.

    Attributes
    ----------
    default:
        Value used when a problem gives none; ``None`` if it must be given.
    """

    __slots__ = ("default",)
    default: float | None

    def __new__(cls, name: str, default: float | None = None, **assumptions: bool) -> _Valued:
        check_name(name)
        symbol: _Valued = sp.Symbol.__xnew__(cls, name, **(assumptions or {"real": True}))
        symbol.default = None if default is None else float(default)
        return symbol

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), repr(self.default))  # text: sympy also sorts by it, None has no order

    def __getnewargs_ex__(self) -> tuple[tuple[str, float | None], dict[str, bool]]:
        return (self.name, self.default), dict(self._assumptions_orig)

    def renamed(self, name: str) -> Symbol:
        """The same role, default and assumptions under another name."""
        return type(self)(name, self.default, **self._assumptions_orig)


class Parameter(_Valued):
    """A named constant of the model: a noise level, a slope, a fixed second layer."""


class TrainedSymbol(_Valued):
    """A scalar that SGD trains along with X: a second-layer weight, a bias, a threshold.

    One step is theta <- theta - (gamma_theta / d) d_theta f, with the sample and the old values of that step. Its
    `default` is the value it starts from when a problem gives none.
    """


class Size(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A number of units, fixed when a problem is solved: a positive integer."""

    __slots__ = ()

    def __new__(cls, name: str) -> Size:
        check_name(name)
        symbol: Size = sp.Symbol.__xnew__(cls, name, integer=True, positive=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.name,), {}


def element_name(family: str, index: int) -> str:
    """The name of an element of a family: x3 of x, x1_3 of x1."""
    return f"{family}_{index}" if family[-1].isdigit() else f"{family}{index}"


def natural_key(name: str) -> tuple[str, int, str]:
    """Sorts x1, x2, x10 by their number, and the elements of a family side by side."""
    match = re.fullmatch(r"(.*?)(\d+)", name)
    return (match[1], int(match[2]), name) if match else (name, -1, name)
