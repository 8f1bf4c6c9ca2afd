"""One step of DOP853 for many problems, and the polynomial between its ends; the tableau is scipy's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

__all__ = ["Stepped", "interpolated", "step"]

Float = NDArray[np.float64]
Slope = Callable[[Float, Float], Float]


def _rows(matrix: Any) -> tuple[tuple[tuple[int, float], ...], ...]:
    """The entries of each row that are not zero, with their columns."""
    return tuple(tuple((j, float(a)) for j, a in enumerate(row) if a != 0.0) for row in np.atleast_2d(matrix))


_A, (_B,), _C = _rows(DOP853.A[: DOP853.n_stages]), _rows(DOP853.B), DOP853.C[: DOP853.n_stages]
(_E3,), (_E5,) = _rows(DOP853.E3), _rows(DOP853.E5)
_MORE, _MORE_C, _D = _rows(DOP853.A_EXTRA), DOP853.C_EXTRA, _rows(DOP853.D)


@dataclass(frozen=True)
class Stepped:
    """Steps that were tried.

    Attributes
    ----------
    y, f:
        (entries, problems) state and slope at the end.
    error:
        (problems,) error over its tolerance; infinite where something is not finite.
    stages:
        (13, entries, problems) slopes of the stages, the last at the end.
    last:
        State of the last stage, also at the end of the step.
    """

    y: Float
    f: Float
    error: Float
    stages: Float
    last: Float


def step(
    slope: Slope, t: Float, y: Float, f: Float, h: Float, rtol: float, atol: Float, count: Float | None = None
) -> Stepped:
    """A step of length h (problems,) from states y (entries, problems) with slopes f at times t (problems,)."""
    stages = np.empty((DOP853.n_stages + 1, *y.shape))
    stages[0] = f
    part, state = np.empty_like(y), y
    for s in range(1, DOP853.n_stages):
        state = _moved(y, h, stages, _A[s], part)
        stages[s] = slope(t + _C[s] * h, state)
    new = _moved(y, h, stages, _B, part)
    stages[-1] = slope(t + h, new)
    tolerance = atol + rtol * np.maximum(np.abs(y), np.abs(new))
    fifth, third = (np.add.reduce((_combined(stages, row, part) / tolerance) ** 2, axis=0) for row in (_E5, _E3))
    number = float(len(y)) if count is None else count
    below = np.sqrt((fifth + 0.01 * third) * number)
    error = np.where(below > 0.0, np.abs(h) * fifth / np.where(below > 0.0, below, 1.0), 0.0)
    finite = np.all(np.isfinite(stages[-1]), axis=0) & np.isfinite(fifth) & np.isfinite(third)
    return Stepped(new, stages[-1], np.where(finite, error, np.inf), stages, state)


def interpolated(tried: Stepped, slope: Slope, chosen: Any, t: Float, y: Float, h: Float) -> Callable[[Float], Float]:
    """The continuous extension of order seven, for the problems `chosen`: (entries, chosen) at x (chosen,) in [0, 1].

    `slope` is that of the chosen problems; t, y and h are those of all, at the beginning of the step.
    """
    count = len(_MORE)
    old, length = np.ascontiguousarray(y[:, chosen]), h[chosen]
    stages = np.concatenate([tried.stages[:, :, chosen], np.empty((count, *old.shape))])
    part = np.empty_like(old)
    for k, row in enumerate(_MORE):
        state = _moved(old, length, stages, row, part)
        stages[DOP853.n_stages + 1 + k] = slope(t[chosen] + _MORE_C[k] * length, state)
    moved = tried.y[:, chosen] - old
    first, last = stages[0], stages[DOP853.n_stages]
    terms = [moved, length * first - moved, 2.0 * moved - length * (last + first)]
    terms += [length * _combined(stages, row, part) for row in _D]

    def value(x: Float) -> Float:
        result = np.zeros_like(old)
        for k, term in enumerate(reversed(terms)):
            result += term
            result *= 1.0 - x if k % 2 else x
        return result + old

    return value


def _moved(y: Float, h: Float, stages: Float, row: tuple[tuple[int, float], ...], part: Float) -> Float:
    total = _combined(stages, row, part)
    total *= h
    total += y
    return total


def _combined(stages: Float, row: tuple[tuple[int, float], ...], part: Float) -> Float:
    """Sum of a_j times stage j; elementwise, not as a matrix product, whose rounding depends on shapes."""
    (first, weight), *rest = row
    total: Float = stages[first] * weight
    for j, a in rest:
        np.multiply(stages[j], a, out=part)
        total += part
    return total
