"""How far a sample covariance is drawn towards a multiple of the identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import DeclarationError

__all__ = ["intensity", "ledoit_wolf"]

Float = NDArray[np.float64]


def intensity(shrinkage: float | str, data: Float, K: Float) -> float:
    """The s in (1 - s) K + s (tr K / d) I. Raises :class:`DeclarationError` for a value without meaning."""
    if shrinkage == "ledoit-wolf":
        return ledoit_wolf(data, K)
    if isinstance(shrinkage, str | bool) or not 0 <= shrinkage <= 1:
        raise DeclarationError(f"shrinkage is {shrinkage!r}", remedy='give a number in [0, 1], or "ledoit-wolf"')
    return float(shrinkage)


def ledoit_wolf(data: Float, K: Float) -> float:
    """Estimate of the s that is best in mean square, for data of shape (N, d) whose mean is zero, K = data^T data / N.

    s = b^2 / d^2 with d^2 = ||K - m I||^2, m = tr K / d and b^2 = min(d^2, sum_k ||a_k a_k^T - K||^2 / N^2), Frobenius
    norms; O. Ledoit, M. Wolf, J. Multivariate Anal. 88 (2004), equations 9 to 14.
    """
    N, d = data.shape
    mean = float(np.trace(K)) / d
    square = float(np.sum(K**2))
    distance = square - d * mean**2
    fourth = float(np.sum(np.einsum("ij,ij->i", data, data) ** 2))
    spread = (fourth / N - square) / N
    return float(np.clip(spread / distance, 0.0, 1.0)) if distance > 0 else 0.0
