"""Random labels: drawn given the teacher's preactivation, not a function of it.

Not the same as the soft label (the conditional mean): for a loss that is linear in y the risk agrees, but the Fisher
matrix of the sampled label is larger.
"""

from __future__ import annotations

from dataclasses import dataclass

from .cas import Expr, Symbol, average_powers, sp, to_expr
from .errors import DeclarationError
from .modellatex import label_latex

__all__ = ["Bernoulli", "Categorical", "Poisson", "RandomLabel"]

Chance = tuple[Expr, Expr]
"""Probability and value of one outcome."""


def _expression(value: object, what: str, example: str) -> Expr:
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(
            f"{what} is {value!r}, not an expression",
            remedy=f"give an expression in the teacher's preactivation, e.g. {example}",
        )
    return expr


@dataclass(frozen=True)
class RandomLabel:
    """Base of the random labels."""

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """The expressions in s (and eps) that the law is made of."""
        raise TypeError("RandomLabel is abstract; use Bernoulli, Categorical or Poisson")

    def mapped(self, expressions: tuple[Expr, ...]) -> RandomLabel:
        """The same law with other expressions."""
        return type(self)(*expressions)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle y \sim {label_latex(self)}$"

    def _repr_html_(self) -> str:
        from .show import models

        return models.law("Sampled label", self._repr_latex_())

    @property
    def chances(self) -> tuple[Chance, ...]:
        """(probability, value) of every outcome; empty if there are infinitely many."""
        return ()

    def average(self, expr: Expr, label: Symbol) -> Expr:
        """E[expr | s], the label integrated out."""
        return sp.Add(*(weight * expr.xreplace({label: value}) for weight, value in self.chances))


@dataclass(frozen=True)
class Bernoulli(RandomLabel):
    """1 with the given probability (an expression in s), else 0."""

    probability: Expr

    def __post_init__(self) -> None:
        expr = _expression(self.probability, "the probability of Bernoulli", "hd.Bernoulli(hd.sigmoid(s))")
        object.__setattr__(self, "probability", expr)

    @property
    def expressions(self) -> tuple[Expr, ...]:
        return (self.probability,)

    @property
    def chances(self) -> tuple[Chance, ...]:
        return ((self.probability, sp.Integer(1)), (1 - self.probability, sp.Integer(0)))


@dataclass(frozen=True)
class Categorical(RandomLabel):
    """One of finitely many numbers; the probabilities are expressions in s that sum to one for every s."""

    values: tuple[Expr, ...]
    probabilities: tuple[Expr, ...]

    def __post_init__(self) -> None:
        for name in ("values", "probabilities"):
            entries = tuple(
                _expression(entry, f"an entry of {name} of Categorical", "hd.Categorical([1, -1], [p, 1 - p])")
                for entry in getattr(self, name)
            )
            object.__setattr__(self, name, entries)
        if len(self.values) != len(self.probabilities) or not self.values:
            raise DeclarationError(
                f"Categorical has {len(self.values)} values and {len(self.probabilities)} probabilities",
                remedy="give as many probabilities as values, at least one",
            )

    @property
    def expressions(self) -> tuple[Expr, ...]:
        return (*self.values, *self.probabilities)

    def mapped(self, expressions: tuple[Expr, ...]) -> RandomLabel:
        count = len(self.values)
        return Categorical(expressions[:count], expressions[count:])

    @property
    def chances(self) -> tuple[Chance, ...]:
        return tuple(zip(self.probabilities, self.values, strict=True))


@dataclass(frozen=True)
class Poisson(RandomLabel):
    """A count with the given rate (a positive expression in s, such as exp(s)); the loss is a polynomial in it."""

    rate: Expr

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _expression(self.rate, "the rate of Poisson", "hd.Poisson(sympy.exp(s))"))

    @property
    def expressions(self) -> tuple[Expr, ...]:
        return (self.rate,)

    def average(self, expr: Expr, label: Symbol) -> Expr:
        """By the moments E y^k = sum_j S(k, j) rate^j, S the Stirling numbers of the second kind.

        Raises
        ------
        DeclarationError
            If `expr` is not a polynomial in the label.
        """
        if not expr.is_polynomial(label):
            raise DeclarationError(
                f"{expr} is not a polynomial in the Poisson label {label}",
                remedy="the negative log-likelihood exp(x) - y*x is; drop terms that do not depend on x",
            )
        return average_powers(expr, label, self._moment)

    def _moment(self, order: int) -> Expr:
        stirling = sp.functions.combinatorial.numbers.stirling
        return sp.Add(*(stirling(order, j) * self.rate**j for j in range(order + 1)))
