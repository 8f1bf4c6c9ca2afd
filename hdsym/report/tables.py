"""The tables of a report: everything that went in, and the risk at a few times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..parametervalues import expanded
from ..storage import versions
from ..tables import rows_to_show
from .numbers import MISSING, number, signed

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..results import Ensemble, Trajectory
    from ..verdict import Verdict

__all__ = ["Row", "Table", "parameters", "risk_table"]


@dataclass(frozen=True)
class Row:
    """A named value and what it is."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table of formatted numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def parameters(
    theory: Derivation | SizedDerivation, problem: Problem | None, path: Trajectory | None, runs: Ensemble | None
) -> list[Row]:
    """Everything the numbers depend on, one row each."""
    rows = [] if problem is None else list(_problem(theory, problem))
    rows += [] if path is None else list(_solver(path))
    rows += [] if runs is None else list(_simulation(runs))
    found = versions() if path is None else path.attrs.get("versions", versions())
    rows.append(Row("versions", ", ".join(f"{name} {version}" for name, version in found.items()), "software"))
    return rows


def _problem(theory: Derivation | SizedDerivation, problem: Problem) -> Iterator[Row]:
    spectrum = problem.spectrum
    low, high = float(spectrum.levels.min()), float(spectrum.levels.max())
    count = len(spectrum.levels)
    shape = f"{count} distinct eigenvalue{'s' if count > 1 else ''} in [{number(low)}, {number(high)}]"
    yield Row("spectrum", spectrum.label, f"of the data covariance K: {shape}")
    yield Row("d", "∞" if spectrum.d is None else str(spectrum.d), "dimension")
    yield Row("tr K / d", number(spectrum.mean), "mean eigenvalue")
    yield Row("tr K² / d", number(spectrum.second_moment), "mean squared eigenvalue")
    yield Row("start", repr(problem.start), "weights X and X* at t = 0")
    yield Row("learning rate γ(t)", problem.learning_rate.describe(), "one step moves by γ / d times the gradient")
    yield Row("δ", number(problem.delta), "l2 regularisation")
    yield Row("batch size b", str(problem.batch_size), "samples in each step")
    yield Row("horizon", number(problem.horizon), "time t = steps / d")
    if problem.data is not None:
        yield Row("data", repr(problem.data), "real rows, drawn with replacement")
    model = theory.model
    given = expanded(problem.parameters, model._groups, model.name)
    for kind, symbols in (("parameter of the model", model.parameters), ("start of a trained scalar", model.trained)):
        for symbol in symbols:
            default = "" if symbol.name in given else ", its default"
            yield Row(symbol.name, _value(given.get(symbol.name, symbol.default)), f"{kind}{default}")
    for name, rate in problem.learning_rates.items():
        yield Row(f"learning rate of {name}", rate.describe(), "one step moves by it / d times the derivative")


def _value(value: float | tuple[float, ...] | None) -> str:
    if value is None:
        return MISSING
    return ", ".join(number(entry, 6) for entry in value) if isinstance(value, tuple) else number(value, 6)


def _solver(path: Trajectory) -> Iterator[Row]:
    attrs = path.attrs
    solver = attrs.get("solver")
    if isinstance(solver, Mapping):
        tolerance = f"rtol {number(solver['rtol'])}, atol {number(solver['atol'])}"
        first, *later = solver.get("used", [solver["method"]])
        names = [first.partition(" from ")[0], *(entry.partition(":")[0] for entry in later)]
        yield Row("integrator", f"{', '.join(names)}, {tolerance}", f"{solver['rhs_evaluations']} evaluations")
    modes = attrs.get("modes") or {}
    if modes.get("compressed"):
        yield Row("modes", str(modes["count"]), f"in place of {modes['levels']} levels of the spectrum")
        if "compression_error" in attrs:
            value = number(float(attrs["compression_error"]), 2)
            yield Row("compression error", value, "relative change of risk, overlaps and statistics with more modes")
    error = attrs.get("quadrature_error")
    if error is not None:
        value = "none: closed forms" if error == 0 else number(float(error), 2)
        yield Row("quadrature error", value, "relative change of risk, drift or Fisher matrix when nodes are doubled")
    for name, error in attrs.get("statistics_error", {}).items():
        if error != 0:
            yield Row(f"error of {name}", number(float(error), 2), "relative, on top of that")


def _simulation(runs: Ensemble) -> Iterator[Row]:
    attrs = runs.attrs
    what = "homogenized SGD" if attrs.get("method") == "homogenized" else "SGD"
    yield Row("runs", str(runs.runs), f"of {what}, method “{attrs['method']}”" if "method" in attrs else f"of {what}")
    if "scheme" in attrs:
        yield Row("scheme", str(attrs["scheme"]), f"{attrs['steps_per_time']} steps in a unit of time")
    if "entropy" in attrs:
        yield Row("seed", str(attrs["entropy"]), "entropy of the simulation, one stream a run (SPEC 7)")
    gone = np.isfinite(runs.diverged.values)
    if gone.any():
        first = number(float(np.nanmin(runs.diverged.values)))
        yield Row(
            "diverged",
            f"{int(gone.sum())} of {gone.size} runs",
            f"of {what} left the finite range, first at t = {first}",
        )
    if attrs.get("seconds") is not None:
        yield Row("simulation took", f"{number(float(attrs['seconds']), 3)} s", "wall time")


def risk_table(path: Trajectory | None, runs: Ensemble | None, verdict: Verdict | None = None) -> Table | None:
    """Theory, simulated mean, gap, standard error and score at a few times; without a verdict, the solution alone."""
    if verdict is not None:
        return _compared(verdict)
    return None if path is None else _theory_alone(path)


def _theory_alone(path: Trajectory) -> Table:
    names = {"risk": "risk", "excess_risk": "excess risk", "distance": "‖X − X*‖²", "cosine": "cosine"}
    names |= {name: name.replace("_", " ") for name in path.attrs.get("statistics", {})}
    there = [name for name in names if name in path.dataset]
    shown = rows_to_show(path.time.size)
    columns = [path.time.values[shown], *(path.dataset[name].values[shown] for name in there)]
    rows = tuple(tuple(number(float(value)) for value in row) for row in zip(*columns, strict=True))
    head = ("t", *(names[name] for name in there))
    return Table("Solution at a few times", head, rows, "Of the ODEs; no simulation.")


_COMPARED = {
    "theory": "theory",
    "mean": "simulated mean",
    "gap": "gap",
    "standard_error": "standard error",
    "allowance": "allowance",
    "z": "z",
}


def _compared(verdict: Verdict) -> Table:
    data = verdict.dataset.isel(statistic=0)
    names = [name for name in _COMPARED if verdict.bias > 0 or name != "allowance"]
    rows = []
    for k in rows_to_show(data.sizes["time"], 9):
        values = {name: float(data[name].values[k]) for name in names}
        if abs(values["gap"]) <= 1e-12 * abs(values["theory"]):
            values["gap"] = 0.0  # rounding, as at t = 0
        cells = (signed(value) if name in ("gap", "z") else number(value) for name, value in values.items())
        rows.append((number(float(data["time"].values[k])), *cells))
    note = "gap: simulated mean minus theory; standard error: of that mean; z: gap in standard errors."
    if verdict.bias > 0:
        note = (
            "gap: simulated mean minus theory; standard error: of that mean; allowance: what may be due to finite d, "
            f"of order 1/d ({number(verdict.bias)} / {number(verdict.d_effective, 3)} times the scale of the curve); "
            "z: the gap beyond the allowance, in standard errors, 0 within it."
        )
    head = ("t", *(_COMPARED[name] for name in names))
    return Table(f"{str(data['statistic'].item()).capitalize()} at a few times", head, tuple(rows), note)
