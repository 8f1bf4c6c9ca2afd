"""The figure of a report as an SVG that stands in the page and follows its colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from ..results import Ensemble, Trajectory
    from ..verdict import Verdict

__all__ = ["Figure", "figure", "specialisation"]


@dataclass(frozen=True)
class Figure:
    """A drawing and what it shows, in words."""

    svg: Markup
    caption: str


def figure(path: Trajectory | None, runs: Ensemble | None, verdict: Verdict | None) -> Figure | None:
    """Theory line over the simulated median and 10-90 % band with the gap below, or what there is of it."""
    if path is None and runs is None and verdict is None:
        return None
    from ..plots import figure_bytes, new_figure

    if verdict is not None:
        canvas = verdict.plot()
        canvas.suptitle("")  # the page says it in words
    else:
        canvas = new_figure()
        axes = canvas.subplots()
        for source in (runs, path):
            if source is not None:
                source.plot(ax=axes)
    drawing = _inline(figure_bytes(_transparent(canvas)).decode(), "Theory and simulation against time")
    bars = path is not None and "risk_std" in path.dataset
    return Figure(drawing, _caption(path is not None, bars, runs, verdict))


def specialisation(path: Trajectory | None) -> Figure | None:
    """Which student follows which teacher, where there are several of both."""
    if path is None or "specialisation" not in path.dataset or path.overlaps.shape[-1] < 3:
        return None
    from ..matrixplots import plot_specialisation
    from ..plots import figure_bytes

    drawing = _inline(figure_bytes(_transparent(plot_specialisation(path))).decode(), "Specialisation against time")
    return Figure(
        drawing,
        "Specialisation of the students, by the ODEs: |cosine| of the pairs of student and teacher that match best at "
        "the last time in colour, of all others in grey; the thick line is the mean over the matched pairs.",
    )


def _transparent(canvas: Any) -> Any:
    for patch in (canvas.patch, *(axes.patch for axes in canvas.axes)):
        patch.set_visible(False)
    return canvas


def _inline(text: str, label: str) -> Markup:
    """Without XML prologue, metadata and page-wide style, in the colours of the page."""
    from ..plots import SIMULATION, THEORY

    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    colours = {
        "#000000": "currentColor",
        "#ffffff": "var(--paper)",
        THEORY: "var(--theory)",
        SIMULATION: "var(--simulation)",
    }
    for colour, name in colours.items():
        body = body.replace(colour, name)
    attributes = f'role="img" aria-label="{label}" fill="currentColor" stroke-linejoin="round"'
    opening, rest = body.split(">", 1)
    opening = re.sub(r'\s(width|height)="[^"]*pt"', "", opening)
    return Markup(f"{opening} {attributes}>{rest}")  # drawn by matplotlib, which escapes what it writes


def _caption(theory: bool, bars: bool, runs: Ensemble | None, verdict: Verdict | None) -> str:
    parts = []
    if theory:
        parts.append("Line: the solution of the ODEs.")
    if bars and verdict is not None:
        parts.append("Dashed: where the theory has the middle 80 % of single runs.")
    elif bars:
        parts.append("Around it: where the theory has 90 % of single runs.")
    if runs is not None:
        parts.append(f"Band: the middle 80 % (10 % to 90 %) of {runs.runs} runs of SGD, with their median.")
    if verdict is not None and verdict.bias > 0:
        parts.append("Below: simulated mean minus theory, and the O(1/d) by which a limit may differ from a finite d.")
    return " ".join(["Against time t = steps / d.", *parts])
