"""Curves on a grid of learning rates and one more knob, computed once, for a page whose sliders choose among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ..errors import HdsymError
from .knobs import Knob, knobs
from .quick import Quick

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem

__all__ = ["Grid", "grid"]

Float = NDArray[np.float64]

_POINTS = 61
_SIZES = ((7, 3), (5, 3))
"""Values of the learning rate and of the other knob, where formulas are closed, and where they are integrated."""

_MOST_LEVELS, _MOST_INTEGRATED = 20_000, 2
"""Levels of a spectrum, and preactivations where formulas are integrated, up to which a grid takes a second or two."""


@dataclass(frozen=True)
class Grid:
    """Curves of the risk over two knobs.

    Attributes
    ----------
    labels, values:
        What the knobs are called, and their values, ascending.
    chosen:
        Places of the problem's own values.
    times, risks, thresholds:
        (T,), (a, b, T) and (a, b): times, risks, and the descent thresholds at the start; NaN where a solution has left
        the finite range, or there is no threshold.
    """

    labels: tuple[str, str]
    values: tuple[Float, Float]
    chosen: tuple[int, int]
    times: Float
    risks: Float
    thresholds: Float

    @property
    def json(self) -> Markup:
        """All of it for a script, to four digits; nothing in it ends one."""
        told = {
            "labels": self.labels,
            "values": [_short(values) for values in self.values],
            "chosen": self.chosen,
            "times": _short(self.times),
            "risks": _short(self.risks),
            "thresholds": _short(self.thresholds),
        }
        text = json.dumps(told, separators=(",", ":"), allow_nan=False)
        return Markup(text.replace("<", "\\u003c"))


def grid(theory: Derivation | SizedDerivation, problem: Problem, t: float | None = None) -> Grid | None:
    """The grid around a problem; ``None`` if it has no two knobs, or cannot be solved quickly.

    The second knob is the cosine of the start, the exponent of the spectrum or the regularisation, what it has of them.
    """
    found = {knob.name: knob for knob in knobs(problem)}
    second = next((found[name] for name in ("cosine", "exponent", "delta") if name in found), None)
    if "learning_rate" not in found or second is None:
        return None
    directions = problem.explicit(theory.model)
    wide = not theory.exact and directions.n_student + directions.n_teacher > _MOST_INTEGRATED
    if wide or len(problem.spectrum.levels) > _MOST_LEVELS:
        return None
    first, (a, b) = found["learning_rate"], _SIZES[0 if theory.exact else 1]
    axes = first.grid(a), _inner(second, b)
    quick = Quick(theory, problem.horizon if t is None else t, _POINTS)
    risks, limits = np.full((a, b, _POINTS), np.nan), np.full((a, b), np.nan)
    for i, j in np.ndindex(a, b):
        posed = second.turned(first.turned(problem, float(axes[0][i])), float(axes[1][j]))
        try:
            path = quick.solve(posed)
            limit = quick.threshold(posed, path)
        except HdsymError:
            continue  # singular there: a kinked model at X = X*, say
        count = int(np.searchsorted(quick.times, path.time.values[-1], side="right"))
        risks[i, j, :count] = path.risk.values[:count]
        limits[i, j] = np.nan if limit is None else limit[0]
    chosen = int(np.argmin(np.abs(axes[0] - first.value))), int(np.argmin(np.abs(axes[1] - second.value)))
    if not np.isfinite(risks[chosen]).all():
        return None
    return Grid((first.label, second.label), axes, chosen, quick.times, risks, limits)


def _inner(knob: Knob, count: int) -> Float:
    """Values without the ends of the cosine, where a start has nothing left to learn."""
    if knob.name != "cosine":
        return knob.grid(count)
    values = np.linspace(max(knob.low, 0.05), 0.9, count)
    values[int(np.argmin(np.abs(values - knob.value)))] = knob.value
    return np.sort(values)


def _short(values: Float) -> list[object]:
    """Four digits each; ``None`` for what is not finite."""
    if values.ndim > 1:
        return [_short(row) for row in values]
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in values.tolist()]
