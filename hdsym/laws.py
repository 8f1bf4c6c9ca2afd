"""Laws of the label noise, and random labels.

A law is independent of the data. Discrete laws are summed exactly; of the continuous ones the normal law becomes one
more Gaussian variable, or its moments where it enters polynomially.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .cas import Expr, Symbol, sp, to_expr
from .errors import DeclarationError
from .symbols import NoiseSymbol, Parameter

__all__ = ["Bernoulli", "Discrete", "NoiseLaw", "Normal", "Rademacher", "Uniform"]


def _constant(value: Any, name: str, law: str) -> Expr:
    """A number or an expression in parameters only, else an error."""
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(
            f"{name} of {law} is {value!r}, not a finite number or an expression",
            remedy="give a number, or an expression in symbols made by hd.parameter(...)",
        )
    strangers = sorted(str(symbol) for symbol in expr.free_symbols if not isinstance(symbol, Parameter))
    if strangers:
        raise DeclarationError(
            f"{name} of {law} contains {', '.join(strangers)}, not declared as a parameter",
            remedy=f"declare it: {strangers[0]} = hd.parameter({strangers[0]!r})",
        )
    if expr.is_real is False:
        raise DeclarationError(f"{name} of {law} is {expr}, not a real number", remedy="give a real number")
    return expr


@dataclass(frozen=True)
class NoiseLaw:
    """Base of the noise laws; `symbol` is the noise symbol the link uses."""

    symbol: Symbol

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, NoiseSymbol):
            raise DeclarationError(
                f"{type(self).__name__} is given {self.symbol!r} as its symbol, not a noise symbol",
                remedy='make one with eps = hd.noise("eps") and pass it first',
            )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, _constant(value, name, type(self).__name__))

    @property
    def constants(self) -> tuple[Expr, ...]:
        """The expressions the law is made of, whose parameters are the model's."""
        return ()


@dataclass(frozen=True)
class Normal(NoiseLaw):
    """Gaussian noise with a standard deviation (>= 0) and a mean."""

    std: Expr
    mean: Expr = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("std", self.std)
        self._set("mean", self.mean)
        if self.std.is_negative:
            raise DeclarationError(f"std of Normal is {self.std}", remedy="give a standard deviation >= 0")

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (self.std, self.mean)


@dataclass(frozen=True)
class Uniform(NoiseLaw):
    """Uniform noise on [low, high]."""

    low: Expr
    high: Expr

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("low", self.low)
        self._set("high", self.high)
        if (self.high - self.low).is_nonpositive:
            raise DeclarationError(
                f"Uniform has low = {self.low} and high = {self.high}", remedy="give low smaller than high"
            )

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (self.low, self.high)


@dataclass(frozen=True)
class Discrete(NoiseLaw):
    """Noise that takes finitely many values with given probabilities, which must sum to one."""

    values: tuple[Expr, ...]
    probabilities: tuple[Expr, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        values = tuple(_constant(value, "a value", "Discrete") for value in self.values)
        weights = tuple(_constant(weight, "a probability", "Discrete") for weight in self.probabilities)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "probabilities", weights)
        if not values or len(values) != len(weights):
            raise DeclarationError(
                f"Discrete has {len(values)} values and {len(weights)} probabilities",
                remedy="give as many probabilities as values, at least one",
            )
        total = sum(weights, sp.Integer(0))
        if total.is_number and not math.isclose(float(total), 1.0, rel_tol=0.0, abs_tol=1e-12):
            raise DeclarationError(f"the probabilities of Discrete sum to {total}", remedy="make them sum to 1")
        if any(weight.is_negative for weight in weights):
            raise DeclarationError("a probability of Discrete is negative", remedy="give numbers in [0, 1]")

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (*self.values, *self.probabilities)


@dataclass(frozen=True)
class Rademacher(NoiseLaw):
    """A fair sign: +1 or -1, each with probability 1/2."""

    @property
    def values(self) -> tuple[Expr, ...]:
        return (sp.Integer(1), sp.Integer(-1))

    @property
    def probabilities(self) -> tuple[Expr, ...]:
        return (sp.Rational(1, 2), sp.Rational(1, 2))


@dataclass(frozen=True)
class Bernoulli:
    """A sampled label: 1 with the given probability (an expression in s), else 0.

    Not the same as the soft label y = probability: the risk agrees for a loss linear in y, the Fisher matrix is larger.
    """

    probability: Expr

    def __post_init__(self) -> None:
        expr = to_expr(self.probability)
        if expr is None:
            raise DeclarationError(
                f"the probability of Bernoulli is {self.probability!r}, not an expression",
                remedy="give an expression in the teacher's preactivation, e.g. hd.Bernoulli(hd.sigmoid(s))",
            )
        object.__setattr__(self, "probability", expr)

    @property
    def values(self) -> tuple[Expr, ...]:
        """The values of the label, 1 first."""
        return (sp.Integer(1), sp.Integer(0))

    @property
    def probabilities(self) -> tuple[Expr, ...]:
        """The probabilities of :attr:`values`, expressions in s."""
        return (self.probability, 1 - self.probability)
