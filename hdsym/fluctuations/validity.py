"""Where the linear-noise picture does not hold: deviations that grow until they decide where a run goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .features import Features
    from .linear import LinearNoise

__all__ = ["uninformed"]

Float = NDArray[np.float64]

_LARGE = 0.15
"""Standard deviation of an overlap, in units of the lengths that it belongs to, from which noise is not linear: phase
retrieval reaches 0.2 / c from a cosine of c / sqrt(d), whatever d is."""

_GROWN = 2.0
"""Factor by which such deviations exceed the noise that they are made of: less is a small d, not a saddle."""


def uninformed(
    noise: LinearNoise, features: Features, times: Float, overlaps: Float, covariances: Float, d: float
) -> str | None:
    """A sentence for reports if single runs leave a saddle along the solution at a random time, else ``None``.

    At a saddle, and at a start within a few d^-1/2 of one, deviations of order d^-1/2 grow exponentially. So the linear
    theory itself says where it ends: the standard deviation of an overlap B_ij reaches 0.15 of sqrt(B_ii B_jj), and is
    at least twice that of the noise alone, int C dt / d, without any growth.

    Parameters
    ----------
    times, overlaps:
        (T,) and the limit of B there, (T, n, n).
    covariances:
        (T, P, P) d times the covariances of the features, as :func:`hdsym.fluctuations.march.march` gives them.
    d:
        Dimension of the runs.
    """
    offset = features._linear * len(features.pairs)
    variances = np.array([np.diagonal(covariance)[offset : offset + len(features.pairs)] for covariance in covariances])
    lengths = np.sqrt(np.maximum(np.diagonal(overlaps, axis1=1, axis2=2), np.finfo(float).tiny))
    sizes = np.stack([lengths[:, i] * lengths[:, j] for i, j in features.pairs], axis=1)
    deviations = np.sqrt(np.maximum(variances, 0.0) / d)
    large = deviations > _LARGE * sizes
    if not large.any():
        return None
    last = int(np.argmax(large.any(axis=1)))
    pair = int(np.argmax(deviations[last] / sizes[last]))
    rows = features.rows[offset + pair]
    added = [_variance(noise, float(time), rows) / d for time in times[: last + 1]]
    local = float(np.sqrt(max(np.trapezoid(added, times[: last + 1]), np.finfo(float).tiny)))
    if deviations[last, pair] < _GROWN * local:
        return None
    share, grown = deviations[last, pair] / sizes[last, pair], deviations[last, pair] / local
    return (
        f"The linear-noise picture does not hold beyond t = {times[last]:.3g}: deviations from the limit grow along "
        f"it, as near a saddle, and there those of single runs are {grown:.2g} times the noise that they are made of, "
        f"{share:.2g} of the largest that an overlap can be. Runs leave at random times of order log d; "
        "theory.escape_distribution(problem, t, level=...) gives their distribution."
    )


def _variance(noise: LinearNoise, time: float, rows: Float) -> float:
    """d^2 times the variance of what one step adds to a feature of packed states."""
    layout = noise.run.layout
    weights = np.zeros((1, layout.spread.size))
    weights[0, layout.gather] = rows
    return float(noise.step(time, noise.states(time)).between(weights, weights)[0, 0])
