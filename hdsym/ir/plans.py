"""Quadrature plans: what of an integrand is computed once per covariance, and what at every node."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr, Symbol, sp
from ..expectation.integral import GaussianIntegral, UnitIntegral
from ..expectation.separate import separated
from .features import features, frequency, growth, steepness
from .nodes import Feature, Integral, LineIntegral
from .stable import stabilise, stabilise_law, with_inverse_mills

__all__ = ["Prepared", "PreparedLine", "integrals_in", "prepare", "prepare_line"]


@dataclass(frozen=True)
class Prepared:
    """An integral whose integrand is a function of its variables and of arguments computed outside.

    Attributes
    ----------
    source:
        The integral as derived.
    node:
        The same with its variables in the order of the plan.
    integrand:
        In the bound variables and `arguments`.
    arguments:
        Symbols of the integrand that vary over the batch, like the overlaps.
    values:
        What the arguments stand for.
    """

    source: GaussianIntegral
    node: GaussianIntegral
    integrand: Expr
    arguments: tuple[Symbol, ...]
    values: tuple[Expr, ...]

    @property
    def entries(self) -> tuple[Expr, ...]:
        """Everything outside the integrand, to be shared with the rest of a function: mean, covariance, values."""
        return (*(stabilise_law(entry) for entry in (*self.node.mean, *self.node.cov)), *self.values)

    def plan(self, target: Symbol, entries: list[Expr], points: bool = False) -> Integral:
        """The statement, with `entries` in the form they have taken after shared subexpressions were named."""
        size = self.node.dimension
        mean, cov, values = entries[:size], entries[size : size + size**2], entries[size + size**2 :]
        outside = dict(zip(self.arguments, values, strict=True))
        variables = self.node.variables

        def moved(exprs: tuple[Expr, ...]) -> tuple[Expr, ...]:
            return tuple(expr.xreplace(outside) for expr in exprs)

        forms = tuple(
            Feature(moved(form.coefficients), form.constant.xreplace(outside), form.sharp)
            for form in features(self.integrand, variables)
        )
        factors = separated(self.integrand, variables) if size > 2 else ()
        return Integral(
            target,
            with_inverse_mills(self.integrand),
            variables,
            tuple(mean),
            tuple(cov),
            forms,
            moved(growth(self.integrand, variables)),
            moved(frequency(self.integrand, variables, mean, cov[:: size + 1])),
            self.arguments,
            tuple(values),
            tuple(with_inverse_mills(factor) for factor, _ in factors),
            tuple(len(own) for _, own in factors),
            steepness(self.integrand),
            points,
        )


def integrals_in(expressions: list[Expr]) -> list[GaussianIntegral]:
    """The integrals that occur, each once, in a fixed order."""
    nodes = {node for expr in expressions for node in expr.atoms(GaussianIntegral)}
    return sorted(nodes, key=lambda node: (node.dimension, sp.default_sort_key(node.integrand), str(node)))


def prepare(node: GaussianIntegral, batch: frozenset[Symbol]) -> Prepared:
    """Take out of the integrand what depends on the `batch` symbols alone: it is the same at every node."""
    taken: dict[Expr, Symbol] = {}
    integrand = _stable(node.integrand, node.variables, batch, taken)
    source, factors = node, separated(integrand, node.variables) if node.dimension > 2 else ()
    if factors:  # the variables of one factor before those of the other
        order = [node.variables.index(v) for _, own in factors for v in own]
        cov = node.cov.extract(order, order)
        node = GaussianIntegral(node.integrand, [node.variables[k] for k in order], [node.mean[k] for k in order], cov)
    return Prepared(source, node, integrand, tuple(taken.values()), tuple(taken))


@dataclass(frozen=True)
class PreparedLine:
    """The same for an integral over the unit interval."""

    source: UnitIntegral
    integrand: Expr
    arguments: tuple[Symbol, ...]
    values: tuple[Expr, ...]

    @property
    def entries(self) -> tuple[Expr, ...]:
        """Everything outside the integrand."""
        return (*self.values, *map(stabilise, self.source.gaps))

    def plan(self, target: Symbol, entries: list[Expr], points: bool = False) -> LineIntegral:
        """The statement; see :meth:`Prepared.plan`."""
        count = len(self.arguments)
        values, gaps = tuple(entries[:count]), tuple(entries[count:])
        return LineIntegral(target, self.integrand, self.source.variable, self.arguments, values, gaps)


def prepare_line(node: UnitIntegral, batch: frozenset[Symbol]) -> PreparedLine:
    """As :func:`prepare`."""
    taken: dict[Expr, Symbol] = {}
    integrand = _stable(node.integrand, (node.variable,), batch, taken)
    return PreparedLine(node, integrand, tuple(taken.values()), tuple(taken))


def _stable(expr: Expr, own: tuple[Symbol, ...], batch: frozenset[Symbol], taken: dict[Expr, Symbol]) -> Expr:
    bound = frozenset(own)
    return _hoisted(stabilise(expr, bound), bound, batch, taken)


def _hoisted(expr: Expr, bound: frozenset[Symbol], batch: frozenset[Symbol], taken: dict[Expr, Symbol]) -> Expr:
    free = expr.free_symbols
    if not free & batch:
        return expr
    if not free & bound:
        return taken.setdefault(expr, sp.Symbol(f"k{len(taken) + 1}", real=True, positive=expr.is_positive or None))
    if expr.is_Add or expr.is_Mul:
        outside, inside = expr.as_independent(*bound, as_Add=expr.is_Add)
        if outside.free_symbols & batch:
            kept = _hoisted(outside, bound, batch, taken)
            return expr.func(kept, _hoisted(inside, bound, batch, taken))
    return expr.func(*(_hoisted(arg, bound, batch, taken) for arg in expr.args))
