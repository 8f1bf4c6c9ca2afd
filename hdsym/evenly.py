"""Weights with a given Gram matrix, spread evenly over a spectrum without any randomness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import DeclarationError

__all__ = ["factor", "spread_evenly"]

Float = NDArray[np.float64]


def factor(gram: Float) -> Float:
    """L with L L^T = gram, shape (n, n), also for a singular Gram matrix.

    Raises
    ------
    DeclarationError
        If `gram` is not positive semi-definite.
    """
    values, vectors = np.linalg.eigh(gram)
    if values[0] < -1e-10 * max(float(values[-1]), -float(values[0])):
        raise DeclarationError(
            f"the overlaps are not positive semi-definite: the smallest eigenvalue of W^T W is {values[0]:.6g}",
            remedy="no weights have these overlaps; for l = l* = 1 choose M^2 <= Q T",
        )
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)


def spread_evenly(gram: Float, eigenvalues: Float) -> Float:
    """W of shape (d, n) with W^T W = gram exactly and W^T K W = (tr K / d) gram where the eigenvalues permit.

    With L L^T = gram and coordinates sorted by eigenvalue, the k-th coordinate carries column k mod n of L. Plain equal
    shares would leave the largest eigenvalue's class with too much: under a power law W^T K W would be off by
    O(lam_max / d), more than the O(1/d) at which theory and SGD differ. Tilting the shares removes that.
    """
    L, n = factor(gram), len(gram)
    W = np.zeros((len(eigenvalues), n))
    by_size = np.argsort(-eigenvalues, kind="stable")
    target = float(eigenvalues.mean())
    for r in range(n):
        chosen = by_size[r::n]
        W[chosen] = np.sqrt(_shares(eigenvalues[chosen], target))[:, None] * L[:, r]
    return W


def _shares(values: Float, target: float) -> Float:
    """Positive shares, summing to one, under which the mean of `values` is `target`: an exponential tilt.

    Equal shares if `target` does not lie strictly between the smallest and the largest value.
    """
    equal = np.full(len(values), 1 / len(values))
    spread = float(np.ptp(values))
    gap = target - float(values.mean())
    if not values.min() < target < values.max() or abs(gap) <= 1e-14 * spread:
        return equal
    from scipy.optimize import brentq

    scaled, wanted = (values - values.min()) / spread, (target - float(values.min())) / spread

    def tilted(theta: float) -> Float:
        weights = np.exp(theta * (scaled - (1.0 if theta > 0 else 0.0)))
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def excess(theta: float) -> float:
        return float(tilted(theta) @ scaled) - wanted

    edge = 1.0 if gap > 0 else -1.0
    while excess(edge) * edge < 0:
        edge *= 2
    return tilted(float(brentq(excess, min(0.0, edge), max(0.0, edge), xtol=1e-15, rtol=1e-14)))
