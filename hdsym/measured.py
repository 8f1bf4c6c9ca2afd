"""The quantities that adaptive learning rates depend on, from what moves the weights; see :mod:`hdsym.quantities`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Measured"]

Float = NDArray[np.float64]
_MOVED = {"fisher_trace", "squared_gradient", "alignment", "descent", "curvature", "norm2", "distance2"}


@dataclass(frozen=True)
class Measured:
    """Evaluates the quantities called `needs` at one state of the weights.

    Attributes
    ----------
    needs:
        Names of quantities.
    traces:
        tr K / d and tr K^2 / d.
    delta, batch:
        Regularisation and batch size.
    risk:
        h as a function of B (n, n) and the trained scalars.
    drift:
        H (n, l), I(B) (l, l) and slopes of the trained scalars as a function of the same.
    """

    needs: frozenset[str]
    traces: tuple[float, float]
    delta: float
    batch: float
    risk: Callable[[Float, Float], Any]
    drift: Callable[[Float, Float], tuple[Float, ...]]

    def __call__(self, B: Float, gram: Float, squares: Callable[[], Float], theta: Float) -> dict[str, float]:
        """From B = W^T K W and W^T W, shape (n, n), W^T K^2 W where it is needed, and the trained scalars."""
        found = {"trace": self.traces[0], "trace2": self.traces[1]}
        if "risk" in self.needs:
            found["risk"] = float(self.risk(B, theta))
        if self.needs & _MOVED:
            H, fisher = self.drift(B, theta)[:2]
            found |= self._moved(B, gram, squares, H, fisher)
        return found

    def _moved(self, B: Float, gram: Float, squares: Callable[[], Float], H: Float, fisher: Float) -> dict[str, float]:
        l, heat = len(fisher), float(np.trace(fisher))
        own, cross, target = (float(np.trace(part)) for part in (gram[:l, :l], gram[:l, l:], gram[l:, l:]))
        found = {
            "norm2": own,
            "distance2": own - 2.0 * cross + target,
            "fisher_trace": heat,
            "squared_gradient": self.traces[0] * heat / self.batch,
            "curvature": self.traces[1] * float(np.sum(H[:l] * fisher)) / self.batch,
        }
        if len(B) == 2 * l:
            slope = 2.0 * B @ H  # E[r (grad_x f)^T], by Stein's lemma
            shrinkage = np.trace(gram[:l, :l]) - np.trace(gram[l:, :l])
            found["alignment"] = float(np.trace(slope[:l]) - np.trace(slope[l:]) + self.delta * shrinkage)
        if "descent" in self.needs:
            found["descent"] = float(4.0 * np.sum(H * (squares() @ H)) + 2.0 * self.delta * np.sum(H * B[:, :l]))
        return found
