"""What a time integration passes around: its state at one time, and schedules as plain functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import SolveError

if TYPE_CHECKING:
    from .integration import Run
    from .results import Trajectory
    from .schedule import LearningRate

__all__ = ["Dense", "State", "checked", "constant_or_call", "out_of_range", "storable"]


@dataclass(frozen=True)
class State:
    """What an event function sees: the solution at one time.

    Attributes
    ----------
    overlaps, gram:
        B = W^T K W and W^T W, shape (n, n), student first; the latter all infinite where ||W||^2 is, on densities.
    trained:
        Trained scalars, shape (count,); ``None`` if the model has none.
    """

    overlaps: NDArray[np.float64]
    gram: NDArray[np.float64]
    trained: NDArray[np.float64] | None
    _risk: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @property
    def risk(self) -> float:
        """The risk h(B)."""
        return float(self._risk(self.overlaps))


def constant_or_call(schedule: LearningRate) -> Callable[[float], float]:
    """A schedule as the plain function of time that right-hand sides call."""
    if schedule.kind == "constant":
        value = float(schedule(np.zeros(())))
        return lambda _: value
    return lambda time: float(schedule(np.asarray(time, dtype=np.float64)))


def storable(values: dict[str, Any]) -> dict[str, Any]:
    """Arrays as lists, to be stored."""
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def checked(trajectory: Trajectory, statistics: Sequence[str]) -> Trajectory:
    """No NaN reaches the user: a risk or statistic that is not finite is a SolveError that says when."""
    for name in ("risk", *statistics):
        finite = np.isfinite(trajectory.variable(name).values)
        if trajectory.time.size == 0 or not np.all(finite):
            where = float(trajectory.time[int(np.argmin(finite))]) if finite.size else 0.0
            raise SolveError(
                f"the {f'statistic {name!r}' if name in statistics else name} is not finite at t = {where:.6g}",
                t=where,
                trajectory=trajectory,
                remedy="the formula is singular at these overlaps",
            )
    return trajectory


@dataclass(frozen=True)
class Dense:
    """A solution at any times (k,), with the run that it is of.

    Attributes
    ----------
    run:
        What was integrated.
    states:
        Packed states (entries, k) at times (k,).
    """

    run: Run
    states: Callable[[Any], NDArray[np.float64]]

    def __call__(self, times: Any) -> dict[str, NDArray[np.float64]]:
        """Everything that a trajectory holds, at other times."""
        run, wanted = self.run, np.asarray(times, dtype=np.float64)
        states = self.states(wanted).T
        seen = run._observe(states)
        arrays = run._arrays(seen, run.composition.forms(seen.weigh, wanted.shape))
        return arrays | {"learning_rate": run.rates_along(wanted, states)}


def out_of_range(last: float, end: float) -> str:
    """What is said of a solution that explodes after the time `last`."""
    return f"the solution leaves the finite range near t = {last:.6g} (wanted: up to {end:.6g})"
