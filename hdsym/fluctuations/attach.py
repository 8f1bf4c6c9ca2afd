"""A trajectory with its error bars: standard deviations of single runs, covariances in time, the shift of the mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import resultbuild, storage
from ..compression import fewer
from ..errors import DeclarationError
from ..modelcheck import check_free
from .adjoint import curve_covariances
from .features import Features
from .linear import LinearNoise
from .march import march
from .shift import source
from .validity import large_shift, uninformed

if TYPE_CHECKING:
    from ..integration import Run
    from ..modes import Modes
    from ..results import Trajectory

__all__ = ["check_problem", "with_fluctuations"]

Float = NDArray[np.float64]

_SMALL, _LARGE, _LARGEST = 60, 160, 1500
"""Entries of a state up to which every level is kept, up to which the covariance of the whole state is followed, and up
to which it is for the shift of the mean."""

_NODES = 1e-6
"""Accuracy of the nodes that stand for many levels."""

_TIMES = 41
"""Output times at which single curves are followed back; between, variances are interpolated."""

_DRAWS, _SEED = 20_000, 20261127
"""Draws from which the covariance of random starts is found, to 1 %, and their seed."""

_FEW_ENTRIES = 12
"""Entries of matrices up to which a large state has standard deviations of them too, one by one."""

_LINEAR = ("overlaps", "gram", "trained")
"""Quantities that are features themselves."""

_LONG = "standard deviation of a single run in the linear-noise limit, O(d^-1/2)"


@dataclass(frozen=True)
class _Bars:
    """Variances of all quantities (T, ...), covariances of curves (S, k, k) at k times, shifts (T, ...), times d."""

    variances: dict[str, Float]
    curves: tuple[str, ...]
    between: Float
    times: Float
    shifts: dict[str, Float]
    form: str


def check_problem(run: Run, finite_d: str | None) -> None:
    """Raise :class:`DeclarationError` where single runs have no linear-noise limit that is known."""
    if finite_d not in (None, "mean"):
        raise DeclarationError(f"finite_d is {finite_d!r}", remedy='give "mean", or leave it out')
    check_free(run.theory.model, "the noise of single runs")
    if run.problem.spectrum.d is None:
        raise DeclarationError(
            f"the spectrum {run.problem.spectrum.label} has no dimension, and fluctuations are of order d^-1/2",
            remedy="give it one, for instance hd.spectrum.identity(d=1000)",
        )
    if run.rates is not None:
        raise DeclarationError(
            "the learning rate adapts to the run, and its own fluctuations are not followed",
            remedy="give a schedule in t, for instance path.learning_rate of a first solution as a function of t",
        )


def with_fluctuations(
    path: Trajectory, begin: Callable[[Modes | None], Run], finite_d: str | None = None
) -> Trajectory:
    """The trajectory with ``risk_std`` and the like, and with ``finite_d="mean"`` shifted to the mean of single runs.

    `path` was solved with dense output over modes; `begin` makes a run over others. Raises as :func:`check_problem`,
    and :class:`SolveError` where a moment of the gradient is not finite along the solution.
    """
    times, shifted = path.time.values, finite_d == "mean"
    run, states_at = _few_modes(path, begin)
    noise, features = LinearNoise(run, states_at, float(times[-1])), Features(run)
    states = states_at(times).T
    if noise.size > _LARGEST and shifted:
        raise DeclarationError(
            f'finite_d="mean" follows the covariance of the whole state, and that has {noise.size} entries',
            remedy="leave it out, or ask for fewer modes with modes=",
        )
    slopes = features.slopes(states)
    if noise.size <= _LARGE or shifted:
        bars = _whole(noise, features, times, states, slopes, shifted)
    else:
        bars = _single(noise, features, times, slopes)
    return _attached(path, bars, noise, shifted)


def _few_modes(path: Trajectory, begin: Callable[[Modes | None], Run]) -> tuple[Run, Callable[[Any], Float]]:
    """The run that carries the noise, and its states: over few nodes where the solution is over many levels."""
    dense: Any = path.dense
    if dense.run.layout.gather.size <= _SMALL:
        return dense.run, dense.states
    nodes = fewer(dense.run, path, _NODES)
    if nodes is None:
        return dense.run, dense.states
    run = begin(nodes)
    found: Any = run.integrate(path.time.values, [], True).dense
    return run, found.states


def _whole(
    noise: LinearNoise, features: Features, times: Float, states: Float, slopes: dict[str, Float], shifted: bool
) -> _Bars:
    """From the covariance of the whole state."""
    names = _curves(slopes)
    driving = source(noise, features.variables, float(times[-1])) if shifted else None
    curves = np.array([slopes[name] for name in names])
    found = march(noise, times, features.rows, curves, driving, _initial(noise))
    variances = {
        name: np.einsum("t...p,tpq,t...q->t...", slope, found.features, slope) for name, slope in slopes.items()
    }
    shifts: dict[str, Float] = {}
    if found.shift is not None:
        moved = found.shift @ features.rows.T
        bent = features.curvature(states, found.features)
        shifts = {name: np.einsum("t...p,tp->t...", slope, moved) for name, slope in slopes.items()}
        shifts = {name: value + bent.get(name, 0.0) for name, value in shifts.items()}
        split = features.run._split
        shifts["grams"] = split(states + found.shift)[0] - split(states)[0]
    return _Bars(variances, names, found.curves, times, shifts, f"covariance of the state, {found.steps} steps")


def _initial(noise: LinearNoise) -> Float | None:
    """The covariance of a start that every run draws anew, times d; ``None`` if all have the same.

    Raises
    ------
    DeclarationError
        If the noise is that of nodes in place of eigenvalues.
    """
    run = noise.run
    start, spectrum = run.problem.start, run.problem.spectrum
    if not start.note:
        return None
    if len(run.lam) != len(spectrum.levels) or run.modes.compressed or noise.size > _LARGE:
        raise DeclarationError(
            f"every run draws its own {start!r}, and the covariance has too many eigenvalues to follow it",
            remedy="theory.escape_distribution(problem, t, level=..., group=16) follows it; or give fixed weights with "
            "hd.start.random(...)",
        )
    counts = np.round(spectrum.fractions * spectrum.dimension()).astype(np.int64)
    rng, l = np.random.default_rng(_SEED), run.model.n_student
    drawn = start.draw_grams(rng, run.grams, counts, l, _DRAWS)
    states = np.array([run.packed(grams, run.start_scalars) for grams in drawn])
    covariance: Float = np.atleast_2d(np.cov(states, rowvar=False)) * spectrum.dimension()
    return covariance


def _single(noise: LinearNoise, features: Features, times: Float, slopes: dict[str, Float]) -> _Bars:
    """Curve by curve, backwards in time, at some of the times."""
    _initial(noise)  # which raises where starts have a spread of their own
    chosen = np.unique(np.linspace(0, times.size - 1, min(times.size, _TIMES)).round().astype(int))
    declared = [name for name, _ in features.run.model.declared_statistics]
    names = ("risk", *(name for name in declared if slopes[name].ndim == 2))
    weights = [slopes[name][chosen] @ features.rows for name in names]
    entries = features.rows if features.count <= _FEW_ENTRIES else features.rows[:0]
    weights += [np.broadcast_to(row, weights[0].shape) for row in entries]
    found = curve_covariances(noise, times[chosen], np.array(weights))
    own = _between(times[chosen], np.diagonal(found, axis1=1, axis2=2), times)
    variances = {name: own[k] for k, name in enumerate(names)}
    if len(entries):
        each = own[len(names) :].T  # (T, P): a feature's own variance, which its entry of a matrix has
        variances |= {name: np.einsum("t...p,tp->t...", slopes[name] ** 2, each) for name in _LINEAR if name in slopes}
    form = f"curve by curve at {chosen.size} times, by the adjoint equation"
    return _Bars(variances, names, found[: len(names)], times[chosen], {}, form)


def _between(own: Float, variances: Float, times: Float) -> Float:
    """Variances (S, T) at all times from those at some."""
    from scipy.interpolate import CubicSpline

    if own.size < 3:
        return variances
    found: Float = np.maximum(CubicSpline(own, variances, axis=1)(times), 0.0)
    return found


def _curves(slopes: dict[str, Float]) -> tuple[str, ...]:
    """Quantities that are one number for each time, the risk first."""
    return ("risk", *(name for name, slope in slopes.items() if slope.ndim == 2 and name != "risk"))


def _attached(path: Trajectory, bars: _Bars, noise: LinearNoise, shifted: bool) -> Trajectory:
    """The dataset with what was found."""
    import xarray as xr

    d = float(noise.run.problem.spectrum.dimension())
    data = path.dataset.copy()
    variances = bars.variances | ({"excess_risk": bars.variances["risk"]} if "excess_risk" in data else {})
    shifts = bars.shifts | ({"excess_risk": bars.shifts["risk"]} if shifted and "excess_risk" in data else {})
    for name, variance in variances.items():
        if name in data:
            std = np.sqrt(np.maximum(variance, 0.0) / d)
            data[f"{name}_std"] = xr.Variable(data[name].dims, std, {"long_name": f"{name}: {_LONG}"})
    for name, shift in shifts.items():
        if name in data and shift.shape == data[name].shape:  # noise over nodes says nothing of single levels
            data[name] = data[name].copy(data=data[name].values + shift / d)
    data["curve_covariance"] = xr.Variable(
        ("curve", "sample_time", "other_time"),
        bars.between / d,
        {"long_name": "covariance of a curve between two times in the linear-noise limit, O(1/d)"},
    )
    data = data.assign_coords(curve=list(bars.curves), sample_time=bars.times, other_time=bars.times)
    account: dict[str, Any] = {"moments": noise.source, "error": noise.error, "method": bars.form}
    if "overlaps_std" in data:
        limit, deviations = path.overlaps.values, data["overlaps_std"].values
        account["caution"] = uninformed(noise, path.time.values, limit, deviations) or ""
    if shifted and not account.get("caution"):
        account["caution"] = large_shift(path.time.values, shifts["risk"] / d, data["risk_std"].values) or ""
    data.attrs |= storage.encode({"fluctuations": account, "finite_d": "mean" if shifted else "limit"})
    resultbuild.label(data)
    return replace(path, dataset=data)
