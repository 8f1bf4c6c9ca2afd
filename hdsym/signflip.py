"""One p-value for a whole curve: studentised maximum, sign-flip null distribution.

Runs r = 1..R give residual curves D_r(k), k over times and statistics. Under the null hypothesis that their mean lies
within a tolerance b(k) and that they are symmetric about it, flipping the sign of whole runs changes nothing, whatever
the correlation between times. So the rank of the observed maximum among flipped ones is an exact p-value for any number
of runs, with no correlation to estimate (R. A. Fisher, *The Design of Experiments*, 1935; J. P. Romano, M. Wolf, J.
Amer. Statist. Assoc. 100, 2005). Two amendments:

- Skewed residuals: every t, observed and flipped, carries the skewness correction of N. J. Johnson, J. Amer. Statist.
  Assoc. 73, 1978, limited so that it stays increasing in t. For symmetric residuals the test remains exact.
- Few runs have few flips: with R = 5 the smallest p-value is 1/16. Where the observed maximum beats every flip, the t
  tail with a factor for the number of points (Bonferroni) takes over if it is smaller. That happens at the smallest
  p-value only, so the level is kept, and large gaps get the small p-values they deserve.

Flips of the residuals about their own mean give a simultaneous confidence band for that mean, as wide at each k as the
quantile of the largest |t|: the multiplier bootstrap of V. Chernozhukov, D. Chetverikov, K. Kato, Ann. Statist. 41,
2013, with random signs for multipliers and every flipped sample studentised by itself, as few runs need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["FlipTest", "flip_test"]

Float = NDArray[np.float64]

_BAND_FLIPS = 1_999
"""Sign patterns for the band, whose width is a quantile: three times coarser than a p-value is enough."""

_BLOCK = 2_000_000
"""Numbers per array of flipped means held at a time."""


@dataclass(frozen=True)
class FlipTest:
    """Outcome of :func:`flip_test`.

    Attributes
    ----------
    p_value:
        Chance of a maximum at least as large if the mean lies within the tolerance everywhere.
    z:
        (k,) signed distance of the mean from the tolerance band in standard errors, zero inside the band.
    standard_error:
        (k,) of the mean over runs.
    band:
        (k,) half-width of the simultaneous confidence band for the mean.
    """

    p_value: float
    z: Float
    standard_error: Float
    band: Float


def flip_test(
    residuals: Float,
    tolerance: Float,
    floor: Float,
    rng: np.random.Generator,
    flips: int = 9_999,
    confidence: float = 0.99,
) -> FlipTest:
    """Test |E D(k)| <= tolerance(k) for all k at once.

    Parameters
    ----------
    residuals:
        (R, k) simulation minus theory, R >= 3.
    tolerance:
        (k,) allowed bias, >= 0.
    floor:
        (k,) positive. Standard errors below it are rounding and are replaced by it, so that points at which all runs
        coincide (the start) are decided by the gap alone.
    flips:
        Random sign patterns; all 2^(R-1) are taken where those are fewer.
    confidence:
        Of the band.
    """
    R = len(residuals)
    mean = residuals.mean(axis=0)
    standard_error = residuals.std(axis=0, ddof=1) / np.sqrt(R)
    nearest = np.clip(mean, -tolerance, tolerance)
    z = (mean - nearest) / np.maximum(standard_error, floor)
    maxima = np.concatenate(list(_maxima(residuals - nearest, floor, rng, flips)))
    # the first sign pattern is the data as they are; equal maxima differ by rounding
    reached = int(np.sum(maxima >= maxima[0] * (1 - 1e-9)))
    p_value = reached / len(maxima)
    if reached == 1:
        p_value = min(p_value, _bonferroni(float(np.max(np.abs(z))), z.size, R))
    width = _critical(residuals - mean, floor, rng, min(flips, _BAND_FLIPS), 1 - confidence)
    return FlipTest(p_value, z, standard_error, width * np.maximum(standard_error, floor))


def _critical(centred: Float, floor: Float, rng: np.random.Generator, flips: int, level: float) -> float:
    """The quantile of the largest |t| that a share `level` of the flips exceeds.

    Where all flips are too few to resolve it, or the quantile of Student's t with Bonferroni's factor is smaller, that
    is taken: both keep the level.
    """
    from scipy.special import stdtrit

    R, points = centred.shape
    bonferroni = float(stdtrit(R - 1, 1 - level / (2 * points)))
    maxima = np.sort(np.concatenate(list(_maxima(centred, floor, rng, flips)))[1:])  # the first is of the mean: zero
    allowed = int(level * (maxima.size + 1))
    return min(bonferroni, float(maxima[-allowed])) if allowed else bonferroni


def _maxima(centred: Float, floor: Float, rng: np.random.Generator, flips: int) -> Iterator[Float]:
    """Maxima over k of |corrected t| for each sign pattern, in blocks; the first is that of the data."""
    R, size = centred.shape
    second, cubes = np.mean(centred**2, axis=0), centred**3
    for signs in _signs(R, flips, rng, max(1, _BLOCK // size)):
        first, third = signs @ centred / R, signs @ cubes / R
        spread = np.sqrt(np.maximum(second - first**2, 0.0))
        error = np.maximum(spread / np.sqrt(R - 1), floor)
        # third central moment over the cubed standard deviation; a mean that is beyond all scatter has none
        central = third - 3 * first * second + 2 * first**3
        skew = central / np.maximum(spread, floor) ** 3 * (np.sqrt(R * (R - 1)) / (R - 2))
        yield np.max(np.abs(_johnson(first / error, skew / np.sqrt(R))), axis=1)


def _johnson(t: Float, a: Float) -> Float:
    """Johnson's t + a (t^2 / 3 + 1 / 6) with a = skewness / sqrt(R); constant correction beyond |t| = 3 / (2 |a|)."""
    a = np.clip(a, -1.0, 1.0)
    edge = 1.5 / np.maximum(np.abs(a), 1e-9)
    return np.asarray(t + a * (np.minimum(np.abs(t), edge) ** 2 / 3 + 1 / 6), dtype=np.float64)


def _signs(R: int, flips: int, rng: np.random.Generator, block: int) -> Iterator[Float]:
    """Rows of signs, all plus first. A pattern and its negative have the same maximum: run 1 keeps its sign."""
    if flips + 1 >= 2 ** (R - 1):
        rows = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=R - 1)])
        yield from (rows[i : i + block] for i in range(0, len(rows), block))
        return
    yield np.ones((1, R))
    for begin in range(0, flips, block):
        yield rng.choice(np.array([-1.0, 1.0]), (min(block, flips - begin), R))


def _bonferroni(largest: float, points: int, R: int) -> float:
    from scipy.special import stdtr

    return min(1.0, 2.0 * points * float(stdtr(R - 1, -largest)))
