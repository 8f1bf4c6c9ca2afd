"""The figure of escape times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..plots import SIMULATION, THEORY, despine, legend, new_figure

if TYPE_CHECKING:
    from .escape import EscapeTimes

__all__ = ["plot_escape"]

_CONFIDENCE = 0.95


def plot_escape(found: EscapeTimes, ax: Any = None) -> Any:
    """The distribution of the times; without `ax` next to the curves of the first runs."""
    if ax is not None:
        _distribution(found, ax)
        return ax
    figure = new_figure(9.6 if len(found.paths) else 6.4, 4.0)
    if not len(found.paths):
        _distribution(found, figure.subplots())
        return figure
    left, right = figure.subplots(1, 2)
    _curves(found, left)
    _distribution(found, right)
    return figure


def _distribution(found: EscapeTimes, axes: Any) -> None:
    times = np.sort(found.times[np.isfinite(found.times)])
    at = np.concatenate([[0.0], times, [found.horizon]])
    share = np.concatenate([np.arange(times.size + 1), [times.size]]) / found.runs
    half = found.band(_CONFIDENCE)
    low, high = np.clip(share - half, 0.0, 1.0), np.clip(share + half, 0.0, 1.0)
    axes.fill_between(at, low, high, step="post", color=THEORY, alpha=0.2, lw=0, label=f"{_CONFIDENCE:.0%} band")
    axes.step(at, share, where="post", color=THEORY, lw=1.8, label=f"{found.runs} runs")
    if np.isfinite(found.median):
        axes.axvline(found.median, color="black", lw=0.8, ls=":", label=f"median {found.median:.4g}")
    axes.set_xlim(0.0, found.horizon)
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel("t = steps / d")
    axes.set_ylabel(f"share of runs: {found.level}")
    despine(axes)
    legend(axes)


def _curves(found: EscapeTimes, axes: Any) -> None:
    ((name, level),) = found.attrs["level"].items()
    for k, curve in enumerate(found.paths):
        axes.plot(found.path_times, curve, color=SIMULATION, lw=1.0, alpha=0.8, label=None if k else "single runs")
    for value in np.atleast_1d(level):
        axes.axhline(value, color="black", lw=0.8, ls="--")
    axes.set_xlim(0.0, found.horizon)
    axes.set_xlabel("t = steps / d")
    axes.set_ylabel(name.replace("_", " "))
    despine(axes)
    legend(axes)
