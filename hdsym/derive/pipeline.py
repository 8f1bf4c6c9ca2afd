"""The map of the derivation: model -> integrands -> expectations -> mode equations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..cas import Expr, Matrix, sp
from ..errors import DeclarationError
from ..expectation.engine import Engine
from ..expectation.expectation import Expectation
from ..expectation.gaussian import Gaussian
from ..expectation.rules.quasi import check_smooth, quasi_integrals
from ..model import Model
from ..progress import Counter, Progress
from ..symbols import entry_name
from .integrands import integrands
from .odes import ModeSystem, mode_system

__all__ = ["Formulas", "formulas", "statistic_mean"]


@dataclass(frozen=True)
class Formulas:
    """Everything derived for a model.

    Attributes
    ----------
    risk:
        E f = h(B).
    gradient:
        Dh[:, :l] as rows of expectations, n x l.
    fisher:
        I(B), l x l.
    modes:
        The ODE of one mode.
    statistics:
        Key and value of every mean that declared statistics need; the key is their name where they are that mean.
    """

    risk: Expectation
    gradient: tuple[tuple[Expectation, ...], ...]
    fisher: tuple[tuple[Expectation, ...], ...]
    modes: ModeSystem
    statistics: tuple[tuple[str, Expectation], ...] = ()

    def all(self) -> Iterator[tuple[str, Expectation]]:
        """Name and expectation of everything: risk, H11, H21, ..., I11, ..., then the statistics."""
        yield from self.solver()
        yield from self.statistics

    def solver(self) -> Iterator[tuple[str, Expectation]]:
        """What the generated solver computes: risk, H11, H21, ..., I11, ..."""
        yield "risk", self.risk
        for letter, rows in (("H", self.gradient), ("I", self.fisher)):
            for i, row in enumerate(rows, start=1):
                for j, entry in enumerate(row, start=1):
                    yield entry_name(letter, i, j), entry

    @property
    def gradient_matrix(self) -> Matrix:
        return sp.ImmutableMatrix([[entry.expr for entry in row] for row in self.gradient])

    @property
    def fisher_matrix(self) -> Matrix:
        return sp.ImmutableMatrix([[entry.expr for entry in row] for row in self.fisher])


def formulas(model: Model, policy: str = "auto", progress: Progress | None = None) -> Formulas:
    """Derive risk, gradient matrix, Fisher matrix and mode equations of `model`; `progress` is told the expectations.

    Raises
    ------
    DeclarationError
        If `model` is not a model.
    ExpectationError
        If no permitted rule computes one of the expectations.
    """
    if not isinstance(model, Model):
        raise DeclarationError(f"{model!r} is not a model", remedy="declare one with hd.Model(loss=..., link=...)")
    engine = Engine(policy)
    parts = integrands(model)
    entries = sum(len(row) for row in (*parts.gradient, *parts.fisher))
    counted = Counter(progress, 1 + entries + len(parts.statistics))

    def expect(integrand: Expr) -> Expectation:
        return counted.done(_expect(engine, integrand, parts.gaussian))

    found = Formulas(
        expect(parts.risk),
        tuple(tuple(map(expect, row)) for row in parts.gradient),
        tuple(tuple(map(expect, row)) for row in parts.fisher),
        mode_system(model.n_student, model.n_teacher),
        tuple((name, counted.done(statistic_mean(engine, g, parts.gaussian))) for name, g in parts.statistics),
    )
    for name, entry in found.solver():
        if name != "risk":
            check_smooth(f"{name} of {model.name}", entry.expr)
    return found


_SIGNS = 4
"""Signs whose product has an exact value, or one as an integral in one dimension."""


def statistic_mean(engine: Engine, g: Expr, gaussian: Gaussian) -> Expectation:
    """The mean of a statistic; of many signs as a whole, by points: multiplied out there would be 2^signs terms."""
    signs = {atom for atom in g.atoms(sp.sign) if atom.free_symbols & set(gaussian.variables)}
    others = g.xreplace({atom: sp.Dummy() for atom in signs})
    opaque = not others.is_polynomial(*gaussian.variables)
    largest = max((len(term.atoms(sp.sign) & signs) for term in sp.Add.make_args(g)), default=0)
    if engine.policy == "auto" and (largest > _SIGNS or (opaque and largest > 1)):
        outcome = engine.whole(g, gaussian)
        if quasi_integrals(outcome.value):
            return Expectation.of(g, gaussian, outcome)
    return _expect(engine, g, gaussian)


def _expect(engine: Engine, integrand: Expr, gaussian: Gaussian) -> Expectation:
    return Expectation.of(integrand, gaussian, engine.expectation(integrand, gaussian))
