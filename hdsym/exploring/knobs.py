"""What of a problem can be turned, and how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import spectrum, start
from ..adaptive import AdaptiveRate
from ..problem import Problem
from ..start import RandomStart

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["Knob", "default_problem", "knobs"]


@dataclass(frozen=True)
class Knob:
    """One number of a problem.

    Attributes
    ----------
    name, label:
        How it is called in code, and beside a slider.
    value, low, high:
        Where it stands, and its range.
    log:
        Whether its range is divided by ratios.
    turned:
        The problem with another value.
    """

    name: str
    label: str
    value: float
    low: float
    high: float
    log: bool
    turned: Callable[[Problem, float], Problem]

    def grid(self, count: int) -> NDArray[np.float64]:
        """So many values over the range, with its own among them, ascending."""
        spread = np.geomspace if self.log else np.linspace
        values = np.asarray(spread(self.low, self.high, count), dtype=np.float64)
        values[int(np.argmin(np.abs(values - self.value)))] = self.value
        return np.sort(values)


def default_problem(model: Model) -> Problem:
    """Something to begin with: an anisotropic covariance, a start that knows a little, three units for each size."""
    sizes = {size.name: 3 for size in model.sizes}
    return Problem(spectrum.power_law(0.6, d=500), start.random(cosine=0.3, rng=1), 0.1, sizes=sizes)


def knobs(problem: Problem) -> tuple[Knob, ...]:
    """The knobs that a problem has."""
    found = [_rate(problem), _delta(problem), _cosine(problem), _exponent(problem)]
    return tuple(knob for knob in found if knob is not None)


def _rate(problem: Problem) -> Knob | None:
    rate = problem.learning_rate
    if isinstance(rate, AdaptiveRate) or rate.expr is None:
        return None
    if rate.value is not None:
        value = rate.value if rate.value > 0 else 0.1
        return Knob("learning_rate", "γ", value, value / 10, value * 10, True, _with_rate)
    return Knob("learning_rate", "γ(t) times", 1.0, 0.1, 10.0, True, partial(_scaled, rate.expr))


def _with_rate(problem: Problem, value: float) -> Problem:
    return replace(problem, learning_rate=value)


def _scaled(schedule: object, problem: Problem, value: float) -> Problem:
    return replace(problem, learning_rate=value * schedule)  # type: ignore[operator]  # an expression in t


def _delta(problem: Problem) -> Knob:
    return Knob(
        "delta",
        "δ",
        problem.delta,
        0.0,
        max(0.5, 4 * problem.delta),
        False,
        lambda posed, value: replace(posed, delta=value),
    )


def _cosine(problem: Problem) -> Knob | None:
    if not isinstance(problem.start, RandomStart):
        return None

    def turned(posed: Problem, value: float) -> Problem:
        assert isinstance(posed.start, RandomStart)  # knobs of one problem are turned on it
        return replace(posed, start=replace(posed.start, cosine=value))

    low = min(0.0, problem.start.cosine)
    return Knob("cosine", "cosine of the start", problem.start.cosine, low, 1.0, False, turned)


def _exponent(problem: Problem) -> Knob | None:
    made = problem.spectrum.family
    if not isinstance(made, partial) or made.func is not spectrum.power_law or problem.data is not None:
        return None
    alpha, d, trace = float(made.args[0]), problem.spectrum.dimension(), float(made.keywords.get("trace", 1.0))

    def turned(posed: Problem, value: float) -> Problem:
        return replace(posed, spectrum=spectrum.power_law(value, d=d, trace=trace))

    return Knob("exponent", "exponent of the spectrum", alpha, min(0.0, alpha), max(1.5, alpha), False, turned)
