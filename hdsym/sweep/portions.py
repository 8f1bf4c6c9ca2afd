"""Which lanes are integrated together, and which of a point's lanes is its solution."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..compression import agreed
from ..quadratureerror import relative_change

if TYPE_CHECKING:
    from ..stepping.batched import Solved
    from .lanes import Lane, Pool
    from .plan import Plan

__all__ = ["chosen_lane", "portions"]

Float = NDArray[np.float64]

_HELD = 4_000_000
"""Numbers in the states that are held at once: 32 MB."""
_SAME_END = 0.01
"""Relative difference of the times at which solutions with other nodes explode."""


def portions(lanes: Sequence[Lane], pool: Pool) -> list[list[Lane]]:
    """Lanes that fit together, in portions that fit into memory; those of a point stay side by side."""
    groups: dict[Any, list[list[Lane]]] = {}
    for _, own in itertools.groupby(lanes, key=lambda lane: lane.point):
        point = list(own)
        groups.setdefault(pool.group(max(point, key=lambda lane: lane.modes.lam.size)), []).append(point)
    found = []
    for members in groups.values():
        largest, n = max(lane.modes.lam.size for point in members for lane in point), members[0][0].run.grams.shape[-1]
        room = _HELD // (largest * n * n * pool.plan.times.size)
        step = max(1, room // max(map(len, members)))
        found += [[lane for point in members[k : k + step] for lane in point] for k in range(0, len(members), step)]
    return found


def chosen_lane(plan: Plan, own: Sequence[int], found: Mapping[str, Float], solved: Solved) -> tuple[int, float | None]:
    """Which of a point's lanes is its solution, and the error of its nodes; ``None`` if they do not agree.

    `own` are the places of its lanes in what was found.
    """
    last = own[-1]
    if len(own) == 1:
        return last, 0.0
    ends = solved.ended[list(own)]
    if np.any(solved.status[list(own)] != solved.status[last]) or np.ptp(ends) > _SAME_END * np.max(ends):
        return last, None
    changes = [max(relative_change(value[a], value[b]) for value in found.values()) for a, b in itertools.pairwise(own)]
    changes = [max(change, float(np.finfo(float).eps)) for change in changes]
    if solved.status[last] or not isinstance(plan.modes, str):
        return last, changes[-1]
    k = agreed(changes, plan.rtol, plan.tol)
    return (last, None) if k is None else (own[k], changes[k - 1])
