"""Moments of monomials by the recursion E[r_i p] = m_i E[p] + sum_j B_ij E[d_j p]; nothing is integrated."""

from __future__ import annotations

from ...cas import Expr, sp
from ..gaussian import Gaussian
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["MOMENTS", "monomial_moment"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """A monomial and nothing else."""
    if term.signs or term.deltas or term.exponent != 0 or term.opaque != 1:
        return None
    return Reduction(value=term.coefficient * monomial_moment(term.powers, gaussian))


def monomial_moment(powers: tuple[int, ...], gaussian: Gaussian) -> Expr:
    """E[prod r_i^powers_i], a polynomial in the entries of mean and covariance.

    The recursion runs in a sparse polynomial ring whose generators are the entries themselves: 4 variables to degree
    8 take a fraction of a second, where expression trees take minutes.
    """
    active = [i for i, power in enumerate(powers) if power]
    entries = {gaussian.mean[i] for i in active} | {gaussian.cov[i, j] for i in active for j in active}
    generators = sorted((e for e in entries if not e.is_Rational), key=sp.default_sort_key)
    names = [sp.Symbol(f"e{k}") for k in range(len(generators))]
    ring = sp.polys.rings.PolyRing(names, sp.QQ) if names else None
    symbols = dict(zip(generators, ring.gens, strict=True)) if ring else {}

    def entry(expr: Expr) -> Expr:
        value = symbols.get(expr)
        return sp.QQ(expr.p, expr.q) if value is None else value

    mean = {i: entry(gaussian.mean[i]) for i in active}
    cov = {(i, j): entry(gaussian.cov[i, j]) for i in active for j in active}
    memo: dict[tuple[int, ...], Expr] = {}

    def moment(key: tuple[int, ...]) -> Expr:
        if not any(key):
            return ring.one if ring else sp.QQ(1)
        if key not in memo:
            i = next(k for k, power in enumerate(key) if power)
            lowered = _lower(key, i)
            total = mean[i] * moment(lowered) if mean[i] != 0 else 0
            for j in active:
                if lowered[j] and cov[i, j] != 0:
                    total += cov[i, j] * lowered[j] * moment(_lower(lowered, j))
            memo[key] = total
        return memo[key]

    result = moment(powers)
    if ring is None or not hasattr(result, "as_expr"):
        return sp.Rational(result.numerator, result.denominator) if result else sp.S.Zero
    return result.as_expr().xreplace(dict(zip(names, generators, strict=True)))


def _lower(powers: tuple[int, ...], index: int) -> tuple[int, ...]:
    return (*powers[:index], powers[index] - 1, *powers[index + 1 :])


MOMENTS = Rule(
    "polynomial moments",
    r"\mathbb{E}[r_i\, p] = m_i\, \mathbb{E}[p] + \sum_j B_{ij}\, \mathbb{E}[\partial_j p]",
    "Isserlis (1918)",
    "family",
    _apply,
)
