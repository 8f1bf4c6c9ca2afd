"""Figures, through matplotlib's objects: no global state, nothing is left open."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .curves import SIMULATION, THEORY, styled

if TYPE_CHECKING:
    from .results import Ensemble, Trajectory
    from .verdict import Verdict

__all__ = [
    "SIMULATION",
    "THEORY",
    "despine",
    "figure_bytes",
    "finish",
    "label_of",
    "legend",
    "new_figure",
    "one_axes",
    "plot_ensemble",
    "plot_trajectory",
    "plot_verdict",
]

_BAND = 0.9
"""Probability of the band of single runs around a theory curve."""

_LARGE_PANELS = 9
"""Statistics of a verdict up to which each has a large panel."""

_LOG_RANGE = 20.0
"""Ratio of largest to smallest positive value from which the axis is logarithmic."""

_LABELS = {
    "aligned_distance": r"aligned distance $\min_\pi \|X_\pi - X^\star\|^2$",
    "cosines": r"cosines of students and teachers",
    "distance": r"distance $\|X - X^\star\|^2$",
    "norm": r"norm $\|X\|$",
    "teacher_norm": r"norm $\|X^\star\|$",
    "excess_risk": "excess risk",
    "overlaps": r"overlaps $W^\top K W$",
    "gram": r"overlaps $W^\top W$",
    "learning_rate": r"learning rate $\gamma(t)$",
    "trained": "trained scalars",
}


def new_figure(width: float = 6.4, height: float = 4.0) -> Any:
    """A matplotlib figure that notebooks show when it is the value of a cell, with or without pyplot."""
    from .notebookfigure import NotebookFigure

    return NotebookFigure(figsize=(width, height), layout="constrained")


def figure_bytes(figure: Any, kind: str = "svg") -> bytes:
    """The figure as ``"svg"``, ``"png"`` or ``"pdf"``; the same figure gives the same bytes."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context({"svg.hashsalt": "hdsym", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=kind, dpi=150, metadata=metadata)
    return buffer.getvalue()


def plot_trajectory(path: Trajectory, ax: Any = None, statistic: str = "risk") -> Any:
    """A line, or one for each entry of an array, and the band of single runs if the trajectory has error bars.

    Returns the new figure, or `ax` if one was given.
    """
    figure, axes = one_axes(ax)
    array = path.variable(statistic)
    curves = styled(array, path.n_student, THEORY)
    band = path.band(_BAND, statistic) if f"{statistic}_std" in path.dataset else None
    for curve in curves:
        if band is not None:
            low, high = (curve.of(band.isel(quantile=k)) for k in (0, 1))
            label = None if curve.entry else f"{100 * _BAND:g} % of single runs, d = {path.attrs['d']}"
            axes.fill_between(path.time.values, low, high, color=curve.colour, alpha=curve.alpha, lw=0, label=label)
        axes.plot(
            path.time.values,
            curve.of(array),
            color=curve.colour,
            lw=curve.width,
            label=curve.label if curve.entry else "theory",
        )
    finish(axes, statistic, array.values.ravel())
    if len(curves) > 1 or ax is not None or band is not None:
        legend(axes)
    return axes if ax is not None else figure


def plot_ensemble(runs: Ensemble, ax: Any = None, statistic: str = "risk") -> Any:
    """Median and 10-90 % band over runs, for each entry of an array; returns the new figure, or `ax` if given."""
    figure, axes = one_axes(ax)
    low, median, high = runs.quantiles(statistic, [0.1, 0.5, 0.9])
    times, alone = runs.time.values, f"SGD, {runs.runs} runs: median"
    for curve in styled(median, runs.n_student, SIMULATION):
        band = None if curve.entry else "10-90 %"
        axes.fill_between(times, curve.of(low), curve.of(high), color=curve.colour, alpha=curve.alpha, lw=0, label=band)
        axes.plot(
            times, curve.of(median), color=curve.colour, lw=curve.width, label=curve.label or (alone if band else None)
        )
    finish(axes, statistic, median.values.ravel())
    legend(axes)
    return axes if ax is not None else figure


def plot_verdict(verdict: Verdict, ax: Any = None) -> Any:
    """Theory on simulation; without `ax` a figure of all statistics, each with its gap below."""
    data = verdict.dataset
    if ax is not None:
        _compared(ax, data.isel(statistic=0), verdict.runs)
        _finish_time(ax)
        legend(ax)
        return ax
    count = int(data.sizes["statistic"])
    # many statistics, as the entries of a matrix, are drawn small
    most, width, height = (3, 4.2, 5.0) if count <= _LARGE_PANELS else (6, 2.6, 3.2)
    columns = min(count, most)
    blocks = -(-count // columns)
    figure = new_figure(max(6.4, width * columns), height * blocks + 0.4)
    grid = figure.subplots(
        2 * blocks, columns, squeeze=False, sharex=True, gridspec_kw={"height_ratios": [3, 1.4] * blocks}
    )
    for k in range(blocks * columns):
        top, bottom = grid[2 * (k // columns), k % columns], grid[2 * (k // columns) + 1, k % columns]
        if k < count:
            _compared(top, data.isel(statistic=k), verdict.runs)
            _gap(bottom, data.isel(statistic=k), verdict)
            _finish_time(bottom)
        else:
            top.remove()
            bottom.remove()
    handles = [h for axes in grid[:2, 0] for h in axes.get_legend_handles_labels()[0]]
    # below the axes, where there are no curves
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3 if columns <= 2 else 5, frameon=False, fontsize="small"
    )
    figure.suptitle(_title(verdict), fontsize="medium")
    return figure


def _title(verdict: Verdict) -> str:
    mark = "agree" if verdict.agree else "disagree"
    name = f"{verdict.title}: " if verdict.title else ""
    return f"{name}theory and simulation {mark} (p = {verdict.p_value:.2g})"


def _compared(axes: Any, data: Any, runs: int) -> None:
    """Theory line, hollow markers at the median so that the line stays visible, band."""
    times = data["time"].values
    low, median, high = (data[name].values for name in ("q10", "median", "q90"))
    curve = data["curve"].values
    axes.plot(data["curve_time"].values, curve, color=THEORY, lw=1.6, label="theory", zorder=2)
    style = {"ls": "none", "marker": "o", "ms": 3.5, "mfc": "white", "mew": 1.0}
    axes.plot(times, median, color=SIMULATION, label=f"SGD, {runs} runs: median", zorder=3, **style)
    axes.fill_between(times, low, high, color=SIMULATION, alpha=0.3, lw=0, label="10-90 %", zorder=1)
    for k, name in enumerate(("theory_q10", "theory_q90")):
        if name in data:
            own = None if k else "10-90 % by theory"
            axes.plot(data["curve_time"].values, data[name].values, color=THEORY, lw=0.9, ls="--", label=own, zorder=2)
    finish(axes, str(data["statistic"].item()), np.concatenate([curve, median, low]), label_time=False)


def _gap(axes: Any, data: Any, verdict: Verdict) -> None:
    """Gap, its error and simultaneous band, in percent of the theory where that does not come near zero."""
    times, theory = data["time"].values, np.abs(data["theory"].values)
    relative = bool(theory.min() > 1e-3 * theory.max())
    unit = 100.0 / theory if relative else np.ones_like(theory)
    gap, error, band, allowed = (data[name].values * unit for name in ("gap", "standard_error", "band", "allowance"))
    if verdict.bias > 0:
        axes.fill_between(times, -allowed, allowed, color=THEORY, alpha=0.15, lw=0, label="O(1/d) allowance")
    axes.axhline(0.0, color=THEORY, lw=1.0)
    label = f"{100 * (1 - verdict.level):.4g} % simultaneous band"
    axes.fill_between(times, gap - band, gap + band, color=SIMULATION, alpha=0.18, lw=0, label=label)
    what = r"mean $-$ bias $-$ theory" if verdict.other_d is not None else r"mean $-$ theory"
    label = rf"{what}, $\pm$ 2 s.e."
    axes.errorbar(times, gap, yerr=2 * error, fmt=".", ms=3, lw=0.8, color=SIMULATION, label=label)
    axes.set_ylabel("gap in %" if relative else "gap")
    # the allowance may be many times wider than the gaps near t = 0: it is cut there, so that the gaps can be seen
    largest = float(np.max(np.abs(gap) + np.maximum(band, 2 * error)))
    late = float(np.median(allowed))
    if largest > 0:
        axes.set_ylim(*(sign * 1.25 * max(largest, min(late, 3 * largest)) for sign in (-1, 1)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
    despine(axes)


def one_axes(ax: Any) -> tuple[Any, Any]:
    """Figure and axes: those of `ax`, or new ones."""
    if ax is not None:
        return ax.figure, ax
    figure = new_figure()
    return figure, figure.subplots()


def label_of(statistic: str) -> str:
    """How figures call a statistic."""
    return _LABELS.get(statistic, statistic.replace("_", " "))


def finish(axes: Any, statistic: str, values: NDArray[np.float64], *, label_time: bool = True) -> None:
    """Name the axes, logarithmic where the range of `values` warrants it."""
    axes.set_ylabel(label_of(statistic))
    finite = values[np.isfinite(values)]
    if finite.size and finite.min() > 0 and finite.max() > _LOG_RANGE * finite.min():
        axes.set_yscale("log")
    axes.margins(x=0.02)
    despine(axes)
    if label_time:
        _finish_time(axes)


def _finish_time(axes: Any) -> None:
    axes.set_xlabel("t = steps / d")
    axes.tick_params(labelbottom=True)


def despine(axes: Any) -> None:
    """A light grid, and no lines above and right of the axes."""
    axes.grid(True, which="major", alpha=0.25, lw=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def legend(axes: Any) -> None:
    """Above the axes, where there are no curves."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False, fontsize="small", borderaxespad=0.1
    )
