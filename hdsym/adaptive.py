"""Adaptive learning rates: gamma as a function of the solution, with states of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, quantities
from .cas import Expr, Symbol, exact, numeric_function, sp, to_expr
from .errors import DeclarationError
from .symbols import t as time

__all__ = ["AdaGradNorm", "AdaptiveRate", "LineSearch", "Polyak", "RMSpropNorm"]

Float = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class AdaptiveRate:
    """A learning rate gamma that depends on the solution of the ODEs, and on states u that move along with it.

    Parameters
    ----------
    rate:
        gamma, an expression in ``hd.t``, the symbols of :mod:`hdsym.quantities` and the states.
    states:
        For each state u, a symbol, the pair (u at t = 0, du/dt): a number, and an expression as `rate`. States are
        integrals of the solution; a decaying one, u' = -alpha u + ..., forgets.
    label:
        How reports show it; `rate` and the states by default.

    Raises
    ------
    DeclarationError
        For expressions with other symbols, or a start that is no number. Where gamma turns negative or is not finite,
        the integration says so and names the time.

    Examples
    --------
    A rate in proportion to the risk, and AdaGrad-Norm by hand:

    >>> import hdsym as hd, sympy as sp
    >>> hd.AdaptiveRate(hd.quantities.risk / 2)
    AdaptiveRate(gamma = risk/2)
    >>> u = sp.Symbol("u")
    >>> hd.AdaptiveRate(1 / sp.sqrt(1 + u), states={u: (0, hd.quantities.squared_gradient)})
    AdaptiveRate(gamma = 1/sqrt(u + 1), u' = squared_gradient, u(0) = 0)

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585: stochastic adaptive rates and their limits.
    """

    rate: Any
    states: Mapping[Any, tuple[Any, Any]] = field(default_factory=dict)
    label: str | None = None

    kind = "adaptive"
    value = None
    expr = None

    def __post_init__(self) -> None:
        symbols, starts, slopes = [], [], []
        for symbol, given in dict(self.states).items():
            name = sp.Symbol(symbol, real=True) if isinstance(symbol, str) else symbol
            if not isinstance(name, sp.Symbol) or name in quantities.NAMES or name == time:
                raise DeclarationError(
                    f"a state of the learning rate is called {symbol!r}", remedy='give a symbol, sp.Symbol("u")'
                )
            try:
                start, slope = given
            except (TypeError, ValueError):
                raise DeclarationError(
                    f"the state {name} is {given!r}", remedy="give its start and du/dt: {u: (0, expression)}"
                ) from None
            symbols.append(name)
            starts.append(checks.finite(start, f"the start of {name}"))
            slopes.append(slope)
        object.__setattr__(self, "_symbols", tuple(symbols))
        object.__setattr__(self, "_starts", tuple(starts))
        object.__setattr__(self, "rate", self._read(self.rate, "the learning rate"))
        object.__setattr__(
            self, "_slopes", tuple(self._read(e, f"d{u}/dt") for u, e in zip(symbols, slopes, strict=True))
        )

    _symbols: tuple[Symbol, ...] = field(init=False, default=())
    _starts: tuple[float, ...] = field(init=False, default=())
    _slopes: tuple[Expr, ...] = field(init=False, default=())

    def _read(self, given: Any, what: str) -> Expr:
        expr = to_expr(given)
        if expr is None:
            raise DeclarationError(f"{what} is {given!r}", remedy="give an expression in hd.t and hd.quantities")
        expr = expr.xreplace({s: time for s in expr.free_symbols if s.name == "t" and s not in self._symbols})
        strangers = sorted(s.name for s in expr.free_symbols - {time, *quantities.NAMES, *self._symbols})
        if strangers:
            raise DeclarationError(
                f"{what} = {expr} contains {', '.join(strangers)}",
                remedy=f"use hd.t, the states and hd.quantities: {', '.join(quantities.NAMES.values())}",
            )
        return expr

    @property
    def start(self) -> Float:
        """The states at t = 0, shape (k,)."""
        return np.array(self._starts)

    @property
    def slopes(self) -> dict[Symbol, Expr]:
        """du/dt of every state."""
        return dict(zip(self._symbols, self._slopes, strict=True))

    @property
    def needs(self) -> frozenset[str]:
        """Names of the quantities that it depends on."""
        used = set().union(self.rate.free_symbols, *(slope.free_symbols for slope in self._slopes))
        return frozenset(name for symbol, name in quantities.NAMES.items() if symbol in used)

    @cached_property
    def _functions(self) -> tuple[Callable[..., Float], ...]:
        arguments = [time, *quantities.NAMES, *self._symbols]
        return tuple(numeric_function(arguments, expr) for expr in (self.rate, *self._slopes))

    def evaluate(self, t: ArrayLike, given: Mapping[str, ArrayLike], states: Float) -> tuple[Float, Float]:
        """gamma, shape (...), and du/dt, shape (..., k), at times (...), quantities by name (...) and states (..., k).

        Raises
        ------
        DeclarationError
            Where gamma is negative or not finite: it names the first such time.
        """
        values = [given.get(name, np.nan) for name in quantities.NAMES.values()]
        columns = [states[..., k] for k in range(len(self._symbols))]
        gamma, *slopes = (function(t, *values, *columns) for function in self._functions)
        bad = ~(np.isfinite(gamma) & (gamma >= 0))
        if np.any(bad):
            at = float(np.broadcast_to(t, gamma.shape)[bad].flat[0])
            raise DeclarationError(
                f"the learning rate {self.describe()} is {float(gamma[bad].flat[0]):g} at t = {at:g}",
                remedy="a rate is finite and >= 0: bound it, for instance sp.Max(gamma, 0), or stop earlier",
            )
        return gamma, np.stack(slopes, axis=-1) if slopes else np.zeros((*gamma.shape, 0))

    def __call__(self, t: ArrayLike) -> Float:
        """Raises :class:`DeclarationError`: it has no values before the ODEs are solved."""
        raise DeclarationError(
            f"the learning rate {self.describe()} depends on the solution, and a schedule in t is needed here",
            remedy="give a number or an expression in hd.t; path.learning_rate has the values along a solution",
        )

    def describe(self) -> str:
        """One line for reports."""
        if self.label is not None:
            return self.label
        parts = [
            f"{u}' = {slope}, {u}(0) = {s:g}" for (u, slope), s in zip(self.slopes.items(), self._starts, strict=True)
        ]
        return ", ".join([f"gamma = {self.rate}", *parts])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AdaptiveRate):
            return NotImplemented
        return (self.rate, self._symbols, self._starts, self._slopes) == (
            *(other.rate, other._symbols),
            *(other._starts, other._slopes),
        )

    def __hash__(self) -> int:
        return hash((self.rate, self._symbols, self._starts, self._slopes))

    def __repr__(self) -> str:
        return self.label if self.label is not None else f"AdaptiveRate({self.describe()})"


def AdaGradNorm(eta: float, b: float) -> AdaptiveRate:  # a name of the field
    """AdaGrad-Norm, gamma = eta / sqrt(b^2 + (tr K / d) int_0^t tr I ds).

    In SGD b_{k+1}^2 = b_k^2 + ||grad Psi||^2 / d^2, gamma_k = eta / b_{k+1}.

    Raises
    ------
    DeclarationError
        Unless eta >= 0 and b > 0.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    eta, b = _amount(eta, "eta"), _amount(b, "b", positive=True)
    u = sp.Symbol("u", real=True)
    rate = _exact(eta) / sp.sqrt(_exact(b) ** 2 + u)
    return AdaptiveRate(rate, {u: (0.0, quantities.squared_gradient)}, f"hd.AdaGradNorm(eta={eta!r}, b={b!r})")


def RMSpropNorm(eta: float, b: float, alpha: float) -> AdaptiveRate:
    """RMSprop-Norm: AdaGrad-Norm that forgets, gamma = eta / sqrt(u), u' = -alpha u + (tr K / d) tr I, u(0) = b^2.

    In SGD b_{k+1}^2 = (1 - alpha / d) b_k^2 + ||grad Psi||^2 / d^2, gamma_k = eta / b_{k+1}.

    Raises
    ------
    DeclarationError
        Unless eta, alpha >= 0 and b > 0.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    eta, b, alpha = _amount(eta, "eta"), _amount(b, "b", positive=True), _amount(alpha, "alpha")
    u = sp.Symbol("u", real=True)
    slope = quantities.squared_gradient - _exact(alpha) * u
    label = f"hd.RMSpropNorm(eta={eta!r}, b={b!r}, alpha={alpha!r})"
    return AdaptiveRate(_exact(eta) / sp.sqrt(u), {u: (b**2, slope)}, label)


def Polyak() -> AdaptiveRate:
    """The idealised Polyak step: the rate at which ||X - X*||^2 falls fastest, half of the descent threshold.

    gamma = A / ((tr K / d) tr I) with A = E<x - s, grad_x f>. It knows X*, which SGD does not; zero where A is not
    positive. Needs as many students as teachers.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    return AdaptiveRate(_ratio(quantities.alignment, quantities.squared_gradient), {}, "hd.Polyak()")


def LineSearch() -> AdaptiveRate:
    """Exact line search on the risk, idealised: R' = -gamma a1 + gamma^2 a2 is least at gamma = a1 / (2 a2).

    a1 and a2 are ``quantities.descent`` and ``quantities.curvature``. Where a2 is not positive the risk has no such
    minimum, and the integration stops with an error.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    return AdaptiveRate(_ratio(quantities.descent, 2 * quantities.curvature), {}, "hd.LineSearch()")


def _ratio(above: Expr, below: Expr) -> Expr:
    """A ratio that is zero where there is nothing left to gain, 0 / 0 included."""
    return sp.Piecewise((0, above <= 0), (above / below, True))


def _amount(value: Any, name: str, *, positive: bool = False) -> float:
    number = checks.finite(value, name)
    if number < 0 or (positive and number == 0):
        raise DeclarationError(f"{name} is {number:g}", remedy=f"give a number {'> 0' if positive else '>= 0'}")
    return number


def _exact(value: float) -> Expr:
    return exact(sp.Float(value))
