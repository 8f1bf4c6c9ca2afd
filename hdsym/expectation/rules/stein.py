"""Stein's lemma: variables that enter polynomially are conditioned out."""

from __future__ import annotations

from dataclasses import replace

from ...cas import Expr, sp
from ..gaussian import Gaussian, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term
from .span import opaque_forms, spanned

__all__ = ["STEIN"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[r_i p] = m_i E[p] + sum_j B_ij E[d_j p], for an r_i that the opaque factor does not contain.

    No inverse of B appears, unlike in a conditional expectation, so it holds at singular overlaps as it stands. Equal
    derivatives are collected: a function of a form u enters with Cov(r_i, u), which vanishes where the variance of u
    does and E[delta(u)] is infinite; its summands B_ij need not.
    """
    if term.deltas or term.exponent != 0 or not (term.signs or term.opaque != 1):
        return None
    index = _candidate(term, gaussian)
    if index is None:
        return None
    lowered = replace(term, powers=tuple(p - (k == index) for k, p in enumerate(term.powers)))
    parts = [Part(gaussian.mean[index], lowered, gaussian)] if gaussian.mean[index] != 0 else []
    derivatives: dict[Term, list[tuple[Expr, Term]]] = {}
    for j, covariance in enumerate(gaussian.cov.row(index)):
        for derivative in lowered.diff(j, gaussian.variables) if covariance != 0 else ():
            derivatives.setdefault(replace(derivative, coefficient=sp.S.One), []).append((covariance, derivative))
    for equal in derivatives.values():
        shown = equal[0][1]  # whose coefficient, a number as a rule, stays apart from the covariances
        scale = equal[0][0] + sp.Add(*(c * term.coefficient / shown.coefficient for c, term in equal[1:]))
        scale = tidy(scale) if len(equal) > 1 else scale
        if scale != 0:
            parts.append(Part(scale, shown, gaussian))
    return Reduction(parts=tuple(parts))


def _candidate(term: Term, gaussian: Gaussian) -> int | None:
    """A variable with a positive power outside the span of the opaque factor's arguments."""
    forms = opaque_forms(term.opaque, gaussian)
    size = gaussian.size
    for index, power in enumerate(term.powers):
        unit = tuple(sp.Integer(int(k == index)) for k in range(size))
        if power and not spanned(unit, forms):
            return index
    return None


STEIN = Rule(
    "Stein's lemma",
    r"\mathbb{E}[r_i\, p(r)] = m_i\, \mathbb{E}[p] + \sum_j B_{ij}\, \mathbb{E}[\partial_j p]",
    "Stein (1981)",
    "reduction",
    _apply,
)
