"""The piecewise schedule that minimises the final risk, by its exact gradient, against the best constant rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import tables
from ..adaptive import LineSearch
from ..errors import DeclarationError, SolveError
from ..problem import Problem
from ..schedule import LearningRate
from ..stability.flow import Flow
from .pieces import Pieces
from .sensitivity import constant_risk, final_risk

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation

__all__ = ["OptimalSchedule", "optimal_schedule"]

Float = NDArray[np.float64]

_MODES = 64
"""Nodes that stand for a spectrum with more levels than twice as many."""

_SCAN = np.geomspace(1e-3, 30.0, 28)
"""Constant rates that are tried first, in units of the greedy rate at the start."""

_GREEDY_POINTS = 65

_DIVERGED, _NOTHING = 50.0, 1e-13
"""What log risk counts as beyond its start where a schedule diverges, and a risk that is zero up to rounding."""

_SMALLEST = 1e-9
"""Smallest rate, in units of the best constant one."""


@dataclass(frozen=True, repr=False)
class OptimalSchedule:
    """A schedule for one horizon, with what it is compared with.

    Attributes
    ----------
    learning_rate:
        The schedule: give it to a :class:`Problem`. An expression in ``hd.t``.
    risk:
        The final risk with it.
    edges, rates:
        Edges (k + 1,) of the pieces, and the rate of each piece, or at each edge for ``kind="linear"``.
    kind:
        "constant" or "linear" pieces.
    constant, constant_risk:
        The best constant rate, and the final risk with it.
    greedy_times, greedy_rates, greedy_risk:
        The rule that lets the risk fall fastest at each moment (exact line search).
    initial_risk, horizon, title:
        Of the problem.
    gradient:
        Derivative of log risk in log rates at the solution, (parameters,): small at an optimum inside the bounds.
    evaluations:
        Solutions of the equations with sensitivities.
    """

    learning_rate: LearningRate
    risk: float
    edges: Float
    rates: Float
    kind: str
    constant: float
    constant_risk: float
    greedy_times: Float
    greedy_rates: Float
    greedy_risk: float
    initial_risk: float
    horizon: float
    title: str
    gradient: Float
    evaluations: int

    @property
    def gain(self) -> float:
        """Final risk of the best constant rate divided by that of the schedule, >= 1."""
        return self.constant_risk / self.risk

    def plot(self, ax: Any = None) -> Any:
        """The three rates against time: a new figure, or `ax` with the curves added."""
        from .figure import plot_schedule

        return plot_schedule(self, ax)

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        columns: dict[str, ArrayLike] = {
            "schedule": ["start", "best constant", "greedy", f"{self.rates.size} parameters, optimal"],
            "final risk": [self.initial_risk, self.constant_risk, self.greedy_risk, self.risk],
            "first rate": ["", *(f"{v:.4g}" for v in (self.constant, self.greedy_rates[0], self.rates[0]))],
            "last rate": ["", *(f"{v:.4g}" for v in (self.constant, self.greedy_rates[-1], self.rates[-1]))],
        }
        largest = float(np.max(np.abs(self.gradient)))
        note = f"local optimum: largest derivative of log risk in a log rate {largest:.2g}"
        return f"Schedules for {self.title}, final risk at t = {self.horizon:g}", columns, [note]

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        from ..show import numbers

        return numbers.schedule(self, self._table())


def optimal_schedule(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float | None = None,
    *,
    knots: int | ArrayLike = 8,
    kind: str = "constant",
    start: ArrayLike | None = None,
) -> OptimalSchedule:
    """The piecewise learning rate with the smallest final risk; the problem's own rate plays no role.

    Minimised by L-BFGS-B in the logarithms of the rates, with the exact gradient by forward sensitivities, from the
    best constant rate, from the greedy rule, and from `start` if given; the best of them is returned. The optimum is a
    local one. Rates of trained scalars keep their ratio to the learning rate.

    Parameters
    ----------
    t:
        Horizon; the problem's by default.
    knots:
        Number of equal pieces, or increasing times from 0 to `t`.
    kind:
        "constant" rates on the pieces, or "linear" between the knots.
    start:
        Rates to start from, one for each parameter.

    Returns
    -------
    OptimalSchedule
        Its `learning_rate` is the schedule, `constant` the best constant rate, with the final risks of both and of the
        greedy rule.

    Raises
    ------
    DeclarationError
        For knots or a start that have no meaning, or if no constant rate lowers the risk.
    """
    horizon = float(problem.horizon if t is None else t)
    if not (np.isfinite(horizon) and horizon > 0):
        raise DeclarationError(f"the horizon t is {horizon!r}", remedy="give a positive number, in steps / d")
    pieces = Pieces.of(horizon, knots, kind)
    flow = Flow(theory, problem)
    if flow.run.lam.size > 2 * _MODES:
        flow = flow.compressed(_MODES)
    times = np.linspace(0.0, horizon, _GREEDY_POINTS)
    greedy_risk, greedy_rates = _greedy(theory, problem, times)
    constant, constant_value = _best_constant(flow, horizon, greedy_rates[0])
    starts = [np.full(pieces.count, constant), pieces.fitted(times, greedy_rates)]
    starts += [] if start is None else [_given(start, pieces.count)]
    rates, risk, gradient, count = _best(flow, pieces, starts, constant)
    return OptimalSchedule(
        LearningRate(pieces.expression(rates)),
        risk,
        pieces.edges,
        rates,
        kind,
        constant,
        constant_value,
        times,
        greedy_rates,
        greedy_risk,
        flow.risk(flow.start),
        horizon,
        flow.model.name,
        gradient,
        count,
    )


def _given(start: ArrayLike, count: int) -> Float:
    rates = np.asarray(start, dtype=np.float64)
    if rates.shape != (count,) or not np.all(np.isfinite(rates) & (rates > 0)):
        raise DeclarationError(f"start is {start!r}", remedy=f"give {count} positive rates")
    return rates


def _greedy(theory: Derivation | SizedDerivation, problem: Problem, times: Float) -> tuple[float, Float]:
    """Final risk and rates (T,) of exact line search; an infinite risk where it has no meaning or diverges."""
    try:
        path = theory.solve(replace(problem, learning_rate=LineSearch()), t_eval=times)
    except (SolveError, DeclarationError):
        return np.inf, np.zeros(times.size)
    return float(path.risk[-1]), np.asarray(path.learning_rate.values, dtype=np.float64)


def _best_constant(flow: Flow, horizon: float, unit: float) -> tuple[float, float]:
    """The constant rate with the smallest final risk: the best on a grid, refined between its neighbours."""
    from scipy.optimize import minimize_scalar

    if unit <= 0:
        first, second = (float(np.linalg.norm(part)) for part in flow.rates(flow.start))
        unit = first / second if first > 0 and second > 0 else 1.0

    def value(log_rate: float) -> float:
        found = constant_risk(flow, horizon, float(np.exp(log_rate)))
        return float(np.log(max(found / initial, _NOTHING))) if found < np.inf else _DIVERGED

    initial = flow.risk(flow.start)
    logs = np.log(_SCAN * unit)
    values = [value(log_rate) for log_rate in logs]
    k = int(np.argmin(values))
    if values[k] >= 0:
        raise DeclarationError("no constant rate lowers the risk", remedy="start elsewhere, or give another horizon")
    low, high = logs[max(k - 1, 0)], logs[min(k + 1, len(logs) - 1)]
    found = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    best = float(found.x) if found.fun < values[k] else float(logs[k])
    return float(np.exp(best)), constant_risk(flow, horizon, float(np.exp(best)))


def _best(flow: Flow, pieces: Pieces, starts: list[Float], unit: float) -> tuple[Float, float, Float, int]:
    """Rates, final risk, gradient of log risk in log rates, and number of solutions, of the best local optimum."""
    from scipy.optimize import minimize

    count = 0
    initial = flow.risk(flow.start)

    def objective(logs: Float) -> tuple[float, Float]:
        nonlocal count
        count += 1
        rates = np.exp(logs)
        risk, gradient = final_risk(flow, pieces, rates)
        if not risk < np.inf:
            return float(np.log(initial)) + _DIVERGED, np.zeros_like(logs)
        if risk <= _NOTHING * initial:
            return float(np.log(_NOTHING * initial)), np.zeros_like(logs)
        return float(np.log(risk)), gradient * rates / risk

    outcomes = []
    lowest = np.log(_SMALLEST * unit)
    for rates in starts:
        logs = np.log(np.maximum(rates, 10 * _SMALLEST * unit))
        bounds = [(lowest, None)] * logs.size
        options = {"maxiter": 300, "ftol": 1e-12, "gtol": 1e-6}
        outcomes.append(minimize(objective, logs, jac=True, method="L-BFGS-B", bounds=bounds, options=options))
    best = min(outcomes, key=lambda outcome: float(outcome.fun))
    return np.exp(best.x), float(np.exp(best.fun)), np.asarray(best.jac), count
