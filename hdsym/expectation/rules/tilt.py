"""Exponentials of linear and quadratic forms: absorb them into the Gaussian."""

from __future__ import annotations

from dataclasses import replace

from ...cas import Expr, Matrix, sp
from ..gaussian import Gaussian, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term

__all__ = ["TILT"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[e^{-r'Ar/2 + b'r} p] = prefactor * E'[p]: no inverse of B appears, so B may be singular."""
    if term.exponent == 0:
        return None
    variables = gaussian.variables
    hessian = -sp.hessian(term.exponent, variables)
    origin = dict.fromkeys(variables, sp.S.Zero)
    linear = sp.Matrix([term.exponent.diff(v).xreplace(origin) for v in variables])
    constant = term.exponent.xreplace(origin)
    bare = replace(term, exponent=sp.S.Zero)
    if hessian.is_zero_matrix:
        exponent, tilted = _shift(gaussian, linear)
        return Reduction(parts=(Part(sp.exp(constant + exponent), bare, tilted),))
    exponent, tilted, determinant = _general(gaussian, hessian, linear)
    # one exponential: exp(-9000) * exp(8999.9) is 0 * inf in floating point
    scale = sp.exp(tidy(constant + exponent)) / sp.sqrt(determinant)
    # with A >= 0 the weight only decreases: the expectation exists for every covariance
    safe = bool(determinant.is_positive or hessian.is_positive_semidefinite)
    condition = None if safe else determinant
    return Reduction(parts=(Part(scale, bare, tilted),), condition=condition)


def _shift(gaussian: Gaussian, linear: Matrix) -> tuple[Expr, Gaussian]:
    """A linear exponent only moves the mean: m' = m + B b."""
    mean, cov = sp.Matrix(gaussian.mean), gaussian.cov
    moved = mean + cov * linear
    exponent = (linear.T * mean)[0] + (linear.T * cov * linear)[0] / 2
    return exponent, Gaussian(gaussian.variables, tuple(moved), cov)


def _general(gaussian: Gaussian, hessian: Matrix, linear: Matrix) -> tuple[Expr, Gaussian, Expr]:
    size, mean, cov = gaussian.size, sp.Matrix(gaussian.mean), sp.Matrix(gaussian.cov)
    kernel = sp.eye(size) + cov * hessian
    determinant = tidy(kernel.det(method="berkowitz"))
    inverse = (kernel.adjugate() / determinant).applyfunc(tidy)
    tilted = (inverse * cov).applyfunc(tidy)
    moved = inverse * (mean + cov * linear)
    exponent = (-(mean.T * hessian * inverse * mean)[0] + (linear.T * tilted * linear)[0]) / 2
    exponent += (linear.T * inverse * mean)[0]
    result = Gaussian(gaussian.variables, tuple(tidy(m) for m in moved), sp.ImmutableMatrix(_symmetric(tilted)))
    return exponent, result, determinant


def _symmetric(matrix: Matrix) -> Matrix:
    """The upper triangle mirrored: equal entries must be the same expression."""
    return sp.Matrix(*matrix.shape, lambda i, j: matrix[min(i, j), max(i, j)])


TILT = Rule(
    "tilt the Gaussian",
    r"\mathbb{E}\left[e^{-\frac12 r^\top A r + b^\top r} p\right] = \det(K)^{-1/2}"
    r" e^{\frac12 b^\top B' b + b^\top K^{-1} m - \frac12 m^\top A K^{-1} m}\;\mathbb{E}'[p],"
    r"\; K = 1 + BA,\; B' = K^{-1}B,\; m' = K^{-1}(m + Bb)",
    "completing the square",
    "reduction",
    _apply,
)
