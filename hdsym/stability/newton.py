"""Fixed points of the mode equations by Newton's method with the exact Jacobian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

__all__ = ["admissible", "refine", "residual"]

Float = NDArray[np.float64]

_STEPS, _ENOUGH = 40, 1e-12


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
        if before <= _ENOUGH:
            return y
        if not np.isfinite(before):
            return None
        first, second = flow.rates(y)
        J = flow.jacobian(y, gamma) / gamma
        if not np.all(np.isfinite(J)):
            return None
        step, *_ = np.linalg.lstsq(J, -(first + gamma * second), rcond=1e-12)
        y = y + step
        after = residual(flow, y, gamma)
        if after > 0.9 * before and before <= 1e3 * _ENOUGH:
            return y if after <= 1e3 * _ENOUGH else None
        before = after
    return None


def admissible(B: Float) -> bool:
    """Whether overlaps are those of some weights: finite and positive semi-definite up to rounding."""
    if not np.all(np.isfinite(B)):
        return False
    values = np.linalg.eigvalsh(B)
    return bool(values[0] >= -1e-7 * max(1e-300, float(values[-1])))
