"""Time integration of the generated right-hand sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .compression import solve_modes
from .describe.origin import Call, Origin
from .drift import Drift
from .errors import DeclarationError, SolveError
from .integration import Run, State
from .ir.sized import SizedProgram
from .modelcheck import check_free
from .modes import Modes
from .sizedrun import SizedRun
from .stepping.methods import METHODS

if TYPE_CHECKING:
    from .contour import Ellipse
    from .derive import Derivation
    from .derive.sized import SizedDerivation
    from .problem import Problem
    from .results import Trajectory
    from .stepping.jacobian import Jacobian

__all__ = ["METHODS", "State", "drift", "jacobian", "output_times", "solve"]

_POINTS = 201
"""Output times when only a horizon is given."""


def solve(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float | None = None,
    t_eval: ArrayLike | str | None = None,
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    method: str = "auto",
    events: Any = None,
    dense_output: bool = False,
    modes: int | str = "auto",
    tol: float | None = None,
    formulation: str = "modes",
    contour: Ellipse | None = None,
    fluctuations: bool = False,
    finite_d: str | None = None,
) -> Trajectory:
    """Integrate the ODEs of `problem` from 0 to `t`.

    Parameters
    ----------
    t:
        Horizon, in t = steps / d; ``problem.horizon`` if neither `t` nor `t_eval` is given.
    t_eval:
        Wanted times, increasing and non-negative; by default 201 equally spaced ones. ``"log"``: 0, and 200 times up
        to the horizon with equal ratios, from 0.01 or a ten-thousandth of the horizon on, whichever comes first.
    rtol, atol:
        Tolerances of a step, relative and, for overlaps, absolute: each level has `atol` times its share of the modes.
    method:
        ``"auto"``: DOP853, and from where stability rather than accuracy holds its steps back a method for stiff
        equations, if that is worth it; ``path.attrs["solver"]["used"]`` says which, from when on and why. Or
        ``"explicit"`` (DOP853), ``"stiff"`` (RODAS), ``"exponential"`` (exponential Rosenbrock), or a name that
        :func:`scipy.integrate.solve_ivp` knows: see :data:`METHODS`.
    events, dense_output:
        As in :func:`scipy.integrate.solve_ivp`; an event is a function ``event(t, state)`` of time and
        :class:`State`, with the attributes ``terminal`` and ``direction`` if wanted.
    modes:
        "full": an equation for every level of the spectrum. A number m: at most m nodes that stand for them. "auto":
        as many nodes as `tol` asks for where the spectrum has hundreds of levels or more, else all levels. The error is
        measured, by another solution with more nodes, and stored as ``attrs["compression_error"]``.
    tol:
        For "auto": largest change of risk, overlaps, W^T W and statistics when nodes are added, each relative to its
        largest value along the path; `rtol` by default, and at least 1e-12.
    formulation:
        ``"modes"``, or ``"resolvent"``: S(t, z) = W^T (K - z)^-1 W on a contour, an independent way to the same limit,
        without Gram matrices of the levels. Explicit only, and for moderate times: it amplifies errors where the
        contour is to the left of zero. It takes neither a number of modes nor a `tol`.
    contour:
        For the resolvent an :class:`hdsym.Ellipse` that encloses the spectrum; one close around it by default.
    fluctuations:
        Whether the trajectory carries error bars: how far a single run of dimension d strays from it, in the
        linear-noise limit (``path.risk_std``, ``path.band(0.9)``, ``path.sample(5, rng=0)``); see
        :mod:`hdsym.fluctuations`. A state of more than 160 entries has those of the risk, of statistics and of other
        single curves alone.
    finite_d:
        ``"mean"``: what the trajectory holds is shifted by what the mean of many runs differs from the limit by, at
        order 1/d. Implies `fluctuations`.

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
    times = output_times(problem.horizon, t, t_eval)
    bars = fluctuations or finite_d is not None
    if bars:
        _check_bars(theory, problem, formulation, finite_d)

    def begin(chosen: Modes | None) -> Run:
        return _run(theory, problem, method, rtol, atol, chosen, formulation, contour)

    wanted, called = modes if formulation == "modes" else _without_modes(modes, tol), _as_list(events)
    options: dict[str, Any] = {"t": t, "t_eval": t_eval if isinstance(t_eval, str | None) else np.array(t_eval)}
    options |= {"rtol": rtol, "atol": atol, "method": method, "events": tuple(called), "dense_output": dense_output}
    options |= {"modes": modes, "tol": tol, "formulation": formulation, "contour": contour}
    options |= {"fluctuations": fluctuations, "finite_d": finite_d}
    origin = Origin(Call(theory, problem, {"function": "solve", **options}))
    try:
        path = solve_modes(begin, lambda run: run.integrate(times, called, dense_output or bars), times, wanted, tol)
    except SolveError as error:
        if error.trajectory is not None:
            error.trajectory = replace(error.trajectory, origin=origin)
        raise
    if not bars:
        return replace(path, origin=origin)
    from .fluctuations.attach import with_fluctuations

    found = with_fluctuations(path, begin, finite_d)
    limit = finite_d is None  # the dense solution is that of the limit
    return replace(found, origin=origin, dense=found.dense if dense_output and limit else None)


def _check_bars(theory: Derivation | SizedDerivation, problem: Problem, formulation: str, finite_d: str | None) -> None:
    """Before anything is solved: whether there are error bars."""
    from .fluctuations.attach import check_problem

    if formulation != "modes":
        raise DeclarationError(
            f"formulation is {formulation!r}, whose state does not resolve modes",
            remedy='error bars need formulation="modes"',
        )
    check_problem(_run(theory, problem), finite_d)


def _without_modes(modes: int | str, tol: float | None) -> str:
    """All levels, that is "full": the size of the resolvent's state is that of its contour."""
    if modes not in ("auto", "full") or tol is not None:
        given = f"modes is {modes!r}" if tol is None else f"tol is {tol!r}"
        raise DeclarationError(
            f'{given} with formulation="resolvent", which has no modes',
            remedy="choose its accuracy by contour=hd.Ellipse(..., nodes=...), or leave both out",
        )
    return "full"


def jacobian(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float = 0.0,
    grams: ArrayLike | None = None,
    trained: ArrayLike | None = None,
) -> Jacobian:
    """The Jacobian of the mode equations of `problem` at time `t`.

    Parameters
    ----------
    grams:
        Gram matrices of the levels, shape (m, n, n), as ``path.grams`` has them; those of the start by default.
    trained:
        Trained scalars, shape (count,); those of the start by default.

    Returns
    -------
    Jacobian
        ``.dense()`` is the matrix, ``.apply`` and ``.factor(shifts).solve`` are products and solutions at a cost linear
        in the number of modes. Exact where the derivatives of H and I have formulas (``theory.slopes``); sums over
        units, many directions and kinks without a formula have central differences, good to about 1e-10.

    Raises
    ------
    DeclarationError
        For arrays of another shape.
    """
    run = _run(theory, problem)
    start, scalars = run._split(run._start())
    given = [start if grams is None else np.asarray(grams, dtype=np.float64)]
    if scalars is not None:
        given.append(scalars if trained is None else np.asarray(trained, dtype=np.float64))
    for array, like in zip(given, (start, scalars), strict=False):
        if like is not None and array.shape != like.shape:
            raise DeclarationError(f"the state has shape {array.shape}", remedy=f"it is {like.shape} here")
    return run.linearise(t, run.packed(*given))


def drift(theory: Derivation | SizedDerivation, problem: Problem) -> Drift:
    """H = Dh[:, :l], I(B) and T = E[d_theta f] of `problem` as a function of overlaps and trained scalars.

    ``drift(B, theta)`` takes (n, n) and (scalars,) and gives (n, l), (l, l) and (scalars,): what a step of SGD does to
    the weights, in the mean and in its square.
    """
    return _run(theory, problem).drift


def _run(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    method: str = "auto",
    rtol: float = 1e-8,
    atol: float = 1e-10,
    modes: Modes | None = None,
    formulation: str = "modes",
    contour: Ellipse | None = None,
) -> Run:
    sized = isinstance(theory.program, SizedProgram)
    if formulation == "resolvent":
        check_free(theory.model, 'formulation="resolvent"')
    if formulation == "resolvent" and problem.learning_rate.kind == "adaptive":
        raise DeclarationError(
            'formulation="resolvent" follows schedules in t, and the learning rate is adaptive',
            remedy="leave the formulation out, or give path.learning_rate of a first solution as a function of t",
        )
    if formulation == "resolvent":
        from .resolvent import ResolventRun, SizedResolventRun

        kind = SizedResolventRun if sized else ResolventRun
        return kind(theory, problem, method, rtol, atol, contour=contour)
    if formulation != "modes" or contour is not None:
        raise DeclarationError(
            f"formulation is {formulation!r}" + (" with a contour" if contour else ""),
            remedy='it is "modes", or "resolvent", which takes a contour',
        )
    return (SizedRun if sized else Run)(theory, problem, method, rtol, atol, modes)


def output_times(horizon: float, t: float | None, t_eval: ArrayLike | str | None) -> NDArray[np.float64]:
    """Wanted times from a horizon or a list of times; raises DeclarationError if they have no meaning."""
    if isinstance(t_eval, str) and t_eval != "log":
        raise DeclarationError(f"t_eval is {t_eval!r}", remedy='give times, or "log" for equal ratios')
    if t_eval is None or isinstance(t_eval, str):
        end = float(horizon if t is None else t)
        if not np.isfinite(end) or end <= 0:
            raise DeclarationError(f"the horizon t is {end!r}", remedy="give a positive number, in steps / d")
        if t_eval is None:
            return np.linspace(0.0, end, _POINTS)
        return np.concatenate([[0.0], np.geomspace(min(0.01, 1e-4 * end), end, _POINTS - 1)])
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
