"""The work of one block: consecutive points, integrated together where that is possible, the others one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HdsymError, SolveError
from ..problem import Problem
from ..quadratureerror import relative_change
from ..runstate import out_of_range
from ..stepping.batched import BLOWN_UP, HANDED_OVER, LOST, SINGULAR, Solved, integrate
from .lanes import Lane, Pool
from .observe import observe
from .plan import SIMULATED, Block, Plan

if TYPE_CHECKING:
    from ..results import Trajectory

__all__ = ["solve_block"]

Float = NDArray[np.float64]

_HELD = 4_000_000
"""Numbers in the states that are held at once: 32 MB."""

_POOLS: dict[str, Pool] = {}
"""Of the plan that this process works on: what points have in common is worked out once, not once a block."""


def solve_block(plan: Plan, first: int, last: int) -> Block:
    """Results for the points first, ..., last - 1; the same whatever blocks they are in."""
    return _Work(_pool(plan), first, last).done()


def _pool(plan: Plan) -> Pool:
    if plan.token not in _POOLS:
        _POOLS.clear()
        _POOLS[plan.token] = Pool(plan)
    return _POOLS[plan.token]


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
        for group in _grouped(lanes, self.pool):
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
        except HdsymError:
            self.single += [lane.point for lane in lanes if not lane.check]
            return
        for k, lane in enumerate(lanes):
            if lane.check:
                continue
            own = {name: value[k] for name, value in found.items()}
            checks = k - 1 if k and lanes[k - 1].check else None
            status = int(solved.status[k])
            if status == HANDED_OVER or (checks is not None and not self._confirmed(found, solved, k)):
                self.single.append(lane.point)
            elif status in (BLOWN_UP, LOST):
                self._keep(lane.point, own, float(solved.ended[k]))
                self._fail(lane.point, out_of_range(float(solved.ended[k]), float(self.plan.times[-1])))
            elif status == SINGULAR or not all(np.all(np.isfinite(value)) for value in own.values()):
                self.single.append(lane.point)  # which knows what to say
            else:
                self._keep(lane.point, own, float(self.plan.times[-1]))

    def _solved(self, lanes: Sequence[Lane]) -> tuple[dict[str, Float], Solved]:
        system, start, atol, count = self.pool.system(lanes)
        scale = np.maximum(np.max(np.abs(start), axis=0), np.max(np.abs(system.grams), axis=(0, 1, 2)))
        solved = integrate(system, start, self.plan.times, self.plan.rtol, atol, scale, count)
        states = np.where(self.plan.times[:, None, None] <= solved.ended, solved.states, np.nan)
        names = list(self.plan.statistics)
        with np.errstate(all="ignore"):
            found = observe(system, states, start, lanes, names, self.plan.times)
        return found, solved

    def _confirmed(self, found: dict[str, Float], solved: Solved, k: int) -> bool:
        """Whether other nodes, those of the lane before, give the same: to the tolerance, if one is to be kept."""
        if solved.status[k] or solved.status[k - 1]:
            return False
        if not isinstance(self.plan.modes, str):
            return True
        tol = max(self.plan.rtol if self.plan.tol is None else self.plan.tol, 1e-12)
        return max(relative_change(value[k - 1], value[k]) for value in found.values()) <= tol

    def _keep(self, point: int, found: dict[str, Float], ended: float) -> None:
        for name, value in found.items():
            self.block.arrays[name][point - self.first] = value
        self.block.arrays["ended"][point - self.first] = ended

    def _alone(self, point: int) -> None:
        plan = self.plan
        options: dict[str, Any] = {"rtol": plan.rtol, "atol": plan.atol, "modes": plan.modes, "tol": plan.tol}
        try:
            path = plan.theory.solve(self.problems[point], t_eval=plan.times, **options)
            self._keep(point, self._of(path, path.time.size), float(plan.times[-1]))
        except SolveError as error:
            if error.trajectory is not None:
                count = int(np.isin(error.trajectory.time.values, plan.times).sum())
                self._keep(point, self._of(error.trajectory, count), error.t)
            self._fail(point, error)
        except Exception as error:  # as above
            self._fail(point, error)

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
            runs = simulate(
                plan.theory, self.problems[point], t_eval=plan.times, rng=seed, **{"workers": 1, **plan.simulate}
            )
            for name in plan.statistics:
                self.block.arrays[f"{SIMULATED}{name}"][point - self.first] = runs.variable(name).values
        except Exception as error:  # as above
            self._fail(point, f"simulation: {error.message if isinstance(error, HdsymError) else error}")


def _grouped(lanes: Iterable[Lane], pool: Pool) -> list[list[Lane]]:
    """Lanes that fit together, in portions that fit into memory; a lane and its check stay side by side."""
    groups: dict[Any, list[list[Lane]]] = {}
    pairs: list[list[Lane]] = []
    for lane in lanes:
        if pairs and pairs[-1][-1].check:
            pairs[-1].append(lane)
        else:
            pairs.append([lane])
    for pair in pairs:
        groups.setdefault(pool.group(max(pair, key=lambda lane: lane.modes.lam.size)), []).append(pair)
    portions = []
    for members in groups.values():
        flat = [lane for pair in members for lane in pair]
        largest, n = max(lane.modes.lam.size for lane in flat), flat[0].run.grams.shape[-1]
        room = max(2, _HELD // (largest * n * n * pool.plan.times.size))
        step = max(1, room // max(len(pair) for pair in members))
        portions += [[lane for pair in members[k : k + step] for lane in pair] for k in range(0, len(members), step)]
    return portions
