"""Exponentials of linear and quadratic forms: absorb them into the Gaussian."""

from __future__ import annotations

from dataclasses import replace

from ...cas import Expr, Matrix, sp
from ..gaussian import Gaussian, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term

__all__ = ["TILT"]

_MANY = 4
"""Variables from which new covariances are given names instead of being multiplied out."""


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
    many = len(term.active(variables)) >= _MANY
    if many and hessian.is_diagonal() and linear.is_zero_matrix and hessian.is_positive_semidefinite:
        return _one_by_one(bare, gaussian, [hessian[i, i] for i in range(gaussian.size)], sp.exp(constant))
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


def _one_by_one(bare: Term, gaussian: Gaussian, weights: list[Expr], constant: Expr) -> Reduction:
    """Squares of single variables in turn: B' = B - w b b' / (1 + w B_ii), b the i-th column.

    In many variables multiplying out what the general formula gives would fill pages; here every new entry keeps a name
    of its own, in a few operations of earlier ones, until the value is known.
    """
    size = gaussian.size
    active = sorted(bare.active(gaussian.variables) | {i for i, w in enumerate(weights) if w != 0})
    cov = {(i, j): gaussian.cov[i, j] for i in range(size) for j in range(i, size)}
    mean, scale = list(gaussian.mean), constant
    meaning: dict[Expr, Expr] = {}
    for i in (k for k, weight in enumerate(weights) if weight != 0):
        kernel = 1 + weights[i] * cov[i, i]
        column = [cov[min(i, j), max(i, j)] for j in range(size)]
        scale *= sp.exp(-weights[i] * mean[i] ** 2 / (2 * kernel)) / sp.sqrt(kernel)
        mean = [m - weights[i] * mean[i] / kernel * b for m, b in zip(mean, column, strict=True)]
        for j, k in ((j, k) for j in active for k in active if j <= k):
            value = (cov[j, k] - weights[i] * column[j] * column[k] / kernel).xreplace(meaning)
            cov[j, k] = sp.Symbol(f"T{i + 1}_{j + 1}{k + 1}", real=True, positive=(j == k) or None)
            meaning[cov[j, k]] = value
    matrix = sp.ImmutableMatrix(size, size, lambda j, k: cov[min(int(j), int(k)), max(int(j), int(k))])
    moved = tuple(m.xreplace(meaning) for m in mean)
    law = Gaussian(gaussian.variables, moved, matrix)
    return Reduction(parts=(Part(scale.xreplace(meaning), bare, law, tuple(meaning.items())),))


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
