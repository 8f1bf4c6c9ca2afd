"""Derivatives of the drift by central differences, where formulas for them are not at hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["central_slopes"]

Float = NDArray[np.float64]

_STEP = float(np.finfo(float).eps ** (1 / 3))
"""Relative step at which rounding and truncation of a central difference are of one size, about 1e-10."""

_VANISHING, _UNSCALED = 1e-9, 1e-2


def central_slopes(
    drift: Callable[[Float, Float], tuple[Float, ...]],
    B: Float,
    theta: Float,
    pairs: tuple[tuple[int, int], ...],
) -> tuple[Float, ...]:
    """Derivatives of every array that `drift(B, theta)` returns, in entries of B and then in theta, on a last axis.

    Parameters
    ----------
    drift:
        Of overlaps (n, n) and trained scalars (r,).
    B, theta:
        Where to differentiate; each entry takes a step of 6e-6 of its scale, sqrt(B_ii B_jj) or max(1, \\|theta\\|).
    pairs:
        Entries (i, j) of B, i <= j from one; off the diagonal B_ij and B_ji change together.
    """
    columns = [_central(drift, B, theta, *_direction(B, theta, pair)) for pair in pairs]
    for k in range(theta.size):
        unit = np.zeros_like(theta)
        unit[k] = 1.0
        columns.append(_central(drift, B, theta, np.zeros_like(B), unit, _STEP * max(1.0, abs(float(theta[k])))))
    return tuple(np.stack(parts, axis=-1) for parts in zip(*columns, strict=True))


def _direction(B: Float, theta: Float, pair: tuple[int, int]) -> tuple[Float, Float, float]:
    i, j = pair[0] - 1, pair[1] - 1
    unit = np.zeros_like(B)
    unit[i, j] = unit[j, i] = 1.0
    scale, largest = float(np.sqrt(np.abs(B[i, i] * B[j, j]))), float(np.max(np.abs(B)))
    if scale <= _VANISHING * largest:  # a direction of length zero has no scale of its own
        scale = _UNSCALED * largest
    return unit, np.zeros_like(theta), _STEP * max(scale, 1e-12)


def _central(
    drift: Callable[[Float, Float], tuple[Float, ...]], B: Float, theta: Float, dB: Float, dtheta: Float, step: float
) -> list[Float]:
    above, below = (drift(B + s * dB, theta + s * dtheta) for s in (step, -step))
    return [(a - b) / (2.0 * step) for a, b in zip(above, below, strict=True)]
