"""Weighted points for averages over standard normals: randomised quasi-Monte-Carlo with low moments made exact."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW", "points_for", "rule"]

Float = NDArray[np.float64]

POINTS = 16
"""Binary logarithm of the number of points for up to :data:`FEW` preactivations."""

FEW = 8
"""Preactivations up to which weights make low moments exact; beyond, a linear map of the points does."""

_SCRAMBLE = 20230816
"""Seed of the scramble: the same points in every session, so the risk is a function of the overlaps."""


def points_for(n: int) -> int:
    """Number of points for n preactivations: 2^16, and beyond eight so many that n times the points stay at 2^19."""
    return 1 << (POINTS if n <= FEW else max(POINTS + 3 - math.ceil(math.log2(n)), 10))


@lru_cache(maxsize=8)
def rule(n: int, noise: str, replica: int = 0) -> tuple[Float, Float]:
    """Points (n + 1, P), the last row the standard draw of the noise, and weights (P,) with sum one.

    `noise` is "normal", "uniform" (on (0, 1)) or empty, with zeros as the last row. Each `replica` has a scramble of
    its own: what two of them differ by is their error.

    Up to eight preactivations the points are drawn from a wider normal law (the tails then carry no error) and weighted
    so that every polynomial of degree four (two, from six preactivations on) in the normals has its exact mean. Beyond
    that, points come in pairs (z, -z) and are mapped linearly so that polynomials of degree three are exact, with equal
    weights: a wider law in many dimensions would leave most points without weight.
    """
    size = n + (1 if noise else 0)
    normal = size if noise == "normal" else n
    few = n <= FEW
    u = _uniforms(size, points_for(n) if few else points_for(n) // 2, replica)
    points = np.zeros((n + 1, points_for(n)))
    if few:
        points[:size], weights = _weighted(u, normal)
    else:
        points[:size], weights = _paired(u, normal)
    return points, weights


def _uniforms(size: int, count: int, replica: int) -> Float:
    """Scrambled Sobol points (size, count) in the open unit cube."""
    from scipy.stats import qmc

    seed = np.random.default_rng(_SCRAMBLE if replica == 0 else [_SCRAMBLE, replica])
    sobol = qmc.Sobol(size, scramble=True, rng=seed)
    return np.asarray(sobol.random(count).T + 2.0**-33)  # cell centres: neither 0 nor 1


def _paired(u: Float, normal: int) -> tuple[Float, Float]:
    from scipy import special

    z = special.ndtri(u[:normal])
    root = np.linalg.cholesky(z @ z.T / z.shape[1])
    z = np.linalg.solve(root, z)
    points = np.concatenate([np.concatenate([z, -z], axis=1), np.concatenate([u[normal:], 1 - u[normal:]], axis=1)])
    return points, np.full(points.shape[1], 1 / points.shape[1])


def _weighted(u: Float, normal: int) -> tuple[Float, Float]:
    from scipy import special

    width = math.sqrt(1 + 2.5 / normal)
    points = np.concatenate([width * special.ndtri(u[:normal]), u[normal:]])
    density = np.exp(-0.5 * (1 - 1 / width**2) * np.sum(points[:normal] ** 2, axis=0))
    return points, _calibrated(points, normal, density / density.sum())


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
    chosen = [c for total in range(degree + 1) for c in combinations_with_replacement(range(size), total)]
    degrees = [[c.count(i) for i in range(size)] for c in chosen]
    basis = np.array([np.prod([families[i][k] for i, k in enumerate(p)], axis=0) for p in degrees])
    target = np.zeros(len(basis))
    target[0] = 1.0  # the constant comes first
    coefficients = np.linalg.solve((basis * weights) @ basis.T, target)
    return np.asarray(weights * (coefficients @ basis), dtype=np.float64)
