"""The figure of gaps against dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import SIMULATION, THEORY
from .plots import despine, one_axes

if TYPE_CHECKING:
    from .scaling import DimensionScaling

__all__ = ["plot_scaling"]


def plot_scaling(scaling: DimensionScaling, ax: Any = None) -> Any:
    """Gap of every run, mean and fit against d^-1/2; returns the new figure, or `ax` if one was given."""
    figure, axes = one_axes(ax)
    data = scaling.dataset
    dims = data["d"].values.astype(np.float64)
    x, gap = dims**-0.5, 100 * data["gap"].values
    axes.plot(np.repeat(x, gap.shape[1]), gap.ravel(), ls="none", marker=".", ms=3, color=SIMULATION, alpha=0.3)
    mean, error = (100 * data[name].values for name in ("mean", "standard_error"))
    label = r"mean over runs, $\pm$ 2 s.e."
    axes.errorbar(x, mean, yerr=2 * error, fmt="o", ms=4, mfc="white", color=SIMULATION, label=label, zorder=3)
    fine = np.linspace(0.0, 1.05 * x.max(), 201)
    # the fit is of logarithms, whose mean lies below that of the gaps: it is drawn through the means
    level = np.exp(np.mean(np.log(mean / dims**scaling.slope)))
    power = level * fine[1:] ** (-2 * scaling.slope)
    axes.plot(fine[1:], power, color=THEORY, lw=1.6, label=rf"fit $d^{{{scaling.slope:.2f}}}$")
    straight = np.exp(np.mean(np.log(mean / x))) * fine
    axes.plot(fine, straight, color="#888888", lw=1.0, ls="--", label=r"$\propto d^{-1/2}$", zorder=1)
    axes.set_xlim(0.0, fine[-1])
    # a single run far away may not hide the others: the axis ends at twice the largest mean
    axes.set_ylim(0.0, 2.0 * float(np.max(mean + 2 * error)))
    axes.set_xlabel(r"$d^{-1/2}$")
    axes.set_ylabel(f"largest gap in the {scaling.statistic} in %")
    top = axes.secondary_xaxis("top")
    top.set_xticks(x, [f"{d:,.0f}" for d in dims], fontsize="small")
    top.set_xlabel("d", fontsize="small")
    despine(axes)
    axes.legend(loc="upper left", frameon=False, fontsize="small")
    return axes if ax is not None else figure
