"""The only place where symbols are minted: preactivations, labels, noise, parameters, sizes, overlaps, time."""

from __future__ import annotations

from typing import Any, overload

from .cas import Expr, Matrix, Symbol, sp
from .families import (
    Family,
    ParameterFamily,
    StudentFamily,
    TeacherFamily,
    TrainedFamily,
)
from .roles import (
    LabelSymbol,
    NoiseSymbol,
    Parameter,
    Size,
    StudentSymbol,
    TeacherSymbol,
    TrainedSymbol,
    _Declared,
)

__all__ = [
    "Family",
    "LabelSymbol",
    "NoiseSymbol",
    "Parameter",
    "ParameterFamily",
    "Size",
    "StudentFamily",
    "StudentSymbol",
    "TeacherFamily",
    "TeacherSymbol",
    "Trained",
    "TrainedFamily",
    "TrainedSymbol",
    "label",
    "noise",
    "overlap_matrix",
    "parameter",
    "size",
    "student",
    "t",
    "teacher",
]


def size(name: str) -> Size:
    """Declare a number of units that is fixed later, by ``model.at(K=3)`` or by a problem. Raises as :func:`student`.

    Examples
    --------
    >>> import hdsym as hd, sympy as sp
    >>> K, i = hd.size("K"), sp.Symbol("i", integer=True)
    >>> x = hd.student("x", size=K)
    >>> sp.Sum(x[i] ** 2, (i, 1, K)) / K
    Sum(x[i]**2, (i, 1, K))/K
    """
    return Size(name)


@overload
def student(name: str) -> StudentSymbol: ...
@overload
def student(name: str, size: Any) -> StudentFamily: ...
def student(name: str, size: Any = None) -> Any:
    """Declare the preactivation x = <X, a> of a trained direction, or with `size` a family of them.

    Parameters
    ----------
    size:
        Number of directions: an integer, :func:`size`, or its name.

    Raises
    ------
    DeclarationError
        If `name` is not an identifier, or `size` not a size.

    Examples
    --------
    >>> x1, x2 = student("x", size=2)
    >>> x1 * x2
    x1*x2
    """
    return StudentSymbol(name) if size is None else StudentFamily(name, size)


@overload
def teacher(name: str) -> TeacherSymbol: ...
@overload
def teacher(name: str, size: Any) -> TeacherFamily: ...
def teacher(name: str, size: Any = None) -> Any:
    """Declare the preactivation s = <X*, a> of a target direction, or a family; as :func:`student` does."""
    return TeacherSymbol(name) if size is None else TeacherFamily(name, size)


def label(name: str) -> LabelSymbol:
    """Declare the label y that the loss sees. Raises as :func:`student` does."""
    return LabelSymbol(name)


def noise(name: str) -> NoiseSymbol:
    """Declare the label noise eps; its law is given to the model. Raises as :func:`student` does."""
    return NoiseSymbol(name)


@overload
def parameter(
    name: str, default: float | None = None, *, positive: bool = False, nonnegative: bool = False
) -> Parameter: ...
@overload
def parameter(
    name: str, default: float | None = None, *, size: Any, positive: bool = False, nonnegative: bool = False
) -> ParameterFamily: ...
def parameter(
    name: str,
    default: float | None = None,
    *,
    size: Any = None,
    positive: bool = False,
    nonnegative: bool = False,
) -> Any:
    """Declare a named constant (noise level, slope) that gets its value when a problem is solved.

    Parameters
    ----------
    default:
        Value used when ``Problem(parameters={...})`` gives none.
    size:
        Number of units that have one each; their values are given as an array, or as one number for all.
    positive, nonnegative:
        Assumptions sympy may use, enforced on the values.
    """
    assumptions: dict[str, bool] = {"real": True}
    if positive:
        assumptions["positive"] = True
    elif nonnegative:
        assumptions["nonnegative"] = True
    if size is None:
        return Parameter(name, default, **assumptions)
    return ParameterFamily(name, size, default=default, **assumptions)


@overload
def Trained(name: str, *, default: float | None = None) -> TrainedSymbol: ...
@overload
def Trained(name: str, size: Any, default: float | None = None) -> TrainedFamily: ...
def Trained(name: str, size: Any = None, default: float | None = None) -> Any:
    """Declare a scalar that SGD trains along with X: a second-layer weight, a bias, a threshold; or a family of them.

    It moves by theta <- theta - (gamma_theta / d) d_theta f. Its start is given in ``Problem(parameters={...})``, its
    rate in ``Problem(learning_rates={...})``.

    Parameters
    ----------
    size:
        Number of units that have one each.
    default:
        Where it starts if a problem does not say.
    """
    if size is None:
        return TrainedSymbol(name, default, real=True)
    return TrainedFamily(name, size, default=default, real=True)


t: Symbol = sp.Symbol("t", real=True, nonnegative=True)
"""Time t = steps / d, for learning-rate schedules: ``learning_rate=1 / (1 + hd.t)``."""


def entry_name(letter: str, row: int, column: int) -> str:
    """The name of an entry of a matrix, rows from one: B12; B1_12 where digits alone could be another entry's."""
    return f"{letter}{row}{'' if max(row, column) < 10 else '_'}{column}"


def slope_name(entry: str, pair: tuple[int, int]) -> str:
    """``H21_B12`` for dH21/dB12."""
    return f"{entry}_{entry_name('B', *pair)}"


def moment_name(along: tuple[int, ...], factors: tuple[int, ...]) -> str:
    """``M2_12_11`` for E[d_1 d_2 (u_1 u_1)], u = grad_x f; indices from ten on are set off by further underscores."""
    wide = max((*along, *factors)) > 9
    groups = [("_" if wide else "").join(map(str, sorted(group))) for group in (along, factors) if group]
    return "_".join([f"M{len(factors)}", *groups])


def overlap(row: int, column: int) -> Symbol:
    """The entry B_ij = E[r_i r_j], one shared symbol for (i, j) and (j, i); rows count from one."""
    low, high = min(row, column), max(row, column)
    name = entry_name("B", low, high)
    if low == high:
        return sp.Symbol(name, real=True, positive=True)
    return sp.Symbol(name, real=True)


def overlap_matrix(size: int) -> Matrix:
    """The symmetric overlap matrix B = W^T K W, shape (size, size), student rows first."""
    return sp.ImmutableMatrix(size, size, lambda i, j: overlap(int(i) + 1, int(j) + 1))


def is_declared(symbol: Expr) -> bool:
    """Whether a symbol was minted here with a role in a model."""
    return isinstance(symbol, _Declared | Parameter | TrainedSymbol)
