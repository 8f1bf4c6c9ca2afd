"""Few modes in place of all levels of a spectrum, as many as a tolerance asks for, and what that costs in accuracy."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import storage
from .errors import DeclarationError, SolveError
from .integration import Run
from .modes import Modes
from .nodes import Factor, choose, choose_count
from .quadratureerror import relative_change

if TYPE_CHECKING:
    from .problem import Problem
    from .results import Trajectory

__all__ = ["agreed", "check_modes", "fewer", "node_scale", "node_sets", "solve_modes"]

Float = NDArray[np.float64]

_FEW, _FEWEST = 2000, 200
"""Levels up to which "auto" keeps them all: two or three solutions with nodes would not be faster.

The second number is for stiff equations, where the method that nodes allow takes much fewer right-hand sides.
"""

_STIFF = 3000.0
"""Fastest rate of a mode times the horizon from which that is so: 600 steps of an explicit method."""

_LONGEST = 1e6
"""||W||^2 by tr(W^T K W) / (tr K / d) beyond which all levels are kept: nodes would lose that factor in one of them."""

_FIRST, _FINER, _ROUNDS = 30.0, 1e-2, 4
"""Accuracy of the first nodes in units of the tolerance, factor of it from one set to the next, and number of sets.

The bound behind the choice is a worst case: the error measured is smaller by 1e-2 to 1e-4.
"""

_WORTHWHILE = 0.5
"""Share of the levels that nodes may come to; beyond it all levels are kept."""

_LEAST_TOL = 1e-12

_STALLED, _INTEGRATION = 0.3, 1e3
"""More accurate nodes that leave more than this share of the last change show the integrator's own error.

That is taken for what it is up to this multiple of `rtol`; explicit methods on stiff spectra come near it.
"""


def solve_modes(
    begin: Callable[[Modes | None], Run],
    solve: Callable[[Run], Trajectory],
    times: Float,
    modes: int | str,
    tol: float | None,
    *,
    measure: bool = True,
) -> Trajectory:
    """The trajectory with the modes asked for, its error in ``attrs["compression_error"]``; 0 for all levels.

    Parameters
    ----------
    begin:
        Makes a run over given modes, ``None`` for all levels.
    solve:
        Integrates it.
    times:
        Output times, the last of which is the horizon.
    modes, tol:
        As in :func:`hdsym.solve.solve`.
    measure:
        Whether a second solution tells how good a given number of nodes is.

    Raises
    ------
    DeclarationError
        If `modes` or `tol` has no meaning.
    SolveError
        As `solve`, where both of two sets of nodes fail.
    """
    count = check_modes(modes, tol)
    run = begin(None)
    levels = run.modes.levels
    if modes == "full" or levels <= (_FEWEST if count is None else count):
        return solve(run)
    every, tau = run.modes.ascending(), _time_scale(run, times)
    if count is None and (_few(every, tau) or _too_long(every)):
        return solve(run)
    if count is not None:
        return _with_count(begin, solve, every, tau, count, run.composition.factor, measure=measure)
    accuracy = max(run.rtol if tol is None else tol, _LEAST_TOL)
    noise, factor = _INTEGRATION * run.rtol, run.composition.factor
    return _refined(begin, solve, times, every, tau, accuracy, noise, factor) or solve(run)


def node_scale(run: Run, problem: Problem, times: Float, modes: int | str) -> float | None:
    """The time scale that nodes are for, the next power of two; ``None`` if all levels are kept.

    As :func:`solve_modes` decides, but for some hundred levels too: nodes pay where they serve many problems. `run` has
    the modes and parameters of the problem; its learning rate does not matter. Learning rates that are near have the
    same nodes.
    """
    every = run.modes
    if modes == "full" or every.levels <= (_FEWEST if isinstance(modes, str) else modes):
        return None
    if isinstance(modes, str) and _too_long(every.ascending()):
        return None
    return float(2.0 ** np.ceil(np.log2(_time_scale(run, times, schedule=problem.learning_rate))))


def node_sets(run: Run, scale: float | None, modes: int | str, tol: float | None) -> list[Modes]:
    """The modes for integrations side by side: all levels; or sets of nodes, each to be checked by the one before."""
    if scale is None:
        return [run.modes]
    count, every, factor = check_modes(modes, tol), run.modes.ascending(), run.composition.factor
    if count is not None:
        return [every.at(choose_count(every.lam, scale, n, factor)) for n in (2 * count + 4, count)]
    accuracy = _FIRST * max(run.rtol if tol is None else tol, _LEAST_TOL)
    rounds = ((scale, 1.0), (2.0 * scale, _FINER), (2.0 * scale, _FINER**2))  # it is that of the start, and may grow
    sets = [every.at(choose(every.lam, tau, max(accuracy * finer, 1e-15), factor)) for tau, finer in rounds]
    if len(sets[-1].lam) > _WORTHWHILE * every.levels or not sets[-1].compressed:
        return [run.modes]
    return sets


def agreed(changes: Sequence[float], rtol: float, tol: float | None) -> int | None:
    """Which of the sets of nodes of :func:`node_sets` is accurate, as in :func:`solve_modes`; ``None`` if none is.

    `changes` are the relative changes from each to the next.
    """
    wanted, last = max(rtol if tol is None else tol, _LEAST_TOL), 1.0
    for k, change in enumerate(changes, start=1):
        if change <= wanted or (change <= _INTEGRATION * rtol and change > _STALLED * last):
            return k
        last = change
    return None


def check_modes(modes: int | str, tol: float | None) -> int | None:
    """The number of modes asked for, if there is one; raises DeclarationError for values without a meaning."""
    if tol is not None and not 0 < tol < 1:
        raise DeclarationError(f"tol is {tol!r}", remedy="give a relative error between 0 and 1, for instance 1e-8")
    if isinstance(modes, str):
        if modes in ("auto", "full"):
            return None
    else:
        try:
            if not isinstance(modes, bool) and operator.index(modes) > 0:
                return operator.index(modes)
        except TypeError:
            pass
    raise DeclarationError(f"modes is {modes!r}", remedy='give "auto", "full" or a positive number of modes')


def _few(every: Modes, tau: float) -> bool:
    """Whether all levels cost less than two sets of nodes."""
    return every.levels <= _FEW and tau * float(every.lam[-1]) < _STIFF


def _too_long(every: Modes) -> bool:
    """Whether nearly all of a finite ||W||^2 is where the eigenvalues nearly vanish."""
    size = np.trace(every.grams, axis1=1, axis2=2)
    return every.bounded and bool(size.sum() * (every.rho @ every.lam) > _LONGEST * (every.lam @ size))


def _with_count(
    begin: Callable[[Modes | None], Run],
    solve: Callable[[Run], Trajectory],
    every: Modes,
    tau: float,
    count: int,
    factor: Factor,
    *,
    measure: bool,
) -> Trajectory:
    """At most `count` nodes; twice as many tell how good they are, if that is to be known."""
    if not measure:
        return solve(begin(every.at(choose_count(every.lam, tau, count, factor))))
    wanted, finer = (every.at(choose_count(every.lam, tau, n, factor)) for n in (count, 2 * count + 4))
    path = solve(begin(wanted))
    if not wanted.compressed:
        return path
    try:
        error = _change(path, solve(begin(finer)))
    except SolveError:
        error = 1.0  # the nodes do not even agree on whether there is a solution
    return _marked(path, error)


def _refined(
    begin: Callable[[Modes | None], Run],
    solve: Callable[[Run], Trajectory],
    times: Float,
    every: Modes,
    tau: float,
    tol: float,
    noise: float,
    factor: Factor,
) -> Trajectory | None:
    """Sets of nodes until two agree to `tol`, or to the integrator's own error if that is below `noise`.

    The last is returned; ``None`` if all levels are needed.
    """
    before: Trajectory | None = None
    failed, last = False, 1.0
    for k in range(_ROUNDS):
        accuracy = max(_FIRST * tol * _FINER**k, 1e-15)
        chosen = every.at(choose(every.lam, tau, accuracy, factor))
        if len(chosen.lam) > _WORTHWHILE * every.levels:
            return None
        run = begin(chosen)
        try:
            found = solve(run)
        except SolveError:
            if failed or not chosen.compressed:
                raise
            failed, before = True, None
            continue
        if not chosen.compressed:
            return _marked(found, 0.0)
        change = 1.0 if before is None else _change(before, found)
        if change <= tol or (change <= noise and change > _STALLED * last):
            return _marked(found, change)
        tau = max(tau, _time_scale(run, times, found))
        before, last, failed = found, change, False
    return None


def _time_scale(run: Run, times: Float, path: Trajectory | None = None, schedule: Any = None) -> float:
    """tau, 4 times the integral of gamma ||Dh_xx||: from the start and X = X*, or along a path.

    A mode decays like exp(-lam tau) at most: V' = -2 gamma lam (V H + H^T V) + ...
    """
    l = run.model.n_student
    if path is None:
        overlaps, theta = run._overlaps(run.grams)[None], run.start_scalars
        if l == run.model.n_teacher:
            overlaps = np.concatenate([overlaps, run._at_target(overlaps)])
        trained = None if theta is None else np.repeat(theta[None], len(overlaps), axis=0)
    else:
        times, overlaps = path.time.values, path.overlaps.values
        trained = path.dataset["trained"].values if "trained" in path.dataset else None
    with np.errstate(all="ignore"):
        student = run._quantity("gradient", overlaps, trained, 1)[:, :l, :l]
    sizes = np.linalg.norm(np.nan_to_num(student, nan=0.0, posinf=0.0, neginf=0.0), axis=(1, 2))
    if path is None:
        end = float(times[-1])
        times = np.unique(np.concatenate([np.linspace(0.0, end, 201), end * np.geomspace(1e-8, 1.0, 201)]))
        sizes = np.full(len(times), max(float(sizes.max()), 1e-3))
        given = schedule or run.problem.learning_rate
        first = run.rates_along(np.zeros(1), run._start()[None])[0] if run.rates else given(times)
        rate = np.broadcast_to(first, times.shape)
    else:
        rate = path.learning_rate.values
    return 4.0 * float(np.trapezoid(rate * sizes, times)) + 1e-3


def _change(coarse: Trajectory, fine: Trajectory) -> float:
    """Largest change of risk, overlaps, W^T W, statistics and trained scalars, relative to the largest value of each.

    Where an event or a failure ended one of them, up to there.
    """
    common = min(coarse.time.size, fine.time.size)
    statistics = fine.attrs.get("statistics", {})
    names = ("risk", "overlaps", *statistics, *(name for name in ("gram", "trained") if name in fine.dataset))
    pairs = ((coarse.dataset[name].values[:common], fine.dataset[name].values[:common]) for name in names)
    return max(float(np.finfo(float).eps), *(relative_change(first, second) for first, second in pairs))


def fewer(run: Run, path: Trajectory, accuracy: float) -> Modes | None:
    """Nodes that stand for a run's modes to a relative accuracy along a solution; ``None`` if they are not fewer."""
    if run.modes.compressed:
        return None
    every, tau = run.modes.ascending(), _time_scale(run, path.time.values, path)
    chosen = every.at(choose(every.lam, tau, accuracy, run.composition.factor))
    return chosen if len(chosen.lam) < len(run.lam) else None


def _marked(path: Trajectory, error: float) -> Trajectory:
    attrs: dict[str, Any] = storage.encode({"compression_error": error})
    return replace(path, dataset=path.dataset.assign_attrs(attrs))
