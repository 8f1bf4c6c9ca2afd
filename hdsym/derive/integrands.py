"""What has to be averaged for a model: the risk, its gradient in the overlaps, the Fisher matrix."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr, Matrix, average_powers, sp
from ..errors import ExpectationError
from ..expectation.gaussian import Gaussian
from ..expectation.terms import reduce_signs
from ..laws import NoiseLaw, Normal
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
    slopes:
        u_a = d f / d x_a as SGD uses it, with the label and discrete noise still in it.
    law:
        Of the noise, if there is any.
    statistics:
        Key and integrand of every mean that declared statistics need.
    """

    gaussian: Gaussian
    risk: Expr
    gradient: tuple[tuple[Expr, ...], ...]
    fisher: tuple[tuple[Expr, ...], ...]
    slopes: tuple[Expr, ...]
    law: NoiseLaw | None = None
    statistics: tuple[tuple[str, Expr], ...] = ()

    def over_noise(self, integrand: Expr) -> Expr:
        """An integrand without noise that is not Gaussian: its moments, or a function of a normal variable."""
        return _over_noise(integrand, self.law)


def preactivation_law(model: Model) -> Gaussian:
    """(students, teachers, noise) ~ N(0, diag(B, std^2)); noise that is not Gaussian as a standard normal variable."""
    size = model.n_student + model.n_teacher
    variables = (*model.students, *model.teachers)
    gaussian = Gaussian(variables, (sp.S.Zero,) * size, overlap_matrix(size))
    law = model.noise
    if law is None or law.chances:
        return gaussian
    mean, variance = (law.mean, law.std**2) if isinstance(law, Normal) else (sp.S.Zero, sp.S.One)
    cov: Matrix = sp.diag(overlap_matrix(size), variance)
    return Gaussian((*variables, law.symbol), (*gaussian.mean, mean), sp.ImmutableMatrix(cov))


def integrands(model: Model) -> Integrands:
    """The integrands of `model`; first derivatives pointwise, second ones in the sense of distributions.

    Raises
    ------
    ExpectationError
        If the noise has no moment that is needed, or enters in a way that no rule integrates.
    """
    gaussian = preactivation_law(model)
    preactivations = (*model.students, *model.teachers)
    mean_loss = model.average(model.loss)
    first = {x: reduce_signs(sp.diff(reduce_signs(mean_loss, gaussian), x), gaussian) for x in model.students}
    slopes = tuple(_pointwise(model.loss, x, gaussian) for x in model.students)
    return Integrands(
        gaussian,
        _over_noise(mean_loss, model.noise),
        tuple(
            tuple(_over_noise(sp.diff(first[x], r) / 2, model.noise) for x in model.students) for r in preactivations
        ),
        tuple(tuple(_over_noise(model.average(a * b), model.noise) for b in slopes) for a in slopes),
        slopes,
        model.noise,
        tuple((name, _over_noise(model.average(g), model.noise)) for name, g in model.means),
    )


def _pointwise(loss: Expr, x: Expr, gaussian: Gaussian) -> Expr:
    """The gradient SGD uses: at a kink the two sides' mean, without delta functions."""
    slope = sp.diff(reduce_signs(loss, gaussian), x)
    if slope.has(sp.DiracDelta):
        slope = slope.replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    return reduce_signs(slope, gaussian)


def _over_noise(integrand: Expr, law: NoiseLaw | None) -> Expr:
    """Noise that is not Gaussian: its moments where it enters polynomially, else a function of a normal variable."""
    if law is None or isinstance(law, Normal) or not integrand.has(law.symbol):
        return integrand
    eps = law.symbol
    if integrand.is_polynomial(eps):
        return average_powers(integrand, eps, law.moment)
    value = law.as_normal(eps)
    if value is None:
        raise ExpectationError(
            f"{type(law).__name__} noise {eps} enters {integrand} other than polynomially",
            remedy="write a loss that is polynomial in the noise, or use another law",
        )
    return integrand.xreplace({eps: value})
