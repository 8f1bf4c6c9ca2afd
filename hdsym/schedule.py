"""Learning rates gamma(t): a number, a sympy expression in t, or a Python function of t."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cas import Expr, numeric_function, sp, to_expr
from .errors import DeclarationError
from .modellatex import rate_latex
from .symbols import t as time

__all__ = ["LearningRate"]

_REMEDY = "give a number >= 0, an expression in hd.t, or a function of t that returns numbers >= 0"


@dataclass(frozen=True, repr=False)
class LearningRate:
    """A learning rate gamma(t), with t = steps / d; one step moves by (gamma / d) times the gradient.

    Parameters
    ----------
    source:
        A number; a sympy expression in ``hd.t`` (any symbol called t is taken for it); or a Python function of one
        number, which is called once for each time, so it need not be vectorised. An expression is faster, can be
        generated as code and can be saved.

    Attributes
    ----------
    kind:
        ``"constant"``, ``"expression"`` or ``"function"``.
    value:
        The number, for a constant.
    expr:
        The expression in t, or ``None`` for a function.
    function:
        The function, or ``None``.

    Raises
    ------
    DeclarationError
        If `source` is none of these, holds other symbols than t, or is negative or not finite at t = 0; calling it
        raises at any time where the rate is negative, not finite or not real, and names that time.

    Examples
    --------
    >>> import hdsym as hd
    >>> gamma = hd.LearningRate(1 / (1 + hd.t))
    >>> gamma([0.0, 1.0])
    array([1. , 0.5])
    >>> gamma.describe()
    '1/(t + 1)'
    """

    source: Any = field(compare=False)
    kind: str = field(init=False)
    value: float | None = field(init=False, default=None)
    expr: Expr | None = field(init=False, default=None)
    function: Callable[[float], Any] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        source = self.source
        if isinstance(source, LearningRate):
            for name in ("source", "kind", "value", "expr", "function"):
                object.__setattr__(self, name, getattr(source, name))
            return
        source = source.item() if isinstance(source, np.ndarray) and source.ndim == 0 else source
        expr = to_expr(source)
        if expr is not None:
            self._set_expression(_in_time(expr))
        elif callable(source) and not isinstance(source, type):
            object.__setattr__(self, "kind", "function")
            object.__setattr__(self, "function", source)
        else:
            hint = "text is read by hdsym.parse" if isinstance(source, str) else _REMEDY
            raise DeclarationError(f"the learning rate is {source!r}", remedy=hint)
        self(0.0)

    def _set_expression(self, expr: Expr) -> None:
        object.__setattr__(self, "expr", expr)
        object.__setattr__(self, "kind", "expression" if expr.free_symbols else "constant")
        if not expr.free_symbols:
            object.__setattr__(self, "value", float(_compiled(expr)(0.0)))

    def __call__(self, t: ArrayLike) -> NDArray[np.float64]:
        """The rate at each of the times `t`; the same shape. Raises :class:`DeclarationError` as the class says."""
        times = np.asarray(t, dtype=np.float64)
        if self.value is not None:
            rates = np.full(times.shape, self.value)
        elif self.expr is not None:
            rates = np.asarray(_compiled(self.expr)(times))
        else:
            rates = np.array([self._one(float(s)) for s in times.ravel()]).reshape(times.shape)
        bad = ~(np.isfinite(rates) & (rates >= 0))
        if np.any(bad):
            at, rate = float(times[bad].flat[0]), float(rates[bad].flat[0])
            raise self._error(at, f"{rate:g}")
        return rates

    def _one(self, t: float) -> float:
        assert self.function is not None  # narrows the type: kind is "function" here
        value = self.function(t)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self._error(t, repr(value)) from None

    def _error(self, t: float, rate: str) -> DeclarationError:
        return DeclarationError(
            f"the learning rate {self.describe()} is {rate} at t = {t:g}",
            remedy="a rate is a real number, finite and >= 0: bound it, for instance sp.Max(gamma, 0), or stop earlier",
        )

    def describe(self) -> str:
        """One line for reports: the number, the expression in t, or the function's name."""
        if self.value is not None:
            return f"{self.value:g}"
        if self.expr is not None:
            return str(self.expr)
        return f"function {getattr(self.function, '__qualname__', type(self.function).__name__)}"

    def __repr__(self) -> str:
        return f"LearningRate({self.describe()})"

    def _repr_latex_(self) -> str:
        return rate_latex(self)

    def _repr_html_(self) -> str:
        from .show import rates

        return rates.schedule(self)


@lru_cache(maxsize=128)
def _compiled(expr: Expr) -> Callable[..., NDArray[np.float64]]:
    """Kept outside the record, which stays small and can be sent to another process."""
    return numeric_function([time], expr)


def _in_time(expr: Expr) -> Expr:
    """The expression in hd.t, checked: no other symbols, nothing that numpy cannot evaluate, real."""
    expr = expr.xreplace({symbol: time for symbol in expr.free_symbols if symbol.name == "t"})
    strangers = sorted(symbol.name for symbol in expr.free_symbols - {time})
    if strangers:
        raise DeclarationError(
            f"the learning rate {expr} contains {', '.join(strangers)}", remedy="use hd.t and numbers only"
        )
    if expr.has(sp.I) or (not expr.free_symbols and not math.isfinite(_number(expr))):
        raise DeclarationError(f"the learning rate {expr} is not a finite real number", remedy=_REMEDY)
    try:
        _compiled(expr)(0.0)
    except Exception as error:
        raise DeclarationError(
            f"the learning rate {expr} cannot be evaluated: {error}",
            remedy="use elementary functions of hd.t, or give a Python function",
        ) from error
    return expr


def _number(expr: Expr) -> float:
    try:
        return float(expr)
    except (TypeError, ValueError, OverflowError):
        return math.nan
