"""How far quadrature is off along a path: what doubling its nodes changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantity", "quadrature_error", "relative_change", "spread_over"]

Array = NDArray[np.float64]

Quantity = Callable[[str, Array, Array | None, int], Array]
"""(name of a generated function, overlaps (k, n, n), trained scalars (k, count), multiple of the nodes) -> values."""

_RISKS, _MATRICES = 8, 4
"""States along the path at which the risk, and the drift and Fisher matrix, are worked out twice."""


def quadrature_error(quantity: Quantity, overlaps: Array, trained: Array | None) -> float:
    """Largest change of risk, drift and Fisher matrix along a path when the numbers of nodes are doubled.

    Each is taken relative to its own largest entry along the path. At least the rounding error: 0 is for closed forms.

    Parameters
    ----------
    quantity:
        Evaluates the functions of a generated module.
    overlaps:
        B along the path, shape (k, n, n), k > 0.
    trained:
        Trained scalars along it, shape (k, count), or ``None``.
    """

    def change(name: str, count: int) -> float:
        chosen = spread_over(len(overlaps), count)
        B, scalars = overlaps[chosen], None if trained is None else trained[chosen]
        coarse, fine = (quantity(name, B, scalars, refine) for refine in (1, 2))
        if name == "gradient":  # the drift 2 B Dh is what enters the equations
            coarse, fine = 2.0 * B @ coarse, 2.0 * B @ fine
        return relative_change(coarse, fine)

    names = ("gradient", "fisher") if trained is None else ("gradient", "fisher", "trained_gradient")
    with np.errstate(all="ignore"):
        changes = [change("risk", _RISKS), *(change(name, _MATRICES) for name in names)]
    return max(float(np.finfo(float).eps), float(np.max(changes)))


def spread_over(length: int, count: int) -> NDArray[np.int64]:
    """At most `count` positions in a path of `length` states, first and last among them."""
    return np.unique(np.linspace(0, length - 1, count).astype(np.int64))


def relative_change(coarse: Array, fine: Array) -> float:
    """Largest difference relative to the largest value, where both are finite: Dh alone may not be at a singular B."""
    regular = np.isfinite(coarse) & np.isfinite(fine)
    off, scale = (np.max(np.abs(a), where=regular, initial=0.0) for a in (coarse - fine, fine))
    return float(off / max(scale, np.finfo(float).tiny))
