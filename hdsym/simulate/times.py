"""Which steps are recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import SimulationError

__all__ = ["last_time", "recorded_steps"]


def last_time(horizon: float, t: float | None, t_eval: ArrayLike | None) -> float:
    """The last wanted time, positive; `horizon` where the wanted ones have no meaning, which is found out later."""
    found = horizon if t is None else t
    times = np.asarray(found if t_eval is None else t_eval)
    last = float(times.max()) if times.dtype.kind in "iuf" and times.size else horizon
    return last if 0 < last < np.inf else horizon


def recorded_steps(
    d: int, horizon: float, t: float | None, t_eval: ArrayLike | None, record: Any, spacing: str
) -> NDArray[np.int64]:
    """Steps k (time k / d) at which overlaps are recorded, increasing, without repetition, shape (T,).

    There are d steps per unit of time. The wanted times `t_eval`, each at the nearest step; else t = 0 and `record`
    more times up to `t` (or `horizon`), spaced linearly or logarithmically.

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
        raise SimulationError(
            f"t = {wanted[-1]:g} are too many steps, of length 1 / {d}",
            remedy="lower t, or take fewer steps per unit of time",
        )
    return np.unique(np.rint(wanted * d).astype(np.int64))


def _spaced(end: float, record: int, spacing: str, d: int) -> NDArray[np.float64]:
    if end <= 0 or round(end * d) < 1:
        raise SimulationError(f"t = {end:g} is less than one step, of length 1 / {d}", remedy="raise t")
    if spacing == "linear":
        return np.linspace(0.0, end, record + 1)
    if spacing == "log":
        return np.concatenate([[0.0], np.geomspace(min(1.0, end * d / 2) / d, end, record)])
    raise SimulationError(f"spacing is {spacing!r}", remedy='it is "linear" or "log"')
