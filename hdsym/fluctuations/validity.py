"""Where the linear-noise picture does not hold: deviations that grow until they decide where a run goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .linear import LinearNoise, entry_weights

__all__ = ["large_shift", "uninformed"]

Float = NDArray[np.float64]

_LARGE = 0.15
"""Standard deviation of an overlap, in units of the lengths that it belongs to, from which noise is not linear: phase
retrieval reaches 0.2 / c from a cosine of c / sqrt(d), whatever d is."""

_GROWN = 2.0
"""Factor by which such deviations exceed the noise that they are made of: less is a small d, not a saddle."""


def uninformed(noise: LinearNoise, times: Float, overlaps: Float, deviations: Float) -> str | None:
    """A sentence for reports if single runs leave a saddle along the solution at a random time, else ``None``.

    At a saddle, and at a start within a few d^-1/2 of one, deviations of order d^-1/2 grow exponentially. So the linear
    theory itself says where it ends: the standard deviation of an overlap B_ij reaches 0.15 of sqrt(B_ii B_jj), and is
    at least twice that of the noise alone, int C dt / d, without any growth.

    Parameters
    ----------
    times, overlaps, deviations:
        (T,); the limit of B there, and the standard deviation of B in a single run, (T, n, n) each.
    """
    run, l = noise.run, noise.run.model.n_student
    lengths = np.sqrt(np.maximum(np.diagonal(overlaps, axis1=1, axis2=2), np.finfo(float).tiny))
    shares = (deviations / (lengths[:, :, None] * lengths[:, None, :]))[:, :l]
    large = shares.max(axis=(1, 2)) > _LARGE
    if not large.any():
        return None
    last = int(np.argmax(large))
    i, j = np.unravel_index(int(np.argmax(shares[last])), shares[last].shape)
    rows, d = entry_weights(run, int(i), int(j), run.lam)[None], float(run.problem.spectrum.dimension())
    added = [float(noise.forms(float(time))[1].between(rows, rows)[0, 0]) for time in times[: last + 1]]
    alone = np.sqrt(max(float(np.trapezoid(added, times[: last + 1])), np.finfo(float).tiny) / d)
    grown = float(deviations[last, i, j] / alone)
    if grown < _GROWN:
        return None
    return (
        f"The linear-noise picture does not hold beyond t = {times[last]:.3g}: deviations from the limit grow along "
        f"it, as near a saddle, and there those of single runs are {grown:.2g} times the noise that they are made of, "
        f"{shares[last, i, j]:.2g} of the largest that an overlap can be. Runs leave at random times of order log d; "
        "theory.escape_distribution(problem, t, level=...) gives their distribution."
    )


def large_shift(times: Float, shift: Float, deviation: Float) -> str | None:
    """A sentence where the O(1/d) shift of the risk (T,) exceeds a run's O(d^-1/2) deviation (T,), else ``None``.

    At large d it does not; where it does, an expansion in 1/d does not hold, as at kinks that X = X* lies on.
    """
    large = np.abs(shift) > np.maximum(deviation, np.finfo(float).tiny)
    if not large.any():
        return None
    start = float(times[int(np.argmax(large))])
    return (
        f"The shift of the mean does not hold from t = {start:.3g} on, where it is larger than the deviations of "
        "single runs: d is too small for an expansion in 1/d, or the risk has a kink where the solution goes"
    )
