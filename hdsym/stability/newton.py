"""Fixed points of the mode equations by Newton's method with the exact Jacobian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

__all__ = ["ENOUGH", "admissible", "refine", "residual"]

Float = NDArray[np.float64]

_STEPS = 40

ENOUGH, _ROUNDING = 1e-11, 1e-15
"""Residual that a fixed point may have, and one that cannot be improved: equations may be badly conditioned."""


def residual(flow: Flow, y: Float, gamma: float) -> float:
    """|F(y, gamma) / gamma|, relative to the overlaps; infinite where F is not finite."""
    first, second = flow.rates(y)
    size = float(np.max(np.abs(first + gamma * second)))
    return size / (1.0 + float(np.max(np.abs(y)))) if np.isfinite(size) else np.inf


def refine(flow: Flow, y: Float, gamma: float) -> Float | None:
    """The fixed point at rate gamma that Newton's method finds from y, or ``None``.

    Steps are of least norm where the Jacobian is singular, so that points on a whole curve of them are found too.
    """
    before = residual(flow, y, gamma)
    for _ in range(_STEPS):
        if before <= _ROUNDING:
            return y
        if not np.isfinite(before):
            return None
        first, second = flow.rates(y)
        J = flow.jacobian(y, gamma) / gamma
        if not np.all(np.isfinite(J)):
            return None
        step, *_ = np.linalg.lstsq(J, -(first + gamma * second), rcond=1e-12)
        after = residual(flow, y + step, gamma)
        if after >= before and before <= ENOUGH:
            return y
        y, before = y + step, after
    return y if before <= ENOUGH else None


def admissible(B: Float) -> bool:
    """Whether overlaps are those of some weights: finite and positive semi-definite up to rounding."""
    if not np.all(np.isfinite(B)):
        return False
    values = np.linalg.eigvalsh(B)
    return bool(values[0] >= -1e-7 * max(1e-300, float(values[-1])))
