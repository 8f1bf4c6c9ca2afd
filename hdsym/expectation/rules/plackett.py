"""Four signs: the orthant probability of four variables as a one-dimensional integral."""

from __future__ import annotations

from ...cas import Expr, sp
from ...special import correlation, difference, residual
from ..gaussian import Gaussian, tidy
from ..integral import UnitIntegral
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["PLACKETT"]

_TINY = sp.Float("1e-20")
_S = sp.Symbol("s", real=True, positive=True)


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """Four signs of centred forms: scale the first row of the correlation matrix by tau from 0 (product of means, zero)
    to 1 and integrate the derivative, in which two signs have become delta functions and two have a closed form.
    The integral is over 1 - tau.
    """
    if term.deltas or term.exponent != 0 or term.opaque != 1 or any(term.powers) or len(term.signs) != 4:
        return None
    forms = sorted(term.signs, key=str)
    if any(gaussian.mean_of(form) != 0 for form in forms):
        return None
    cov = [[tidy(gaussian.cov_of(a, b)) for b in forms] for a in forms]
    if any(cov[i][i] == 0 for i in range(4)):
        return None
    R = [[correlation(cov[i][j], cov[i][i], cov[j][j]) if i != j else sp.S.One for j in range(4)] for i in range(4)]
    integrand = sp.Add(*(_slope(R, j) for j in range(1, 4)))
    gaps = tuple(residual(sp.S.One, R[0][j] ** 2) for j in range(1, 4))
    return Reduction(value=term.coefficient * 4 / sp.pi**2 * UnitIntegral(integrand, _S, gaps), exact=False)


def _slope(R: list[list[Expr]], j: int) -> Expr:
    """R_0j / sqrt(1 - tau^2 R_0j^2) asin(partial correlation of the other two given u_0 and u_j).

    Conditioned on u_0 and then on u_j, in units of what u_0 leaves of u_j, in the distance s = 1 - tau from one:
    nothing cancels there. A very small number added to every variance keeps the partial correlations consistent where
    variables are equal and nothing is left of them.
    """
    if R[0][j] == 0:
        return sp.S.Zero
    k, l = (i for i in range(1, 4) if i != j)

    def given_first(a: int, b: int) -> Expr:
        product = R[0][a] * R[0][b]
        return difference(R[a][b], product) + _S * (2 - _S) * product

    own, both = {a: given_first(a, a) for a in (j, k, l)}, {a: given_first(j, a) for a in (k, l)}
    variance = {a: difference(own[a] * own[j], both[a] ** 2) + _TINY * (own[a] + own[j]) for a in (k, l)}
    covariance = difference(given_first(k, l) * own[j], both[k] * both[l]) + _TINY * given_first(k, l)
    spread = sp.sqrt(residual(variance[k] * variance[l], covariance**2))
    return R[0][j] / sp.sqrt(own[j]) * sp.atan2(covariance, spread)


PLACKETT = Rule(
    "four signs",
    r"\mathbb{E}\prod_{i=0}^{3} \mathrm{sgn}(u_i) = \frac{4}{\pi^2} \int_0^1 \sum_{j=1}^{3}"
    r"\frac{R_{0j}}{\sqrt{1 - \tau^2 R_{0j}^2}} \arcsin\left(\rho_{kl \mid 0j}(\tau)\right) \mathrm{d}\tau",
    "Plackett, Biometrika 41 (1954)",
    "numerical",
    _apply,
)
