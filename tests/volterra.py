"""Least squares at a constant rate over many decades of time, from its Volterra equation alone: no modes, no ODE."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.special import gamma, gammainc

Function = Callable[[np.ndarray], np.ndarray]


def power_law(beta: float, delta: float, rate: float) -> tuple[Function, Function]:
    """Forcing and kernel for the density (1 - beta) lam^-beta on (0, 1) and D^2(lam) = lam^-delta, beta + delta < 2.

    F(t) = int lam D^2 e^(-2 rate lam t) / 2, k(u) = rate^2 int lam^2 e^(-2 rate lam u): incomplete gamma functions.
    """

    def moment(power: float, u: np.ndarray) -> np.ndarray:
        """Integral of lam^(power - 1) exp(-2 rate lam u) over (0, 1)."""
        x = np.maximum(2 * rate * u, 1e-8)
        return np.asarray(gamma(power) * gammainc(power, x) / x**power)

    return (
        lambda t: (1 - beta) / 2 * moment(2 - beta - delta, t),
        lambda u: (1 - beta) * rate**2 * moment(3 - beta, u),
    )


def risk(forcing: Function, kernel: Function, times: np.ndarray, nodes: int = 90) -> np.ndarray:
    """R(t) = F(t) + int_0^t k(t - s) R(s) ds by collocation: R is a polynomial in log(1 + t), nodes are Chebyshev's.

    Integrals by Gauss-Legendre on panels that grow geometrically away from s = 0, where R varies, and from s = t, where
    the kernel does.
    """
    end = np.log1p(times.max())
    x = end * (1 - np.cos(np.pi * (np.arange(nodes) + 0.5) / nodes)) / 2
    matrix = np.eye(nodes)
    for k, t in enumerate(np.expm1(x)):
        half, weights = panels(t / 2)
        for s, u in ((half, t - half), (t - half, half)):
            matrix[k] -= (weights * kernel(u)) @ basis(x, np.log1p(s))
    found: np.ndarray = basis(x, np.log1p(times)) @ np.linalg.solve(matrix, forcing(np.expm1(x)))
    return found


def panels(end: float) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on (0, end): panels of ratio 1.6 from 0.3 on."""
    edges = np.append(0.0, np.geomspace(min(0.3, end / 2), end, 2 + int(max(0.0, np.log(end / 0.3)) / np.log(1.6))))
    p, w = np.polynomial.legendre.leggauss(12)
    parts = [((b - a) * (p + 1) / 2 + a, (b - a) * w / 2) for a, b in pairwise(edges)]
    return np.concatenate([s for s, _ in parts]), np.concatenate([v for _, v in parts])


def basis(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Lagrange basis of Chebyshev points of the first kind at `points`, which are no nodes; barycentric."""
    count = nodes.size
    weights = (-1.0) ** np.arange(count) * np.sin(np.pi * (np.arange(count) + 0.5) / count)
    ratio = weights / (points[:, None] - nodes)
    return np.asarray(ratio / ratio.sum(axis=1, keepdims=True))
