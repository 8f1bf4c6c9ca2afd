"""One time integration: from the arrays of a problem to a trajectory, or to an error that says where it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import modelstatistics
from .composition import Composition, over_modes
from .digest import digest
from .errors import SolveError
from .linearised import Linearised, Observed
from .modes import Modes, all_modes
from .ratestates import rate_states
from .runstate import Dense, State, checked, out_of_range, storable
from .stepping.methods import check_method, check_tolerances, integrator

if TYPE_CHECKING:
    from .derive import Derivation
    from .derive.sized import SizedDerivation
    from .followed import Followed
    from .problem import Problem
    from .results import Trajectory

__all__ = ["Run", "State"]

_BLOW_UP = 1e30
"""Overlaps beyond this many times their start count as a blow-up; integrating on would only shrink the step."""


class Run(Linearised):
    """One integration: the arrays of the problem and the generated right-hand side."""

    def __init__(
        self,
        theory: Derivation | SizedDerivation,
        problem: Problem,
        method: str,
        rtol: float,
        atol: float,
        modes: Modes | None = None,
    ) -> None:
        check_method(method)
        check_tolerances(rtol, atol)
        self.theory: Any = theory  # each kind of run knows its own kind of derivation
        self.problem = problem
        self.method, self.rtol, self.atol = method, rtol, atol
        self.model = problem.explicit(theory.model)
        self.parameters = self._parameters()
        self.module = theory.module
        self.last: tuple[float, NDArray[np.float64]] = (0.0, np.zeros(0))
        self.modes = all_modes(problem, self.model) if modes is None else modes
        self.grams, self.lam, self.rho = self.modes.grams, self.modes.lam, self.modes.rho
        self.composition = Composition(
            self.model, self._followed(), self.model.parameter_values(problem.parameters), problem.spectrum
        )
        if not self.modes.bounded:
            self.composition.check_limits()
        self.rates = rate_states(self)
        self.rhs = self._right_hand_side() if self.rates is None else self.rates.wrap(self._right_hand_side())

    def _followed(self) -> tuple[Followed, ...]:
        """The declared statistics, sums over units written out."""
        return self.model.followed

    def _parameters(self) -> dict[str, Any]:
        """Named arguments of the generated functions that do not change in time."""
        values: dict[str, Any] = self.theory.parameter_values(self.problem.parameters)
        return values

    def _shown_parameters(self) -> dict[str, Any]:
        """Values of the model's parameters by name, as results store them."""
        return storable(self.parameters)

    def _right_hand_side(self) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
        problem = self.problem
        rate, settings = self._rate(problem.learning_rate), {"delta": problem.delta, "batch": float(problem.batch_size)}
        result: Callable[[float, NDArray[np.float64]], NDArray[np.float64]] = self.module.make_rhs(
            self.lam, self.rho, self.grams, rate, **settings, **self.parameters
        )
        return result

    @property
    def start_scalars(self) -> NDArray[np.float64] | None:
        """Trained scalars at t = 0, if there are any."""
        return None

    def _start(self) -> NDArray[np.float64]:
        """The state at t = 0."""
        start = self.packed(self.grams, self.start_scalars)
        return start if self.rates is None else np.concatenate([start, self.rates.rate.start])

    def packed(self, grams: NDArray[np.float64], trained: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """The state with these Gram matrices (m, n, n) and trained scalars."""
        return np.asarray(self.module.pack(grams))

    def _split(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Gram matrices (..., m, n, n) and trained scalars (..., count) of states (..., entries)."""
        return self._split_modes(y if self.rates is None else self.rates.split(y)[0])

    def _split_modes(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        return self.module.unpack(y, self.grams), None

    def _observe(self, y: NDArray[np.float64]) -> Observed:
        """What states (..., entries) say."""
        grams, trained = self._split(y)
        return Observed(self._overlaps(grams), grams.sum(axis=-3), trained, grams, over_modes(self.lam, grams))

    def integrate(
        self, times: NDArray[np.float64], events: list[Callable[..., float]], dense_output: bool
    ) -> Trajectory:
        from scipy.integrate import solve_ivp

        start = self._start()
        self.last = (0.0, start)
        self._check_start(start)
        wrapped = [self._event(event) for event in events]
        chosen, self.history = integrator(self.method, self)
        with np.errstate(all="ignore"):
            solution = solve_ivp(
                self.rhs,
                (0.0, max(float(times[-1]), np.finfo(float).tiny)),
                start,
                t_eval=times,
                rtol=self.rtol,
                atol=self._tolerance(),
                **chosen,
                events=[*wrapped, self._blow_up(start)],
                dense_output=dense_output,
            )
        return self._collect(solution, times, len(events))

    def _tolerance(self) -> NDArray[np.float64]:
        """`atol` is for overlaps: each mode has its share, so that the error of their sum is the same at every d."""
        share = self.module._tolerance(1.0, self.rho)
        owner = self.layout.modes
        tolerance = self.atol * np.where(owner >= 0, share[owner], 1.0)
        return tolerance if self.rates is None else np.append(tolerance, np.full(self.rates.count, self.atol))

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
        return np.asarray(np.einsum("m,...mij->...ij", self.lam, grams))

    def _event(self, event: Callable[..., float]) -> Callable[[float, NDArray[np.float64]], float]:
        def wrapped(time: float, y: NDArray[np.float64]) -> float:
            return float(event(time, self._state(y)))

        for name in ("terminal", "direction"):
            setattr(wrapped, name, getattr(event, name, 0))
        return wrapped

    def _state(self, y: NDArray[np.float64]) -> State:
        seen = self._observe(y)
        gram = seen.gram if self.modes.bounded else np.full_like(seen.gram, np.inf)
        return State(seen.overlaps, gram, seen.trained, lambda B: self._risk(B, seen.trained))

    def _blow_up(self, start: NDArray[np.float64]) -> Callable[[float, NDArray[np.float64]], float]:
        """Stops the integration when the solution explodes, and remembers the last finite step before it."""
        largest = _BLOW_UP * max(float(np.max(np.abs(start), initial=0.0)), float(np.max(np.abs(self.grams))))

        def blow_up(time: float, y: NDArray[np.float64]) -> float:
            size = float(np.max(np.abs(y)))
            if not np.isfinite(size):
                return -largest
            if size < largest and time >= self.last[0]:
                self.last = (time, y.copy())
            return largest - size

        blow_up.terminal = True  # type: ignore[attr-defined]  # scipy's protocol
        return blow_up

    def _collect(self, solution: Any, times: NDArray[np.float64], n_events: int) -> Trajectory:
        finite = np.all(np.isfinite(solution.y), axis=0) if solution.t.size else np.zeros(0, dtype=bool)
        count = finite.size if np.all(finite) else int(np.argmin(finite))
        stopped = solution.status == 1 and len(solution.t_events[-1]) == 0
        if count == times.size or (stopped and count == solution.t.size):
            found = self._trajectory(solution, solution.t[:count], solution.y[:, :count], n_events)
            return checked(found, [name for name, _ in self.model.declared_statistics])
        last, state = self.last
        kept, states = solution.t[:count], solution.y[:, :count]
        if last > (kept[-1] if count else -1.0):
            kept, states = np.append(kept, last), np.column_stack([states, state]) if count else state[:, None]
        raise SolveError(
            out_of_range(last, float(times[-1])),
            t=last,
            trajectory=self._trajectory(solution, kept, states, n_events),
            remedy="a smaller learning rate, or a shorter horizon; the trajectory up to there is in `.trajectory`",
        )

    def _trajectory(
        self, solution: Any, times: NDArray[np.float64], states: NDArray[np.float64], n_events: int
    ) -> Trajectory:
        from .results import Trajectory

        model = self.model
        seen = self._observe(states.T)
        forms = self.composition.forms(seen.weigh, times.shape)
        arrays = self._arrays(seen, forms) | {"learning_rate": self.rates_along(times, states.T)}
        self._check_existence(times, arrays["overlaps"])
        statistics = {name: arrays.pop(name) for name, _ in model.declared_statistics}
        return Trajectory.build(
            time=times,
            **arrays,
            statistics=statistics,
            levels=self.lam,
            names=tuple(symbol.name for symbol in (*model.students, *model.teachers)),
            trained_names=tuple(symbol.name for symbol in model.trained),
            n_student=model.n_student,
            attrs=self._attributes(solution, seen, forms),
            events=[np.asarray(found) for found in solution.t_events[:n_events]],
            bounded=self.modes.bounded,
            status=int(solution.status),
            message=str(solution.message),
            dense=self._dense(solution),
        )

    def _arrays(self, seen: Observed, forms: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """What a trajectory holds at times (T,), from what the states there say."""
        overlaps, trained = seen.overlaps, seen.trained
        risk = self._risk(overlaps, trained)
        arrays = {"overlaps": overlaps, "gram": seen.gram, "risk": risk}
        if seen.grams is not None:
            arrays["grams"] = seen.grams
        if trained is not None:
            arrays["trained"] = trained
        excess = self._excess(risk, overlaps, trained)
        if excess is not None:
            arrays["excess_risk"] = excess
        return arrays | self._statistics(overlaps, trained, forms)

    def _dense(self, solution: Any) -> Dense | None:
        """The solution at any time, as :meth:`Trajectory.at` uses it."""
        return None if solution.sol is None else Dense(self, solution.sol)

    def _attributes(self, solution: Any, seen: Observed, forms: NDArray[np.float64]) -> dict[str, Any]:
        problem = self.problem
        return {
            "model": self.theory.model.name,
            "model_hash": self.theory.model.digest,
            "declaration": list(self.theory.program.declaration),
            "spectrum": problem.spectrum.label,
            "d": problem.spectrum.d,
            "delta": problem.delta,
            "batch_size": problem.batch_size,
            "learning_rate": problem.learning_rate.describe(),
            "parameters": self._shown_parameters(),
            "modes": self.modes.described(),
            "solver": {
                "method": self.method,
                "rtol": self.rtol,
                "atol": self.atol,
                "code": digest(self.theory.source),
                "rhs_evaluations": int(solution.nfev),
                "jacobians": int(solution.njev),
                "used": [f"{name} from t = {time:.6g}: {reason}" for time, name, reason in self.history],
                **({"slopes": self.slopes_are} if solution.njev else {}),
            },
            **({"note": problem.start.note} if problem.start.note else {}),
            **modelstatistics.described(self.theory.model),
            **self._errors(seen.overlaps, seen.trained, forms),
        }
