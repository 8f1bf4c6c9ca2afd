"""The O(1/d) bias of the mean over runs, estimated from two dimensions and taken away.

With E phi(run) = phi + beta / d + O(d^-2), the gaps g_1, g_2 at dimensions d_1, d_2 give the limit's own gap
(d_2 g_2 - d_1 g_1) / (d_2 - d_1), whatever beta is; what remains is O(1 / (d_1 d_2)). That is Richardson's
extrapolation, and a comparison of two independent samples. Runs of both are combined one by one so that the test of
one sample (:mod:`hdsym.signflip`) serves: H. Scheffe, *On solutions of the Behrens-Fisher problem, based on the
t-distribution*, Ann. Math. Statist. 14, 1943. The combinations are uncorrelated, of equal variance, and their mean is
the difference of the means, for any two numbers of runs and any two variances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import ComparisonError
from .gaps import PROVENANCE, Gaps
from .results import Trajectory

__all__ = ["Extrapolated", "check_posed_alike", "extrapolated", "far_apart", "scheffe"]

Float = NDArray[np.float64]

_RATIO = 1.25
"""Least ratio of the two dimensions: the error of the extrapolation grows like 1 / (ratio - 1)."""


@dataclass(frozen=True)
class Extrapolated:
    """Gaps of `here`, freed of the bias by those of another dimension.

    Attributes
    ----------
    here:
        The gaps at the times that both dimensions recorded.
    residuals:
        (run, statistic, T) with the mean (d_2 g_2 - d_1 g_1) / (d_2 - d_1).
    bias:
        (statistic, T) estimate of the bias beta / d of the mean of `here`.
    tolerance:
        (statistic, T) numerical errors of the combination.
    """

    here: Gaps
    residuals: Float
    bias: Float
    tolerance: Float


def extrapolated(here: Gaps, other: Gaps) -> Extrapolated:
    """Combine two dimensions.

    Raises
    ------
    ComparisonError
        If they are too close to each other, share no times, or hold different statistics.
    """
    d, d_other = here.d_effective, other.d_effective
    if not far_apart(d, d_other):
        raise ComparisonError(
            f"effective dimensions {d:.4g} and {d_other:.4g} are too close to tell a bias of order 1/d",
            remedy="simulate at dimensions that differ by a factor of two or more",
        )
    if here.labels != other.labels:
        raise ComparisonError("the two dimensions hold different statistics", remedy="solve and simulate one model")
    kept, partner = _partners(here.times, other.times, 1.5 / min(d, d_other))
    here, other = here.at(kept), other.at(partner)
    weight = d / (d - d_other)
    own, theirs = weight * here.residuals, (weight - 1) * other.residuals
    combined = scheffe(own, theirs)
    mean = here.residuals.mean(axis=0)
    tolerance = abs(weight) * (here.accuracy + here.interpolation)
    tolerance = tolerance + abs(weight - 1) * (other.accuracy + other.interpolation)
    said = [f"at d_eff = {d_other:.4g}: {note}" for note in other.notes]
    noted = replace(here, notes=[*here.notes, *said])
    return Extrapolated(noted, combined, mean - combined.mean(axis=0), tolerance)


def far_apart(d: float, d_other: float) -> bool:
    """Whether two effective dimensions tell a bias of order 1/d."""
    return bool(np.isfinite(d + d_other)) and max(d, d_other) >= _RATIO * min(d, d_other)


def scheffe(first: Float, second: Float) -> Float:
    """Combinations with mean(first) - mean(second), as many as the smaller sample has; samples along axis 0."""
    if len(first) > len(second):
        return -scheffe(second, first)
    m, n = len(first), len(second)
    paired = second[:m]
    centre = paired.sum(axis=0) / np.sqrt(m * n) - second.mean(axis=0)
    return np.asarray(first - np.sqrt(m / n) * paired + centre, dtype=np.float64)


def check_posed_alike(first: Trajectory, second: Trajectory) -> None:
    """Raise :class:`ComparisonError` if two theories differ in more than dimension."""
    for name in PROVENANCE:
        if name == "spectrum":
            continue
        ours, theirs = first.attrs.get(name), second.attrs.get(name)
        if ours != theirs:
            raise ComparisonError(
                f"the two dimensions differ in {name}: {ours} and {theirs}",
                remedy="pose the same problem at both, as problem.at(d) does",
            )


def _partners(times: Float, others: Float, slack: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Times that the other dimension recorded too, up to the rounding to whole steps, and where it has them."""
    nearest = np.argmin(np.abs(others[None, :] - times[:, None]), axis=1)
    kept = np.flatnonzero(np.abs(others[nearest] - times) <= slack)
    if not kept.size:
        raise ComparisonError(
            "the two dimensions share no recorded times", remedy="simulate both with the same t_eval, or t and record"
        )
    return kept, nearest[kept]
