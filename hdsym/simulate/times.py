"""Which steps are recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import SimulationError

__all__ = ["recorded_steps"]


def recorded_steps(
    d: int, horizon: float, t: float | None, t_eval: ArrayLike | None, record: Any, spacing: str
) -> NDArray[np.int64]:
    """Steps k (time k / d) at which overlaps are recorded, increasing, without repetition, shape (T,).

    The wanted times `t_eval`, each at the nearest step; else t = 0 and `record` more times up to `t` (or `horizon`),
    spaced linearly or logarithmically.

    Raises
    ------
    SimulationError
        If both `t` and `t_eval` are given, or a time, number or spacing has no meaning.
    """
    if t is not None and t_eval is not None:
        raise SimulationError("both t and t_eval are given", remedy="give the horizon t, or the wanted times t_eval")
    if t_eval is not None:
        wanted = checks.real_array(t_eval, "t_eval")
        if wanted.ndim != 1 or wanted.size == 0 or wanted[0] < 0 or np.any(np.diff(wanted) <= 0):
            raise SimulationError(f"t_eval is {t_eval!r}", remedy="give increasing times >= 0, shape (T,)")
    else:
        end = checks.finite(horizon if t is None else t, "t")
        wanted = _spaced(end, checks.dimension(record, "record"), spacing, d)
    if wanted[-1] * d >= 2**62:
        raise SimulationError(f"t = {wanted[-1]:g} at d = {d} are too many steps", remedy="lower t or d")
    return np.unique(np.rint(wanted * d).astype(np.int64))


def _spaced(end: float, record: int, spacing: str, d: int) -> NDArray[np.float64]:
    if end <= 0 or round(end * d) < 1:
        raise SimulationError(f"t = {end:g} is less than one step of length 1 / d = {1 / d:g}", remedy="raise t")
    if spacing == "linear":
        return np.linspace(0.0, end, record + 1)
    if spacing == "log":
        return np.concatenate([[0.0], np.geomspace(min(1.0, end * d / 2) / d, end, record)])
    raise SimulationError(f"spacing is {spacing!r}", remedy='it is "linear" or "log"')
