"""Figures of models with several directions: matrices at a few times, and which student follows which teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import CYCLE, SIMULATION, THEORY
from .errors import DeclarationError
from .plots import finish, legend, new_figure, one_axes

if TYPE_CHECKING:
    import xarray as xr

    from .results import Ensemble, Trajectory

__all__ = ["plot_matrices", "plot_specialisation"]

_NUMBERED = 6
"""Rows up to which every entry shows its value."""


def plot_matrices(result: Trajectory | Ensemble, statistic: str = "overlaps", times: int = 5) -> Any:
    """A matrix at a few of the times, side by side on one scale of colours; of an ensemble the median over runs.

    Raises
    ------
    DeclarationError
        If the statistic is not a matrix, or `times` not a positive number.
    """
    array = typical(result, statistic)
    if array.ndim != 3:
        raise DeclarationError(f"{statistic} is not a matrix", remedy='choose "overlaps", "gram" or "cosines"')
    if times < 1:
        raise DeclarationError(f"times is {times!r}", remedy="give how many times are shown, at least 1")
    shown = np.unique(np.round(np.linspace(0, array.sizes["time"] - 1, times)).astype(int))
    figure = new_figure(2.2 * len(shown) + 0.8, 2.7)
    axes = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    largest = float(np.nanmax(np.abs(array.values[shown]))) or 1.0
    for ax, k in zip(axes, shown, strict=True):
        image = _image(ax, array.isel(time=int(k)), result.n_student, largest)
        ax.set_title(f"t = {float(array['time'][int(k)]):.3g}", fontsize="medium")
    figure.colorbar(image, ax=list(axes), shrink=0.85, label=statistic)
    return figure


def _image(ax: Any, matrix: xr.DataArray, n_student: int, largest: float) -> Any:
    image = ax.imshow(matrix.values, cmap="RdBu_r", vmin=-largest, vmax=largest)
    few = max(matrix.shape) <= _NUMBERED
    for axis, dim in ((ax.xaxis, matrix.dims[1]), (ax.yaxis, matrix.dims[0])):
        labels = [str(name) for name in matrix[dim].values]
        axis.set_ticks(range(len(labels)) if few else [], labels if few else [])
    if matrix.dims == ("row", "col"):  # blocks of students and teachers
        for line in (ax.axhline, ax.axvline):
            line(n_student - 0.5, color="#444444", lw=0.8)
    if few:
        for (i, j), value in np.ndenumerate(matrix.values):
            colour = "white" if abs(value) > 0.6 * largest else "black"
            ax.text(j, i, f"{round(float(value), 2) + 0.0:.2f}", ha="center", va="center", fontsize=6, color=colour)
    return image


def plot_specialisation(result: Trajectory | Ensemble, ax: Any = None) -> Any:
    """Specialisation, and |cosine| of the pairs that match best at the last time in colour, of all others in grey.

    Of an ensemble the median over runs. Returns the new figure, or `ax` if one was given.
    """
    from scipy.optimize import linear_sum_assignment

    figure, axes = one_axes(ax)
    cosines = abs(typical(result, "cosines"))
    times = cosines["time"].values
    finite = np.flatnonzero(np.isfinite(cosines.values).all(axis=(1, 2)))
    last = cosines.values[finite[-1]] if finite.size else np.zeros(cosines.shape[1:])
    matched = list(zip(*linear_sum_assignment(last, maximize=True), strict=True))
    for k in range(cosines.shape[1]):
        for j in range(cosines.shape[2]):
            if (k, j) not in matched:
                axes.plot(times, cosines.values[:, k, j], color="#bbbbbb", lw=0.7, zorder=1)
    for rank, (k, j) in enumerate(matched):
        label = f"{cosines['student'].values[k]}, {cosines['teacher'].values[j]}" if len(matched) <= _NUMBERED else None
        axes.plot(times, cosines.values[:, k, j], color=CYCLE[rank % len(CYCLE)], lw=1.2, label=label, zorder=2)
    alone = SIMULATION if result.kind == "Ensemble" else THEORY
    axes.plot(times, typical(result, "specialisation").values, color=alone, lw=2.4, label="specialisation", zorder=3)
    finish(axes, "|cosine|", np.zeros(0))
    axes.set_ylim(-0.02, 1.02)
    legend(axes)
    return axes if ax is not None else figure


def typical(result: Trajectory | Ensemble, name: str) -> xr.DataArray:
    """A variable over time: of an ensemble its median over the runs still finite."""
    from .results import Ensemble

    return result.median(name) if isinstance(result, Ensemble) else result.variable(name)
