"""Independent integration: adaptive quadrature of the raw integrand in polar coordinates. Shares nothing with hdsym."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import sympy as sp
from scipy.integrate import quad

REACH = 9.0


def factor(cov: np.ndarray) -> np.ndarray:
    """L with L L^T = cov, for singular matrices too."""
    values, vectors = np.linalg.eigh(np.asarray(cov, dtype=float))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def gaussian_mean(g: Callable[[float, float], float], cov: np.ndarray, kinks: Sequence[Sequence[float]] = ()) -> float:
    """E g(x, s) for (x, s) ~ N(0, cov); `kinks` are forms (a, b) with a kink of g at a x + b s = 0."""
    left = factor(cov)
    angles = _kink_angles(left, kinks)

    def on_ray(theta: float) -> float:
        direction = left @ np.array([math.cos(theta), math.sin(theta)])
        x, s = float(direction[0]), float(direction[1])
        return quad(
            lambda r: g(r * x, r * s) * r * math.exp(-r * r / 2), 0, REACH, epsabs=1e-13, epsrel=1e-11, limit=200
        )[0]

    edges = [0.0, *angles, 2 * math.pi]
    total = sum(quad(on_ray, a, b, epsabs=1e-13, epsrel=1e-10, limit=200)[0] for a, b in itertools.pairwise(edges))
    return total / (2 * math.pi)


def _kink_angles(left: np.ndarray, kinks: Sequence[Sequence[float]]) -> list[float]:
    angles = set()
    for kink in kinks:
        row = np.asarray(kink) @ left
        if np.any(row != 0):
            base = math.atan2(-row[0], row[1])
            angles |= {base % (2 * math.pi), (base + math.pi) % (2 * math.pi)}
    return sorted(a for a in angles if 0 < a < 2 * math.pi)


def scalar_function(symbols: Sequence[sp.Symbol], expr: sp.Expr) -> Callable[..., float]:
    """A scalar function by sympy's own lambdify, overflow-safe through exact rewriting of sigmoid and softplus."""
    names = {
        "sigmoid": lambda u: 1 / (1 + math.exp(-u)) if u >= 0 else math.exp(u) / (1 + math.exp(u)),
        "softplus": lambda u: max(u, 0.0) + math.log1p(math.exp(-abs(u))),
        "sign": lambda u: float((u > 0) - (u < 0)),
        "Abs": abs,
    }
    return sp.lambdify(list(symbols), expr, modules=[names, "math"])


RANDOM = [
    np.array([[1.3, 0.4], [0.4, 0.9]]),
    np.array([[0.2, -0.35], [-0.35, 2.1]]),
    np.array([[4.0, 1.5], [1.5, 0.7]]),
]
NEAR_SINGULAR = [np.array([[1.0, 1 - 1e-8], [1 - 1e-8, 1.0]]), np.array([[1.44, -1.2 + 1e-8], [-1.2 + 1e-8, 1.0]])]
AT_TARGET = np.array([[0.8, 0.8], [0.8, 0.8]])
RANK_ONE = np.array([[2.25, 1.5], [1.5, 1.0]])
AT_ZERO = np.array([[0.0, 0.0], [0.0, 1.2]])
ALL = {
    "random 1": RANDOM[0],
    "random 2": RANDOM[1],
    "random 3": RANDOM[2],
    "cosine 1 - 1e-8": NEAR_SINGULAR[0],
    "cosine -1 + 1e-8": NEAR_SINGULAR[1],
    "X = X*": AT_TARGET,
    "rank one": RANK_ONE,
    "X = 0": AT_ZERO,
}
