"""Products of signs of affine forms: orthant probabilities."""

from __future__ import annotations

from ...cas import Expr, sp
from ..gaussian import Form, Gaussian, tidy
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["SIGNS", "angle"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """One sign (any mean) or two signs (zero mean)."""
    if term.deltas or term.exponent != 0 or term.opaque != 1 or any(term.powers) or not term.signs:
        return None
    forms = sorted(term.signs, key=str)
    means = [gaussian.mean_of(form) for form in forms]
    if len(forms) == 1:
        value = _one(forms[0], means[0], gaussian)
    elif len(forms) == 2 and all(mean == 0 for mean in means):
        value = _two(forms[0], forms[1], gaussian)
    else:
        return None
    return Reduction(value=term.coefficient * value)


def _one(form: Form, mean: Expr, gaussian: Gaussian) -> Expr:
    if mean == 0:
        return sp.S.Zero
    variance = tidy(gaussian.cov_of(form, form))
    return sp.sign(mean) if variance == 0 else sp.erf(mean / sp.sqrt(2 * variance))


def _two(first: Form, second: Form, gaussian: Gaussian) -> Expr:
    c11, c12, c22 = (tidy(gaussian.cov_of(a, b)) for a, b in ((first, first), (first, second), (second, second)))
    return 2 / sp.pi * angle(c11, c12, c22)


def angle(c11: Expr, c12: Expr, c22: Expr) -> Expr:
    """asin(correlation), in the form atan2(c12, sqrt(det)) that keeps its digits at correlation one.

    Common positive factors are taken out first: they do not change an angle and may vanish.
    """
    if c12 == 0:
        return sp.S.Zero
    denominator = sp.S.One
    for c in (c11, c12, c22):
        denominator = sp.lcm(denominator, sp.fraction(c)[1]) if c.is_rational_function() else denominator
    if denominator != 1 and denominator.is_positive:
        c11, c12, c22 = (sp.cancel(c * denominator) for c in (c11, c12, c22))
    determinant = sp.expand(c11 * c22 - c12**2)
    return sp.atan2(c12, sp.sqrt(determinant))


SIGNS = Rule(
    "orthant probability",
    r"\mathbb{E}[\mathrm{sgn}(u)] = \mathrm{erf}\frac{\mu}{\sqrt{2v}},\qquad"
    r"\mathbb{E}[\mathrm{sgn}(u)\,\mathrm{sgn}(v)] = \tfrac{2}{\pi}\, \mathrm{atan2}\left(C_{12}, \sqrt{\det C}\right)",
    "Sheppard (1899)",
    "family",
    _apply,
)
