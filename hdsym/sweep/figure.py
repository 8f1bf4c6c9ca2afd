"""The phase diagram of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError
from ..plots import finish, label_of, legend, one_axes
from ..stability.mapplot import DIVERGED, cell_edges
from .plan import SIMULATED

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["plot_phase_diagram"]

Float = NDArray[np.float64]

_LOG_RANGE = 20.0
"""Ratio of largest to smallest positive value from which colours are logarithmic."""
_DECADES = 12
"""Powers of ten that colours tell apart at most."""
_WIDE = 1e3
"""Ratio of the ends of a logarithmic axis from which only powers of ten are labelled."""
_NAMES = {
    "learning_rate": r"learning rate $\gamma$",
    "delta": r"regularisation $\delta$",
    "batch_size": "batch size",
    "start.cosine": "cosine at the start",
    "start.norm": r"norm $\|X_0\|$ at the start",
    "noise.std": "standard deviation of the noise",
    "spectrum.alpha": r"exponent $\alpha$ of the spectrum",
}


def plot_phase_diagram(
    dataset: xr.Dataset,
    statistic: str | None = None,
    x: str | None = None,
    y: str | None = None,
    *,
    ax: Any = None,
    log: bool | None = None,
    contours: Any = None,
    at: Mapping[str, Any] | None = None,
) -> Any:
    """A statistic over two axes of a sweep in colours, or over its only axis as a curve.

    Parameters
    ----------
    dataset:
        What :func:`hdsym.sweep` returned.
    statistic:
        One number at each time and point; the first by default. Of simulated ones the median over the runs is drawn.
    x, y:
        Axes; the first two of the sweep by default.
    log:
        Whether colours are logarithmic; where the values are positive and of several magnitudes by default.
    contours:
        Values at which lines are drawn.
    at:
        Values of the other axes, the nearest of which is taken, and of ``time``, the last by default.

    Raises
    ------
    DeclarationError
        For a statistic or axis that there is not, or another axis without a value.
    """
    name = statistic or next(str(key) for key, array in dataset.data_vars.items() if "time" in array.dims)
    axes_there = [str(dim) for dim in dataset["reason"].dims]
    if name not in dataset or "time" not in dataset[name].dims:
        shown = ", ".join(str(key) for key, array in dataset.data_vars.items() if "time" in array.dims)
        raise DeclarationError(f"the sweep has no statistic {name!r}", remedy=f"it has: {shown}")
    chosen = _chosen(axes_there, x, y)
    values = _selected(dataset, name, chosen, axes_there, dict(at or {}))
    figure, axes = one_axes(ax)
    if len(chosen) == 1:
        axes.plot(*_places(values, chosen[0])[:1], values.values, color="#0b3c5d", marker=".", label=label_of(name))
        finish(axes, name, values.values, label_time=False)
        _name_axis(axes, "x", values, chosen[0])
    else:
        _diagram(figure, axes, values, chosen, log, contours)
    return axes if ax is not None else figure


def _chosen(there: list[str], x: str | None, y: str | None) -> list[str]:
    for name in (x, y):
        if name is not None and name not in there:
            raise DeclarationError(f"the sweep has no axis {name!r}", remedy=f"it has: {', '.join(there)}")
    rest = [name for name in there if name not in (x, y)]
    first = x or rest.pop(0)
    return [first, y or rest.pop(0)] if y or rest else [first]


def _selected(dataset: xr.Dataset, name: str, chosen: list[str], there: list[str], at: dict[str, Any]) -> xr.DataArray:
    """The values over the chosen axes, in their order."""
    values = dataset[name]
    time = at.pop("time", None)
    values = values.isel(time=-1) if time is None else values.sel(time=time, method="nearest")
    if name.startswith(SIMULATED) and "run" in values.dims:
        values = values.median("run", skipna=False)
    strangers = sorted(set(at) - set(values.dims))
    missing = [axis for axis in there if axis not in chosen and axis not in at and dataset.sizes[axis] > 1]
    if strangers or missing:
        raise DeclarationError(
            f"there is no axis {strangers[0]!r}" if strangers else f"the diagram needs a value of {missing[0]}",
            remedy=f'give one of each other axis: plot_phase_diagram(..., **{{"{(missing or there)[0]}": value}})',
        )
    for axis in there:
        if axis not in chosen:
            values = _at(values, axis, at.get(axis))
    if len(values.dims) != len(chosen):
        own = [str(dim) for dim in values.dims if dim not in chosen]
        raise DeclarationError(
            f"{name} has the axes {', '.join(own)} too", remedy="choose an entry: .isel(row=0, col=1)"
        )
    return values.transpose(*chosen)


def _at(array: xr.DataArray, axis: str, value: Any) -> xr.DataArray:
    if value is None:
        return array.isel({axis: 0})
    return array.sel({axis: value}, method="nearest" if array[axis].dtype.kind in "if" else None)


def _diagram(
    figure: Any,
    axes: Any,
    values: xr.DataArray,
    chosen: list[str],
    log: bool | None,
    contours: Any,
) -> None:
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    (x, x_log), (y, y_log) = (_places(values, axis) for axis in chosen)
    edges = cell_edges(x, x_log), cell_edges(y, y_log)
    numbers = values.values.T
    lost = ~np.isfinite(numbers)
    finite = numbers[~lost]
    if log is None:
        log = bool(finite.size and finite.min() >= 0 and finite.max() > _LOG_RANGE * max(finite.min(), 0.0))
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if log:
        positive = finite[finite > 0]
        high = float(positive.max(initial=1e-300))
        low = max(float(positive.min(initial=high)), high * 10.0**-_DECADES)
    norm = LogNorm(low, high) if log else Normalize(low, high)
    shown = np.ma.masked_where(lost, np.maximum(numbers, low) if log else numbers)
    image = axes.pcolormesh(*edges, shown, cmap="viridis", norm=norm, rasterized=True)
    if np.any(lost):
        mask = np.ma.masked_where(~lost, np.ones(lost.shape))
        axes.pcolormesh(*edges, mask, cmap=ListedColormap([DIVERGED]), rasterized=True)
        axes.fill_between([], [], color=DIVERGED, label="diverged, or could not be posed")
        legend(axes)
    if contours is not None:
        lines = axes.contour(x, y, numbers, levels=np.atleast_1d(contours), colors="white")
        axes.clabel(lines, fmt="%g", fontsize="small")
    for side, axis in zip("xy", chosen, strict=True):
        _name_axis(axes, side, values, axis)
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][0], edges[1][-1])
    time = float(values["time"])
    label = label_of(str(values.name).removeprefix(SIMULATED))
    kind = ", simulated" if str(values.name).startswith(SIMULATED) else ""
    figure.colorbar(image, ax=axes, label=f"{label} at t = {time:g}{kind}")


def _places(values: xr.DataArray, axis: str) -> tuple[Float, bool]:
    """Where the axis's values are drawn, and whether on a logarithmic scale: where they have equal ratios."""
    given = values[axis].values
    if given.dtype.kind not in "if" or np.any(np.diff(given) <= 0):
        return np.arange(float(given.size)), False
    places = given.astype(np.float64)
    even = places.size < 3 or places[0] <= 0 or np.ptp(np.diff(places)) < 1e-6 * np.max(np.diff(places))
    return places, bool(not even and np.ptp(np.diff(np.log(places))) < 1e-6 * np.max(np.diff(np.log(places))))


def _name_axis(axes: Any, side: str, values: xr.DataArray, axis: str) -> None:
    given, (places, log) = values[axis].values, _places(values, axis)
    getattr(axes, f"set_{side}label")(_NAMES.get(axis, axis.replace("_", " ")))
    if log:
        from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

        getattr(axes, f"set_{side}scale")("log")
        own = getattr(axes, f"{side}axis")
        own.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if places[-1] < _WIDE * places[0] else (1.0,)))
        own.set_major_formatter(FormatStrFormatter("%g"))
        own.set_minor_formatter(NullFormatter())
    elif given.dtype.kind not in "if" or np.any(np.diff(given) <= 0):
        getattr(axes, f"set_{side}ticks")(places, [str(value) for value in given])
