"""An adaptive learning rate along a time integration: its states ride at the end of the packed state."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .adaptive import AdaptiveRate
from .errors import DeclarationError, SolveError
from .measured import Measured

if TYPE_CHECKING:
    from .integration import Run

__all__ = ["RateStates", "rate_states"]

Float = NDArray[np.float64]


def rate_states(run: Run) -> RateStates | None:
    """The states of an adaptive rate; ``None`` for a schedule."""
    rate = run.problem.learning_rate
    return RateStates(rate, run) if isinstance(rate, AdaptiveRate) else None


class RateStates:
    """The rate of one run; `gamma` is what the right-hand side of the mode equations is called with at the moment."""

    def __init__(self, rate: AdaptiveRate, run: Run) -> None:
        self.rate, self.run = rate, run
        self.gamma = 0.0
        rate.check(run.model)
        lengths = {"norm2", "distance2", *(["alignment"] if run.problem.delta else [])} & rate.needs
        if lengths and not run.modes.bounded:
            raise DeclarationError(
                f"the learning rate {rate.describe()} uses {min(lengths)}, and W^T W has no limit for this start",
                remedy="use a rule without norms, or a start of finite length",
            )

    @property
    def count(self) -> int:
        """How many states there are."""
        return len(self.rate.start)

    def wrap(self, rhs: Callable[[float, Float], Float]) -> Callable[[float, Float], Float]:
        """The right-hand side of modes and states together; `rhs` asks for the rate by calling :meth:`current`."""

        def both(t: float, y: Float) -> Float:
            modes, states = self.split(y)
            try:
                gamma, slopes = self.rate.evaluate(t, self._quantities(modes), states)
            except DeclarationError as error:
                raise SolveError(error.message, t=t, remedy=error.remedy) from None
            self.gamma = float(gamma)
            return np.concatenate([rhs(t, modes), slopes])

        return both

    def current(self, _: float) -> float:
        """The rate at the state that is being looked at."""
        return self.gamma

    def split(self, y: Float) -> tuple[Float, Float]:
        """Packed modes and states of packed states (..., entries)."""
        end = y.shape[-1] - self.count
        return y[..., :end], y[..., end:]

    def along(self, times: Float, y: Float) -> Float:
        """Gamma at times (T,) and packed states (T, entries)."""
        modes, states = self.split(y)
        found = [
            self.rate.evaluate(t, self._quantities(one), u)[0] for t, one, u in zip(times, modes, states, strict=True)
        ]
        return np.array(found, dtype=np.float64).reshape(times.shape)

    def _quantities(self, modes: Float) -> dict[str, float]:
        """What the rate depends on, by name, at one state of the modes."""
        run = self.run
        grams, trained = run._split_modes(modes)
        theta = np.zeros(0) if trained is None else trained

        def squares() -> Float:
            return np.asarray(np.einsum("m,mij->ij", run.lam**2, grams))

        return self._measured(run._overlaps(grams), grams.sum(axis=0), squares, theta)

    @cached_property
    def _measured(self) -> Measured:
        run, problem = self.run, self.run.problem

        def risk(B: Float, theta: Float) -> float:
            return float(run._risk(B, theta if theta.size else None))

        traces = float(run.rho @ run.lam), float(run.rho @ run.lam**2)
        return Measured(self.rate.needs, traces, problem.delta, float(problem.batch_size), risk, run.drift)
