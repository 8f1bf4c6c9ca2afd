"""Moments of the gradient as averages over fixed points: for sums over units, trained scalars, and whatever else.

No derivative of the gradient is taken: with r = L z, L L^T = B and phi any function of r, E[z_i phi] and
E[(z_i z_j - delta_ij) phi] are E[d_i phi] and E[d_i d_j phi] in the coordinates z. So kinks need no special care.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cas import Expr, Symbol, numeric_function, sp
from ..derive.integrands import integrands
from ..errors import ExpectationError
from ..labels import Poisson, RandomLabel
from ..laws import Normal
from .moments import Moments

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["PointMoments", "points"]

Float = NDArray[np.float64]
Outcomes = list[tuple[Float, list[Float]]]
"""Probability (N,) of each outcome of what is random beside the points, and the gradient's entries (N,) there."""

_WIDER, _SEED = 1.25, 20261127
"""Standard deviation of the points' own law, which is wider so that tails carry no error; seed of their scramble."""

_TINY = 1e-14
"""Directions of W^T K W below this share of the largest have no preactivation of their own."""

_RARE = 8.0
"""Counts of a Poisson label up to so many standard deviations beyond its mean, and as many further ones."""


@lru_cache(maxsize=8)
def points(dimension: int, count: int, replica: int = 0) -> tuple[Float, Float]:
    """Points (count, dimension) and weights (count,) for means over standard normals; count is a power of two.

    Scrambled Sobol points and their mirror images, mapped linearly so that means and covariances are exact; each
    `replica` has a scramble of its own.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    sobol = qmc.Sobol(dimension, scramble=True, rng=np.random.default_rng([_SEED, replica]))
    uniform = np.clip(sobol.random(count // 2), 2.0**-33, 1 - 2.0**-33)
    wide = _WIDER if dimension <= 12 else 1.0 + (_WIDER - 1.0) * 12 / dimension  # else few points have all the weight
    z = wide * ndtri(uniform)
    weights = np.exp(-0.5 * (1.0 - wide**-2) * np.sum(z * z, axis=1))
    weights /= weights.sum()
    z = z @ np.linalg.inv(np.linalg.cholesky(z.T @ (weights[:, None] * z))).T
    return np.concatenate([z, -z]), np.concatenate([weights, weights]) / 2.0


class PointMoments:
    """The moments of an explicit model as a function of overlaps (n, n) and trained scalars (r,).

    Parameters
    ----------
    model:
        Explicit.
    parameters:
        Values of its parameters by name.
    count:
        Number of points.
    replica:
        Which set of points: what two of them differ by is their error.

    Raises
    ------
    ExpectationError
        For noise that is no function of a normal variable, as Student t noise.
    """

    def __init__(self, model: Model, parameters: Mapping[str, float], count: int = 1 << 13, replica: int = 0) -> None:
        self.count = count
        self.students, self.n = model.n_student, model.n_student + model.n_teacher
        parts = integrands(model)
        noisy = model.noise is not None and not model.noise.chances
        self.z, self.weights = points(self.n + noisy, count, replica)
        constants = {symbol: sp.Float(parameters[symbol.name], 17) for symbol in model.parameters}
        slopes = [*parts.slopes, *(sp.diff(model.loss, theta) for theta in model.trained)]
        arguments = (*model.students, *model.teachers, *_noise_symbols(model), *model.trained)
        self._outcomes = _outcomes(model, slopes, arguments, constants)

    def __call__(self, B: Float, theta: Float) -> Moments:
        """The moments; of a singular B too."""
        n, l, weights = self.n, self.students, self.weights
        L, inverse = _factor(B)
        z = self.z[:, :n]
        values = [*(z @ L.T).T, *self.z[:, n:].T, *theta]
        sums = _Sums(n, l, theta.size)
        for chance, entries in self._outcomes(values):
            v = np.stack(np.broadcast_arrays(*entries, z[:, 0])[:-1], axis=-1)
            sums.add(weights * chance, z, v)
        return sums.moments(inverse)


class _Sums:
    """Running sums over outcomes of what the moments are made of, in the coordinates z."""

    def __init__(self, n: int, l: int, r: int) -> None:
        self.l = l
        self.pairs, self.first = np.zeros((l + r, l + r)), np.zeros((n, l + r))
        self.second = np.zeros((n * n, l * l))
        self.triple, self.cross = np.zeros((n, l * l * l)), np.zeros((n, l * r))
        self.fourth, self.mixed, self.mean = np.zeros((l * l, l * l)), np.zeros((l * l, r)), np.zeros(l + r)

    def add(self, weights: Float, z: Float, v: Float) -> None:
        """Sums over points z (N, n) with these weights (N,) of products of v (N, l + r)."""
        count, l = len(z), self.l
        u, g = v[:, :l], v[:, l:]
        uu = (u[:, :, None] * u[:, None, :]).reshape(count, -1)
        zz = (z[:, :, None] * z[:, None, :] - np.eye(z.shape[1])).reshape(count, -1)
        wz, wuu = weights[:, None] * z, weights[:, None] * uu
        self.mean += weights @ v
        self.first += wz.T @ v
        self.pairs += v.T @ (weights[:, None] * v)
        self.second += zz.T @ wuu
        self.triple += wz.T @ (uu[:, :, None] * u[:, None, :]).reshape(count, -1)
        self.cross += wz.T @ (u[:, :, None] * g[:, None, :]).reshape(count, -1)
        self.fourth += uu.T @ wuu
        self.mixed += wuu.T @ g

    def moments(self, inverse: Float) -> Moments:
        """In the coordinates r: derivatives take the inverse of L (n, n) on each index."""
        l, n = self.l, len(inverse)
        r = len(self.mean) - l
        back = inverse.T  # d / dr = L^-T d / dz
        second = np.einsum("ip,jq,pqab->ijab", back, back, self.second.reshape(n, n, l, l))
        return Moments(
            back @ self.first[:, :l] / 2.0,
            self.pairs[:l, :l],
            self.mean[l:],
            second,
            (back @ self.triple).reshape(n, l, l, l),
            self.fourth.reshape(l, l, l, l),
            (back @ self.cross).reshape(n, l, r),
            self.mixed.reshape(l, l, r),
            self.pairs[l:, l:],
        )


def _factor(B: Float) -> tuple[Float, Float]:
    """L with L L^T = B, symmetric, and its pseudo-inverse: G_j of a mode has no part where B has none."""
    values, vectors = np.linalg.eigh(B)
    root = np.sqrt(np.maximum(values, 0.0))
    keep = values > _TINY * max(float(values[-1]), 1e-300)
    inverse = np.where(keep, 1.0 / np.where(keep, root, 1.0), 0.0)
    return (vectors * np.where(keep, root, 0.0)) @ vectors.T, (vectors * inverse) @ vectors.T


def _noise_symbols(model: Model) -> tuple[Symbol, ...]:
    """The noise that the points have a coordinate for."""
    return () if model.noise is None or model.noise.chances else (model.noise.symbol,)


def _with_noise(expr: Expr, model: Model) -> Expr:
    """Continuous noise as a function of a standard normal."""
    law = model.noise
    if law is None or law.chances or not expr.has(law.symbol):
        return expr
    value = law.mean + law.std * law.symbol if isinstance(law, Normal) else law.as_normal(law.symbol)
    if value is None:
        raise ExpectationError(
            f"{type(law).__name__} noise {law.symbol} is no function of a normal variable",
            remedy="error bars need moments of order four of the gradient: use another law",
        )
    return expr.xreplace({law.symbol: value})


def _outcomes(
    model: Model, slopes: list[Expr], arguments: tuple[Symbol, ...], constants: Mapping[Symbol, Expr]
) -> Callable[[list[Any]], Outcomes]:
    """What gives, at values of the arguments, every outcome of sampled label and discrete noise."""

    def made(expr: Expr) -> Expr:  # last, for labels may hold noise, and noise constants
        return _with_noise(expr, model).xreplace(dict(constants))

    if isinstance(model.link, Poisson):
        return _counts(made(model.link.expressions[0]), list(map(made, slopes)), model.label, arguments)
    cases: list[tuple[Expr, list[Expr]]] = [(sp.S.One, slopes)]
    if isinstance(model.link, RandomLabel):
        cases = _drawn(cases, model.label, model.link.chances)
    elif model.link is not None:
        cases = _drawn(cases, model.label, ((sp.S.One, model.link),))
    if model.noise is not None and model.noise.chances:
        cases = _drawn(cases, model.noise.symbol, model.noise.chances)
    compiled = [
        (_function(arguments, made(chance)), [_function(arguments, made(e)) for e in exprs]) for chance, exprs in cases
    ]
    return lambda values: [(chance(*values), [e(*values) for e in entries]) for chance, entries in compiled]


def _drawn(
    cases: list[tuple[Expr, list[Expr]]], symbol: Symbol, chances: tuple[tuple[Expr, Expr], ...]
) -> list[tuple[Expr, list[Expr]]]:
    """Every case with every value of a symbol put in; chances may depend on what is put in later."""
    return [
        (chance.xreplace({symbol: value}) * p, [expr.xreplace({symbol: value}) for expr in exprs])
        for p, value in chances
        for chance, exprs in cases
    ]


def _function(arguments: tuple[Symbol, ...], expr: Expr) -> Callable[..., Float]:
    names = {symbol: sp.Symbol(f"v{k}", real=True) for k, symbol in enumerate(arguments)}
    return numeric_function(list(names.values()), expr.xreplace(names))


def _counts(
    mean: Expr, slopes: list[Expr], label: Symbol, arguments: tuple[Symbol, ...]
) -> Callable[[list[Any]], Outcomes]:
    """Counts of a Poisson label, up to those that are too rare to matter at any point."""
    from scipy.stats import poisson

    expected, entries = _function(arguments, mean), [_function((*arguments, label), expr) for expr in slopes]

    def outcomes(values: list[Any]) -> Outcomes:
        rate = expected(*values)
        largest = float(np.max(rate))
        last = int(np.ceil(largest + _RARE * np.sqrt(largest) + 2 * _RARE))
        return [(poisson.pmf(y, rate), [e(*values, float(y)) for e in entries]) for y in range(last + 1)]

    return outcomes
