"""DOP853 for many problems at once, each with steps of its own.

Arrays have the problems on their last axis: every operation is the same elementwise operation for all of them, so that
what a problem gets does not depend, to the last bit, on which others run along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .batchstep import Stepped, interpolated, step

__all__ = ["BLOWN_UP", "DONE", "HANDED_OVER", "LOST", "SINGULAR", "Solved", "System", "integrate", "padded"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

DONE, BLOWN_UP, LOST, HANDED_OVER, SINGULAR = range(5)
"""How a problem ended: at its horizon, too large to go on, with steps of no length, too stiff for an explicit method,
with a slope at the start that is not finite."""

_SAFETY, _SMALLEST, _LARGEST, _ORDER = 0.9, 0.2, 10.0, 8.0
_BLOW_UP = 1e30
_LANES = 16
"""The number of problems in an array is a multiple of this: no loop over it ends in a remainder, which the processor
might round in another way."""

_STATES = 24_000
"""Numbers in one state of all problems together, for which the stages of a step stay in the processor's cache."""
_WATCHED, _STIFF, _IN_A_ROW = 100, 6.1, 15
"""Steps from which on stiffness is looked for; length times rate that shows it (E. Hairer); steps that have to."""
_COST = 60_000
"""Numbers times steps still to come beyond which a method for stiff equations, one by one, is cheaper."""


class System(Protocol):
    """Right-hand sides of many problems; `take` gives those of a choice of them, in that order."""

    def __call__(self, t: Float, y: Float) -> Float:
        """dy/dt (entries, problems) at times (problems,) and states (entries, problems)."""

    def take(self, chosen: Int) -> Self:
        """The problems with these numbers, (k,)."""


@dataclass(frozen=True)
class Solved:
    """Solutions of all problems.

    Attributes
    ----------
    states:
        (times, entries, problems); NaN where a problem had ended before.
    status:
        (problems,), one of the constants above.
    ended:
        (problems,) last time at which the solution was finite.
    steps:
        (problems,) accepted steps.
    """

    states: Float
    status: Int
    ended: Float
    steps: Int


def integrate(
    system: System, start: Float, times: Float, rtol: float, atol: Float, scale: Float, count: Float | None = None
) -> Solved:
    """Integrate each problem from 0 to the last of the times, with the error control of scipy's DOP853.

    Parameters
    ----------
    system:
        All problems.
    start:
        States at t = 0, (entries, problems).
    times:
        Increasing, >= 0, shape (T,).
    rtol, atol:
        The error of a step is kept below atol + rtol |y| in the root mean square; atol (entries, problems).
    scale:
        (problems,) size that the start is measured by: 1e30 times that is a blow-up.
    count:
        (problems,) entries that are there; further ones are zero for good, padding among problems of unlike sizes.
    """
    size, problems = start.shape
    made = _Crowd(system, start, times, rtol, atol, scale, np.full(problems, float(size)) if count is None else count)
    width = max(_LANES, _STATES // max(size, 1))
    with np.errstate(all="ignore"):
        while made.refill(width):
            made.advance()
    return Solved(made.states, made.status, made.ended, made.steps)


class _Crowd:
    """The problems that are on their way. Slots beyond `alive` ones are copies that fill up the lanes."""

    def __init__(
        self, system: System, start: Float, times: Float, rtol: float, atol: Float, scale: Float, count: Float
    ) -> None:
        self.everything, self.start, self.times = system, start, times
        self.rtol, self.atol, self.largest, self.count = rtol, atol, _BLOW_UP * scale, count
        size, problems = start.shape
        self.states = np.full((times.size, size, problems), np.nan)
        self.status, self.ended = np.zeros(problems, dtype=np.int64), np.zeros(problems)
        self.steps = np.zeros(problems, dtype=np.int64)
        self.end, self.next = float(times[-1]), 0
        self.slots: dict[str, Any] = {"who": np.zeros(0, dtype=np.int64)}
        self.filled = 0

    def refill(self, width: int) -> int:
        """Drop those that have ended, let others in; the number of problems on their way."""
        alive = self.slots["who"].size and int(np.count_nonzero(self.slots["alive"]))
        if not alive and self.next >= self.start.shape[1]:
            return 0
        waiting = self.start.shape[1] - self.next
        room = waiting and alive < 0.8 * width
        if room or alive <= 0.8 * self.filled or alive <= self.filled - _LANES:
            self._fill(min(waiting, width - alive) if room else 0)
        return self.filled or self.refill(width)

    def _fill(self, more: int) -> None:
        old = self.slots
        kept = {name: value[..., old["alive"]] for name, value in old.items()} if old["who"].size else None
        parts = [kept] if kept is not None else []
        if more:
            parts.append(self._begin(np.arange(self.next, self.next + more)))
            self.next += more
        joined = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
        self.filled = joined["who"].size
        if not self.filled:
            self.slots = {"who": np.zeros(0, dtype=np.int64)}
            return
        slots = padded(self.filled)
        self.slots = {name: np.ascontiguousarray(value[..., slots]) for name, value in joined.items()}
        self.slots["alive"][self.filled :] = False
        self.system = self.everything.take(self.slots["who"])

    def _begin(self, new: Int) -> dict[str, Any]:
        """Slots for problems that start now; those without a finite slope end at once."""
        slots = new[padded(new.size)]
        system, y = self.everything.take(slots), np.ascontiguousarray(self.start[:, slots])
        f = system(np.zeros(slots.size), y)
        h = _first_step(system, y, f, self.end, self.rtol, self.atol[:, slots], self.count[slots])
        fine = np.all(np.isfinite(f), axis=0)[: new.size]
        self.status[new[~fine]] = SINGULAR
        there = np.flatnonzero(self.times <= 0.0)
        self.states[there[:, None], :, new] = self.start[:, new].T
        alive = fine if self.end > 0.0 else np.zeros_like(fine)
        made = {"who": new, "t": np.zeros(new.size), "y": y[:, : new.size], "f": f[:, : new.size]}
        made |= {"h": h[: new.size], "wanted": np.full(new.size, there.size), "alive": alive}
        made |= {"rejected": np.zeros(new.size, dtype=bool), "stiff": np.zeros(new.size, dtype=np.int64)}
        return {name: value[..., alive] for name, value in made.items()}

    def advance(self) -> None:
        """One attempt of a step for every problem."""
        s = self.slots
        h = np.minimum(s["h"], self.end - s["t"])
        tried = step(self.system, s["t"], s["y"], s["f"], h, self.rtol, self.atol[:, s["who"]], self.count[s["who"]])
        shrink = _SAFETY * tried.error ** (-1.0 / _ORDER)
        good = tried.error < 1.0
        longer = np.where(tried.error > 0.0, np.minimum(_LARGEST, shrink), _LARGEST)
        longer = np.where(s["rejected"], np.minimum(1.0, longer), longer)
        shorter = np.where(np.isfinite(tried.error), np.maximum(_SMALLEST, shrink), _SMALLEST)
        good &= s["alive"]
        self._watch(tried, good, h)
        last = h >= self.end - s["t"]
        after = np.where(last, self.end, s["t"] + h)
        self._output(tried, good, h, after)
        s["h"] = h * np.where(good, longer, shorter)
        s["rejected"] = ~good
        s["t"] = np.where(good, after, s["t"])
        s["y"] = np.where(good, tried.y, s["y"])
        s["f"] = np.where(good, tried.f, s["f"])
        self.steps[s["who"][good]] += 1
        self._end(good)

    def _output(self, tried: Stepped, good: Any, h: Float, after: Float) -> None:
        """Fill in the wanted times that the accepted steps have passed."""
        s = self.slots
        passed = np.where(good, np.searchsorted(self.times, after, side="right"), s["wanted"])
        some = np.flatnonzero(passed > s["wanted"])
        if not some.size:
            return
        chosen = some[padded(some.size)]
        polynomial = interpolated(tried, self.everything.take(s["who"][chosen]), chosen, s["t"], s["y"], h)
        for k in range(int(np.max(passed - s["wanted"]))):
            which = np.minimum(s["wanted"] + k, self.times.size - 1)[chosen]
            at = self.times[which]
            values = np.where(at == after[chosen], tried.y[:, chosen], polynomial((at - s["t"][chosen]) / h[chosen]))
            now = (s["wanted"] + k < passed)[some]
            self.states[which[: some.size][now], :, s["who"][some[now]]] = values[:, : some.size][:, now].T
        s["wanted"] = passed

    def _watch(self, tried: Stepped, good: Any, h: Float) -> None:
        """Count steps that stability holds back."""
        s = self.slots
        if not np.any(self.steps[s["who"]] >= _WATCHED):
            return
        above = np.sqrt(np.add.reduce((tried.f - tried.stages[-2]) ** 2, axis=0))
        below = np.sqrt(np.add.reduce((tried.y - tried.last) ** 2, axis=0))
        held = good & (h * above > _STIFF * below) & (self.steps[s["who"]] >= _WATCHED)
        s["stiff"] = np.where(good, np.where(held, s["stiff"] + 1, 0), s["stiff"])

    def _end(self, good: Any) -> None:
        """Note who has ended, and how."""
        s = self.slots
        who, size = s["who"], np.max(np.abs(s["y"]), axis=0)
        large = ~(size < self.largest[who])
        fine = good & ~large
        self.ended[who[fine]] = s["t"][fine]
        left = self.end - s["t"]
        short = ~(s["h"] >= 10.0 * np.spacing(s["t"])) & (left > 0.0)
        stiff = (s["stiff"] >= _IN_A_ROW) & (left / s["h"] * np.maximum(self.count[who], 24.0) > _COST)
        for status, found in ((HANDED_OVER, stiff), (LOST, short), (BLOWN_UP, large)):
            self.status[who[found & s["alive"]]] = status
        s["alive"] &= ~(stiff | short | large | (left <= 0.0))


def padded(count: int) -> Int:
    """0, 1, ..., count - 1, and the last again up to a whole number of lanes."""
    return np.minimum(np.arange(-(-count // _LANES) * _LANES), count - 1)


def _first_step(
    system: Callable[[Float, Float], Float], y: Float, f: Float, end: float, rtol: float, atol: Float, count: Float
) -> Float:
    """As scipy chooses it (E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, II.4)."""
    tolerance = atol + np.abs(y) * rtol

    def norm(v: Float) -> Float:
        found: Float = np.sqrt(np.add.reduce((v / tolerance) ** 2, axis=0) / count)
        return found

    size, slope = norm(y), norm(f)
    h = np.where((size < 1e-5) | (slope < 1e-5), 1e-6, 0.01 * size / slope)
    h = np.minimum(h, end)
    bend = norm(system(h, y + h * f) - f) / h
    flat = (slope <= 1e-15) & (bend <= 1e-15)
    second = np.where(flat, np.maximum(1e-6, h * 1e-3), (0.01 / np.maximum(slope, bend)) ** (1.0 / _ORDER))
    found: Float = np.minimum(np.minimum(100.0 * h, second), end)
    return np.where(np.isfinite(found), found, np.minimum(1e-6, end))
