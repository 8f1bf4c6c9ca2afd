"""Variances of single curves without the covariance of the whole state: for states too large for that.

The curve phi has at time t the weights w(t) = phi'(t) in the state; before, they follow w' = -J^T w, and

    d Cov(phi(t_i), phi(t_j)) = int_0^min(t_i, t_j) w_i(s)^T C(s) w_j(s) ds.

All output times go backwards together, at a cost that grows linearly with the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import SolveError
from .moments import StepCovariance

if TYPE_CHECKING:
    from ..stepping.jacobian import Jacobian
    from .linear import LinearNoise

__all__ = ["curve_covariances"]

Float = NDArray[np.float64]

_RTOL, _ATOL = 1e-4, 1e-8
"""Tolerances of the backward integration, of weights and covariances; the latter relative to the largest of each."""


def curve_covariances(noise: LinearNoise, times: Float, weights: Float) -> Float:
    """D times the covariances (S, T, T) of curves between the times.

    Parameters
    ----------
    times:
        Output times (T,).
    weights:
        Derivatives of S curves in the packed state at the output times, (S, T, entries).

    Raises
    ------
    SolveError
        If the noise or the Jacobian is not finite along the solution.
    """
    S, T, _ = weights.shape
    between = np.zeros((S, T, T))
    along = _Along(noise)
    moving = weights[:, :0]  # (S, k, entries), of the times from this one on
    for i in range(T - 1, -1, -1):
        moving = np.concatenate([weights[:, i : i + 1], moving], axis=1)
        before = float(times[i - 1]) if i else 0.0
        if times[i] > before:
            moving, gained = _back(along, float(times[i]), before, moving)
            between[:, i:, i:] += gained
    return between


def _back(along: _Along, start: float, end: float, moving: Float) -> tuple[Float, Float]:
    """The weights (S, k, entries) at `end`, and what the noise between adds to the covariances, (S, k, k)."""
    from scipy.integrate import solve_ivp

    S, k, size = moving.shape
    upper = np.triu_indices(k)

    def slope(s: float, z: Float) -> Float:
        w = z[: S * k * size].reshape(S, k, size)
        jacobian, step = along(s)
        change = along.pulled(jacobian, w)
        gain = np.array([along.between(step, one)[upper] for one in w])
        return np.concatenate([-change.ravel(), -gain.ravel()])

    _, step = along(start)
    scale = np.array([along.between(step, one)[upper] for one in moving]) * (start - end)
    largest = np.maximum(np.abs(scale).max(axis=1, keepdims=True), 1e-300) * np.ones_like(scale)
    tolerance = np.concatenate(
        [np.full(moving.size, _ATOL * float(np.max(np.abs(moving), initial=1e-300))), (_RTOL * largest).ravel()]
    )
    begin = np.concatenate([moving.ravel(), np.zeros(scale.size)])
    with np.errstate(all="ignore"):
        found = solve_ivp(slope, (start, end), begin, method="DOP853", rtol=_RTOL, atol=tolerance)
    last = found.y[:, -1]
    if found.status != 0 or not np.all(np.isfinite(last)):
        raise SolveError(
            f"the noise of single runs is not finite near t = {found.t[-1]:.6g}",
            t=float(found.t[-1]),
            remedy="a moment of the gradient does not exist, or formulas are singular there; solve without "
            "fluctuations",
        )
    gained = np.zeros((S, k, k))
    gained[:, upper[0], upper[1]] = gained[:, upper[1], upper[0]] = last[moving.size :].reshape(S, -1)
    return last[: moving.size].reshape(moving.shape), gained


class _Along:
    """Jacobian and noise along a solution."""

    def __init__(self, noise: LinearNoise) -> None:
        self.noise, self.layout = noise, noise.run.layout
        self._last: tuple[float, Jacobian, StepCovariance] | None = None

    def __call__(self, time: float) -> tuple[Jacobian, StepCovariance]:
        """At a time; the same one twice is found once."""
        if self._last is None or self._last[0] != time:
            self._last = (time, *self.noise.forms(time))
        return self._last[1], self._last[2]

    def pulled(self, jacobian: Jacobian, w: Float) -> Float:
        """J^T w for packed weights (..., entries)."""
        moved: Float = self.layout.weights_of_packed(jacobian.apply_transposed(self.layout.weights_of_rows(w)))
        return moved

    def between(self, step: StepCovariance, w: Float) -> Float:
        """w_i^T C w_j of packed weights (k, entries)."""
        rows = self.layout.weights_of_rows(w)
        return step.between(rows, rows)
