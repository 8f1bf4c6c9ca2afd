"""Time integration of the generated right-hand sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .compression import solve_modes
from .errors import DeclarationError
from .integration import METHODS, Run, State
from .ir.sized import SizedProgram
from .modes import Modes
from .sizedrun import SizedRun

if TYPE_CHECKING:
    from .derive import Derivation
    from .derive.sized import SizedDerivation
    from .problem import Problem
    from .results import Trajectory

__all__ = ["METHODS", "State", "output_times", "solve"]

_POINTS = 201
"""Output times when only a horizon is given."""


def solve(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float | None = None,
    t_eval: ArrayLike | None = None,
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    method: str = "DOP853",
    events: Any = None,
    dense_output: bool = False,
    modes: int | str = "auto",
    tol: float | None = None,
) -> Trajectory:
    """Integrate the ODEs of `problem` from 0 to `t`.

    Parameters
    ----------
    t:
        Horizon, in t = steps / d; ``problem.horizon`` if neither `t` nor `t_eval` is given.
    t_eval:
        Wanted times, increasing and non-negative; by default 201 equally spaced ones.
    rtol, atol, method, events, dense_output:
        As in :func:`scipy.integrate.solve_ivp`; an event is a function ``event(t, state)`` of time and
        :class:`State`, with the attributes ``terminal`` and ``direction`` if wanted.
    modes:
        "full": an equation for every level of the spectrum. A number m: at most m nodes that stand for them. "auto":
        as many nodes as `tol` asks for where the spectrum has hundreds of levels or more, else all levels. The error is
        measured, by another solution with more nodes, and stored as ``attrs["compression_error"]``.
    tol:
        For "auto": largest change of risk, overlaps, W^T W and statistics when nodes are added, each relative to its
        largest value along the path; `rtol` by default, and at least 1e-12.

    Returns
    -------
    Trajectory
        Its `risk` has shape (time,), its `overlaps` (time, n, n).

    Raises
    ------
    SolveError
        If the solution leaves the finite range: it carries the time and the trajectory up to there.
    DeclarationError
        For times, tolerances or a method that have no meaning.
    ParameterError
        For a parameter without a value.
    """
    kind: type[Run] = SizedRun if isinstance(theory.program, SizedProgram) else Run
    times = output_times(problem.horizon, t, t_eval)

    def begin(chosen: Modes | None) -> Run:
        return kind(theory, problem, method, rtol, atol, chosen)

    return solve_modes(begin, lambda run: run.integrate(times, _as_list(events), dense_output), times, modes, tol)


def output_times(horizon: float, t: float | None, t_eval: ArrayLike | None) -> NDArray[np.float64]:
    """Wanted times from a horizon or a list of times; raises DeclarationError if they have no meaning."""
    if t_eval is None:
        end = float(horizon if t is None else t)
        if not np.isfinite(end) or end <= 0:
            raise DeclarationError(f"the horizon t is {end!r}", remedy="give a positive number, in steps / d")
        return np.linspace(0.0, end, _POINTS)
    times = np.atleast_1d(np.asarray(t_eval, dtype=np.float64))
    ordered = times.ndim == 1 and times.size and np.all(np.isfinite(times)) and np.all(np.diff(times) > 0)
    if not ordered or times[0] < 0 or (t is not None and times[-1] > t):
        raise DeclarationError(
            f"t_eval is {np.array2string(times, threshold=6)}",
            remedy="give increasing, non-negative times" + ("" if t is None else f" up to t = {t}"),
        )
    return times


def _as_list(events: Any) -> list[Callable[..., float]]:
    if events is None:
        return []
    return list(events) if isinstance(events, Sequence) else [events]
