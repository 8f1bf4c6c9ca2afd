"""The figure of a stability map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..plots import legend, one_axes

if TYPE_CHECKING:
    from .map import StabilityMap

__all__ = ["DIVERGED", "cell_edges", "plot_map"]

Float = NDArray[np.float64]

_STYLES = {"linear": ("-", "black"), "descent": ("--", "#e69f00"), "guaranteed": (":", "black")}

_DECADES = 6.0
"""Changes beyond so many powers of ten all have the last colour."""

DIVERGED = "#3b0f1c"


def plot_map(found: StabilityMap, ax: Any = None) -> Any:
    """Blue where the statistic falls, red where it grows, dark where it diverges, and the thresholds on top."""
    from matplotlib.colors import ListedColormap, TwoSlopeNorm

    figure, axes = one_axes(ax)
    data = found.dataset
    values, rates, change = data["value"].values, data["learning_rate"].values, data["change"].values.T
    finite = change[np.isfinite(change)]
    extent = min(_DECADES, float(np.max(np.abs(finite), initial=0.1)))
    edges = cell_edges(values, log=False), cell_edges(rates, log=True)
    norm = TwoSlopeNorm(0.0, -extent, extent)
    shown = np.ma.masked_where(~np.isfinite(change), change)
    image = axes.pcolormesh(*edges, shown, cmap="RdBu_r", norm=norm, rasterized=True)
    diverged = np.ma.masked_where(~(change == np.inf), np.ones_like(change))
    axes.pcolormesh(*edges, diverged, cmap=ListedColormap([DIVERGED]), rasterized=True)
    for kind in data["kind"].values:
        curve = data["threshold"].sel(kind=kind).values
        line, colour = _STYLES[str(kind)]
        axes.plot(values, curve, color=colour, lw=2.0, ls=line, label=f"{kind} threshold")
    if np.any(change == np.inf):
        axes.fill_between([], [], color=DIVERGED, label="diverged")
    axes.set_yscale("log")
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][0], edges[1][-1])
    axes.set_xlabel(found.parameter.replace("_", " "))
    axes.set_ylabel(r"learning rate $\gamma$")
    name = found.statistic.replace("_", " ")
    label = rf"$\log_{{10}}$ of {name} at t = {found.horizon:g} relative to the start"
    figure.colorbar(image, ax=axes, extend="both" if extent == _DECADES else "neither", label=label)
    legend(axes)
    return axes if ax is not None else figure


def cell_edges(centres: Float, log: bool) -> Float:
    """Boundaries of cells around increasing centres, (count + 1,)."""
    places = np.log(centres) if log else centres
    if places.size == 1:
        places = places + np.array([-0.1, 0.0, 0.1])
    middle = (places[1:] + places[:-1]) / 2
    made = np.concatenate([[2 * places[0] - middle[0]], middle, [2 * places[-1] - middle[-1]]])
    made = made[1:-1] if centres.size == 1 else made
    return np.exp(made) if log else made
