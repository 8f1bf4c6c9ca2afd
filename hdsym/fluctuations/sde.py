r"""The diffusion that single runs follow beyond linear noise: dy = F(y) dt + sqrt(C(y) / d) dW, many runs at once.

The state is that of the ODEs, Gram matrices of the levels and trained scalars; F is their right-hand side and C the
covariance of one step of SGD. The noise is drawn as a step makes it. With u = grad_x f the parts p_j = W^T P_j a of a
sample sum to r, and given r they are independent of u: so the centred r u^T, u u^T and d_theta f are drawn from their
joint covariance, and

    p_j u^T  ->  N_j + lam_j G_j B^-1 (r u^T - sum_k N_k),     N_j = sqrt(lam_j) L_j Z_j sqrt(I),  L_j L_j^T = G_j,

Z_j standard normal, n x l. That has the covariance of all p_j u^T, costs O(m), and takes roots of small matrices only.

A step of length tau is that of the midpoint rule, with the noise of the middle of the drift alone:

    y_m = y + (tau/2) F(y),  e = sqrt(tau / d) sqrt(C(y_m)) xi,  y' = y + tau F(y_m + e/2) + e,

of second order in the limit and in the fluctuations of order d^-1/2, of first in the bias of order 1/d: an error of
O(tau^2 + tau / d), as of the methods for small noise of G. N. Milstein and M. V. Tretyakov, SIAM J. Numer. Anal. 34
(1997). After each step G_j is made positive semi-definite again: the overlaps with the teachers stay, and of what
students are outside of the teachers' span, the negative eigenvalues that a step may leave become zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..simulate.grouping import exact, merge
from ..simulate.levels import Groups
from .batched import BatchedMoments

if TYPE_CHECKING:
    from ..integration import Run

__all__ = ["Equation", "States", "root"]

Float = NDArray[np.float64]

_TINY = 1e-13
"""Pivots and directions below this share of the matrix are rounding."""


@dataclass(frozen=True)
class States:
    """Gram matrices (runs, m, n, n) and trained scalars (runs, r) of many runs."""

    grams: Float
    trained: Float

    def __len__(self) -> int:
        return len(self.grams)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> States:
        return States(self.grams[chosen], self.trained[chosen])

    def plus(self, change: States, factor: float = 1.0) -> States:
        """The states moved by a change of them."""
        return States(self.grams + factor * change.grams, self.trained + factor * change.trained)

    @property
    def finite(self) -> NDArray[np.bool_]:
        """Which runs are finite, (runs,)."""
        whole = np.isfinite(self.grams).all(axis=(1, 2, 3)) & np.isfinite(self.trained).all(axis=1)
        return np.asarray(whole, dtype=np.bool_)


class Equation:
    """Drift and noise of a run's equations, for many states.

    Parameters
    ----------
    run:
        What would be integrated.
    group:
        If its eigenvalues are merged into at most so many, how many.

    Attributes
    ----------
    normals:
        How many standard normals a step of one run takes.
    """

    def __init__(self, run: Run, group: int | None = None) -> None:
        self.run, self.lam, self.rho, self.group = run, run.lam, run.rho, group
        self.l, self.n = run.model.n_student, run.grams.shape[-1]
        self.d, self.batch = float(run.problem.spectrum.dimension()), float(run.problem.batch_size)
        self.moments = BatchedMoments(run)
        self.scalars = 0 if run.start_scalars is None else run.start_scalars.size
        self.features = self.n * self.l + self.l**2 + self.scalars
        self.normals = self.features + (self.lam.size * self.n * self.l if self.lam.size > 1 else 0)
        self.inverse = np.linalg.pinv(run.grams[:, self.l :, self.l :], rcond=_TINY, hermitian=True)

    def start(self, rng: np.random.Generator, count: int) -> States:
        """The runs at t = 0; those of a start that is drawn differ."""
        run, full = self.run, exact(self.run.model, self.run.problem)
        grams = run.problem.start.draw_grams(rng, full.grams, full.multiplicities, self.l, count)
        if self.group is not None:
            each = (Groups(full.eigenvalues, full.multiplicities, own) for own in grams)
            grams = np.array([merge(groups, self.group).grams for groups in each])
        scalars = np.zeros(0) if run.start_scalars is None else run.start_scalars
        return States(grams, np.repeat(scalars[None], count, axis=0))

    def step(self, t: float, tau: float, y: States, z: Float) -> States:
        """States after a step from time t; z (runs, normals) standard normal. Not finite where formulas are not."""
        with np.errstate(all="ignore"):
            middle = self._confined(y.plus(self.drift(t, y), tau / 2.0))
            noise = self.noise(t + tau / 2.0, middle, z * np.sqrt(tau / self.d))
            moved = self.drift(t + tau / 2.0, self._confined(middle.plus(noise, 0.5)))
            return self._confined(y.plus(moved, tau).plus(noise))

    def drift(self, t: float, y: States) -> States:
        """F(y) at a time."""
        l, lam = self.l, self.lam[:, None, None]
        gamma, delta = float(self.run.problem.learning_rate(t)), self.run.problem.delta
        H, fisher, T = self.moments.drift(self._overlaps(y), y.trained)
        pulled = 2.0 * gamma * lam * np.einsum("rmij,rja->rmia", y.grams, H)
        pulled += gamma * delta * y.grams[..., :l]
        change = np.zeros_like(y.grams)
        change[..., :l] -= pulled
        change[..., :l, :] -= pulled.swapaxes(-1, -2)
        change[..., :l, :l] += gamma**2 / self.batch * (self.lam * self.rho)[:, None, None] * fisher[:, None]
        return States(change, -self._rates(t) * T)

    def noise(self, t: float, y: States, z: Float) -> States:
        """sqrt(C(y)) z at a time."""
        l, n, lam = self.l, self.n, self.lam
        B = self._overlaps(y)
        found = self.moments.features(B, y.trained)
        features = np.einsum("rij,rj->ri", root(found.covariance), z[:, : self.features])
        pulled = features[:, : n * l].reshape(-1, 1, n, l)
        if lam.size > 1:
            Z = z[:, self.features :].reshape(-1, lam.size, n, l)
            Z = np.einsum("rmij,rbj->rmib", Z, root(found.fisher))
            own = np.sqrt(lam)[:, None, None] * np.einsum("rmij,rmja->rmia", root(y.grams), Z)
            ridge = _TINY * np.trace(B, axis1=1, axis2=2)[:, None, None] * np.eye(n)
            rest = np.linalg.solve(B + ridge, pulled[:, 0] - own.sum(axis=1))
            pulled = own + lam[:, None, None] * np.einsum("rmij,rja->rmia", y.grams, rest)
        squares = features[:, n * l : n * l + l * l].reshape(-1, 1, l, l)
        gamma, share = float(self.run.problem.learning_rate(t)), np.sqrt(1.0 / self.batch)
        change = np.zeros_like(y.grams)
        change[..., :l] -= gamma * share * pulled
        change[..., :l, :] -= gamma * share * pulled.swapaxes(-1, -2)
        change[..., :l, :l] += gamma**2 * share * (lam * self.rho / self.batch)[:, None, None] * squares
        return States(change, -share * self._rates(t) * features[:, n * l + l * l :])

    def exists(self, y: States) -> NDArray[np.bool_]:
        """Whether the expectations exist, (runs,)."""
        if self.run.theory.program.conditions is None:
            return np.ones(len(y), dtype=np.bool_)
        return np.broadcast_to(self.run.module.exists(self._overlaps(y), **self.run.parameters), len(y))

    def _overlaps(self, y: States) -> Float:
        return self.run._overlaps(y.grams)

    def _rates(self, t: float) -> Float:
        return np.array([float(rate(t)) for rate in self.run._trained_rates])

    def _confined(self, y: States) -> States:
        """Gram matrices made positive semi-definite, teachers and the overlaps with them as they are."""
        l, grams = self.l, y.grams
        shared = grams[..., :l, l:]
        inside = np.einsum("rmai,mij,rmbj->rmab", shared, self.inverse, shared, optimize=True)
        outside = grams[..., :l, :l] - inside
        if l == 1:
            grams[..., :l, :l] = inside + np.maximum(outside, 0.0)
            return y
        finite = np.asarray(np.isfinite(outside).all(axis=(-1, -2)))
        values, vectors = np.linalg.eigh(np.where(finite[..., None, None], outside, 0.0))
        below = finite & (values[..., 0] < 0.0)
        kept = (vectors[below] * np.maximum(values[below], 0.0)[..., None, :]) @ vectors[below].swapaxes(-1, -2)
        grams[below, :l, :l] = inside[below] + kept
        return y


def root(A: Float) -> Float:
    """Lower triangular L (..., k, k) with L L^T = A: where a pivot is zero to rounding, or below, its column is."""
    L = np.zeros_like(A)
    least = _TINY * np.max(np.abs(np.diagonal(A, axis1=-2, axis2=-1)), axis=-1)
    for k in range(A.shape[-1]):
        column = A[..., k:, k] - np.einsum("...ij,...j->...i", L[..., k:, :k], L[..., k, :k])
        pivot = column[..., 0]
        keep = pivot > least
        scale = np.where(keep, 1.0 / np.sqrt(np.where(keep, pivot, 1.0)), np.where(np.isnan(pivot), np.nan, 0.0))
        L[..., k:, k] = column * scale[..., None]
    return L
