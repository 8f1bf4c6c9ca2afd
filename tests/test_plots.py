"""Figures: what is drawn, on which scale, and that it is drawn the same way twice."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.compare import compare
from hdsym.plots import figure_bytes

TIME = np.linspace(0.0, 10.0, 41)
GRAM = np.broadcast_to(np.array([[1.0, 0.5], [0.5, 1.0]]), (41, 2, 2))


def trajectory(risk: Any) -> hd.Trajectory:
    return hd.Trajectory.build(time=TIME, overlaps=GRAM, gram=GRAM, risk=risk, attrs={"model": "toy"})


def ensemble(risk: Any, runs: int = 8) -> hd.Ensemble:
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal((runs, 41)))
    gram = GRAM * noise[..., None, None]
    return hd.Ensemble.build(time=TIME, overlaps=gram, gram=gram, risk=risk * noise, attrs={"d": 100})


@pytest.mark.parametrize(("rate", "scale"), [(0.05, "linear"), (1.0, "log")])
def test_the_axis_is_logarithmic_when_the_range_warrants(rate: float, scale: str) -> None:
    risk = np.exp(-rate * TIME)
    for figure in (trajectory(risk).plot(), ensemble(risk).plot()):
        (axes,) = figure.axes
        assert axes.get_yscale() == scale
        assert axes.get_xlabel() == "t = steps / d"
        assert axes.get_ylabel() == "risk"


def test_curves_are_the_data() -> None:
    risk = np.exp(-TIME)
    path, runs = trajectory(risk), ensemble(risk)
    (axes,) = path.plot().axes
    assert axes.lines[0].get_ydata() == pytest.approx(risk)
    (axes,) = runs.plot().axes
    assert axes.lines[0].get_ydata() == pytest.approx(runs.median("risk").values)
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(runs.quantiles("risk", 0.1).values.min())


def test_given_axes_are_used_and_returned() -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    risk = np.exp(-TIME)
    path, runs = trajectory(risk), ensemble(risk)
    assert path.plot(ax=axes) is axes
    assert runs.plot(ax=axes) is axes
    assert compare(path, runs).plot(ax=axes) is axes
    assert {text.get_text() for text in axes.get_legend().get_texts()} >= {"theory", "10-90 %"}


def test_matrices_show_their_upper_triangle() -> None:
    risk = np.exp(-TIME)
    for figure in (trajectory(risk).plot(statistic="overlaps"), ensemble(risk).plot(statistic="gram")):
        (axes,) = figure.axes
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["x, x", "x, s", "s, s"]


def test_a_verdict_shows_every_statistic_with_its_gap() -> None:
    risk = np.exp(-TIME)
    verdict = compare(trajectory(risk), ensemble(risk), ("risk", "norm", "distance", "cosine"))
    figure = verdict.plot()
    assert len(figure.axes) == 8
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert "risk" in labels
    assert "gap in %" in labels
    assert "agree" in figure.get_suptitle()
    assert figure_bytes(figure, "png").startswith(b"\x89PNG")


def test_the_legend_covers_no_curve() -> None:
    risk = np.exp(-TIME)
    figure = compare(trajectory(risk), ensemble(risk)).plot()
    figure.canvas.draw()
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(axes.get_window_extent()) for axes in figure.axes)


@pytest.mark.parametrize("statistics", [("risk",), ("risk", "norm"), ("risk", "norm", "cosine")])
def test_the_legend_of_a_verdict_fits_into_the_figure(statistics: tuple[str, ...]) -> None:
    risk = np.exp(-TIME)
    figure = compare(trajectory(risk), ensemble(risk, runs=30), statistics=statistics).plot()
    figure.canvas.draw()
    legend, whole = figure.legends[0].get_window_extent(), figure.bbox
    margin = 0.01 * whole.width  # text is a little wider at other resolutions
    assert whole.x0 + margin <= legend.x0
    assert legend.x1 <= whole.x1 - margin


def test_bytes_are_reproducible() -> None:
    path = trajectory(np.exp(-TIME))
    assert figure_bytes(path.plot(), "svg") == figure_bytes(path.plot(), "svg")
    assert b"<svg" in figure_bytes(path.plot())
    assert figure_bytes(path.plot(), "pdf").startswith(b"%PDF")


def test_notebooks_show_the_figure() -> None:
    assert trajectory(np.exp(-TIME)).plot()._repr_png_().startswith(b"\x89PNG")


def test_importing_the_results_does_not_import_matplotlib_or_pyplot() -> None:
    code = (
        "import sys, hdsym.results, hdsym.compare, hdsym.plots\n"
        "assert not {'matplotlib', 'xarray', 'scipy.integrate'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    code = "import sys, hdsym.plots as p; p.figure_bytes(p.new_figure()); assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
