"""Nodes of the intermediate representation. Templates format them; they decide nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ..cas import Expr, Symbol
from ..userfunction import UserFunction

__all__ = [
    "Assign",
    "Feature",
    "Function",
    "Integral",
    "LineIntegral",
    "ModeEquation",
    "Output",
    "ParameterSlot",
    "Program",
    "RuleNote",
    "Statement",
]


@dataclass(frozen=True)
class Assign:
    """target = value, elementwise over batch axes."""

    target: Symbol
    value: Expr


@dataclass(frozen=True)
class Feature:
    """The form coefficients . u + constant: at zero an integrand has a kink (`sharp`), or changes on the scale 1."""

    coefficients: tuple[Expr, ...]
    constant: Expr
    sharp: bool


@dataclass(frozen=True)
class Integral:
    """target = E[integrand(u)] for u ~ N(mean, cov): a quadrature plan.

    Attributes
    ----------
    variables:
        Bound variables; each is an array inside the integrand.
    mean, cov:
        Entries, expressions of shape () over the batch; `cov` row by row.
    features:
        Places of kinks and narrow parts, around which the axes are split into panels; empty where the trapezoidal
        rule in arsinh serves.
    growth:
        Slopes b_i where the integrand grows like exp(b_i \\|u_i\\|): the range of integration follows.
    frequency:
        Slopes in sines and cosines: the widths of the panels follow.
    arguments, values:
        Further symbols in the integrand and what they stand for, of shape () over the batch.
    factors, sizes:
        Where the integrand is f(u) g(v) with the first variables u and the last v: f and g, and how many each has.
    steepness:
        pi over the distance of the integrand's poles from the zeros of the features.
    points:
        Whether a grid in four dimensions is not worth its cost, since others of the program are averaged over points.
    """

    target: Symbol
    integrand: Expr
    variables: tuple[Symbol, ...]
    mean: tuple[Expr, ...]
    cov: tuple[Expr, ...]
    features: tuple[Feature, ...]
    growth: tuple[Expr, ...]
    frequency: tuple[Expr, ...]
    arguments: tuple[Symbol, ...] = ()
    values: tuple[Expr, ...] = ()
    factors: tuple[Expr, ...] = ()
    sizes: tuple[int, ...] = ()
    steepness: float = 1.0
    points: bool = False

    @property
    def rule(self) -> str:
        """How it is integrated: "trapezoid" or "panels" in one and two dimensions, or "plane", a grid where it is small
        enough, of a function that is analytic; beyond as follows.

        "separable": Mehler's formula. "tensor": a grid. "nested": axis by axis, which serves kinks. "quasi": an average
        over points, beyond four dimensions, or three with kinks.
        """
        if self.dimension <= 2:
            return "trapezoid" if not self.split else "plane" if self.dimension == 2 and self._analytic else "panels"
        if (self.dimension > 3 and (self.sharp or self.points)) or (self.dimension > 4 and not self.factors):
            return "quasi"
        if self.sharp or any(s != 0 for s in (*self.growth, *self.frequency)):
            return "nested"
        return "separable" if self.factors else "tensor"

    @property
    def _analytic(self) -> bool:
        """Whether it is analytic near the real axes, as far as is known, and neither grows nor oscillates."""
        restless = any(slope != 0 for slope in (*self.growth, *self.frequency))
        return not (self.sharp or restless or self.integrand.has(UserFunction))

    @property
    def sharp(self) -> bool:
        """Whether the integrand has kinks."""
        return any(form.sharp for form in self.features)

    @property
    def dimension(self) -> int:
        """Number of integration variables."""
        return len(self.variables)

    @property
    def split(self) -> bool:
        """Whether the axes are split into panels."""
        return bool(self.features) or any(slope != 0 for slope in (*self.growth, *self.frequency))


@dataclass(frozen=True)
class LineIntegral:
    """target = int_0^1 integrand(variable) d variable, elementwise over batch axes.

    The integrand may have a root singularity at zero, or below by each of the `gaps`, and is smooth elsewhere.
    `arguments` and `values` as in :class:`Integral`.
    """

    target: Symbol
    integrand: Expr
    variable: Symbol
    arguments: tuple[Symbol, ...]
    values: tuple[Expr, ...]
    gaps: tuple[Expr, ...]


Statement: TypeAlias = "Assign | Integral | LineIntegral"


@dataclass(frozen=True)
class Output:
    """A value of shape `shape` (row by row) that a function returns."""

    name: str
    shape: tuple[int, ...]
    entries: tuple[Expr, ...]


@dataclass(frozen=True)
class Function:
    """Straight-line code from the overlaps to some outputs.

    Attributes
    ----------
    name:
        What is computed.
    inputs:
        Overlap symbols in order B11, B12, ...
    body:
        Assignments and quadratures in order of evaluation.
    outputs:
        Values returned.
    formulas:
        (left side, expression) pairs shown as documentation.
    """

    name: str
    inputs: tuple[Symbol, ...]
    body: tuple[Statement, ...]
    outputs: tuple[Output, ...]
    formulas: tuple[tuple[str, Expr], ...]

    def integrals(self) -> Iterator[Integral]:
        """The quadrature plans in the body."""
        return (statement for statement in self.body if isinstance(statement, Integral))

    @property
    def has_line_integral(self) -> bool:
        """Whether an integral over the unit interval occurs."""
        return any(isinstance(statement, LineIntegral) for statement in self.body)


@dataclass(frozen=True)
class ModeEquation:
    """d/dt of entry (row, column) of the Gram matrix of one eigenvalue, rows counted from one."""

    row: int
    column: int
    rate: Expr


@dataclass(frozen=True)
class ParameterSlot:
    """A named constant of the model: its name in code, its default (``None``: must be given)."""

    symbol: Symbol
    name: str
    default: float | None


@dataclass(frozen=True)
class RuleNote:
    """A rule that was used, for the header of generated code and for reports."""

    name: str
    identity: str
    reference: str


@dataclass(frozen=True)
class Program:
    """Everything a target needs to print a solver for one model."""

    name: str
    declaration: tuple[str, ...]
    references: tuple[str, ...]
    rules: tuple[RuleNote, ...]
    preactivations: tuple[str, ...]
    n_student: int
    n_teacher: int
    parameters: tuple[ParameterSlot, ...]
    risk: Function
    drift: Function
    equations: tuple[ModeEquation, ...]
    conditions: Function | None
    slopes: Function | None = None
    sphere: bool = False
    noise: Function | None = None

    @property
    def functions(self) -> tuple[Function, ...]:
        """The functions of the overlaps: risk and drift, and if there are any conditions of existence, derivatives of
        the drift, and moments of the gradient.
        """
        optional = (self.conditions, self.slopes, self.noise)
        return (self.risk, self.drift, *(function for function in optional if function is not None))

    @property
    def size(self) -> int:
        """Number n of preactivations."""
        return self.n_student + self.n_teacher

    @property
    def dimensions(self) -> frozenset[int]:
        """Dimensions in which the program integrates numerically."""
        return frozenset(i.dimension for f in self.functions for i in f.integrals())
