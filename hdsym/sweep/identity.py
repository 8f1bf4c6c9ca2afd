"""What a sweep is, in a form that a store keeps, and that is compared with what is asked for now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import HdsymError
from ..problem import Problem
from ..simulate.identity import difference
from .axes import Axis
from .plan import Plan

__all__ = ["difference", "identity"]


def identity(plan: Plan) -> dict[str, Any]:
    """Texts and lists of numbers by name; sweeps with the same give the same arrays."""
    model = plan.theory.model
    described: dict[str, Any] = {"model": f"{model.name} ({model.digest})"}
    described["axes"] = ", ".join(f"{axis.name} ({len(axis.values)})" for axis in plan.grid.axes)
    described |= {f"values of {axis.name}": _values(axis) for axis in plan.grid.axes}
    described |= {f"problem: {name}": value for name, value in _posed(plan).items()}
    described |= {"times": plan.times.tolist(), "statistics": ", ".join(plan.statistics)}
    described |= {"rtol": [plan.rtol], "atol": [plan.atol], "modes": str(plan.modes), "tol": str(plan.tol)}
    simulated = sorted((name, value) for name, value in plan.simulate.items() if name != "workers")
    described["simulate"] = json.dumps(simulated, default=str)
    described["seed"] = str(plan.entropy) if plan.simulate else "none"
    return described


def _values(axis: Axis) -> Any:
    numbers = axis.coordinate
    return numbers if all(isinstance(value, int | float) for value in numbers) else "; ".join(map(str, numbers))


def _posed(plan: Plan) -> dict[str, Any]:
    """The problem at the first and the last point; where there is none, why."""
    found: dict[str, Any] = {}
    for name, point in (("first", 0), ("last", plan.grid.size - 1)):
        try:
            found |= {f"{key} at the {name} point": value for key, value in _described(plan, point).items()}
        except HdsymError as error:
            found[f"the {name} point"] = error.message
    return found


def _described(plan: Plan, point: int) -> Mapping[str, Any]:
    """What the equations see of the problem: spectrum, Gram matrices, rates, constants."""
    problem: Problem = plan.grid.pose(point)
    model = problem.explicit(plan.theory.model)
    lam, rho = np.asarray(problem.spectrum.levels), np.asarray(problem.spectrum.fractions)
    grams = problem.grams(model)
    weights = lam[:, None, None] ** np.arange(3)[:, None, None, None] * grams
    rate: Any = problem.learning_rate
    times = np.linspace(0.0, plan.times[-1], 9)
    parameters = {**model.parameter_values(problem.parameters), **model.trained_values(problem.parameters)}
    return {
        "spectrum": problem.spectrum.label,
        "d": str(problem.spectrum.d),
        "moments of the spectrum": [float(rho @ lam**power) for power in (1, 2, 3)],
        "start": weights.sum(axis=1).ravel().tolist(),
        "learning_rate": rate.describe() if rate.kind == "adaptive" else rate(times).tolist(),
        "learning_rates": [float(v) for trained in problem.trained_rates(model) for v in trained(times)]
        if model.trained and rate.kind != "adaptive"
        else "none",
        "delta": [problem.delta],
        "batch_size": [float(problem.batch_size)],
        "parameters": [float(value) for value in parameters.values()],
    }
