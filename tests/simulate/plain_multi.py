"""SGD with several directions and trained scalars as one writes it down first, from hand-written derivatives.

It consumes the random stream in the documented order: d normals, then the noise, then the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass
class Plain:
    """Slopes in x and in the trained scalars, both at (x, s, y, theta); how noise and label are drawn."""

    slopes: Callable[[Array, Array, Any, Array], tuple[Array, Array]]
    label: Callable[[np.random.Generator, Array, float], Any]
    noise: Callable[[np.random.Generator], float] = lambda rng: 0.0


def run(
    plain: Plain,
    problem: Any,
    weights: tuple[Array, Array],
    theta: Array,
    rates: list[Any],
    steps: list[int],
    seed: Any,
) -> tuple[Array, Array, Array]:
    """B, W^T W and theta at the given steps; `rates` are functions of time, one for each trained scalar."""
    rng = np.random.Generator(np.random.SFC64(seed))
    X, S = (part.copy() for part in weights)
    theta = np.array(theta, dtype=float)
    eigenvalues = problem.spectrum.eigenvalues()
    d, b = len(X), problem.batch_size
    seen = []
    for k in range(max(steps) + 1):
        if k in steps:
            W = np.concatenate([X, S], axis=1)
            seen.append((W.T @ (eigenvalues[:, None] * W), W.T @ W, theta.copy()))
        gradient, pull = np.zeros_like(X), np.zeros_like(theta)
        for _ in range(b):
            a = np.sqrt(eigenvalues) * rng.standard_normal(d)
            x, s = a @ X, a @ S
            y = plain.label(rng, s, plain.noise(rng))
            of_x, of_theta = plain.slopes(x, s, y, theta)
            gradient += np.outer(a, of_x) / b
            pull += np.asarray(of_theta) / b
        X = X - float(problem.learning_rate(k / d)) / d * (gradient + problem.delta * X)
        theta = theta - np.array([float(rate(k / d)) for rate in rates]) / d * pull
    B, G, scalars = zip(*seen, strict=True)
    return np.array(B), np.array(G), np.array(scalars)
