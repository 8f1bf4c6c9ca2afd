"""Learning-rate schedules that are often used: ``learning_rate=hd.schedules.cosine(0.5, 20)``.

They are expressions in ``hd.t`` and can be multiplied, added and bounded like any expression; t = steps / d.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from . import checks
from .cas import Expr, sp, to_expr
from .errors import DeclarationError
from .symbols import t as time

__all__ = ["cosine", "piecewise", "power", "step", "warmup"]


def power(rate: float, exponent: float, scale: float = 1.0) -> Expr:
    """Rate (1 + t / scale)^-exponent."""
    rate, exponent = _number(rate, "rate"), _number(exponent, "exponent")
    return rate * (1 + time / _positive(scale, "scale")) ** (-exponent)


def cosine(rate: float, horizon: float, final: float = 0.0) -> Expr:
    """From `rate` at t = 0 to `final` at `horizon` along half a period of a cosine; constant from there on."""
    rate, final, end = _number(rate, "rate"), _number(final, "final"), _positive(horizon, "horizon")
    return final + (rate - final) * (1 + sp.cos(sp.pi * sp.Min(time / end, 1))) / 2


def step(rate: float, factor: float, every: float) -> Expr:
    """`rate`, multiplied by `factor` whenever `every` has passed."""
    return _number(rate, "rate") * _number(factor, "factor") ** sp.floor(time / _positive(every, "every"))


def warmup(duration: float, rate: Any = 1.0) -> Expr:
    """A rise from zero in proportion to t until `duration`, then `rate`: a number, or a schedule that starts there.

    ``warmup(2.0, cosine(0.5, 20))`` is the cosine schedule, multiplied by t / 2 up to t = 2.
    """
    expr = to_expr(rate)
    if expr is None:
        raise DeclarationError(f"the rate is {rate!r}", remedy="give a number, or an expression in hd.t")
    return sp.Min(time / _positive(duration, "duration"), 1) * expr


def piecewise(times: Sequence[float], rates: Sequence[float], *, linear: bool = False) -> Expr:
    """rates[i] from times[i] on, or, if `linear`, straight lines between the points, and rates[-1] after the last.

    Raises
    ------
    DeclarationError
        Unless the times increase from 0 on, and there is a rate for each.
    """
    knots = [_number(value, "a time") for value in times]
    values = [_number(value, "a rate") for value in rates]
    ordered = all(first < second for first, second in itertools.pairwise(knots))
    if not knots or len(knots) != len(values) or knots[0] != 0 or not ordered:
        raise DeclarationError(
            f"times are {list(times)!r}, rates {list(rates)!r}",
            remedy="give increasing times from 0 on, a rate for each",
        )
    pieces: list[tuple[Expr, Any]] = []
    for k in range(len(knots) - 1):
        slope = (values[k + 1] - values[k]) / (knots[k + 1] - knots[k]) if linear else sp.S.Zero
        pieces.append((values[k] + slope * (time - knots[k]), time < knots[k + 1]))
    return sp.Piecewise(*pieces, (values[-1], True))


def _number(value: float, name: str) -> Expr:
    return to_expr(checks.finite(value, name))


def _positive(value: float, name: str) -> Expr:
    number = _number(value, name)
    if number <= 0:
        raise DeclarationError(f"{name} is {number}", remedy="give a positive number")
    return number
