"""What solutions of many problems say: the wanted statistics at the wanted times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..composition import Weigh, Weight
from ..geometry import geometry
from ..linearised import Observed
from ..stepping.batched import padded

if TYPE_CHECKING:
    from ..stepping.modebatch import ModeSystem
    from .lanes import Lane

__all__ = ["observe"]

Float = NDArray[np.float64]


def observe(
    system: ModeSystem,
    states: Float,
    start: Float,
    lanes: Sequence[Lane],
    wanted: Sequence[str],
    times: Float,
) -> dict[str, Float]:
    """Statistics by name, each (lanes, times, ...), NaN where the states (times, entries, lanes) are.

    `start` (entries, lanes) is the state at t = 0.
    """
    there = np.all(np.isfinite(states), axis=1).T  # (lanes, times)
    filled = np.where(there.T[:, None], states, start)
    seen = _seen(system, filled)
    found = _values(system, lanes, seen, wanted, times)
    return {name: _blank(value, there) for name, value in found.items()}


def _seen(system: ModeSystem, states: Float) -> Observed:
    """What states say, axes (times, lanes, ...)."""
    G, theta = system.matrices(states), system.split(states)[1]

    def weigh(q: Weight | Callable[[Float], Any]) -> Float:
        return np.ascontiguousarray(np.moveaxis(np.add.reduce(q(system.lam) * G, axis=-2), -1, 1))

    overlaps, gram = weigh(lambda lam: lam), weigh(np.ones_like)
    trained = np.ascontiguousarray(np.moveaxis(theta, -1, 1)) if theta.shape[1] else None
    whole: Weigh = weigh
    return Observed(overlaps, gram, trained, None, whole)


def _values(
    system: ModeSystem, lanes: Sequence[Lane], seen: Observed, wanted: Sequence[str], times: Float
) -> dict[str, Float]:
    shape = seen.overlaps.shape[:2]
    found: dict[str, Float] = {"overlaps": seen.overlaps, "gram": seen.gram}
    if seen.trained is not None:
        found["trained"] = seen.trained
    if {"risk", "excess_risk"} & set(wanted):
        found["risk"] = _risk(system, seen.overlaps, seen.trained)
    if "learning_rate" in wanted:
        found["learning_rate"] = np.array([system.rate(np.full(shape[1], t)) for t in times])
    if "excess_risk" in wanted:
        found["excess_risk"] = _excess(system, lanes, found["risk"], seen)
    if set(wanted) - set(found):
        found |= geometry(seen.gram, system.students)
    if set(wanted) - set(found):
        found |= _declared(lanes, seen)
    return {name: np.moveaxis(np.asarray(found[name]), 0, 1) for name in wanted}


def _risk(system: ModeSystem, overlaps: Float, trained: Float | None) -> Float:
    """h(B), shape (times, lanes), for B (times, lanes, n, n)."""
    lanes = overlaps.shape[1]
    scalars = np.zeros((len(overlaps), lanes, 0)) if trained is None else trained
    chosen = padded(lanes)
    drifts = system.drifts.take(chosen)
    B, theta = (np.moveaxis(array[:, chosen], 1, -1) for array in (overlaps, scalars))
    found = [drifts.risk(list(map(list, np.ascontiguousarray(one))), own) for one, own in zip(B, theta, strict=True)]
    return np.array(found)[:, :lanes]


def _excess(system: ModeSystem, lanes: Sequence[Lane], risk: Float, seen: Observed) -> Float:
    """Risk above that of X = X*; of models with trained scalars that of the best ones there, for each problem alone."""
    if seen.trained is None:
        return risk - _risk(system, lanes[0].run._at_target(seen.overlaps[:1]), None)
    each = enumerate(lanes)
    parts = [lane.run._excess(risk[:, k], seen.overlaps[:, k], seen.trained[:, k]) for k, lane in each]
    return np.stack([np.asarray(part) for part in parts], axis=-1)


def _declared(lanes: Sequence[Lane], seen: Observed) -> dict[str, Float]:
    """Declared statistics, whose formulas hold the parameters as numbers: for those with the same together."""
    groups: dict[int, list[int]] = {}
    for k, lane in enumerate(lanes):
        groups.setdefault(id(lane.run), []).append(k)
    parts: dict[str, Float] = {
        name: np.empty(seen.overlaps.shape[:2]) for name, _ in lanes[0].run.model.declared_statistics
    }
    for members in groups.values():
        own, which = lanes[members[0]].run, np.array(members)
        trained = None if seen.trained is None else seen.trained[:, which]
        overlaps = seen.overlaps[:, which]
        forms = own.composition.forms(lambda q, which=which: seen.weigh(q)[:, which], overlaps.shape[:2])  # type: ignore[misc]
        for name, value in own._statistics(overlaps, trained, forms).items():
            parts[name][:, which] = value
    return parts


def _blank(value: Float, there: Any) -> Float:
    return np.where(there.reshape(*there.shape, *(1,) * (value.ndim - 2)), value, np.nan)
