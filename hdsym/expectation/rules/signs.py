"""Products of signs of affine forms: orthant probabilities."""

from __future__ import annotations

from ...cas import Expr, sp
from ...special import offzero, owens_t
from ..gaussian import Form, Gaussian, root, tidy
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["SIGNS", "angle"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """One or two signs, with any mean: error function, angle, or Owen's T."""
    if term.deltas or term.exponent != 0 or term.opaque != 1 or any(term.powers) or not term.signs:
        return None
    forms = sorted(term.signs, key=str)
    means = [gaussian.mean_of(form) for form in forms]
    if len(forms) == 1:
        value = _one(forms[0], means[0], gaussian)
    elif len(forms) == 2:
        value = _two(forms[0], forms[1], gaussian) if means == [0, 0] else _two_shifted(forms, means, gaussian)
    else:
        return None
    return Reduction(value=term.coefficient * value)


def _one(form: Form, mean: Expr, gaussian: Gaussian) -> Expr:
    if mean == 0:
        return sp.S.Zero
    variance = tidy(gaussian.cov_of(form, form))
    return sp.sign(mean) if variance == 0 else sp.erf(mean / (sp.sqrt(2) * root(variance)))


def _two(first: Form, second: Form, gaussian: Gaussian) -> Expr:
    if gaussian.origin is not None and len(first.variables) == len(second.variables) == 1:
        (j,), (k,) = first.variables, second.variables
        return 2 / sp.pi * gaussian.origin.angle(j, k)
    c11, c12, c22 = (tidy(gaussian.cov_of(a, b)) for a, b in ((first, first), (first, second), (second, second)))
    return 2 / sp.pi * angle(c11, c12, c22)


def _two_shifted(forms: list[Form], means: list[Expr], gaussian: Gaussian) -> Expr:
    """E sgn sgn = 4 P(u > 0, v > 0) - 2 P(u > 0) - 2 P(v > 0) + 1 with the orthant by Owen's T."""
    c11, c12, c22 = (tidy(gaussian.cov_of(*pair)) for pair in ((forms[0],) * 2, forms, (forms[1],) * 2))
    spread = root(tidy(c11 * c22 - c12**2))
    if 0 in means:  # T(h, infinity) is known; what is left is one T
        mean, own = (means[1], c22) if means[0] == 0 else (means[0], c11)
        return 4 * owens_t(mean / root(own), c12 / spread)
    means = [offzero(mean) for mean in means]  # Owen's formula jumps where one of its terms does: both agree at zero
    h, k = means[0] / root(c11), means[1] / root(c22)
    # the slope (k - rho h) / (h sqrt(1 - rho^2)), with the roots of the variances cancelled
    first = (means[1] * c11 - means[0] * c12) / (means[0] * spread)
    second = (means[0] * c22 - means[1] * c12) / (means[1] * spread)
    return sp.sign(means[0] * means[1]) - 4 * owens_t(h, first) - 4 * owens_t(k, second)


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
    "Sheppard (1899); Owen (1956)",
    "family",
    _apply,
)
