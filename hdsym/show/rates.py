"""Learning rates: a schedule with its curve, a rule with its states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ..cas import latex
from ..report.typeset import formula
from . import parts
from .drawing import Line, curves

if TYPE_CHECKING:
    from ..adaptive import AdaptiveRate
    from ..schedule import LearningRate

__all__ = ["rule", "schedule"]

_HORIZON = 20.0
"""Time up to which a schedule is drawn: the default horizon of a problem."""


def schedule(rate: LearningRate) -> str:
    """The formula, and the curve where it is not constant."""
    if rate.expr is None:
        return parts.card("Learning rate", parts.note(rate.describe()), *_curve(rate))
    math = parts.note(formula(r"\gamma(t)", rate.expr))
    return parts.card("Learning rate", parts.side_by_side(math, *_curve(rate)))


def _curve(rate: LearningRate) -> list[Markup]:
    times = np.linspace(0.0, _HORIZON, 161)
    values = [] if rate.value is not None else [curves([Line(times, rate(times))], y="learning rate")]
    return list(values)


def rule(rate: AdaptiveRate) -> str:
    """The rate, the slopes of its states, and the numbers in both."""
    math = [parts.note(formula(r"\gamma", rate.rate))]
    math += [parts.note(formula(rf"\dot {{{latex(u)}}}", slope)) for u, slope in rate.slopes.items()]
    starts: list[tuple[str, Any]] = [
        (f"{u} at t = 0", f"{value:g}") for u, value in zip(rate.slopes, rate.start.tolist(), strict=True)
    ]
    values = [(str(symbol), f"{value:g}") for symbol, value in rate.parameters.items()]
    return parts.card(f"Learning rate: {rate.label or 'adaptive'}", *math, parts.rows([*starts, *values]))
