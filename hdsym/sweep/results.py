"""The dataset of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import storage
from .plan import SIMULATED, Block, Plan

if TYPE_CHECKING:
    import xarray as xr

    from ..results import Trajectory

__all__ = ["assembled", "attributes", "coordinates", "dimensions"]


def assembled(plan: Plan, sample: Trajectory, blocks: Sequence[Block]) -> xr.Dataset:
    """All blocks as one dataset, with ``.plot_phase_diagram()``."""
    import xarray as xr

    shape = plan.grid.shape
    arrays: dict[str, Any] = {}
    for name, dims in dimensions(plan, sample).items():
        whole = np.concatenate([block.arrays[name] for block in blocks])
        arrays[name] = (dims, whole.reshape(*shape, *whole.shape[1:]))
    reasons = np.array([reason for block in blocks for reason in block.reasons], dtype=object)
    arrays["reason"] = (_axes(plan), reasons.reshape(shape))
    attrs = {**attributes(plan, sample), "failed": int(np.count_nonzero(reasons != ""))}
    attrs["one_by_one"] = sum(block.single for block in blocks)
    made = xr.Dataset(arrays, coordinates(plan, sample), storage.encode(attrs))
    made["time"].attrs["long_name"] = "t = steps / d"
    for name in plan.statistics:
        made[name].attrs["long_name"] = sample.dataset[name].attrs.get("long_name", name)
    made["reason"].attrs["long_name"] = "why the point failed; empty if it did not"
    made["compression_error"].attrs["long_name"] = (
        "relative change if other nodes stand for the levels; 0 for all levels"
    )
    made["ended"].attrs["long_name"] = "time up to which the solution is finite"
    return made


def _axes(plan: Plan) -> tuple[str, ...]:
    return tuple(axis.name for axis in plan.grid.axes)


def dimensions(plan: Plan, sample: Trajectory) -> dict[str, tuple[str, ...]]:
    """Names of the axes of every array."""
    axes = _axes(plan)
    own = {name: tuple(str(dim) for dim in sample.dataset[name].dims[1:]) for name in plan.statistics}
    found = {name: (*axes, "time", *dims) for name, dims in own.items()}
    if plan.simulate:
        found |= {f"{SIMULATED}{name}": (*axes, "run", "time", *dims) for name, dims in own.items()}
        found |= {f"{SIMULATED}diverged": (*axes, "run")}
    return {**found, "ended": axes, "compression_error": axes}


def coordinates(plan: Plan, sample: Trajectory) -> dict[str, Any]:
    """Values along every axis."""
    used = {dim for dims in dimensions(plan, sample).values() for dim in dims}
    found: dict[str, Any] = {axis.name: axis.coordinate for axis in plan.grid.axes}
    found["time"] = plan.times
    if plan.simulate:
        found["run"] = np.arange(int(plan.simulate["runs"]))
    own = ("row", "col", "student", "teacher", "theta")
    return found | {dim: sample.dataset[dim].values for dim in own if dim in used}


def attributes(plan: Plan, sample: Trajectory) -> dict[str, Any]:
    """Provenance."""
    attrs: dict[str, Any] = {key: sample.attrs[key] for key in ("model", "declaration") if key in sample.attrs}
    settings = {"rtol": plan.rtol, "atol": plan.atol, "modes": plan.modes, "tol": plan.tol}
    options = {name: value for name, value in plan.simulate.items() if name != "workers"}
    simulated = {"simulate": options, "entropy": str(plan.entropy)} if plan.simulate else {}
    return {**attrs, "solver": settings, **simulated, "versions": storage.versions()}
