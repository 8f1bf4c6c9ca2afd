r"""The O(1/d) shift of the mean: mu' = J mu + g, with four parts of g.

- The curvature of the drift F, (1/2) F'' : Sigma. F is linear in the Gram matrices at fixed b = (B, theta), so only the
  directions of the state that go with b count: as many as b has entries, by regression on the principal axes of its
  covariance.
- The second order of a step: |P_j a|^2 is not independent of the gradient, samples of a mini-batch meet, and l2
  regularisation shrinks twice.
- Steps in place of a flow: Euler's method with step 1/d solves y' = F - (F_t + J F) / (2 d) to second order.

Then E phi = phi + (phi' mu + (1/2) phi'' : Sigma) / d for whatever is observed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .linear import LinearNoise

__all__ = ["principal_axes", "source"]

Float = NDArray[np.float64]

_STEP = 1e-3
"""Step of second differences in units of a direction's deviation at d = 1: an error of its square, relative."""

_TIME_STEP = 1e-6
"""Step, of the horizon, of differences in time where a schedule moves the drift."""

_NEGLIGIBLE = 1e-14
"""Variances below this share of the largest are rounding."""


def principal_axes(covariance: Float) -> Float:
    """Columns v_k with sum_k v_k v_k^T = covariance, (P, k): rounding below zero is left out."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    keep = values > _NEGLIGIBLE * max(float(values[-1]), 0.0)
    return np.asarray(vectors[:, keep] * np.sqrt(values[keep]))


def source(noise: LinearNoise, rows: Float, horizon: float) -> Callable[[float, Float, Float], Float]:
    """G as a function of time and d times the covariance of packed states.

    Parameters
    ----------
    rows:
        (c, entries): the variables b = (B, theta) that H, I and T depend on, of packed states.
    """
    run = noise.run

    def at(time: float, sigma: Float, J: Float) -> Float:
        y = noise.states(time)
        with np.errstate(all="ignore"):
            drift = run.rhs(time, y)
            g = _curvature(noise, time, y, drift, sigma, rows) + _second_order(noise, time, y)
            g -= (J @ drift + _change(noise, time, y, horizon)) / 2.0
        return np.asarray(g)

    return at


def _curvature(noise: LinearNoise, time: float, y: Float, drift: Float, sigma: Float, rows: Float) -> Float:
    """(1/2) F'' : Sigma by second differences of the drift along w = Cov(y, b) v / var for each principal axis of b."""
    own = rows @ sigma @ rows.T
    values, vectors = np.linalg.eigh((own + own.T) / 2.0)
    total = np.zeros_like(y)
    if values[-1] <= 0:
        return total
    for value, vector in zip(values, vectors.T, strict=True):
        if value > _NEGLIGIBLE * values[-1]:
            w = _STEP * (sigma @ rows.T @ vector) / np.sqrt(value)
            total += noise.run.rhs(time, y + w) - 2.0 * drift + noise.run.rhs(time, y - w)
    return total / (2.0 * _STEP**2)


def _second_order(noise: LinearNoise, time: float, y: Float) -> Float:
    """What a step adds in the mean at order 1/d^2, times d^2: to the student block alone."""
    run = noise.run
    grams, B, theta = run._point(y)
    moments, l = noise.moments(B, theta), run.model.n_student
    gamma, delta, batch = float(run.problem.learning_rate(time)), run.problem.delta, float(run.problem.batch_size)
    lam, H = run.lam[:, None, None], moments.gradient
    met = 4.0 * (1.0 - 1.0 / batch) * lam**2 * (H.T @ grams @ H)
    length = lam**2 / batch * np.einsum("mij,ijab->mab", grams, moments.second)
    pulled = (grams @ H)[:, :l]
    shrunk = 2.0 * delta * lam * (pulled + pulled.swapaxes(1, 2)) + delta**2 * grams[:, :l, :l]
    rows = np.zeros((*grams.shape[:1], l, grams.shape[-1]))
    rows[:, :, :l] = gamma**2 * (met + length + shrunk)
    added: Float = run.layout.to_packed(np.concatenate([rows.ravel(), np.zeros(theta.size)]))
    return added


def _change(noise: LinearNoise, time: float, y: Float, horizon: float) -> Float:
    """The drift's derivative in time at a fixed state, where a schedule has one."""
    if noise.run.autonomous:
        return np.zeros_like(y)
    h = _TIME_STEP * horizon
    before = max(time - h, 0.0)
    return np.asarray((noise.run.rhs(time + h, y) - noise.run.rhs(before, y)) / (time + h - before))
