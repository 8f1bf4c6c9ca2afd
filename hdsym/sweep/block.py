"""The work of one block: consecutive points, integrated together where that is possible, the others one by one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HdsymError, SolveError
from ..problem import Problem
from ..runstate import out_of_range
from ..stepping.batched import DONE, HANDED_OVER, SINGULAR, Solved, integrate
from .lanes import Lane, Pool
from .observe import observe
from .plan import SIMULATED, Block, Plan
from .portions import chosen_lane, portions

if TYPE_CHECKING:
    from ..results import Trajectory

__all__ = ["solve_block"]

Float = NDArray[np.float64]

_POOLS: dict[str, Pool] = {}
"""Of the plan that this process works on: what points have in common is worked out once, not once a block."""


def solve_block(plan: Plan, first: int, last: int) -> Block:
    """Results for the points first, ..., last - 1; the same whatever blocks they are in."""
    return _Work(_pool(plan), first, last).done()


def _pool(plan: Plan) -> Pool:
    pool = _POOLS.get(plan.token)
    if pool is None:
        _POOLS.clear()
        pool = _POOLS[plan.token] = Pool(plan)
    return pool


class _Work:
    def __init__(self, pool: Pool, first: int, last: int) -> None:
        self.pool, self.plan, self.first = pool, pool.plan, first
        self.block = Block.empty(self.plan, last - first)
        self.points = range(first, last)
        self.problems: dict[int, Problem] = {}
        self.single: list[int] = []

    def done(self) -> Block:
        """All of it."""
        lanes: list[Lane] = []
        for point in self.points:
            try:
                self.problems[point] = problem = self.plan.grid.pose(point)
                if self.pool.together(problem):
                    lanes += self.pool.lanes(point, problem)
                else:
                    self.single.append(point)
            except Exception as error:  # a point that cannot be posed must not stop the others, whatever it is
                self._fail(point, error)
        for group in portions(lanes, self.pool):
            self._together(group)
        for point in sorted(self.single):
            self._alone(point)
        if self.plan.simulate:
            for point in self.problems:
                self._simulate(point)
        return Block(self.block.arrays, self.block.reasons, len(self.single))

    def _fail(self, point: int, error: Exception | str) -> None:
        text = error.message if isinstance(error, HdsymError) else str(error)
        known = isinstance(error, HdsymError | str)
        reason = text if known else f"{type(error).__name__}: {text}"
        before = self.block.reasons[point - self.first]
        self.block.reasons[point - self.first] = f"{before}; {reason}" if before else reason

    def _together(self, lanes: Sequence[Lane]) -> None:
        try:
            found, solved = self._solved(lanes)
        except Exception:  # one of them spoils the arrays of all, as a learning rate that fails: it will be told alone
            self.single += sorted({lane.point for lane in lanes})
            return
        finite = np.logical_and.reduce([_finite(value) for value in found.values()])
        end = float(self.plan.times[-1])
        for _, group in itertools.groupby(range(len(lanes)), key=lambda k: lanes[k].point):
            k, error = chosen_lane(self.plan, list(group), found, solved)
            point, status = lanes[k].point, int(solved.status[k])
            own, ended = {name: value[k] for name, value in found.items()}, float(solved.ended[k])
            if error is None or status in (HANDED_OVER, SINGULAR) or (status == DONE and not finite[k]):
                self.single.append(point)  # which knows what to do, or what to say
            elif status == DONE:
                self._keep(point, own, end, error)
            else:
                self._keep(point, own, ended, error)
                self._fail(point, out_of_range(ended, end))

    def _solved(self, lanes: Sequence[Lane]) -> tuple[dict[str, Float], Solved]:
        system, start, atol, count = self.pool.system(lanes)
        scale = np.maximum(np.max(np.abs(start), axis=0), np.max(np.abs(system.grams), axis=(0, 1, 2)))
        solved = integrate(system, start, self.plan.times, self.plan.rtol, atol, scale, count)
        states = np.where(self.plan.times[:, None, None] <= solved.ended, solved.states, np.nan)
        names = list(self.plan.statistics)
        with np.errstate(all="ignore"):
            found = observe(system, states, start, lanes, names, self.plan.times)
        return found, solved

    def _keep(self, point: int, found: dict[str, Float], ended: float, error: float = 0.0) -> None:
        for name, value in found.items():
            self.block.arrays[name][point - self.first] = value
        self.block.arrays["ended"][point - self.first] = ended
        self.block.arrays["compression_error"][point - self.first] = error

    def _alone(self, point: int) -> None:
        plan = self.plan
        options: dict[str, Any] = {"rtol": plan.rtol, "atol": plan.atol, "modes": plan.modes, "tol": plan.tol}
        try:
            path = plan.theory.solve(self.problems[point], t_eval=plan.times, **options)
            error = path.attrs.get("compression_error", 0.0)
            self._keep(point, self._of(path, path.time.size), float(plan.times[-1]), error)
        except SolveError as failure:
            if failure.trajectory is not None:
                count = int(np.isin(failure.trajectory.time.values, plan.times).sum())
                self._keep(point, self._of(failure.trajectory, count), failure.t)
            self._fail(point, failure)
        except Exception as failure:  # as above
            self._fail(point, failure)

    def _of(self, path: Trajectory, count: int) -> dict[str, Float]:
        """What a trajectory says at its first `count` times, which are wanted ones."""
        found = {}
        for name, shape in self.plan.statistics.items():
            found[name] = np.full((self.plan.times.size, *shape), np.nan)
            found[name][:count] = path.variable(name).values[:count]
        return found

    def _simulate(self, point: int) -> None:
        from ..simulate import simulate

        plan = self.plan
        seed = np.random.SeedSequence(plan.entropy, spawn_key=(point,))
        try:
            runs = simulate(plan.theory, self.problems[point], t_eval=plan.times, rng=seed, **plan.simulate)
            for name in (*plan.statistics, "diverged"):
                self.block.arrays[f"{SIMULATED}{name}"][point - self.first] = runs.variable(name).values
        except Exception as error:  # as above
            self._fail(point, f"simulation: {error.message if isinstance(error, HdsymError) else error}")


def _finite(values: Float) -> Any:
    """Whether all of the values (lanes, ...) of a lane are finite, shape (lanes,)."""
    return np.all(np.isfinite(values), axis=tuple(range(1, values.ndim)))
