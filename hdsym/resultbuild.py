"""From plain arrays to the labelled datasets of :mod:`hdsym.results`, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import storage
from .errors import DeclarationError
from .geometry import EXTRA_AXES, geometry

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["dataset", "label", "quantiles"]

Float = NDArray[np.float64]

_LONG_NAMES = {
    "risk": "risk",
    "excess_risk": "risk above that of X = X* (and the best trained scalars)",
    "learning_rate": "learning rate",
    "overlaps": "B = W^T K W",
    "gram": "W^T W",
    "grams": "W^T P_j W",
    "distance": "||X - X*||^2",
    "norm": "||X||",
    "teacher_norm": "||X*||",
    "aligned_distance": "||X - X*||^2 for the best order of students",
    "cosine": "cosine of X and X* (0 where X = 0)",
    "cosines": "cosine of each student and each teacher",
    "specialisation": "mean absolute cosine of the best matched pairs",
    "trained": "trained scalars",
    "diverged": "time at which the run left the finite range, NaN if never",
    "forms": "overlaps <u, q(K) v> in declared statistics",
    "means": "means over the rows in declared statistics",
}

_COORDINATES = {
    "row": "preactivation of the row",
    "col": "preactivation of the column",
    "student": "trained direction",
    "teacher": "target direction",
    "theta": "trained scalar",
    "form": "overlap <u, q(K) v>",
    "mean": "mean over the rows",
    "eigenvalue": "eigenvalue of K",
}
_TIMES = {
    "time": "t = steps / d",
    "diverged": _LONG_NAMES["diverged"],
    "sample_time": "time of sample curves",
    "other_time": "other time of sample curves",
}
"""What is measured in steps / d; all else has no unit."""

_RECORDED = {"forms": "form", "means": "mean"}
"""Axes of what runs record for their statistics."""


def dataset(
    *,
    time: ArrayLike,
    names: Sequence[str],
    n_student: int | None,
    scalars: Mapping[str, ArrayLike | None],
    matrices: Mapping[str, ArrayLike | None],
    attrs: Mapping[str, Any],
    grams: ArrayLike | None = None,
    levels: ArrayLike | None = None,
    diverged: ArrayLike | None = None,
    trained: ArrayLike | None = None,
    trained_names: Sequence[str] = (),
    recorded: Mapping[str, tuple[Sequence[str], ArrayLike]] | None = None,
) -> xr.Dataset:
    """The dataset of a trajectory, or with `diverged` that of an ensemble. Raises :class:`DeclarationError`."""
    import xarray as xr

    times = _times(time)
    labels = [str(name) for name in names]
    students = len(labels) // 2 if n_student is None else int(n_student)
    ensemble = diverged is not None
    lead: tuple[str, ...] = ("run", "time") if ensemble else ("time",)
    left = np.asarray(diverged, dtype=np.float64) if ensemble else np.empty(0)
    shape = (len(left), times.size) if ensemble else (times.size,)
    size = (len(labels), len(labels))
    arrays: dict[str, tuple[tuple[str, ...], Float]] = {}
    for name, value in scalars.items():
        if value is not None:
            arrays[name] = (lead, _shaped(name, value, shape))
    for name, value in matrices.items():
        if value is not None:
            arrays[name] = ((*lead, "row", "col"), _shaped(name, value, shape + size))
    if trained_names and trained is not None:
        arrays["trained"] = ((*lead, "theta"), _shaped("trained", trained, (*shape, len(trained_names))))
    for name, (labelled, value) in (recorded or {}).items():
        arrays[name] = ((*lead, _RECORDED[name]), _shaped(name, value, (*shape, len(labelled))))
    if ensemble:
        _blank(arrays, times, left)
    if "gram" in arrays:
        for name, array in geometry(arrays["gram"][1], students).items():
            arrays[name] = ((*lead, *EXTRA_AXES.get(name, ())), array)
    coords: dict[str, Any] = {"time": times, "row": labels, "col": labels}
    coords |= {"student": labels[:students], "teacher": labels[students:]}
    coords |= {_RECORDED[name]: list(labelled) for name, (labelled, _) in (recorded or {}).items()}
    if "trained" in arrays:
        coords["theta"] = [str(name) for name in trained_names]
    if grams is not None:
        modes = np.asarray(grams).shape[1] if np.ndim(grams) == 4 else 0
        arrays["grams"] = (("time", "mode", "row", "col"), _shaped("grams", grams, (*shape, modes, *size)))
        if levels is not None:
            coords["eigenvalue"] = ("mode", _shaped("levels", levels, (modes,)))
    if ensemble:
        arrays["diverged"] = (("run",), left)
    made = xr.Dataset(dict(arrays), coords, storage.encode({**attrs, "n_student": students}))
    made.attrs.setdefault("versions", storage.encode({"versions": storage.versions()})["versions"])
    label(made)
    if "grams" in arrays and _compressed(attrs):
        made["grams"].attrs["long_name"] = "signed shares of W^T W at nodes in place of eigenvalues (compressed)"
    return made


def label(dataset: xr.Dataset) -> None:
    """Give every variable that has none a ``long_name`` and ``units``."""
    known = {**_LONG_NAMES, **_COORDINATES, **_TIMES}
    for name in map(str, dataset.variables):
        dataset[name].attrs.setdefault("long_name", known.get(name, name))
        dataset[name].attrs.setdefault("units", "steps / d" if name in _TIMES else "1")


def _compressed(attrs: Mapping[str, Any]) -> bool:
    modes = attrs.get("modes")
    return isinstance(modes, Mapping) and bool(modes.get("compressed"))


def quantiles(values: xr.DataArray, q: ArrayLike, diverged: xr.DataArray) -> xr.DataArray:
    """Quantiles over the axis ``run`` of what is finite; NaN where nothing is, and a note on what was left out."""
    import xarray as xr

    levels = np.asarray(q, dtype=np.float64)
    if levels.size == 0 or not np.all((levels >= 0) & (levels <= 1)):
        raise DeclarationError(f"q is {q!r}", remedy="give numbers in [0, 1]")
    array = values.values
    result = np.full((levels.size, *array.shape[1:]), np.nan)
    alive = np.isfinite(array).reshape(*array.shape[:2], -1).all(axis=-1)
    for pattern, columns in _patterns(alive):
        if pattern.any():
            result[:, columns] = np.quantile(array[pattern][:, columns], levels.reshape(-1), axis=0)
    kept = xr.DataArray(
        result.reshape(levels.shape + array.shape[1:]) if levels.ndim < 2 else result,
        dims=(("quantile",) if levels.ndim else ()) + values.dims[1:],
        coords={name: coord for name, coord in values.coords.items() if "run" not in coord.dims},
        name=values.name,
        attrs=values.attrs,
    )
    if levels.ndim:
        kept = kept.assign_coords(quantile=levels.reshape(-1))
    gone = np.isfinite(diverged.values)
    if gone.any():
        first = float(np.nanmin(diverged.values))
        kept.attrs["note"] = (
            f"{int(gone.sum())} of {gone.size} runs left the finite range, the first at t = {first:.4g}; "
            "summaries are over the runs still finite"
        )
    return kept


def _patterns(alive: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Runs that are finite together, with the times at which exactly they are: usually one pattern for all times."""
    patterns, which = np.unique(alive, axis=1, return_inverse=True)
    which = which.reshape(-1)
    return [(patterns[:, k], np.flatnonzero(which == k)) for k in range(patterns.shape[1])]


def _times(time: ArrayLike) -> Float:
    times = np.asarray(time, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
        raise DeclarationError(
            f"times of shape {times.shape} are not strictly increasing",
            remedy="give a one-dimensional increasing array",
        )
    return times


def _shaped(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Float:
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise DeclarationError(f"{name} has shape {array.shape}, expected {shape}", remedy="check axes and times")
    return array


def _blank(arrays: Mapping[str, tuple[tuple[str, ...], Float]], times: Float, diverged: Float) -> None:
    """NaN from the time a run diverged; anything else that is not finite is an error of the caller."""
    if diverged.ndim != 1:
        raise DeclarationError(f"diverged has shape {diverged.shape}", remedy="give one time per run")
    gone = times[None, :] >= diverged[:, None]  # False where diverged is NaN
    for name, (_, array) in arrays.items():
        array[gone] = np.nan
        bad = ~np.isfinite(array).reshape(*gone.shape, -1).all(axis=-1) & ~gone
        if bad.any():
            run, index = (int(i) for i in np.argwhere(bad)[0])
            raise DeclarationError(
                f"{name} of run {run} is not finite at t = {times[index]:g}, but the run is not flagged as diverged",
                remedy="give its time in diverged",
            )
