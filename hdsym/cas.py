"""The boundary to sympy, which carries no type information.

Every other module takes sympy from here (``from .cas import sp, Expr``), so that the untyped world is entered in
one place and the functions whose result the type checker must know are typed once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.printing.precedence import PRECEDENCE

from .symbolnames import name_latex

Expr: TypeAlias = Any
"""A sympy expression. An alias, because sympy is untyped; it says what is meant."""

Symbol: TypeAlias = Any
"""A sympy symbol."""

Matrix: TypeAlias = Any
"""A sympy matrix (immutable wherever it is stored)."""

__all__ = [
    "PRECEDENCE",
    "Expr",
    "Matrix",
    "Symbol",
    "average_powers",
    "exact",
    "free_symbols",
    "latex",
    "numeric_function",
    "sp",
    "to_expr",
]


def free_symbols(expr: Expr) -> tuple[Symbol, ...]:
    """Free symbols in an order that does not depend on the hash seed."""
    return tuple(sorted(expr.free_symbols, key=lambda symbol: (symbol.name, str(type(symbol)))))


def exact(expr: Expr) -> Expr:
    """Replace every float by the rational its shortest decimal form names: 0.1 becomes 1/10.

    Exact algebra stays exact, and the rational evaluates back to the very float that was typed.
    """
    floats = expr.atoms(sp.Float)
    return expr.xreplace({value: sp.Rational(repr(float(value))) for value in floats}) if floats else expr


def to_expr(value: Any) -> Expr | None:
    """A number or a sympy expression as an exact sympy expression; ``None`` for anything else.

    Text is refused on purpose: it goes through :mod:`hdsym.parse`, never through sympify.
    """
    if isinstance(value, sp.Expr):
        return exact(value)
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return sp.Integer(int(value))
    if isinstance(value, float | np.floating):
        return sp.Rational(repr(float(value))) if np.isfinite(value) else None
    return None


def average_powers(expr: Expr, symbol: Symbol, moment: Callable[[int], Expr]) -> Expr:
    """The mean of a polynomial in `symbol`, given the moments of the symbol.

    By Taylor coefficients rather than an expansion: (g(x) - eps)^2 is not multiplied out in x.
    """
    total, derivative, power = sp.S.Zero, expr, 0
    while derivative != 0:
        total += derivative.xreplace({symbol: sp.S.Zero}) * moment(power) / sp.factorial(power)
        derivative, power = sp.diff(derivative, symbol), power + 1
        derivative = sp.expand(derivative) if derivative.is_number else derivative
    return total


def latex(expr: Expr) -> str:
    """LaTeX of an expression, with the house's way of writing functions."""
    names = {symbol: name_latex(symbol.name) for symbol in expr.atoms(sp.Symbol)}
    return str(sp.latex(expr, symbol_names=names, inv_trig_style="full"))


_NUMERIC_NAMES: dict[str, Callable[..., Any]] = {
    "softplus": lambda u: np.logaddexp(0.0, u),
    "logsumexp": lambda *u: np.logaddexp.reduce(np.broadcast_arrays(*u), axis=0),
    "sign": np.sign,
    "Abs": np.abs,
}


def numeric_function(
    args: Sequence[Symbol], expr: Expr, extra: Mapping[str, Callable[..., Any]] | None = None
) -> Callable[..., NDArray[np.float64]]:
    """A vectorised numpy function of `args` for an expression that is already known to be harmless.

    Built expressions only, never text: sympy's lambdify compiles what it is given. Constants broadcast.
    """
    from scipy import special

    names = {
        "sigmoid": special.expit,
        "erf": special.erf,
        "erfc": special.erfc,
        "log_ndtr": special.log_ndtr,
        **_NUMERIC_NAMES,
        **(extra or {}),
    }
    compiled = sp.lambdify(list(args), expr, modules=[names, "numpy"])

    def function(*values: Any) -> NDArray[np.float64]:
        arrays = [np.asarray(value, dtype=np.float64) for value in values]
        with np.errstate(all="ignore"):
            result = np.asarray(compiled(*arrays), dtype=np.float64)
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        return np.broadcast_to(result, shape) if result.shape != shape else result

    return function


def ordered(expressions: Iterable[Expr]) -> tuple[Expr, ...]:
    """Expressions in sympy's canonical order, which is the same in every session."""
    return tuple(sorted(expressions, key=sp.default_sort_key))
