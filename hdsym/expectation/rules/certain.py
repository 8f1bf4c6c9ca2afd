"""Signs that conditioning has made certain, or equal to one another."""

from __future__ import annotations

import itertools
from dataclasses import replace

from ...cas import Expr, sp
from ..gaussian import Form, Gaussian, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term, single_signs

__all__ = ["CERTAIN"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """Conditioning on a delta function leaves forms without variance, or two with correlation one."""
    if term.deltas or term.exponent != 0 or not term.signs:
        return None
    forms = sorted(term.signs, key=str)
    variances = {form: tidy(gaussian.cov_of(form, form)) for form in forms}
    for form in forms:
        if variances[form] == 0:
            rest = replace(term, signs=term.signs - {form})
            return Reduction(parts=(Part(sp.sign(tidy(gaussian.mean_of(form))), rest, gaussian),))
    for first, second in itertools.combinations(forms, 2):
        covariance = tidy(gaussian.cov_of(first, second))
        if covariance != 0 and tidy(variances[first] * variances[second] - covariance**2) == 0:
            return _merged(term, gaussian, first, second, tidy(covariance / variances[second]))
    return None


def _merged(term: Term, gaussian: Gaussian, first: Form, second: Form, ratio: Expr) -> Reduction:
    """Almost surely first = ratio * (second + constant), so that sgn(first) = sgn(ratio) sgn(second + constant)."""
    constant = tidy(gaussian.mean_of(first) / ratio - gaussian.mean_of(second))
    shifted = Form(second.coefficients, tidy(second.constant + constant))
    rest = replace(term, signs=term.signs - {first}, coefficient=term.coefficient * sp.sign(ratio))
    return Reduction(parts=tuple(Part(sp.S.One, t, gaussian) for t in single_signs(rest.times_sign(shifted))))


CERTAIN = Rule(
    "certain signs",
    r"\operatorname{var}(u) = 0:\quad \mathrm{sgn}(u) = \mathrm{sgn}(\mathbb{E}[u])",
    "",
    "reduction",
    _apply,
)
