"""What a comparison is about: every run minus the theory, at common times, and what of it the theory is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .entries import entries, label
from .errors import ComparisonError
from .results import Ensemble, Trajectory
from .verdict import FEW

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PROVENANCE", "Gaps", "gaps"]

Float = NDArray[np.float64]
Names = list[tuple[str, tuple[int, ...]]]

_ROUNDING = 1e-13
"""Allowed relative to the overlaps: at X = X* a risk is a difference of terms of their size, zero but for this."""

_ACCURACY = 2e-5
"""Relative accuracy of a simulated risk that has no closed form (7e-6 measured); always allowed for."""

PROVENANCE = ("model", "parameters", "spectrum", "learning_rate", "learning_rates", "delta", "batch_size")
"""What results of either side record of the problem they belong to."""


@dataclass(frozen=True)
class Gaps:
    """Theory and the runs to be compared with it.

    Attributes
    ----------
    labels, times:
        Names of the statistics, and the (T,) times.
    theory, simulated:
        (statistic, T), and (run, statistic, T) of the runs that count.
    accuracy, interpolation:
        (statistic, T) numerical errors: of both sides, and of the theory between its output times.
    scale:
        (statistic, T) |phi| + max(t, 1) |phi'|, which a relative bias refers to.
    d_effective, diverged, notes:
        As in :class:`hdsym.Verdict`.
    curve_times, curve:
        (401,) and (statistic, 401) the theory on a fine grid, for figures.
    """

    labels: list[str]
    times: Float
    theory: Float
    simulated: Float
    accuracy: Float
    interpolation: Float
    scale: Float
    d_effective: float
    diverged: int
    notes: list[str]
    curve_times: Float
    curve: Float

    @property
    def residuals(self) -> Float:
        """Simulation minus theory, (run, statistic, T)."""
        return self.simulated - self.theory

    def at(self, kept: NDArray[np.intp]) -> Gaps:
        """The same at some of the times."""
        arrays = ("theory", "simulated", "accuracy", "interpolation", "scale", "times")
        return replace(self, **{name: getattr(self, name)[..., kept] for name in arrays})


def gaps(path: Trajectory, runs: Ensemble, statistics: Sequence[str]) -> Gaps:
    """Runs minus theory at the recorded times within both ranges.

    Raises
    ------
    ComparisonError
        If the arguments are not a trajectory and an ensemble of three or more runs, share no times at which runs are
        finite, or lack a statistic.
    """
    _check_kinds(path, runs)
    names = _names(path, runs, statistics)
    kept, notes = _common_times(path, runs)
    chosen, kept, diverged = _finite(path, runs, kept, notes)
    times = runs.time.values[kept]
    theory = _evaluate(path, names, times)
    rounding = _ROUNDING * max(1.0, float(np.max(np.abs(path.overlaps.values))))
    fine = np.linspace(times[0], times[-1], 401)
    return Gaps(
        labels=[label(path.dataset[name], entry) for name, entry in names],
        times=times,
        theory=theory,
        simulated=_curves(runs.dataset.isel(run=chosen, time=kept), names),
        accuracy=_accuracy(path, runs, names) * np.abs(theory) + rounding,
        interpolation=_interpolation_error(path, names, times),
        scale=_scale(path, names, times),
        d_effective=float(runs.attrs.get("d_effective") or runs.attrs.get("d") or np.inf),
        diverged=diverged,
        notes=notes,
        curve_times=fine,
        curve=_evaluate(path, names, fine),
    )


def _accuracy(path: Trajectory, runs: Ensemble, names: Names) -> Float:
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


def _names(path: Trajectory, runs: Ensemble, statistics: Sequence[str]) -> Names:
    """Variables and, for arrays, their entries; of a symmetric matrix the upper triangle."""
    wanted = (statistics,) if isinstance(statistics, str) else tuple(statistics)
    found: Names = []
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
    for name in PROVENANCE:
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


def _curves(dataset: xr.Dataset, names: Names) -> Float:
    """Statistics as (..., statistic, time), leading axes those of the dataset."""
    indices: list[tuple[str, Any]] = [(name, (..., *entry)) for name, entry in names]
    return np.stack([dataset[name].values[index] for name, index in indices], axis=-2)


def _evaluate(path: Trajectory, names: Names, times: Float) -> Float:
    own = path.time.values
    return _curves(path.at(np.clip(times, own[0], own[-1])), names)


def _scale(path: Trajectory, names: Names, times: Float) -> Float:
    """|phi| + max(t, 1) |phi'|, shape (statistic, time); the derivative from values a thousandth of the range apart."""
    own = path.time.values
    value = np.abs(_evaluate(path, names, times))
    step = 1e-3 * float(own[-1] - own[0])
    if step == 0:
        return value
    low, high = np.maximum(times - step, own[0]), np.minimum(times + step, own[-1])
    slope = (_evaluate(path, names, high) - _evaluate(path, names, low)) / (high - low)
    return np.asarray(value + np.maximum(times, 1.0) * np.abs(slope), dtype=np.float64)


def _interpolation_error(path: Trajectory, names: Names, times: Float) -> Float:
    """Bound on how far interpolation is off, (statistic, time): its change when half the output times are left out."""
    own = path.time.values
    nearest = np.abs(own[np.clip(np.searchsorted(own, times), 0, own.size - 1)] - times)
    if own.size < 5 or np.all(nearest <= 1e-12 * max(1.0, float(own[-1]))):
        return np.zeros((len(names), times.size))
    half = np.unique(np.append(np.arange(0, own.size, 2), own.size - 1))
    coarse = Trajectory(path.dataset.drop_vars("grams", errors="ignore").isel(time=half), dense=path.dense)
    return np.asarray(np.abs(_evaluate(coarse, names, times) - _evaluate(path, names, times)), dtype=np.float64)
