"""Four signs: the orthant probability of four variables as a one-dimensional integral."""

from __future__ import annotations

from ...cas import Expr, Matrix, sp
from ..gaussian import Gaussian, Origin, tidy
from ..integral import UnitIntegral
from ..rule import Reduction, Rule
from ..terms import Term

__all__ = ["PLACKETT"]

_S = sp.Symbol("s", real=True, positive=True)


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """Four signs of centred forms: scale the covariances of the first by tau from 0 (product of means, zero) to 1 and
    integrate the derivative, in which two signs have become delta functions and two have a closed form. The integral
    is over s = 1 - tau.
    """
    if term.deltas or term.exponent != 0 or term.opaque != 1 or any(term.powers) or len(term.signs) != 4:
        return None
    forms = sorted(term.signs, key=str)
    if any(gaussian.mean_of(form) != 0 for form in forms):
        return None
    cov = sp.ImmutableMatrix(4, 4, lambda i, j: tidy(gaussian.cov_of(forms[int(i)], forms[int(j)])))
    if any(cov[i, i] == 0 for i in range(4)):
        return None
    others = _given(cov, 1, 2, 3).determinant
    everything = _given(cov, 0, 1, 2, 3).determinant
    whole = _scaled(everything, cov[0, 0] * others)
    integrand = sp.Add(*(_slope(cov, j, whole) for j in range(1, 4)))
    gaps = [
        _given(cov, 0, j).determinant / (_given(cov, 0).determinant * _given(cov, j).determinant) for j in (1, 2, 3)
    ]
    gaps.append(everything / (_given(cov, 0).determinant * others))
    return Reduction(value=term.coefficient * 4 / sp.pi**2 * UnitIntegral(integrand, _S, gaps), exact=False)


def _slope(cov: Matrix, j: int, whole: Expr) -> Expr:
    """C_0j / sqrt(D(0j)) asin(partial correlation of the other two given u_0 and u_j) at tau.

    A determinant with row and column 0 is, at tau, tau^2 times itself plus (1 - tau^2) C_00 times the one without:
    nothing cancels.
    """
    if cov[0, j] == 0:
        return sp.S.Zero
    k, l = (i for i in range(1, 4) if i != j)
    pair = _scaled(_given(cov, 0, j).determinant, cov[0, 0] * cov[j, j])
    covariance = _scaled(_given(cov, 0, j).bordered(k, l), cov[0, 0] * _given(cov, j).bordered(k, l))
    return cov[0, j] / sp.sqrt(pair) * sp.atan2(covariance, sp.sqrt(pair * whole))


def _scaled(with_first: Expr, without: Expr) -> Expr:
    return (1 - _S) ** 2 * with_first + _S * (2 - _S) * without


def _given(cov: Matrix, *conditions: int) -> Origin:
    return Origin(cov, (0, 1, 2, 3), conditions)


PLACKETT = Rule(
    "four signs",
    r"\mathbb{E}\prod_{i=0}^{3} \mathrm{sgn}(u_i) = \frac{4}{\pi^2} \int_0^1 \sum_{j=1}^{3}"
    r"\frac{R_{0j}}{\sqrt{1 - \tau^2 R_{0j}^2}} \arcsin\left(\rho_{kl \mid 0j}(\tau)\right) \mathrm{d}\tau",
    "Plackett, Biometrika 41 (1954)",
    "numerical",
    _apply,
)
