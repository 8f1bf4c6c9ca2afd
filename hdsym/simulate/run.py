"""One run: blocks of compiled steps between the recorded times. Memory does not grow with the number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..errors import SimulationError
from ..schedule import LearningRate
from . import streams
from .methods import Factory, Observation

__all__ = ["Job", "Record", "StoppedError", "make_rates", "run", "stacked_rates"]

Float = NDArray[np.float64]
Rates = Callable[[int, int], Float]
"""Rates of the steps first, ..., first + count - 1."""

BOUND = 1e200
"""Squared norms beyond this end a run: the weights are beyond 1e100."""

_SHARED = 1_000_000
"""Values of a schedule that are kept."""


class StoppedError(Exception):
    """A run was told to stop before its end: there is no record of it."""


@dataclass(frozen=True)
class Job:
    """What all runs have in common; can be sent to another process.

    Attributes
    ----------
    begin:
        Makes the state at t = 0 from the stream of the run.
    rates:
        gamma at the steps first, ..., first + count - 1; shape (count,).
    trained_rates:
        The same for the trained scalars, shape (count, scalars).
    steps:
        (T,) recorded steps.
    block:
        Most steps between two looks at the clock.
    d:
        Steps per unit of time.
    """

    begin: Factory
    rates: Rates
    trained_rates: Rates
    steps: NDArray[np.int64]
    block: int
    d: int


@dataclass(frozen=True)
class Record:
    """Overlaps and W^T W (T, n, n), trained scalars (T, scalars), risk (T,), forms and means (T, count) of a run.

    NaN from the time `diverged` on (NaN: it never did).
    """

    overlaps: Float
    gram: Float
    trained: Float
    risk: Float
    forms: Float
    means: Float
    diverged: float


def make_rates(learning_rate: LearningRate | AdaptiveRate, d: int, block: int, offset: float = 0.0) -> Rates:
    """The schedule in blocks of at most `block` steps, at times (k + offset) / d; an adaptive rate gives the times."""
    if isinstance(learning_rate, AdaptiveRate):
        return _Clock(d, offset)
    if learning_rate.value is not None:
        return _Constant(learning_rate.value, block)
    return _Varying(learning_rate, d, block, offset)


class _Constant:
    def __init__(self, value: float, block: int) -> None:
        self.values = np.full(block, value)

    def __call__(self, first: int, count: int) -> Float:
        return self.values[:count]


@dataclass(frozen=True)
class _Clock:
    """The times of steps: what else an adaptive rate depends on, its run knows."""

    d: int
    offset: float

    def __call__(self, first: int, count: int) -> Float:
        return (np.arange(first, first + count) + self.offset) / self.d


class _Varying:
    """Runs share the latest blocks of a Python function, which is slow to evaluate."""

    def __init__(self, learning_rate: LearningRate, d: int, block: int, offset: float) -> None:
        self.learning_rate, self.d, self.block, self.offset = learning_rate, d, block, offset
        slow = learning_rate.function is not None
        self._kept = lru_cache(maxsize=max(4, _SHARED // block))(self._evaluated) if slow else self._evaluated

    def __call__(self, first: int, count: int) -> Float:
        return self._kept(first, count)

    def _evaluated(self, first: int, count: int) -> Float:
        times = (np.arange(first, first + count) + self.offset) / self.d
        return np.ascontiguousarray(self.learning_rate(times), dtype=np.float64)

    def __reduce__(self) -> tuple[Any, ...]:  # without what is kept
        return _Varying, (self.learning_rate, self.d, self.block, self.offset)


def stacked_rates(
    learning_rates: Sequence[LearningRate | AdaptiveRate], d: int, block: int, offset: float = 0.0
) -> Rates:
    """Several schedules side by side, shape (count, schedules); equal ones are evaluated once. NaN where they adapt."""
    made: dict[int, Rates] = {
        id(rate): _Constant(np.nan, block) if isinstance(rate, AdaptiveRate) else make_rates(rate, d, block, offset)
        for rate in learning_rates
    }
    order = list(made)
    return _Stacked(tuple(made.values()), tuple(order.index(id(rate)) for rate in learning_rates))


@dataclass(frozen=True)
class _Stacked:
    """Schedules, and which of them every column is."""

    schedules: tuple[Rates, ...]
    columns: tuple[int, ...]

    def __call__(self, first: int, count: int) -> Float:
        found = [schedule(first, count) for schedule in self.schedules]
        result = np.empty((count, len(self.columns)))
        for j, which in enumerate(self.columns):
            result[:, j] = found[which]
        return result


def run(job: Job, seed: np.random.SeedSequence, tick: Callable[[int], None], cancelled: Callable[[], bool]) -> Record:
    """Simulate one run; `tick` is told the steps done so far, `cancelled` is asked between blocks.

    Raises
    ------
    StoppedError
        If `cancelled` says so before the end.
    SimulationError
        If the label is not a number, for instance because a probability leaves [0, 1].
    """
    rng, k = streams.generator(seed), 0
    state = job.begin(rng)
    record = _blank(job.steps.size, state.observe())
    for index, target in enumerate(job.steps.tolist()):
        while k < target:
            if cancelled():
                raise StoppedError
            count = min(job.block, target - k)
            code = state.advance(rng, job.rates(k, count), job.trained_rates(k, count))
            if code != -1:
                tick(int(job.steps[-1]))
                return _stopped(record, code, k, job.d)
            k += count
            tick(k)
        seen = state.observe()
        if not _finite(seen):
            tick(int(job.steps[-1]))
            return replace(record, diverged=k / job.d)
        record.overlaps[index], record.gram[index] = seen.overlaps, seen.gram
        record.trained[index], record.risk[index] = seen.trained, seen.risk
        record.forms[index], record.means[index] = seen.forms, seen.means
    return record


def _blank(T: int, seen: Observation) -> Record:
    n, scalars = len(seen.overlaps), len(seen.trained)
    overlaps, gram = np.full((2, T, n, n), np.nan)
    forms, means = (np.full((T, values.size), np.nan) for values in (seen.forms, seen.means))
    return Record(overlaps, gram, np.full((T, scalars), np.nan), np.full(T, np.nan), forms, means, np.nan)


def _finite(seen: Observation) -> bool:
    # a NaN fails every comparison; a risk of NaN means that the method leaves it to the average over B
    inside = all(np.all(np.abs(array) <= BOUND) for array in (seen.overlaps, seen.gram, seen.trained))
    return bool(inside and not np.isinf(seen.risk))


def _stopped(record: Record, code: int, k: int, d: int) -> Record:
    if code >= 0:
        return replace(record, diverged=(k + code + 1) / d)
    raise SimulationError(
        f"the label is not a number at t = {(k - code - 2) / d:g}: its link is undefined there, or a probability "
        "outside [0, 1]",
        remedy="write a link that is finite, and a probability in [0, 1], for every teacher preactivation",
    )
