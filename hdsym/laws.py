"""Laws of the label noise.

A law is independent of the data. Discrete laws are summed exactly; of the continuous ones the normal law becomes one
more Gaussian variable, or its moments where it enters polynomially.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from .cas import Expr, Symbol, latex, sp, to_expr
from .errors import DeclarationError, ExpectationError
from .modellatex import law_latex
from .special import log_ndtr
from .symbols import NoiseSymbol, Parameter

__all__ = ["Discrete", "Laplace", "NoiseLaw", "Normal", "Rademacher", "StudentT", "Uniform"]


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

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.symbol)} \sim {law_latex(self)}$"

    def _repr_html_(self) -> str:
        from .show import models

        return models.law("Noise", self._repr_latex_())

    draw: ClassVar[str] = "uniform"
    """The standard draw behind the law: "normal", "uniform" on (0, 1), "student_t"; empty for a discrete law."""

    @property
    def constants(self) -> tuple[Expr, ...]:
        """The expressions the law is made of, whose parameters are the model's."""
        return ()

    @property
    def chances(self) -> tuple[tuple[Expr, Expr], ...]:
        """(probability, value) of every outcome; empty for a law with a density."""
        return ()

    def moment(self, order: int) -> Expr:
        """E eps^order."""
        return sp.Add(*(weight * value**order for weight, value in self.chances))

    def value(self, draw: Expr) -> Expr:
        """The noise as a function of its standard draw."""
        raise TypeError(f"{type(self).__name__} has no density")

    def as_normal(self, normal: Symbol) -> Expr | None:
        """The noise as a function of a standard normal variable; ``None`` if there is no elementary one."""
        return self.value((1 + sp.erf(normal / sp.sqrt(2))) / 2)


@dataclass(frozen=True)
class Normal(NoiseLaw):
    """Gaussian noise with a standard deviation (>= 0) and a mean."""

    std: Expr
    mean: Expr = 0
    draw: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("std", self.std)
        self._set("mean", self.mean)
        if self.std.is_negative:
            raise DeclarationError(f"std of Normal is {self.std}", remedy="give a standard deviation >= 0")

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (self.std, self.mean)

    def moment(self, order: int) -> Expr:
        """Binomial expansion about the mean; the central moments are (k - 1)!! std^k for even k."""
        return _shifted(order, self.mean, lambda k: sp.factorial2(k - 1) * self.std**k if k % 2 == 0 else sp.S.Zero)

    def value(self, draw: Expr) -> Expr:
        return self.mean + self.std * draw

    def as_normal(self, normal: Symbol) -> Expr | None:
        return self.value(normal)


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

    def moment(self, order: int) -> Expr:
        """E eps^k = sum_i high^i low^(k - i) / (k + 1): no division by high - low."""
        return sp.Add(*(self.high**i * self.low ** (order - i) for i in range(order + 1))) / (order + 1)

    def value(self, draw: Expr) -> Expr:
        return self.low + (self.high - self.low) * draw


@dataclass(frozen=True)
class Discrete(NoiseLaw):
    """Noise that takes finitely many values with given probabilities, which must sum to one."""

    values: tuple[Expr, ...]
    probabilities: tuple[Expr, ...]
    draw: ClassVar[str] = ""

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

    @property
    def chances(self) -> tuple[tuple[Expr, Expr], ...]:
        return tuple(zip(self.probabilities, self.values, strict=True))


@dataclass(frozen=True)
class Rademacher(NoiseLaw):
    """A fair sign: +1 or -1, each with probability 1/2."""

    draw: ClassVar[str] = ""

    @property
    def chances(self) -> tuple[tuple[Expr, Expr], ...]:
        half = sp.Rational(1, 2)
        return ((half, sp.Integer(1)), (half, sp.Integer(-1)))


@dataclass(frozen=True)
class Laplace(NoiseLaw):
    """Laplace noise with density exp(-abs(eps - mean) / scale) / (2 scale)."""

    scale: Expr
    mean: Expr = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("scale", self.scale)
        self._set("mean", self.mean)
        if self.scale.is_negative:
            raise DeclarationError(f"scale of Laplace is {self.scale}", remedy="give a scale >= 0")

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (self.scale, self.mean)

    def moment(self, order: int) -> Expr:
        """Binomial expansion about the mean; the central moments are k! scale^k for even k."""
        return _shifted(order, self.mean, lambda k: sp.factorial(k) * self.scale**k if k % 2 == 0 else sp.S.Zero)

    def value(self, draw: Expr) -> Expr:
        """The quantile function of a uniform draw."""
        centre = draw - sp.Rational(1, 2)
        return self.mean - self.scale * sp.sign(centre) * sp.log(1 - 2 * sp.Abs(centre))

    def as_normal(self, normal: Symbol) -> Expr | None:
        """The same with the draw Phi(xi); in the tails through log Phi, which keeps its digits there."""
        return self.mean - self.scale * sp.sign(normal) * (sp.log(2) + log_ndtr(-sp.Abs(normal)))


@dataclass(frozen=True)
class StudentT(NoiseLaw):
    """Student t noise, mean + scale * t with t of the given degrees of freedom (a positive number).

    Moments of order k exist for k < dof: a loss whose risk or Fisher matrix needs more has no limit, and says so.
    """

    dof: Expr
    scale: Expr = 1
    mean: Expr = 0
    draw: ClassVar[str] = "student_t"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dof", "scale", "mean"):
            self._set(name, getattr(self, name))
        if not self.dof.is_number or not self.dof.is_positive or self.scale.is_negative:
            raise DeclarationError(
                f"StudentT has dof = {self.dof} and scale = {self.scale}",
                remedy="give a number dof > 0 and a scale >= 0",
            )

    @property
    def constants(self) -> tuple[Expr, ...]:
        return (self.dof, self.scale, self.mean)

    def moment(self, order: int) -> Expr:
        """E eps^k; raises ExpectationError unless k < dof."""
        if order >= self.dof:
            raise ExpectationError(
                f"E {self.symbol}^{order} does not exist for Student t noise with {self.dof} degrees of freedom",
                remedy=f"moments up to order {order} are needed: use more than {order} degrees of freedom, or a loss "
                "that grows more slowly",
            )

        def central(k: int) -> Expr:
            if k % 2:
                return sp.S.Zero
            ratios = (sp.Integer(2 * i - 1) / (self.dof - 2 * i) for i in range(1, k // 2 + 1))
            return (self.scale * sp.sqrt(self.dof)) ** k * sp.Mul(*ratios)

        return _shifted(order, self.mean, central)

    def value(self, draw: Expr) -> Expr:
        """Mean and scale of a standard t draw."""
        return self.mean + self.scale * draw

    def as_normal(self, normal: Symbol) -> Expr | None:
        return None


def _shifted(order: int, mean: Expr, central: Callable[[int], Expr]) -> Expr:
    """E (mean + u)^order from the moments of u."""
    return sp.Add(*(sp.binomial(order, k) * mean ** (order - k) * central(k) for k in range(order + 1)))
