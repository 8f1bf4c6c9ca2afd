"""The only place where symbols are minted: preactivations, labels, noise, parameters, overlaps, time."""

from __future__ import annotations

from typing import Any

from .cas import Expr, Matrix, Symbol, sp
from .errors import DeclarationError

__all__ = [
    "LabelSymbol",
    "NoiseSymbol",
    "Parameter",
    "StudentSymbol",
    "TeacherSymbol",
    "label",
    "noise",
    "overlap_matrix",
    "parameter",
    "student",
    "t",
    "teacher",
]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise DeclarationError(
            f"{name!r} is not a name", remedy="use letters, digits and underscores, starting with a letter"
        )


class _Declared(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A real symbol whose class says what it stands for; the class is part of its identity."""

    __slots__ = ()

    def __new__(cls, name: str) -> _Declared:
        _check_name(name)
        symbol: _Declared = sp.Symbol.__xnew__(cls, name, real=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.name,), {}


class StudentSymbol(_Declared):
    """Preactivation x = <X, a> of a trained direction; of order one when d is large."""


class TeacherSymbol(_Declared):
    """Preactivation s = <X*, a> of a target direction; of order one when d is large."""


class LabelSymbol(_Declared):
    """The label y the loss sees."""


class NoiseSymbol(_Declared):
    """Label noise eps, independent of the data."""


class Parameter(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A named constant of the model. It stays symbolic in every formula and gets its value at solve time.

    Attributes
    ----------
    default:
        Value used when a problem gives none; ``None`` if it must be given.
    """

    __slots__ = ("default",)
    default: float | None

    def __new__(cls, name: str, default: float | None = None, **assumptions: bool) -> Parameter:
        _check_name(name)
        symbol: Parameter = sp.Symbol.__xnew__(cls, name, **(assumptions or {"real": True}))
        symbol.default = None if default is None else float(default)
        return symbol

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.default)

    def __getnewargs_ex__(self) -> tuple[tuple[str, float | None], dict[str, bool]]:
        return (self.name, self.default), dict(self._assumptions_orig)


def student(name: str) -> StudentSymbol:
    """Declare the preactivation x = <X, a> of the trained direction.

    Raises
    ------
    DeclarationError
        If `name` is not an identifier.
    """
    return StudentSymbol(name)


def teacher(name: str) -> TeacherSymbol:
    """Declare the preactivation s = <X*, a> of the target direction. Raises as :func:`student` does."""
    return TeacherSymbol(name)


def label(name: str) -> LabelSymbol:
    """Declare the label y that the loss sees. Raises as :func:`student` does."""
    return LabelSymbol(name)


def noise(name: str) -> NoiseSymbol:
    """Declare the label noise eps; its law is given to the model. Raises as :func:`student` does."""
    return NoiseSymbol(name)


def parameter(
    name: str, default: float | None = None, *, positive: bool = False, nonnegative: bool = False
) -> Parameter:
    """Declare a named constant (noise level, slope) that gets its value when a problem is solved.

    Parameters
    ----------
    default:
        Value used when ``Problem(parameters={...})`` gives none.
    positive, nonnegative:
        Assumptions sympy may use, enforced on the values.
    """
    assumptions: dict[str, bool] = {"real": True}
    if positive:
        assumptions["positive"] = True
    elif nonnegative:
        assumptions["nonnegative"] = True
    return Parameter(name, default, **assumptions)


t: Symbol = sp.Symbol("t", real=True, nonnegative=True)
"""Time t = steps / d, for learning-rate schedules: ``learning_rate=1 / (1 + hd.t)``."""


def overlap(row: int, column: int) -> Symbol:
    """The entry B_ij = E[r_i r_j], one shared symbol for (i, j) and (j, i); rows count from one."""
    low, high = min(row, column), max(row, column)
    separator = "" if high < 10 else "_"
    name = f"B{low}{separator}{high}"
    if low == high:
        return sp.Symbol(name, real=True, positive=True)
    return sp.Symbol(name, real=True)


def overlap_matrix(size: int) -> Matrix:
    """The symmetric overlap matrix B = W^T K W, shape (size, size), student rows first."""
    return sp.ImmutableMatrix(size, size, lambda i, j: overlap(int(i) + 1, int(j) + 1))


def is_declared(symbol: Expr) -> bool:
    """Whether a symbol was minted here with a role in a model."""
    return isinstance(symbol, _Declared | Parameter)
