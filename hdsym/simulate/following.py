"""Adaptive learning rates in homogenized SGD: their states follow the theory's slopes at the weights of the run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..errors import DeclarationError
from ..measured import Measured
from .rules import Seen

__all__ = ["Following"]

Float = NDArray[np.float64]


class Following:
    """The rate of one run.

    A step of length tau takes the rate in its middle, extrapolated from its start and that of the step before, as it
    must not know the step's noise; states move alike. Both are of second order, of first with `euler`.
    """

    def __init__(self, rate: AdaptiveRate, measured: Measured, tau: float, *, euler: bool) -> None:
        self.rate, self.measured, self.tau, self.euler = rate, measured, tau, euler
        self.states = rate.start.copy()
        self.before: tuple[Float, Float] | None = None

    def step(self, middle: float, seen: Seen) -> float:
        """The rate of the step with this middle, from what is seen at its start; NaN where the rule gives none."""
        try:
            now = self.rate.evaluate(middle - self.tau / 2.0, self.measured(*seen), self.states)
        except DeclarationError:  # negative or not finite: the run ends here
            return float("nan")
        past = now if self.before is None or self.euler else self.before
        self.before = now
        self.states = self.states + self.tau * (1.5 * now[1] - 0.5 * past[1])
        return max(float(1.5 * now[0] - 0.5 * past[0]), 0.0)
