"""One-pass SGD up to rotations of the eigenspaces, exact in law, for many runs at once: numpy alone, nothing of hdsym.

One step (theory of the reduced chain): g_j ~ N(0, 1_n), p_j = sqrt(lam_j) L_j g_j with L_j L_j^T = G_j, r = sum_j p_j,
q_j = lam_j (|g_j|^2 + chi^2 of d_j - n degrees), D = (gamma / d) grad_x f(r); then G_xx -= p D^T + D p^T - q D D^T and
G_xs -= D p_s^T.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


def overlaps(
    slope: Callable[[Float, np.random.Generator], Float],
    lam: Float,
    counts: NDArray[np.int64],
    grams: Float,
    gamma: float,
    times: Float,
    runs: int,
    seed: int,
    batch: int = 1,
    delta: float = 0.0,
) -> Float:
    """Gram matrices (times, runs, m, n, n) of runs that start from `grams`, (m, n, n) or (runs, m, n, n).

    `slope` gives grad_x f (runs, l) at preactivations r (runs, n), students first, and draws noise and labels.
    """
    rng = np.random.default_rng(seed)
    d, (m, n) = int(counts.sum()), grams.shape[-3:-1]
    G = np.broadcast_to(grams, (runs, m, n, n)).copy()
    found, step = [], 0
    for t in times:
        while step < round(t * d):
            G = _step(G, slope, lam, counts, gamma / d, rng, batch, delta)
            step += 1
        found.append(G.copy())
    return np.array(found)


def _step(
    G: Float,
    slope: Callable[[Float, np.random.Generator], Float],
    lam: Float,
    counts: NDArray[np.int64],
    rate: float,
    rng: np.random.Generator,
    batch: int,
    delta: float,
) -> Float:
    runs, m, n, _ = G.shape
    L = _factor(G)
    free = np.maximum(counts - n, 0)
    g = rng.standard_normal((batch, runs, m, n))
    p = np.sqrt(lam)[:, None] * np.einsum("rmik,brmk->brmi", L, g)
    D = rate / batch * np.array([slope(one.sum(axis=1), rng) for one in p])  # (batch, runs, l)
    l = D.shape[-1]
    first = np.einsum("brmi,bra->rmia", p, D)
    if batch == 1:
        q = lam * ((g[0] ** 2).sum(axis=-1) + rng.chisquare(free, (runs, m)) * (free > 0))
        second = q[:, :, None, None] * (D[0][:, :, None] * D[0][:, None, :])[:, None]
    else:  # the parts of the samples outside of the span are independent, and their products matter too
        out = rng.standard_normal((batch, runs, m, int(free.max())))
        rows = np.concatenate([g, out], axis=-1) * np.sqrt(lam)[:, None]
        moved = np.einsum("brmk,bra->rmka", rows, D)
        second = np.einsum("rmka,rmkb->rmab", moved, moved)
    shrink = 1.0 - rate * delta
    new = G.copy()
    new[..., :l, :l] = shrink**2 * G[..., :l, :l] - shrink * (first[..., :l, :] + first[..., :l, :].swapaxes(-1, -2))
    new[..., :l, :l] += second
    new[..., l:, :l] = shrink * G[..., l:, :l] - first[..., l:, :]
    new[..., :l, l:] = new[..., l:, :l].swapaxes(-1, -2)
    return new


def _factor(G: Float) -> Float:
    """L with L L^T = G for positive semi-definite G (..., n, n), column by column; a vanishing pivot is skipped."""
    n = G.shape[-1]
    rest, L = G.copy(), np.zeros_like(G)
    for k in range(n):
        pivot = np.sqrt(np.maximum(rest[..., k, k], 0.0))
        column = rest[..., :, k] / np.where(pivot > 1e-12, pivot, np.inf)[..., None]
        L[..., :, k] = column
        rest = rest - column[..., :, None] * column[..., None, :]
    return L
