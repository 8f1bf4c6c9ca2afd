"""Four signs: the orthant probability of four variables as a one-dimensional integral."""

from __future__ import annotations

from itertools import combinations

from ...cas import Expr, sp
from ..gaussian import Gaussian, tidy
from ..integral import UnitIntegral
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["PLACKETT"]

_T = sp.Symbol("tau", real=True, positive=True)


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """Four signs of centred forms: scale the first row of the correlation matrix by tau from 0 (product of means, zero)
    to 1 and integrate the derivative, in which two signs have become delta functions and two have a closed form.
    """
    if term.deltas or term.exponent != 0 or term.opaque != 1 or any(term.powers) or len(term.signs) != 4:
        return None
    forms = sorted(term.signs, key=str)
    if any(gaussian.mean_of(form) != 0 for form in forms):
        return None
    cov = [[tidy(gaussian.cov_of(a, b)) for b in forms] for a in forms]
    if any(cov[i][i] == 0 for i in range(4)):
        return None
    R = [[cov[i][j] / sp.sqrt(cov[i][i] * cov[j][j]) if i != j else sp.S.One for j in range(4)] for i in range(4)]
    integrand = sp.Add(*(_slope(R, j) for j in range(1, 4)))
    return Reduction(value=term.coefficient * 4 / sp.pi**2 * UnitIntegral(integrand, _T), exact=False)


def _slope(R: list[list[Expr]], j: int) -> Expr:
    """R_0j / sqrt(1 - tau^2 R_0j^2) asin(partial correlation of the other two given u_0 and u_j)."""
    if R[0][j] == 0:
        return sp.S.Zero
    k, l = (i for i in range(1, 4) if i != j)
    r = _T * R[0][j]

    def scaled(a: int, b: int) -> Expr:
        """(1 - r^2) times the conditional covariance of u_a and u_b."""
        first, second = _T * R[a][0], _T * R[b][0]
        return R[a][b] * (1 - r**2) - (first * second - r * (first * R[b][j] + R[a][j] * second) + R[a][j] * R[b][j])

    c = {pair: scaled(*pair) for pair in (*combinations((k, l), 2), (k, k), (l, l))}
    determinant = c[k, k] * c[l, l] - c[k, l] ** 2
    return R[0][j] / sp.sqrt(1 - r**2) * sp.atan2(c[k, l], sp.sqrt(determinant))


PLACKETT = Rule(
    "four signs",
    r"\mathbb{E}\prod_{i=0}^{3} \mathrm{sgn}(u_i) = \frac{4}{\pi^2} \int_0^1 \sum_{j=1}^{3}"
    r"\frac{R_{0j}}{\sqrt{1 - \tau^2 R_{0j}^2}} \arcsin\left(\rho_{kl \mid 0j}(\tau)\right) \mathrm{d}\tau",
    "Plackett, Biometrika 41 (1954)",
    "numerical",
    _apply,
)
