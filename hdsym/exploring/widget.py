"""Sliders over a problem, and the curves at their values."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError, HdsymError
from ..show.drawing import Line, curves
from ..show.parts import bare, note, side_by_side
from .knobs import Knob, knobs
from .quick import Quick

if TYPE_CHECKING:
    from ..problem import Problem
    from ..results import Trajectory

__all__ = ["Explorer"]

_BEFORE = "#999999"


def _ipywidgets() -> Any:
    try:
        import ipywidgets
    except ImportError:
        raise DeclarationError(
            "sliders need ipywidgets, which is not installed", remedy="pip install 'hdsym[notebook]'"
        ) from None
    return ipywidgets


class Explorer:
    """Sliders by name, and what follows from them; it shows itself in a notebook.

    Attributes
    ----------
    sliders:
        ipywidgets sliders by name: "learning_rate", "delta", "cosine", "exponent", those that the problem has.
    problem, path:
        The problem at their values, and its solution.
    threshold:
        The learning rate up to which the distance to X* shrinks, along `path`; ``None`` if there is none.
    seconds:
        How long the last move took.
    """

    def __init__(self, quick: Quick, problem: Problem, statistic: str = "risk") -> None:
        widgets = _ipywidgets()
        self.quick, self.base, self.statistic = quick, problem, statistic
        self.knobs = knobs(problem)
        self.sliders = {knob.name: _slider(widgets, knob) for knob in self.knobs}
        self.problem, self.path = problem, quick.solve(problem)
        self._first = self.path
        self.path.variable(statistic)  # which says what there is, if that is not
        self.threshold: NDArray[np.float64] | None = None
        self.seconds = 0.0
        self._view = widgets.HTML()
        self.widget = widgets.VBox([*self.sliders.values(), self._view])
        for slider in self.sliders.values():
            slider.observe(self._moved, names="value")
        self.update()

    @property
    def values(self) -> dict[str, float]:
        """Where the sliders stand."""
        return {name: float(slider.value) for name, slider in self.sliders.items()}

    def update(self) -> None:
        """Solve again at the sliders' values, and draw."""
        began = time.perf_counter()
        try:
            problem = self.base
            for knob in self.knobs:
                problem = knob.turned(problem, float(self.sliders[knob.name].value))
            path = self.quick.solve(problem)
            self.threshold = self.quick.threshold(problem, path)
            self.problem, self.path = problem, path
            self._view.value = self._drawn()
        except HdsymError as error:
            self._view.value = str(note(str(error)))  # the last solution stays where it is
        self.seconds = time.perf_counter() - began

    def _moved(self, _: Any) -> None:
        self.update()

    def _drawn(self) -> str:
        path, first = self.path, self._first
        lines = [
            Line(first.time.values, _values(first, self.statistic), _BEFORE),
            Line(path.time.values, _values(path, self.statistic)),
        ]
        drawn = [curves(lines, y=self.statistic.replace("_", " "))]
        rates = [Line(path.time.values, path.learning_rate.values)]
        said = []
        if self.threshold is not None:
            rates.append(Line(path.time.values, np.where(self.threshold > 0, self.threshold, np.nan), "#d55e00"))
            said.append(f"descent threshold at the start {self.threshold[0]:.4g} (orange: along the solution)")
        drawn.append(curves(rates, y="learning rate"))
        end = float(path.time.values[-1])
        if end < self.quick.times[-1]:
            said.append(f"the solution leaves the finite range at t = {end:.4g}")
        said.append(
            f"{self.statistic} at the end {float(np.ravel(_values(path, self.statistic))[-1]):.4g}; grey: at first"
        )
        return bare(side_by_side(*drawn), note("; ".join(said)))

    def __repr__(self) -> str:
        at = ", ".join(f"{name} = {value:.4g}" for name, value in self.values.items())
        return f"Explorer({self.quick.theory.model.name}: {at})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget; where there is none, as in a file that is only looked at, the curves as they are."""
        return {"text/html": self._view.value, **self.widget._repr_mimebundle_(**options)}


def _values(path: Trajectory, statistic: str) -> NDArray[np.float64]:
    """A statistic over time; of several entries their mean."""
    values = path.variable(statistic).values
    return np.asarray(values.reshape(len(values), -1).mean(axis=1))


def _slider(widgets: Any, knob: Knob) -> Any:
    shared = {"description": knob.label, "style": {"description_width": "12em"}, "layout": {"width": "36em"}}
    if knob.log:
        low, high = np.log10([knob.low, knob.high]).tolist()
        return widgets.FloatLogSlider(knob.value, min=low, max=high, step=(high - low) / 200, **shared)
    step = (knob.high - knob.low) / 200
    return widgets.FloatSlider(value=knob.value, min=knob.low, max=knob.high, step=step, readout_format=".3g", **shared)
