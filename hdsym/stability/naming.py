"""What a fixed point is, by its overlaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

__all__ = ["name_of", "tidy"]

Float = NDArray[np.float64]

_ZERO = 1e-6
"""Overlaps below this share of the largest are zero."""

_ROUNDING = 1e-12


def tidy(matrix: Float) -> Float:
    """Entries that are rounding next to the largest set to zero."""
    scale = float(np.max(np.abs(matrix), initial=0.0))
    return np.where(np.abs(matrix) <= _ROUNDING * scale, 0.0, matrix)


def name_of(flow: Flow, gram: Float, risk: float, stable: bool, lowest: bool) -> str:
    """The name of a fixed point with this W^T W, (n, n); `lowest`: no other has a lower risk.

    "minimiser" is that of lowest risk if it is stable or X = X* up to order and signs; "uninformed" has no overlap with
    any teacher, "origin" no students at all, "symmetric" has students alike.
    """
    l = flow.students
    Q, M = gram[:l, :l], gram[:l, l:]
    scale = float(np.max(np.abs(gram)))
    if np.max(np.abs(Q)) <= _ZERO * scale:
        return "origin"
    if np.max(np.abs(M)) <= _ZERO * scale:
        return "uninformed attractor" if stable else "uninformed saddle"
    if lowest and (stable or _spanned(gram, l)):
        return "minimiser"
    if l > 1 and _alike(Q, M, scale):
        return "symmetric attractor" if stable else "symmetric plateau"
    return "attractor" if stable else "saddle"


def _spanned(gram: Float, l: int) -> bool:
    """Whether X lies within the span of X*."""
    M, T = gram[:l, l:], gram[l:, l:]
    rest = gram[:l, :l] - M @ np.linalg.pinv(T, hermitian=True) @ M.T
    return bool(np.max(np.abs(rest)) <= _ZERO * np.max(np.abs(gram)))


def _alike(Q: Float, M: Float, scale: float) -> bool:
    """Whether all students have the same norm, the same overlap with each other, the same with each teacher."""
    others = Q[~np.eye(len(Q), dtype=bool)]
    spreads = (np.ptp(np.diagonal(Q)), np.ptp(others), np.max(np.ptp(M, axis=0)))
    return max(map(float, spreads)) <= 100 * _ZERO * scale
