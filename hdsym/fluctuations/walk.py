"""Runs of the diffusion up to a level: stepping many at once, and how long the steps may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..composition import over_modes
from ..errors import DeclarationError, SolveError
from ..geometry import geometry
from ..linearised import Observed
from .sde import Equation, States

if TYPE_CHECKING:
    from ..integration import Run

__all__ = ["Level", "Walk", "chosen_steps", "walk"]

Float = NDArray[np.float64]
Draw = Callable[[NDArray[np.int64]], Float]
"""Standard normals (chosen, normals) of the next step for the runs with these numbers."""

_PILOTS, _FEWEST = 128, 64
"""Runs whose steps are halved to see what changes, and the fewest steps up to the horizon."""

_SEED = 20261128
"""Of the pilot runs, whose stream nothing else uses."""


class Level:
    """A scalar of a trajectory and the level that it crosses, or the interval that it leaves.

    Raises
    ------
    DeclarationError
        If there is not one name with a finite number or pair low < high, or no such scalar.
    """

    def __init__(self, run: Run, level: Mapping[str, Any]) -> None:
        if len(level) != 1:
            raise DeclarationError(f"level is {level!r}", remedy='give one, for instance level={"risk": 0.1}')
        ((self.name, given),) = level.items()
        self.run = run
        bounds = np.atleast_1d(checks.real_array(given, f"the level of the {self.name}"))
        if bounds.shape not in ((1,), (2,)) or np.any(np.diff(bounds) <= 0):
            raise DeclarationError(f"the level of the {self.name} is {given!r}", remedy="give a number or (low, high)")
        self.low, self.high = float(bounds[0]), float(bounds[-1])
        known = self._names()
        if self.name not in known:
            raise DeclarationError(
                f"{self.name!r} has no single value in each state", remedy=f"choose from {', '.join(sorted(known))}"
            )

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.name.replace('_', ' ')} reaches {self.low:g}"
        return f"{self.name.replace('_', ' ')} leaves ({self.low:g}, {self.high:g})"

    def gap(self, values: Float) -> Float:
        """What changes sign at a crossing."""
        return values - self.low if self.low == self.high else np.minimum(values - self.low, self.high - values)

    def __call__(self, y: States) -> Float:
        """The scalar in every state, (runs,)."""
        run, trained = self.run, y.trained if y.trained.shape[1] else None
        with np.errstate(all="ignore"):
            overlaps = run._overlaps(y.grams)
            if self.name == "risk":
                return run._risk(overlaps, trained)
            if self.name == "excess_risk":
                return np.asarray(run._excess(run._risk(overlaps, trained), overlaps, trained))
            gram = y.grams.sum(axis=1)
            if self.name in self._shapes():
                return geometry(gram, run.model.n_student)[self.name]
            seen = Observed(overlaps, gram, trained, y.grams, over_modes(run.lam, y.grams))
            forms = run.composition.forms(seen.weigh, overlaps.shape[:1])
            return run._statistics(overlaps, trained, forms)[self.name]

    def _shapes(self) -> set[str]:
        found = geometry(self.run.grams.sum(axis=0)[None], self.run.model.n_student)
        return {name for name, values in found.items() if values.ndim == 1} - {"teacher_norm"}

    def _names(self) -> set[str]:
        run = self.run
        overlaps = run._overlaps(run.grams[None])
        trained = None if run.start_scalars is None else run.start_scalars[None]
        excess = run._excess(run._risk(overlaps, trained), overlaps, trained)
        names = {"risk", *self._shapes(), *(name for name, _ in run.model.declared_statistics)}
        return names if excess is None else names | {"excess_risk"}


@dataclass(frozen=True)
class Walk:
    """Where runs got to.

    Attributes
    ----------
    times:
        (runs,) when each crossed the level; infinite where it had not by the horizon.
    lost:
        (runs,) whether it left the finite range before that.
    curves:
        (kept, steps + 1) values of the first runs after each step; NaN from where one was lost.
    last:
        (runs,) the latest value.
    """

    times: Float
    lost: NDArray[np.bool_]
    curves: Float
    last: Float


def walk(
    equation: Equation, start: States, horizon: float, steps: int, draw: Draw, level: Level, keep: int = 0
) -> Walk:
    """Take steps until every run has crossed the level or the horizon is reached; the first `keep` go on.

    Crossings are found at the ends of steps and interpolated linearly within.
    """
    tau, runs = horizon / steps, len(start)
    times, lost = np.full(runs, np.inf), np.zeros(runs, dtype=np.bool_)
    last = level(start).copy()
    before = level.gap(last)
    side, curves = np.sign(before), np.full((min(keep, runs), steps + 1), np.nan)
    times[side == 0], curves[:, 0] = 0.0, last[:keep]
    active, y = np.arange(runs), start
    for k in range(steps):
        going = (np.isinf(times[active]) | (active < keep)) & ~lost[active]
        if not going.any():
            break
        active, y, before = active[going], y[going], before[going]
        y = equation.step(k * tau, tau, y, draw(active))
        values = level(y)
        fine = y.finite & np.isfinite(values) & equation.exists(y)
        after = level.gap(values)
        crossed = np.isinf(times[active]) & fine & (after * side[active] <= 0)
        times[active[crossed]] = tau * (k + before[crossed] / (before[crossed] - after[crossed]))
        lost[active[~fine]], last[active[fine]] = True, values[fine]
        kept = fine & (active < keep)
        curves[active[kept], k + 1] = values[kept]
        before = after
    return Walk(times, lost & np.isinf(times), curves, last)


def chosen_steps(equation: Equation, horizon: float, level: Level, tol: float) -> tuple[int, float]:
    """Steps up to the horizon, and their error: by how much halving them moves pilot runs' crossing times, see below.

    Raises
    ------
    SolveError
        If steps as short as those of SGD do not suffice.
    """
    steps, most = _FEWEST, horizon * equation.d
    coarse = _pilot(equation, horizon, steps, level, 2)
    while True:
        fine = _pilot(equation, horizon, 2 * steps, level, 1)
        error = _difference(coarse, fine, horizon)
        steps *= 2
        if error <= tol:
            return steps, error
        if 2 * steps > most:
            raise SolveError(
                f"steps of {horizon / steps:.3g}, as short as those of SGD, are too long: halving them moves crossing "
                f"times by {error:.2g} of their standard deviation",
                t=0.0,
                remedy='simulate SGD itself, hd.simulate(..., method="reduced"); or ask for less, by tol= or '
                "steps_per_time=",
            )
        coarse = _pilot(equation, horizon, steps, level, 2)


def _pilot(equation: Equation, horizon: float, steps: int, level: Level, halves: int) -> Walk:
    """Pilot runs, each step with the sum of the increments of so many shorter ones: twice the steps see the same."""
    rng = np.random.default_rng(_SEED)
    start = equation.start(rng, _PILOTS)

    def draw(active: NDArray[np.int64]) -> Float:
        z: Float = rng.standard_normal((halves, _PILOTS, equation.normals)).sum(axis=0) / np.sqrt(halves)
        return z[active]

    return walk(equation, start, horizon, steps, draw, level)


def _difference(coarse: Walk, fine: Walk, horizon: float) -> float:
    """Mean change of crossing times, or of final values if nothing crosses, in standard deviations of these.

    Single runs may change by much more: those that hesitate at the saddle. Two standard errors are allowed for them.
    """
    if np.any(coarse.lost != fine.lost):
        return np.inf
    pairs = [tuple(np.minimum(found.times, horizon) for found in (coarse, fine)), (coarse.last, fine.last)]
    one, two = next((pair for pair in pairs if np.ptp(pair[1]) > 0), pairs[0])
    change, spread = one - two, float(np.std(two))
    if spread == 0.0:
        return 0.0 if not change.any() else np.inf
    return float(abs(change.mean()) + 2.0 * change.std() / np.sqrt(change.size)) / spread
