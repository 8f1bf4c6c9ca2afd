"""Time integration of the generated right-hand sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DeclarationError, SolveError

if TYPE_CHECKING:
    from .derive import Derivation
    from .problem import Problem
    from .results import Trajectory

__all__ = ["METHODS", "State", "solve"]

METHODS = ("DOP853", "RK45", "RK23", "Radau", "BDF", "LSODA")
"""Integrators, those of :func:`scipy.integrate.solve_ivp`."""

_POINTS = 201
"""Output times when only a horizon is given."""

_BLOW_UP = 1e30
"""Overlaps beyond this many times their start count as a blow-up; integrating on would only shrink the step."""


@dataclass(frozen=True)
class State:
    """What an event function sees: the solution at one time.

    Attributes
    ----------
    overlaps, gram:
        B = W^T K W and W^T W, shape (n, n), student first.
    """

    overlaps: NDArray[np.float64]
    gram: NDArray[np.float64]
    _risk: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @property
    def risk(self) -> float:
        """The risk h(B)."""
        return float(self._risk(self.overlaps))


def solve(
    theory: Derivation,
    problem: Problem,
    t: float | None = None,
    t_eval: ArrayLike | None = None,
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    method: str = "DOP853",
    events: Any = None,
    dense_output: bool = False,
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
    run = _Run(theory, problem, method, rtol, atol)
    times = output_times(problem.horizon, t, t_eval)
    return run.integrate(times, _as_list(events), dense_output)


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


class _Run:
    """One integration: the arrays of the problem and the generated right-hand side."""

    def __init__(self, theory: Derivation, problem: Problem, method: str, rtol: float, atol: float) -> None:
        if method not in METHODS:
            raise DeclarationError(f"method is {method!r}", remedy=f"choose one of {', '.join(METHODS)}")
        if not (0 < rtol < 1 and np.all(np.asarray(atol) >= 0)):
            raise DeclarationError(f"rtol = {rtol}, atol = {atol}", remedy="give 0 < rtol < 1 and atol >= 0")
        self.theory, self.problem = theory, problem
        self.method, self.rtol, self.atol = method, rtol, atol
        self.parameters = theory.parameter_values(problem.parameters)
        self.module = theory.module
        self.grams = np.asarray(problem.grams(theory.model), dtype=np.float64)
        self.lam = np.asarray(problem.spectrum.levels, dtype=np.float64)
        self.rho = np.asarray(problem.spectrum.fractions, dtype=np.float64)
        self.rhs = self.module.make_rhs(
            self.lam,
            self.rho,
            self.grams,
            self._rate(),
            delta=problem.delta,
            batch=float(problem.batch_size),
            **self.parameters,
        )

    def _rate(self) -> Callable[[float], float]:
        schedule = self.problem.learning_rate
        if schedule.kind == "constant":
            value = float(schedule.value)
            return lambda _: value
        return lambda time: float(schedule(np.asarray(time, dtype=np.float64)))

    def integrate(
        self, times: NDArray[np.float64], events: list[Callable[..., float]], dense_output: bool
    ) -> Trajectory:
        from scipy.integrate import solve_ivp

        start = self.module.pack(self.grams)
        self._check_start(start)
        wrapped = [self._event(event) for event in events]
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                self.rhs,
                (0.0, max(float(times[-1]), np.finfo(float).tiny)),
                start,
                method=self.method,
                t_eval=times,
                rtol=self.rtol,
                atol=self.atol,
                events=[*wrapped, self._blow_up(start)],
                dense_output=dense_output,
            )
        return self._collect(solution, times, len(events))

    def _check_existence(self, times: NDArray[np.float64], overlaps: NDArray[np.float64]) -> None:
        """Expectations such as E exp(x^2 / 4) exist for some overlaps only; outside, formulas still give numbers."""
        conditions = self.theory.program.conditions
        if conditions is None:
            return
        inside = self.module.exists(overlaps, **self.parameters)
        if not np.all(inside):
            k = int(np.argmin(inside))
            listing = ", ".join(f"{condition} > 0" for _, condition in conditions.formulas)
            raise SolveError(
                f"the expectations do not exist at t = {times[k]:.6g}, where B = {overlaps[k].tolist()}",
                t=float(times[k]),
                remedy=f"they exist where {listing}; start there, or use a smaller learning rate",
            )

    def _check_start(self, start: NDArray[np.float64]) -> None:
        self._check_existence(np.zeros(1), self._overlaps(self.grams)[None])
        with np.errstate(all="ignore"):
            slope = self.rhs(0.0, start)
        if not np.all(np.isfinite(slope)):
            raise SolveError(
                f"the right-hand side is not finite at the start, where B = {self._overlaps(self.grams).tolist()}",
                t=0.0,
                remedy="the formulas are singular there (an untrained kinked model at X = 0 is); start elsewhere",
            )

    def _overlaps(self, grams: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = np.einsum("m,...mij->...ij", self.lam, grams)
        return result

    def _event(self, event: Callable[..., float]) -> Callable[[float, NDArray[np.float64]], float]:
        def wrapped(time: float, y: NDArray[np.float64]) -> float:
            return float(event(time, self._state(y)))

        for name in ("terminal", "direction"):
            setattr(wrapped, name, getattr(event, name, 0))
        return wrapped

    def _state(self, y: NDArray[np.float64]) -> State:
        grams = self.module.unpack(y, self.grams)
        return State(self._overlaps(grams), grams.sum(axis=0), self._risk)

    def _risk(self, overlaps: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = self.module.risk(overlaps, **self.parameters)
        return result

    def _blow_up(self, start: NDArray[np.float64]) -> Callable[[float, NDArray[np.float64]], float]:
        largest = _BLOW_UP * max(float(np.max(np.abs(start), initial=0.0)), float(np.max(np.abs(self.grams))))

        def blow_up(_: float, y: NDArray[np.float64]) -> float:
            size = float(np.max(np.abs(y)))
            return largest - size if np.isfinite(size) else -largest

        blow_up.terminal = True  # type: ignore[attr-defined]  # scipy's protocol
        return blow_up

    def _collect(self, solution: Any, times: NDArray[np.float64], n_events: int) -> Trajectory:
        finite = np.all(np.isfinite(solution.y), axis=0) if solution.t.size else np.zeros(0, dtype=bool)
        count = int(np.argmin(finite)) if not np.all(finite) else finite.size
        blown = len(solution.t_events[-1]) > 0
        stopped = solution.status == 1 and not blown
        trajectory = self._trajectory(solution, count, n_events) if count else None
        if count == times.size or (stopped and count == solution.t.size):
            return self._checked(trajectory)
        last = float(solution.t_events[-1][0]) if blown else float(solution.t[count - 1]) if count else 0.0
        raise SolveError(
            f"the solution leaves the finite range near t = {last:.6g} (wanted: up to {times[-1]:.6g})",
            t=last,
            trajectory=trajectory,
            remedy="a smaller learning rate, or a shorter horizon; the trajectory up to there is in `.trajectory`",
        )

    def _checked(self, trajectory: Trajectory | None) -> Trajectory:
        if trajectory is None:
            raise SolveError("no output time was reached", t=0.0, remedy="give t_eval inside the horizon")
        if not np.all(np.isfinite(trajectory.risk.values)):
            where = int(np.argmin(np.isfinite(trajectory.risk.values)))
            raise SolveError(
                f"the risk is not finite at t = {float(trajectory.time[where]):.6g}",
                t=float(trajectory.time[where]),
                trajectory=trajectory,
                remedy="the formula is singular at these overlaps",
            )
        return trajectory

    def _trajectory(self, solution: Any, count: int, n_events: int) -> Trajectory:
        from .results import Trajectory

        model = self.theory.model
        grams = self.module.unpack(solution.y[:, :count].T, self.grams)
        overlaps = self._overlaps(grams)
        times = solution.t[:count]
        self._check_existence(times, overlaps)
        risk = self._risk(overlaps)
        return Trajectory.build(
            time=times,
            overlaps=overlaps,
            gram=grams.sum(axis=1),
            grams=grams,
            risk=risk,
            excess_risk=risk - self._risk(self._at_target(overlaps)),
            learning_rate=np.broadcast_to(self.problem.learning_rate(times), times.shape),
            names=tuple(symbol.name for symbol in (*model.students, *model.teachers)),
            n_student=model.n_student,
            attrs=self._attributes(solution, overlaps),
            events=[np.asarray(found) for found in solution.t_events[:n_events]],
            dense=self._dense(solution),
        )

    def _at_target(self, overlaps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Overlaps at X = X*, where the excess risk is zero; needs l = l*."""
        students = self.theory.model.n_student
        if students != self.theory.model.n_teacher:
            return overlaps
        block = overlaps[..., students:, students:]
        return np.concatenate([np.concatenate([block, block], -1), np.concatenate([block, block], -1)], -2)

    def _dense(self, solution: Any) -> Callable[[Any], NDArray[np.float64]] | None:
        if solution.sol is None:
            return None

        def grams(time: Any) -> NDArray[np.float64]:
            """Gram matrices (..., modes, n, n) at any times within the solution."""
            states = np.moveaxis(np.asarray(solution.sol(np.asarray(time, dtype=float))), 0, -1)
            result: NDArray[np.float64] = self.module.unpack(states, self.grams)
            return result

        return grams

    def _attributes(self, solution: Any, overlaps: NDArray[np.float64]) -> dict[str, Any]:
        problem = self.problem
        return {
            "model": self.theory.model.name,
            "declaration": list(self.theory.program.declaration),
            "spectrum": problem.spectrum.label,
            "d": problem.spectrum.d,
            "delta": problem.delta,
            "batch_size": problem.batch_size,
            "learning_rate": problem.learning_rate.describe(),
            "parameters": self.parameters,
            "solver": {
                "method": self.method,
                "rtol": self.rtol,
                "atol": self.atol,
                "rhs_evaluations": int(solution.nfev),
                "message": str(solution.message),
            },
            "quadrature_error": self._quadrature_error(overlaps),
        }

    def _quadrature_error(self, overlaps: NDArray[np.float64]) -> float:
        """Largest change of the risk, relative to its scale, when the number of quadrature nodes is doubled."""
        if not self.theory.program.dimensions:
            return 0.0
        chosen = overlaps[np.unique(np.linspace(0, len(overlaps) - 1, 8).astype(int))]
        coarse = self.module.risk(chosen, **self.parameters)
        fine = self.module.risk(chosen, refine=2, **self.parameters)
        return float(np.max(np.abs(coarse - fine)) / max(float(np.max(np.abs(fine))), np.finfo(float).tiny))
