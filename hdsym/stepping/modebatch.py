"""The mode equations of many problems at once, as :mod:`hdsym.stepping.batched` integrates them.

dG/dt = -2 gamma lam (G H + H^T G) - gamma delta (G P + P G) + gamma^2 lam rho I / batch for each mode, P the
projection on students, H and I with zeros for teachers; d theta / dt = -gamma_theta T for trained scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError
from ..schedule import LearningRate

__all__ = ["Drifts", "ModeSystem", "Rates"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


class Drifts(Protocol):
    """H, I and T of many problems."""

    def __call__(self, B: Sequence[Sequence[Float]], theta: Float) -> tuple[Any, Any, Any]:
        """H[k][i] and I[i][j], each (problems,) or a number, and T (scalars, problems).

        B[i][j] has shape (problems,), theta (scalars, problems).
        """

    def risk(self, B: Sequence[Sequence[Float]], theta: Float) -> Float:
        """h(B), shape (problems,)."""

    def take(self, chosen: Int) -> Self:
        """Those of the problems with these numbers."""


@dataclass(frozen=True)
class Rates:
    """Learning rates gamma(t) of many problems, one each.

    Attributes
    ----------
    values:
        (problems,) constants.
    which:
        (problems,) number of a schedule, or -1 for a constant.
    schedules:
        Those that depend on time.
    """

    values: Float
    which: Int
    schedules: tuple[LearningRate, ...] = ()

    @classmethod
    def of(cls, rates: Sequence[LearningRate]) -> Rates:
        """Each problem's rate; schedules that several share are called once for all of them."""
        numbers: dict[int, int] = {}
        for rate in rates:
            if rate.value is None:
                numbers.setdefault(id(rate), len(numbers))
        values = np.array([0.0 if rate.value is None else rate.value for rate in rates])
        which = np.array([-1 if rate.value is not None else numbers[id(rate)] for rate in rates], dtype=np.int64)
        distinct = {numbers[id(rate)]: rate for rate in rates if rate.value is None}
        return cls(values, which, tuple(distinct[k] for k in range(len(distinct))))

    def take(self, chosen: Int) -> Rates:
        """Those of the problems with these numbers."""
        return replace(self, values=self.values[chosen], which=self.which[chosen])

    def __call__(self, t: Float) -> Float:
        """The rate of each problem at its own time; NaN where it has no meaning."""
        if not self.schedules:
            return self.values
        found = self.values.copy()
        for k in np.unique(self.which[self.which >= 0]):
            found = np.where(self.which == k, _rates(self.schedules[k], t), found)
        return found


def _rates(schedule: LearningRate, t: Float) -> Float:
    try:
        return schedule(t)
    except DeclarationError:
        return np.array([_rate(schedule, time) for time in t])


def _rate(schedule: LearningRate, t: float) -> float:
    try:
        return float(schedule(t))
    except DeclarationError:
        return np.nan


@dataclass(frozen=True)
class ModeSystem:
    """Right-hand side for states (entries, problems): the evolving entries of G, each over all modes, then theta.

    Attributes
    ----------
    lam, rho:
        (modes, problems); both zero where a problem has fewer modes than others.
    grams:
        Gram matrices at t = 0, (n, n, modes, problems).
    students:
        Number of trained directions.
    rate, rates:
        The learning rate of the students, and that of each trained scalar.
    delta, batch:
        (problems,)
    drifts:
        What the overlaps say.
    """

    lam: Float
    rho: Float
    grams: Float
    students: int
    rate: Rates
    rates: tuple[Rates, ...]
    delta: Float
    batch: Float
    drifts: Drifts

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Entries of G that evolve, from zero."""
        return tuple((i, j) for i in range(self.students) for j in range(i, len(self.grams)))

    @cached_property
    def _gain(self) -> Float:
        return self.lam * self.rho / self.batch

    @cached_property
    def _still(self) -> dict[tuple[int, int], Float]:
        """Overlaps of teachers, which do not move."""
        l, n = self.students, len(self.grams)
        return {(i, j): self._overlap(self.grams[i, j]) for i in range(l, n) for j in range(i, n)}

    def take(self, chosen: Int) -> ModeSystem:
        """The problems with these numbers."""
        return replace(
            self,
            lam=self.lam[:, chosen],
            rho=self.rho[:, chosen],
            grams=np.ascontiguousarray(self.grams[..., chosen]),
            rate=self.rate.take(chosen),
            rates=tuple(rate.take(chosen) for rate in self.rates),
            delta=self.delta[chosen],
            batch=self.batch[chosen],
            drifts=self.drifts.take(chosen),
        )

    def pack(self, theta: Float) -> Float:
        """The state at t = 0, with trained scalars (scalars, problems)."""
        return np.concatenate([*(self.grams[pair] for pair in self.pairs), theta])

    def split(self, y: Float) -> tuple[Float, Float]:
        """Entries of G (..., pairs, modes, problems) and theta (..., scalars, problems) of states."""
        modes, problems = self.lam.shape
        end = len(self.pairs) * modes
        return y[..., :end, :].reshape((*y.shape[:-2], len(self.pairs), modes, problems)), y[..., end:, :]

    def matrices(self, y: Float) -> Float:
        """Gram matrices (..., n, n, modes, problems) of states (..., entries, problems)."""
        G = np.broadcast_to(self.grams, (*y.shape[:-2], *self.grams.shape)).copy()
        entries = self.split(y)[0]
        for k, (i, j) in enumerate(self.pairs):
            G[..., i, j, :, :] = G[..., j, i, :, :] = entries[..., k, :, :]
        return G

    def _overlap(self, entry: Float) -> Float:
        """B_ij, the sum of lam_j G_j; rows are added one after the other, whatever their length."""
        found: Float = self.lam[0] * entry[0] if len(entry) == 1 else np.add.reduce(self.lam * entry, axis=0)
        return found

    def __call__(self, t: Float, y: Float) -> Float:
        """dy/dt at times (problems,)."""
        entries, theta = self.split(y)
        own = dict(zip(self.pairs, entries, strict=True))
        B = self._symmetric({**{pair: self._overlap(entry) for pair, entry in own.items()}, **self._still})
        H, F, T = self.drifts(B, theta)
        rate = self.rate(t)
        result = np.empty_like(y)
        slopes = self.split(result)[0]
        self._move(slopes, rate, own, H)
        square = rate * rate * self._gain
        for k, (i, j) in enumerate(self.pairs):
            if j < self.students:
                slopes[k] += square * F[i][j]
        for k, own_rate in enumerate(self.rates):
            result[k - len(self.rates)] = -own_rate(t) * T[k]
        return result

    def _move(self, slopes: Float, rate: Float, own: dict[tuple[int, int], Float], H: Any) -> None:
        """What the gradient and l2 regularisation do."""
        l, n = self.students, len(self.grams)
        teachers = {(i, j): self.grams[i, j] for i in range(l, n) for j in range(i, n)}
        G = self._symmetric({**own, **teachers})
        pull, damping = -2.0 * rate * self.lam, rate * self.delta if np.any(self.delta) else None
        flow = [[_dot([row[i] for row in H], G[j]) for j in range(n)] for i in range(l)]  # H^T G
        for k, (i, j) in enumerate(self.pairs):
            moved = flow[i][j] + flow[j][i] if j < l else flow[i][j]
            np.multiply(pull, moved, out=slopes[k])
            if damping is not None:
                slopes[k] -= (2.0 if j < l else 1.0) * damping * own[i, j]

    def _symmetric(self, upper: dict[tuple[int, int], Float]) -> list[list[Float]]:
        n = len(self.grams)
        return [[upper[min(i, j), max(i, j)] for j in range(n)] for i in range(n)]


def _dot(first: Sequence[Any], second: Sequence[Float]) -> Float:
    total: Float = first[0] * second[0]
    for a, b in zip(first[1:], second[1:], strict=True):
        total = total + a * b
    return total
