"""Theory against simulation: gaps, their uncertainty, and one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import checks
from .entries import entries, label
from .errors import ComparisonError
from .results import Ensemble, Trajectory
from .signflip import flip_test
from .verdict import FEW, Verdict

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Verdict", "compare"]

Float = NDArray[np.float64]

_SEED = 20_240_817
"""Fixed, so that the same curves get the same p-value in every session; the sign flips decide its third digit."""

_FLOOR = 1e-6
"""Relative standard error below which runs coincide: the gap alone decides there."""

_ROUNDING = 1e-13
"""Allowed relative to the overlaps: at X = X* a risk is a difference of terms of their size, zero but for this."""

_ACCURACY = 2e-5
"""Relative accuracy of a simulated risk that has no closed form (7e-6 measured); always allowed for."""

_PROVENANCE = ("model", "parameters", "spectrum", "learning_rate", "learning_rates", "delta", "batch_size")


def compare(
    path: Trajectory,
    runs: Ensemble,
    statistics: Sequence[str] = ("risk",),
    bias: float = 3.0,
    *,
    level: float = 0.01,
    rng: Any = _SEED,
) -> Verdict:
    """Judge whether the mean over runs follows the theory, at all times and for all statistics at once.

    The limit is exact only as d -> infinity. At finite d the mean over runs differs from it by O(1/d), from three
    sources: the discrete step, which acts like a shift of time by O(1/d); errors of the drift, which accumulate to
    O(t/d) in the time argument; fluctuations of relative variance O(1/d), seen through a nonlinear statistic. The null
    hypothesis is therefore

        |E phi(run, t) - phi(t)| <= (bias / d_eff) (|phi(t)| + max(t, 1) |phi'(t)|),   d_eff = (tr K)^2 / tr K^2.

    The scale is local in time on purpose. A global one (max |phi|) would let a wrong noise floor of one percent of the
    initial risk pass unseen. Fluctuations are judged by a sign-flip test over whole runs (:mod:`hdsym.signflip`), exact
    for symmetric fluctuations whatever their correlation in time. ``bias=0`` tests equality, up to numerical accuracy.

    Parameters
    ----------
    path, runs:
        Results of ``theory.solve`` and ``hd.simulate``, compared at the times of `runs` within both ranges. If up to a
        tenth of the runs diverge while the theory is finite, the others are compared; if more do, that is a
        disagreement, and the times before the first divergence are compared.
    statistics:
        Names of variables of both: ``"risk"``, ``"distance"``, ``"norm"``, ``"cosine"``; of ``"overlaps"``, ``"gram"``,
        ``"cosines"`` and ``"trained"`` every entry is compared. Where a cosine is zero, its absolute value, and with it
        the ``"specialisation"``, fluctuates to one side by O(d^-1/2): more than the allowance.
    bias:
        Constant of the O(1/d) allowance.
    level:
        ``verdict.agree`` is p >= level: the chance of calling a right theory wrong.
    rng:
        Seed or Generator of the sign flips.

    Raises
    ------
    ComparisonError
        If there are fewer than three runs, no common times at which runs are finite, or an unknown statistic.

    Returns
    -------
    Verdict
    """
    _check_kinds(path, runs)
    if bias < 0 or not 0 < level < 1:
        raise ComparisonError(f"bias is {bias}, level is {level}", remedy="give bias >= 0 and 0 < level < 1")
    names = _names(path, runs, statistics)
    kept, notes = _common_times(path, runs)
    chosen, kept, diverged = _finite(path, runs, kept, notes)
    times = runs.time.values[kept]
    theory = _evaluate(path, names, times)
    simulated = _curves(runs.dataset.isel(run=chosen, time=kept), names)
    d_effective = float(runs.attrs.get("d_effective") or runs.attrs.get("d") or np.inf)
    doubt = _interpolation_error(path, names, times)
    allowed = bias / d_effective * _scale(path, names, times) + _accuracy(path, runs, names) * np.abs(theory) + doubt
    allowed += _ROUNDING * max(1.0, float(np.max(np.abs(path.overlaps.values))))
    largest = np.max(np.abs(theory), axis=1, keepdims=True)
    floor = np.broadcast_to(_FLOOR * np.where(largest > 0, largest, 1.0), theory.shape)
    generator = np.random.default_rng(checks.entropy(rng))
    outcome = flip_test((simulated - theory).reshape(len(simulated), -1), allowed.ravel(), floor.ravel(), generator)
    error = outcome.standard_error.reshape(theory.shape)
    if np.any(doubt > np.maximum(error, floor)):
        notes.append(
            "the theory's output times are too coarse to interpolate between: that error is allowed for; solve with "
            "t_eval=runs.time or dense_output=True"
        )
    labels = [label(path.dataset[name], entry) for name, entry in names]
    dataset = _dataset(labels, times, theory, simulated, allowed, error, outcome.z.reshape(theory.shape))
    fine = np.linspace(times[0], times[-1], 401)
    dataset = dataset.assign_coords(curve_time=fine)
    dataset["curve"] = (("statistic", "curve_time"), _evaluate(path, names, fine))
    return Verdict(
        dataset=dataset,
        p_value=outcome.p_value,
        level=level,
        bias=bias,
        d_effective=d_effective,
        runs=runs.runs,
        diverged=diverged,
        title=str(runs.attrs.get("model", "")),
        notes=tuple(notes),
    )


def _accuracy(path: Trajectory, runs: Ensemble, names: list[tuple[str, tuple[int, ...]]]) -> Float:
    """Relative accuracy of both, (statistic, 1): of risk and declared statistics it was measured, if it is lower."""
    return np.array([[max(_ACCURACY, 3 * (_error(path, name) + _error(runs, name)))] for name, _ in names])


def _error(result: Trajectory | Ensemble, name: str) -> float:
    """Numerical error of the risk or of a declared statistic, as its side has measured it, with that of the drift."""
    attrs = result.attrs
    own = attrs.get("risk_error") if name == "risk" else attrs.get("statistics_error", {}).get(name)
    return sum(float(attrs.get(key) or 0.0) for key in ("quadrature_error", "compression_error")) + float(own or 0.0)


def _check_kinds(path: Any, runs: Any) -> None:
    if not isinstance(path, Trajectory) or not isinstance(runs, Ensemble):
        raise ComparisonError(
            f"compare is given {type(path).__name__} and {type(runs).__name__}",
            remedy="give a Trajectory and an Ensemble: hd.compare(theory.solve(problem), hd.simulate(model, problem))",
        )
    if runs.runs < 3:
        raise ComparisonError(
            f"{runs.runs} run(s) cannot tell how large the fluctuations are",
            remedy="simulate at least 3 runs, better 30",
        )


def _names(path: Trajectory, runs: Ensemble, statistics: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """Variables and, for arrays, their entries; of a symmetric matrix the upper triangle."""
    wanted = (statistics,) if isinstance(statistics, str) else tuple(statistics)
    found: list[tuple[str, tuple[int, ...]]] = []
    for name in wanted:
        if name not in path.dataset.data_vars or name not in runs.dataset.data_vars or name == "grams":
            common = sorted({str(v) for v in path.dataset.data_vars} & {str(v) for v in runs.dataset.data_vars})
            raise ComparisonError(f"there is no statistic {name!r} in both", remedy=f"both have: {', '.join(common)}")
        if path.dataset[name].shape[1:] != runs.dataset[name].shape[2:]:
            raise ComparisonError(f"{name} has different sizes in both", remedy="solve and simulate the same model")
        found += [(name, entry) for entry in entries(path.dataset[name].isel(time=0))]
    if not found:
        raise ComparisonError("no statistics are given", remedy='give names, for instance ("risk", "cosine")')
    return found


def _common_times(path: Trajectory, runs: Ensemble) -> tuple[NDArray[np.intp], list[str]]:
    times, own = runs.time.values, path.time.values
    begin, end = float(own[0]), float(own[-1])
    slack = 1e-9 * max(1.0, abs(end))
    inside = (times >= begin - slack) & (times <= end + slack)
    notes = []
    if abs(end - times[-1]) > 2 / float(runs.attrs.get("d") or np.inf) + slack:
        notes.append(f"the theory ends at t = {end:g}, the simulation at t = {times[-1]:g}: compared where both exist")
    if not inside.any():
        raise ComparisonError(
            f"theory on [{begin:g}, {end:g}] and simulation on [{times[0]:g}, {times[-1]:g}] share no times",
            remedy="solve and simulate over the same times",
        )
    for name in _PROVENANCE:
        ours, theirs = path.attrs.get(name), runs.attrs.get(name)
        if ours is not None and theirs is not None and ours != theirs:
            notes.append(f"they differ in {name}: {ours} for the theory, {theirs} for the simulation")
    return np.flatnonzero(inside), notes


def _finite(
    path: Trajectory, runs: Ensemble, kept: NDArray[np.intp], notes: list[str]
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Runs and times to compare, and how many runs diverge while the theory is finite.

    The limit holds with high probability, not in the mean: a few runs that diverge are left out. If they are many, the
    others are survivors, and only the times before the first divergence are compared.
    """
    times, diverged = runs.time.values, runs.diverged.values
    gone = diverged <= float(path.time.values[-1])
    count = int(gone.sum())
    if not count:
        return np.arange(runs.runs), kept, 0
    first = float(np.min(diverged[gone]))
    said = f"{count} of {runs.runs} runs diverged, the first at t = {first:.4g}"
    if count <= FEW * runs.runs:
        notes.append(f"{said}: the others are compared")
        return np.flatnonzero(~gone), kept, count
    kept = kept[times[kept] < first]
    if not kept.size:
        raise ComparisonError(
            f"{said}: there is no time at which all runs are finite", remedy="lower the learning rate, or raise d"
        )
    notes.append(f"{said}: compared up to there")
    return np.arange(runs.runs), kept, count


def _curves(dataset: xr.Dataset, names: list[tuple[str, tuple[int, ...]]]) -> Float:
    """Statistics as (..., statistic, time), leading axes those of the dataset."""
    indices: list[tuple[str, Any]] = [(name, (..., *entry)) for name, entry in names]
    return np.stack([dataset[name].values[index] for name, index in indices], axis=-2)


def _evaluate(path: Trajectory, names: list[tuple[str, tuple[int, ...]]], times: Float) -> Float:
    own = path.time.values
    return _curves(path.at(np.clip(times, own[0], own[-1])), names)


def _scale(path: Trajectory, names: list[tuple[str, tuple[int, ...]]], times: Float) -> Float:
    """|phi| + max(t, 1) |phi'|, shape (statistic, time); the derivative from values a thousandth of the range apart."""
    own = path.time.values
    value = np.abs(_evaluate(path, names, times))
    step = 1e-3 * float(own[-1] - own[0])
    if step == 0:
        return value
    low, high = np.maximum(times - step, own[0]), np.minimum(times + step, own[-1])
    slope = (_evaluate(path, names, high) - _evaluate(path, names, low)) / (high - low)
    return np.asarray(value + np.maximum(times, 1.0) * np.abs(slope), dtype=np.float64)


def _interpolation_error(path: Trajectory, names: list[tuple[str, tuple[int, ...]]], times: Float) -> Float:
    """Bound on how far interpolation is off, (statistic, time): its change when half the output times are left out."""
    own = path.time.values
    nearest = np.abs(own[np.clip(np.searchsorted(own, times), 0, own.size - 1)] - times)
    if own.size < 5 or np.all(nearest <= 1e-12 * max(1.0, float(own[-1]))):
        return np.zeros((len(names), times.size))
    half = np.unique(np.append(np.arange(0, own.size, 2), own.size - 1))
    coarse = Trajectory(path.dataset.drop_vars("grams", errors="ignore").isel(time=half), dense=path.dense)
    return np.asarray(np.abs(_evaluate(coarse, names, times) - _evaluate(path, names, times)), dtype=np.float64)


def _dataset(
    labels: list[str],
    times: Float,
    theory: Float,
    simulated: Float,
    allowed: Float,
    error: Float,
    z: Float,
) -> xr.Dataset:
    import xarray as xr

    low, median, high = np.quantile(simulated, [0.1, 0.5, 0.9], axis=0)
    mean = simulated.mean(axis=0)
    columns = {
        "theory": theory,
        "mean": mean,
        "median": median,
        "q10": low,
        "q90": high,
        "gap": mean - theory,
        "standard_error": error,
        "allowance": allowed,
        "z": z,
    }
    dims = ("statistic", "time")
    return xr.Dataset({name: (dims, values) for name, values in columns.items()}, {"statistic": labels, "time": times})
