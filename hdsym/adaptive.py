"""Adaptive learning rates: gamma as a function of the solution, with states of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, quantities
from .cas import Expr, Symbol, latex, numeric_function, sp, to_expr
from .errors import DeclarationError
from .modellatex import aligned
from .symbols import t as time

if TYPE_CHECKING:
    from .model import Model

__all__ = ["AdaGradNorm", "AdaptiveRate", "LineSearch", "Polyak", "RMSpropNorm"]

Float = NDArray[np.float64]
_STATE, _ETA, _B, _ALPHA = sp.symbols("u eta b alpha", real=True)


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
    parameters:
        Values of further symbols. Simulators compile a rule once for all of their values.
    label:
        How reports show it; `rate`, states and parameters by default.

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
    parameters: Mapping[Any, Any] = field(default_factory=dict)
    label: str | None = None

    kind = "adaptive"
    value = None
    expr = None

    def __post_init__(self) -> None:
        constants = {self._symbol(name, "parameter"): value for name, value in dict(self.parameters).items()}
        values = {symbol: checks.finite(value, f"the parameter {symbol}") for symbol, value in constants.items()}
        symbols, starts, slopes = [], [], []
        for symbol, given in dict(self.states).items():
            name = self._symbol(symbol, "state")
            try:
                start, slope = given
            except (TypeError, ValueError):
                raise DeclarationError(
                    f"the state {name} is {given!r}", remedy="give its start and du/dt: {u: (0, expression)}"
                ) from None
            symbols.append(name)
            starts.append(checks.finite(start, f"the start of {name}"))
            slopes.append(slope)
        object.__setattr__(self, "parameters", values)
        object.__setattr__(self, "_symbols", tuple(symbols))
        object.__setattr__(self, "_starts", tuple(starts))
        object.__setattr__(self, "rate", self._read(self.rate, "the learning rate"))
        read = tuple(self._read(expr, f"d{u}/dt") for u, expr in zip(symbols, slopes, strict=True))
        object.__setattr__(self, "_slopes", read)

    _symbols: tuple[Symbol, ...] = field(init=False, default=())
    _starts: tuple[float, ...] = field(init=False, default=())
    _slopes: tuple[Expr, ...] = field(init=False, default=())

    @staticmethod
    def _symbol(given: Any, what: str) -> Symbol:
        symbol = sp.Symbol(given, real=True) if isinstance(given, str) else given
        if not isinstance(symbol, sp.Symbol) or symbol in quantities.NAMES or symbol == time:
            raise DeclarationError(
                f"a {what} of the learning rate is called {given!r}", remedy='give a symbol of your own, sp.Symbol("u")'
            )
        return symbol

    def _read(self, given: Any, what: str) -> Expr:
        expr = to_expr(given)
        if expr is None:
            raise DeclarationError(f"{what} is {given!r}", remedy="give an expression in hd.t and hd.quantities")
        own = {*self._symbols, *self.parameters}
        expr = expr.xreplace({s: time for s in expr.free_symbols if s.name == "t" and s not in own})
        strangers = sorted(s.name for s in expr.free_symbols - {time, *quantities.NAMES, *own})
        if strangers:
            raise DeclarationError(
                f"{what} = {expr} contains {', '.join(strangers)}",
                remedy=f"use hd.t, states, parameters and hd.quantities: {', '.join(quantities.NAMES.values())}",
            )
        return expr

    def check(self, model: Model) -> None:
        """Raise :class:`DeclarationError` for an explicit model on which some quantity has no meaning."""
        needed = [symbol for symbol, name in quantities.NAMES.items() if name in self.needs]
        if model.n_student != model.n_teacher and quantities.PAIRED & set(needed):
            students, teachers = model.n_student, model.n_teacher
            raise DeclarationError(
                f"the learning rate {self.describe()} compares {students} students with {teachers} teachers",
                remedy="use a rule without alignment and distance, or a model with as many students as teachers",
            )
        free = [symbol for symbol in needed if symbol in quantities.FREE]
        if model.constraint is not None and free:
            raise DeclarationError(
                f"the learning rate {self.describe()} uses {free[0]}, which knows nothing of the sphere",
                remedy="use a rule in risk, tr I, squared_gradient and norms alone",
            )

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
        arguments = [time, *quantities.NAMES, *self.parameters, *self._symbols]
        return tuple(numeric_function(arguments, expr) for expr in (self.rate, *self._slopes))

    def evaluate(self, t: ArrayLike, given: Mapping[str, float], states: Float) -> tuple[Float, Float]:
        """gamma, shape (...), and du/dt, shape (..., k), at times (...), quantities by name (...) and states (..., k).

        Raises
        ------
        DeclarationError
            Where gamma is negative or not finite: it names the first such time.
        """
        values = [*(given.get(name, np.nan) for name in quantities.NAMES.values()), *self.parameters.values()]
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
        values = [f"{symbol} = {value:g}" for symbol, value in self.parameters.items()]
        return ", ".join([f"gamma = {self.rate}", *parts, *values])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AdaptiveRate):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[Any, ...]:
        return self.rate, self._symbols, self._starts, self._slopes, tuple(self.parameters.items())

    def _repr_latex_(self) -> str:
        return aligned([(r"\gamma", self.rate), *((rf"\dot {{{latex(u)}}}", v) for u, v in self.slopes.items())])

    def _repr_html_(self) -> str:
        from .show import rates

        return rates.rule(self)

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
    states = {_STATE: (0.0, quantities.squared_gradient)}
    label = f"hd.AdaGradNorm(eta={eta!r}, b={b!r})"
    return AdaptiveRate(_ETA / sp.sqrt(_B**2 + _STATE), states, {_ETA: eta, _B: b}, label)


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
    states = {_STATE: (b**2, quantities.squared_gradient - _ALPHA * _STATE)}
    label = f"hd.RMSpropNorm(eta={eta!r}, b={b!r}, alpha={alpha!r})"
    return AdaptiveRate(_ETA / sp.sqrt(_STATE), states, {_ETA: eta, _ALPHA: alpha}, label)


def Polyak() -> AdaptiveRate:
    """The idealised Polyak step: the rate at which ||X - X*||^2 falls fastest, half of the descent threshold.

    gamma = A / ((tr K / d) tr I) with A = E<x - s, grad_x f>. It knows X*, which SGD does not; zero where A is not
    positive. Needs as many students as teachers.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    return AdaptiveRate(_ratio(quantities.alignment, quantities.squared_gradient), label="hd.Polyak()")


def LineSearch() -> AdaptiveRate:
    """Exact line search on the risk, idealised: R' = -gamma a1 + gamma^2 a2 is least at gamma = a1 / (2 a2).

    a1 and a2 are ``quantities.descent`` and ``quantities.curvature``. Where a2 is not positive the risk has no such
    minimum, and the integration stops with an error.

    References
    ----------
    E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
    """
    return AdaptiveRate(_ratio(quantities.descent, 2 * quantities.curvature), label="hd.LineSearch()")


def _ratio(above: Expr, below: Expr) -> Expr:
    """A ratio that is zero where there is nothing left to gain, 0 / 0 included."""
    return sp.Piecewise((0, above <= 0), (above / below, True))


def _amount(value: Any, name: str, *, positive: bool = False) -> float:
    number = checks.finite(value, name)
    if number < 0 or (positive and number == 0):
        raise DeclarationError(f"{name} is {number:g}", remedy=f"give a number {'> 0' if positive else '>= 0'}")
    return number
