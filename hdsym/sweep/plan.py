"""What a sweep computes, as one record that can be sent to workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from .grid import Grid

__all__ = ["SIMULATED", "Block", "Plan"]

Float = NDArray[np.float64]

SIMULATED = "simulated_"
"""What the names of simulated statistics begin with."""


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes
    ----------
    theory:
        What is solved.
    grid:
        The problems.
    times:
        (T,) wanted times.
    statistics:
        Shape of each wanted statistic at one time, by name.
    rtol, atol, modes, tol:
        As :func:`hdsym.solve.solve` has them.
    simulate:
        Arguments of :func:`hdsym.simulate` by name; empty for no simulation.
    entropy:
        Seed of the simulations, a stream for each point.
    token:
        The same for copies of one plan: workers keep one.
    """

    theory: Derivation | SizedDerivation
    grid: Grid
    times: Float
    statistics: Mapping[str, tuple[int, ...]]
    rtol: float
    atol: float
    modes: int | str
    tol: float | None
    simulate: Mapping[str, Any] = field(default_factory=dict)
    entropy: int = 0
    token: str = ""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every array at one point."""
        shapes = {name: (self.times.size, *shape) for name, shape in self.statistics.items()}
        if self.simulate:
            runs = int(self.simulate["runs"])
            shapes |= {f"{SIMULATED}{name}": (runs, *shapes[name]) for name in self.statistics}
            shapes |= {f"{SIMULATED}diverged": (runs,)}
        return {**shapes, "ended": (), "compression_error": ()}


@dataclass(frozen=True)
class Block:
    """What was found for consecutive points.

    Attributes
    ----------
    arrays:
        By name, (points, *shape at a point); NaN where there is nothing.
    reasons:
        Why a point failed, an empty text if it did not.
    single:
        Number of points that were solved one by one.
    """

    arrays: dict[str, Float]
    reasons: list[str]
    single: int = 0

    @classmethod
    def empty(cls, plan: Plan, points: int) -> Block:
        """All NaN, to be filled in."""
        return cls({name: np.full((points, *shape), np.nan) for name, shape in plan.shapes.items()}, [""] * points)
