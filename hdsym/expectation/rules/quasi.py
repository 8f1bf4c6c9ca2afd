"""Randomised quasi-Monte Carlo: what is left where no grid serves, in many dimensions or across many kinks."""

from __future__ import annotations

from ...cas import Expr, sp
from ...errors import ExpectationError
from ..gaussian import Gaussian
from ..integral import GaussianIntegral
from ..rule import Reduction, Rule
from ..terms import Term
from .numerical import integral_of, within

__all__ = ["MOST", "QUASI", "check_smooth", "quasi_integrals"]

MOST = 64
"""Most dimensions."""
_KINKED = (sp.sign, sp.Abs, sp.Max, sp.Min, sp.Heaviside)


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """An average over scrambled Sobol points, the same at every evaluation; its error falls like 1 / points at best.

    Raises
    ------
    ExpectationError
        In more dimensions than :data:`MOST`.
    """
    value = integral_of(term, gaussian)
    largest = max((node.dimension for node in value.atoms(GaussianIntegral)), default=0)
    if largest > MOST:
        raise ExpectationError(
            f"E[{term.expr(gaussian.variables)}] needs an integral in {largest} dimensions",
            remedy=f"quasi-Monte Carlo serves {MOST}; rewrite the model so that fewer preactivations enter "
            "non-polynomially",
        )
    return Reduction(value=term.coefficient * value, exact=False)


def quasi_integrals(expr: Expr) -> list[GaussianIntegral]:
    """The integrals in a value that only points serve."""
    return [node for node in expr.atoms(GaussianIntegral) if not within(node.integrand, node.variables)]


def check_smooth(name: str, expr: Expr) -> None:
    """Raise :class:`ExpectationError` if a right-hand side would jump: an average over points of what has kinks.

    Such an average jumps as overlaps move, by one over the number of points, and no integrator keeps a tolerance then.
    """
    for node in quasi_integrals(expr):
        if any(atom.free_symbols & set(node.variables) for atom in node.integrand.atoms(*_KINKED)):
            raise ExpectationError(
                f"{name} needs an integral with kinks in {node.dimension} dimensions",
                remedy="quadrature serves kinks in three; a risk or statistic may have more, a right-hand side may "
                "not: rewrite the model so that fewer preactivations enter with kinks",
            )


QUASI = Rule(
    "quasi-Monte Carlo",
    r"\mathbb{E}[p(r)] \approx \tfrac{1}{N} \sum_{i \le N} p(m + L z_i),\quad L L^\top = B,"
    r"\; z_i \text{ scrambled Sobol points with } \tfrac{1}{N} \sum_i z_i = 0,\; \tfrac{1}{N} \sum_i z_i z_i^\top = 1",
    "Owen, Ann. Statist. 25 (1997)",
    "numerical",
    _apply,
)
