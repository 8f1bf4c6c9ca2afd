"""What has to be averaged for a model: the risk, its gradient in the overlaps, the Fisher matrix."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr, Matrix, sp
from ..expectation.gaussian import Gaussian
from ..expectation.terms import reduce_signs
from ..laws import Normal, Uniform
from ..model import Model
from ..symbols import overlap_matrix

__all__ = ["Integrands", "integrands", "preactivation_law"]


@dataclass(frozen=True)
class Integrands:
    """Integrands over the preactivations (and Gaussian noise).

    Attributes
    ----------
    gaussian:
        Law of (x, s, eps): covariance B, noise independent.
    risk:
        f averaged over everything discrete.
    gradient:
        n x l: by Price's theorem Dh_ij = E[d_i d_j f] / 2, in the sense of distributions where f has kinks.
    fisher:
        l x l: sum_k p_k (d_i f_k)(d_j f_k); for sampled labels larger than the square of the mean gradient.
    """

    gaussian: Gaussian
    risk: Expr
    gradient: tuple[tuple[Expr, ...], ...]
    fisher: tuple[tuple[Expr, ...], ...]


def preactivation_law(model: Model) -> Gaussian:
    """(students, teachers, Gaussian noise) ~ N(0, diag(B, std^2))."""
    size = model.n_student + model.n_teacher
    variables = (*model.students, *model.teachers)
    gaussian = Gaussian(variables, (sp.S.Zero,) * size, overlap_matrix(size))
    law = model.continuous_noise
    if law is None:
        return gaussian
    mean, variance = (law.mean, law.std**2) if isinstance(law, Normal) else (sp.S.Zero, sp.S.One)
    cov: Matrix = sp.diag(overlap_matrix(size), variance)
    return Gaussian((*variables, law.symbol), (*gaussian.mean, mean), sp.ImmutableMatrix(cov))


def integrands(model: Model) -> Integrands:
    """The integrands of `model`; first derivatives pointwise, second ones in the sense of distributions."""
    gaussian = preactivation_law(model)
    preactivations = (*model.students, *model.teachers)
    mean_loss = sp.Add(*(outcome.probability * outcome.loss for outcome in model.outcomes))
    first = {x: reduce_signs(sp.diff(reduce_signs(mean_loss, gaussian), x), gaussian) for x in model.students}
    gradient = tuple(tuple(sp.diff(first[x], r) / 2 for x in model.students) for r in preactivations)
    slopes = [
        (outcome.probability, [_pointwise(outcome.loss, x, gaussian) for x in model.students])
        for outcome in model.outcomes
    ]
    count = range(model.n_student)
    fisher = tuple(
        tuple(sp.Add(*(weight * slope[i] * slope[j] for weight, slope in slopes)) for j in count) for i in count
    )
    average = _uniform_average(model)
    return Integrands(
        gaussian,
        average(mean_loss),
        tuple(tuple(average(e) for e in row) for row in gradient),
        tuple(tuple(average(e) for e in row) for row in fisher),
    )


def _pointwise(loss: Expr, x: Expr, gaussian: Gaussian) -> Expr:
    """The gradient SGD uses: at a kink the two sides' mean, without delta functions."""
    slope = sp.diff(reduce_signs(loss, gaussian), x)
    if slope.has(sp.DiracDelta):
        slope = slope.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    return reduce_signs(slope, gaussian)


class _uniform_average:  # noqa: N801  # used as a function with the law bound
    """Averages over uniform noise: exactly where it enters polynomially, else as a function of a normal variable."""

    def __init__(self, model: Model) -> None:
        self.law = model.noise if isinstance(model.noise, Uniform) else None

    def __call__(self, integrand: Expr) -> Expr:
        law = self.law
        if law is None or not integrand.has(law.symbol):
            return integrand
        eps, low, high = law.symbol, law.low, law.high
        if integrand.is_polynomial(eps):
            return sp.Add(*(c * _uniform_moment(k, low, high) for (k,), c in sp.Poly(integrand, eps).terms()))
        # eps = low + (high - low) Phi(xi) with xi standard normal has the uniform law
        return integrand.xreplace({eps: low + (high - low) * (1 + sp.erf(eps / sp.sqrt(2))) / 2})


def _uniform_moment(order: int, low: Expr, high: Expr) -> Expr:
    """E eps^k = sum_i high^i low^(k - i) / (k + 1): no division by high - low."""
    return sp.Add(*(high**i * low ** (order - i) for i in range(order + 1))) / (order + 1)
