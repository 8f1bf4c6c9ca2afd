"""The learning rate up to which the distance to the target shrinks.

With D^2 = ||X - X* C||^2 the mode equations give, for fixed trained scalars,

    (D^2)' = -2 gamma A + gamma^2 (tr K / d) tr I / batch,
    A = E<x - C' s, grad_x f> + delta <X - X* C, X>,

and E[r grad_x f'] = 2 B Dh[:, :l] by Stein's lemma, which holds for kinked losses too (Collins-Woodfin et al.,
arXiv:2405.19585, section 3). So D^2 shrinks exactly for gamma < gbar = 2 A / ((tr K / d) tr I / batch).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

__all__ = ["alignment", "difference", "thresholds"]

Float = NDArray[np.float64]


def difference(C: Float) -> Float:
    """E with X - X* C = W E, shape (n, l)."""
    return np.concatenate([np.eye(C.shape[1]), -C], axis=0)


def alignment(flow: Flow, C: Float, B: Float, trained: Float | None = None) -> tuple[Float, Float]:
    """E<x - C' s, grad_x f> and tr I at overlaps (..., n, n) and trained scalars (..., r); shapes (...)."""
    gradient, fisher = (flow.run._quantity(name, B, trained, 1) for name in ("gradient", "fisher"))
    A = 2.0 * np.einsum("ja,...jk,...ka->...", difference(C), B, gradient)
    return np.asarray(A), np.asarray(np.trace(fisher, axis1=-2, axis2=-1))


def thresholds(flow: Flow, C: Float, B: Float, gram: Float, trained: Float | None = None) -> Float:
    """Gbar at overlaps B and W^T W (..., n, n): zero or negative where D^2 grows at every rate; shape (...).

    Infinite where there is no noise left while A > 0; zero at the target itself, where nothing shrinks.
    """
    A, noise = alignment(flow, C, B, trained)
    if flow.problem.delta:
        A = A + flow.problem.delta * np.einsum("ja,...ja->...", difference(C), gram[..., :, : flow.students])
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 2.0 * A / (flow.trace * noise)
    return np.asarray(np.where(np.isnan(value), 0.0, value))
