"""Theory against simulation: gaps, their uncertainty, and one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import ComparisonError
from .gaps import Gaps, gaps
from .results import Ensemble, Trajectory
from .signflip import flip_test
from .twodims import check_posed_alike, extrapolated
from .verdict import Verdict

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["STATISTICS", "Verdict", "compare"]

Float = NDArray[np.float64]

STATISTICS = ("risk", "norm")
"""What is compared by default. The risk alone may be flat in an error: with 50 runs of logistic regression at d = 2000
and gamma off by 5 % it finds none of twenty, with the norm all of them. Both are the same for every order and sign of
the students, which runs may choose differently."""

_SEED = 20_240_817
"""Fixed, so that the same curves get the same p-value in every session; the sign flips decide its third digit."""

_SHOWN = 0.8
"""Probability of the bands that figures show, of single runs by theory and of the simulated ones."""

_FLOOR = 1e-6
"""Relative standard error below which runs coincide: the gap alone decides there."""


def compare(
    path: Trajectory,
    runs: Ensemble,
    statistics: Sequence[str] = STATISTICS,
    bias: float | tuple[Trajectory, Ensemble] = 3.0,
    *,
    level: float = 0.01,
    rng: Any = _SEED,
) -> Verdict:
    """Judge whether the mean over runs follows the theory, at all times and for all statistics at once.

    The limit is exact only as d -> infinity. At finite d the mean over runs differs from it by O(1/d), from three
    sources: the discrete step, which acts like a shift of time by O(1/d); errors of the drift, which accumulate to
    O(t/d) in the time argument; fluctuations of relative variance O(1/d), seen through a nonlinear statistic. That
    bias is either allowed for, or estimated and taken away.

    Given a number `bias`, the null hypothesis is

        |E phi(run, t) - phi(t)| <= (bias / d_eff) (|phi(t)| + max(t, 1) |phi'(t)|),   d_eff = (tr K)^2 / tr K^2.

    The scale is local in time on purpose. A global one (max |phi|) would let a wrong noise floor of one percent of the
    initial risk pass unseen. Within the allowance p-values are larger than uniform ones; ``bias=0`` tests equality, up
    to numerical accuracy. Given theory and runs of another dimension, the null hypothesis is E phi(run, t) = phi(t) +
    beta(t) / d_eff with any beta, estimated from both (:mod:`hdsym.twodims`); then p-values are uniform where the
    theory is right, but for O(1 / (d d')), and gaps below any allowance can be found.

    Fluctuations are judged by a sign-flip test over whole runs (:mod:`hdsym.signflip`), exact for symmetric
    fluctuations whatever their correlation in time. The same flips give the simultaneous band: at confidence
    1 - `level` the true gap lies within it at all times and for all statistics at once.

    Parameters
    ----------
    path, runs:
        Results of ``theory.solve`` and ``hd.simulate``, compared at the times of `runs` within both ranges. If up to a
        tenth of the runs diverge while the theory is finite, the others are compared; if more do, that is a
        disagreement, and the times before the first divergence are compared.
    statistics:
        Names of variables of both, by default risk and norm: ``"risk"``, ``"distance"``, ``"norm"``, ``"cosine"``; of
        ``"overlaps"``, ``"gram"``, ``"cosines"`` and ``"trained"`` every entry is compared. Where a cosine is zero, its
        absolute value, and with it the ``"specialisation"``, fluctuates to one side by O(d^-1/2): more than the
        allowance.
    bias:
        Constant of the O(1/d) allowance; or ``(path, runs)`` of the same problem at another dimension, best a quarter
        of this one with as many runs or more, as ``problem.at(d)`` poses it.
    level:
        ``verdict.agree`` is p >= level: the chance of calling a right theory wrong.
    rng:
        Seed or Generator of the sign flips.

    Raises
    ------
    ComparisonError
        If there are fewer than three runs, no common times at which runs are finite, or an unknown statistic; if the
        second dimension is too close to the first, or its problem is another one.

    Returns
    -------
    Verdict
    """
    _check_numbers(bias, level)
    found = gaps(path, runs, statistics)
    if isinstance(bias, tuple):
        other_path, other_runs = bias
        other = gaps(other_path, other_runs, statistics)
        check_posed_alike(path, other_path)
        freed = extrapolated(found, other)
        found, residuals, allowed, shift = freed.here, freed.residuals, freed.tolerance, freed.bias
        constant, other_d = 0.0, other.d_effective
    else:
        constant, other_d = float(bias), None
        residuals, shift = found.residuals, np.zeros_like(found.theory)
        allowed = constant / found.d_effective * found.scale + found.accuracy + found.interpolation
    shape = found.theory.shape
    largest = np.max(np.abs(found.theory), axis=1, keepdims=True)
    floor = np.broadcast_to(_FLOOR * np.where(largest > 0, largest, 1.0), shape)
    generator = np.random.default_rng(checks.entropy(rng))
    outcome = flip_test(
        residuals.reshape(len(residuals), -1), allowed.ravel(), floor.ravel(), generator, confidence=1 - level
    )
    columns = {
        "bias": shift,
        "gap": residuals.mean(axis=0),
        "standard_error": outcome.standard_error.reshape(shape),
        "band": outcome.band.reshape(shape),
        "allowance": allowed,
        "z": outcome.z.reshape(shape),
    }
    notes = list(found.notes)
    if np.any(found.interpolation > np.maximum(columns["standard_error"], floor)):
        notes.append(
            "the theory's output times are too coarse to interpolate between: that error is allowed for; solve with "
            "t_eval=runs.time or dense_output=True"
        )
    return Verdict(
        dataset=_dataset(path, found, columns),
        p_value=outcome.p_value,
        level=level,
        bias=constant,
        d_effective=found.d_effective,
        runs=runs.runs,
        diverged=found.diverged,
        title=str(runs.attrs.get("model", "")),
        notes=tuple(notes),
        other_d=other_d,
    )


def _check_numbers(bias: Any, level: float) -> None:
    if isinstance(bias, tuple):
        kinds = tuple(type(part).__name__ for part in bias)
        if kinds != ("Trajectory", "Ensemble"):
            raise ComparisonError(
                f"bias is a tuple of {', '.join(kinds) or 'nothing'}",
                remedy="give (path, runs) of another dimension, or a number",
            )
        bias = 0.0
    if not isinstance(bias, int | float) or not 0 <= bias < np.inf or not 0 < level < 1:
        raise ComparisonError(
            f"bias is {bias!r}, level is {level}",
            remedy="give a finite bias >= 0, or (path, runs) of another dimension; and 0 < level < 1",
        )


def _dataset(path: Trajectory, found: Gaps, columns: dict[str, Float]) -> xr.Dataset:
    import xarray as xr

    low, median, high = np.quantile(found.simulated, [0.1, 0.5, 0.9], axis=0)
    curves = {"theory": found.theory, "mean": found.simulated.mean(axis=0), "median": median, "q10": low, "q90": high}
    dims = ("statistic", "time")
    dataset = xr.Dataset(
        {name: (dims, values) for name, values in {**curves, **columns}.items()},
        {"statistic": found.labels, "time": found.times, "curve_time": found.curve_times},
    )
    dataset["curve"] = (("statistic", "curve_time"), found.curve)
    if all(f"{name}_std" in path.dataset for name in found.labels):
        bands = np.array([path.band(_SHOWN, name).values for name in found.labels])  # (statistic, quantile, time)
        for k, name in enumerate(("theory_q10", "theory_q90")):
            values = [np.interp(found.curve_times, path.time.values, band[k]) for band in bands]
            dataset[name] = (("statistic", "curve_time"), np.array(values))
    return dataset
