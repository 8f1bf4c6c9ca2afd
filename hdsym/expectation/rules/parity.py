"""Odd integrands under a centred Gaussian integrate to zero."""

from __future__ import annotations

from ...cas import Expr, sp
from ..gaussian import Gaussian
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["PARITY", "parity"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[p] = 0 if p(-r) = -p(r) and the mean is zero."""
    if not gaussian.centred or term.deltas or term.exponent != 0:
        return None
    if any(form.constant != 0 for form in term.signs):
        return None
    opaque = parity(term.opaque, gaussian)
    if opaque is None:
        return None
    odd = (sum(term.powers) + len(term.signs) + (opaque < 0)) % 2
    return Reduction() if odd else None


def parity(expr: Expr, gaussian: Gaussian) -> int | None:
    """+1 for an even function of the whole vector, -1 for an odd one, None if it is seen to be neither."""
    mirrored = expr.xreplace({v: -v for v in gaussian.variables})
    mirrored = mirrored.doit() if mirrored.has(sp.Abs) else mirrored
    if mirrored == expr:
        return 1
    return -1 if mirrored == -expr else None


PARITY = Rule(
    "parity", r"\mathbb{E}[p] = 0 \text{ if } p(-r) = -p(r)", "symmetry of the centred Gaussian", "reduction", _apply
)
