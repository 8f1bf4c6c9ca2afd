"""SGD as one writes it down first: the reference the compiled simulator is held against.

It consumes the random stream in the documented order: d normals, then the noise, then the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Plain:
    """Hand-written pieces of a model: slope(x, y), link(s, e), and draws."""

    slope: Callable[[float, float], float]
    link: Callable[[float, float], float]
    noise: Callable[[np.random.Generator], float] | None = None
    sampled: bool = False  # link is then the probability of y = 1


def overlaps(X: np.ndarray, S: np.ndarray, eigenvalues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    W = np.stack([X, S])
    return (W * eigenvalues) @ W.T, W @ W.T


def run(
    plain: Plain,
    problem: Any,
    model: Any,
    steps: list[int],
    seed: np.random.SeedSequence,
) -> tuple[np.ndarray, np.ndarray]:
    """B and W^T W at the given steps, for l = l* = 1."""
    rng = np.random.Generator(np.random.SFC64(seed))
    X, S = (part[:, 0].copy() for part in problem.weights(model))
    eigenvalues = problem.spectrum.eigenvalues()
    d = len(X)
    seen = []
    for k in range(max(steps) + 1):
        if k in steps:
            seen.append(overlaps(X, S, eigenvalues))
        gamma = float(problem.learning_rate(k / d))
        gradient = np.zeros(d)
        for _ in range(problem.batch_size):
            a = np.sqrt(eigenvalues) * rng.standard_normal(d)
            x, s = a @ X, a @ S
            e = plain.noise(rng) if plain.noise else 0.0
            y = plain.link(s, e)
            if plain.sampled:
                y = 1.0 if rng.random() < y else 0.0
            gradient += a * plain.slope(x, y) / problem.batch_size
        X = X - gamma / d * (gradient + problem.delta * X)
    return np.array([b for b, _ in seen]), np.array([g for _, g in seen])
