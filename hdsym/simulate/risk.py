"""The population risk at recorded overlaps, without the derivation: an average over preactivations.

Randomised quasi-Monte-Carlo: 2^16 scrambled Sobol points, drawn from a wider normal law than the preactivations'
(weights make up for it; the tails then carry no error) and reweighted so that every polynomial of degree four in the
standard normals has its exact mean. Measured relative error at 400 random and nearly singular overlaps (1 - |cosine|
down to 1e-8): median 3e-6 and worst 8e-5 for losses with |x||s|; median 2e-8 and worst 9e-7 for logistic losses;
rounding for polynomials up to degree four.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..laws import StudentT
from ..model import Model
from .declaration import draw_symbol, expected_loss

__all__ = ["population_risk", "rule", "triangular_factor"]

Float = NDArray[np.float64]

POINTS = 16
"""Binary logarithm of the number of points."""

_SCRAMBLE = 20230816
"""Seed of the scramble: the same points in every session, so the risk is a function of the overlaps."""


def population_risk(kernel: Callable[..., None], model: Model, overlaps: Float, theta: Float, workers: int) -> Float:
    """h(B) for every B, shape (...,), from `overlaps` (..., n, n); NaN where B is.

    Discrete noise and sampled labels are summed exactly, continuous noise is one more variable of the average.
    """
    flat = overlaps.reshape(-1, *overlaps.shape[-2:])
    known = np.flatnonzero(np.isfinite(flat).all(axis=(1, 2)))
    factors = triangular_factor(flat[known])
    points, weights = rule(overlaps.shape[-1], _noise_kind(model))
    if isinstance(model.noise, StudentT):
        from scipy.special import stdtrit

        points = np.vstack([points[:-1], stdtrit(float(model.noise.dof), points[-1])])
    values = np.empty(known.size)
    pieces = [slice(i, i + 8) for i in range(0, known.size, 8)]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda piece: kernel(factors[piece], points, weights, theta, values[piece]), pieces))
    result = np.full(len(flat), np.nan)
    result[known] = values
    return result.reshape(overlaps.shape[:-2])


def triangular_factor(B: Float) -> Float:
    """Lower triangular L with L L^T = B, shape (m, n, n); a pivot that is zero to rounding gives a zero column."""
    L = np.zeros_like(B)
    n = B.shape[-1]
    for j in range(n):
        pivot = B[:, j, j] - np.sum(L[:, j, :j] ** 2, axis=1)
        positive = pivot > 4 * n * np.finfo(np.float64).eps * B[:, j, j]
        root = np.sqrt(np.where(positive, pivot, 1.0))
        L[:, j, j] = np.where(positive, root, 0.0)
        for i in range(j + 1, n):
            rest = B[:, i, j] - np.sum(L[:, i, :j] * L[:, j, :j], axis=1)
            L[:, i, j] = np.where(positive, rest / root, 0.0)
    return L


def _noise_kind(model: Model) -> str:
    """The draw of the noise if the average needs one: noise that enters polynomially has been averaged already."""
    law = model.noise
    if law is None or law.chances or not expected_loss(model).has(draw_symbol):
        return ""
    return "normal" if law.draw == "normal" else "uniform"


@lru_cache(maxsize=8)
def rule(n: int, noise: str) -> tuple[Float, Float]:
    """Points (n + 1, P), the last row the standard draw of the noise, and weights (P,) with sum one.

    `noise` is "normal", "uniform" (on (0, 1)) or empty, with zeros as the last row.
    """
    from scipy import special
    from scipy.stats import qmc

    size = n + (1 if noise else 0)
    sobol = qmc.Sobol(size, scramble=True, rng=np.random.default_rng(_SCRAMBLE))
    u = sobol.random_base2(POINTS).T + 2.0**-33  # cell centres: neither 0 nor 1
    normal = size if noise == "normal" else n
    width = math.sqrt(1 + 2.5 / normal)
    points = np.zeros((n + 1, u.shape[1]))
    points[:normal] = width * special.ndtri(u[:normal])
    points[normal:size] = u[normal:]
    density = np.exp(-0.5 * (1 - 1 / width**2) * np.sum(points[:normal] ** 2, axis=0))
    return points, _calibrated(points[:size], normal, density / density.sum())


def _calibrated(points: Float, normal: int, weights: Float) -> Float:
    """Weights, changed as little as possible, under which low-degree orthogonal polynomials have mean zero."""
    from scipy import special

    size = len(points)
    degree = 4 if math.comb(size + 4, 4) <= 130 else 2
    families = [
        [special.eval_hermitenorm(k, z) / math.sqrt(math.factorial(k)) for k in range(degree + 1)]
        if i < normal
        else [special.eval_sh_legendre(k, z) * math.sqrt(2 * k + 1) for k in range(degree + 1)]
        for i, z in enumerate(points)
    ]
    degrees = [p for p in itertools.product(range(degree + 1), repeat=size) if sum(p) <= degree]
    basis = np.array([np.prod([families[i][k] for i, k in enumerate(p)], axis=0) for p in degrees])
    target = np.zeros(len(basis))
    target[0] = 1.0  # the constant comes first
    coefficients = np.linalg.solve((basis * weights) @ basis.T, target)
    return np.asarray(weights * (coefficients @ basis), dtype=np.float64)
