"""Phase diagrams over the learning rate and another parameter: what happens, and where the thresholds are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, tables
from ..errors import DeclarationError, SolveError
from ..problem import Problem
from .table import stability

if TYPE_CHECKING:
    import xarray as xr

    from ..derive import Derivation
    from ..derive.sized import SizedDerivation

__all__ = ["StabilityMap", "stability_map"]

Float = NDArray[np.float64]

_ROUNDING = 1e-12
"""A statistic that has fallen to this share of its start, or below, is shown as this share: the rest is rounding."""

_POSED = ("delta", "batch_size")
"""Fields of a problem that may be varied by name."""


@dataclass(frozen=True, repr=False)
class StabilityMap:
    """Outcomes on a grid of learning rates and values of a parameter, with the thresholds for each value.

    Attributes
    ----------
    dataset:
        ``change`` (value, learning_rate): log10 of the statistic at the end over that at the start, infinite where it
        diverged; ``threshold`` (kind, value).
    parameter, statistic, outcome:
        What is varied, what is looked at, and whether it is that of the "ode" or of "reduced" simulations.
    horizon:
        In t = steps / d.
    title:
        Of which model.
    """

    dataset: xr.Dataset
    parameter: str
    statistic: str
    outcome: str
    horizon: float
    title: str

    def agreement(self, kind: str = "linear") -> float:
        """Share of the grid on which the statistic falls below the threshold and grows above it."""
        data = self.dataset
        below = data["learning_rate"].values < data["threshold"].sel(kind=kind).values[:, None]
        return float(np.mean(below == (data["change"].values < 0)))

    def plot(self, ax: Any = None) -> Any:
        """The outcome in colours with the thresholds as curves: a new figure, or on `ax`."""
        from .mapplot import plot_map

        return plot_map(self, ax)

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        data = self.dataset
        kinds = [str(kind) for kind in data["kind"].values]
        columns: dict[str, ArrayLike] = {self.parameter: data["value"].values}
        columns |= {kind: data["threshold"].sel(kind=kind).values for kind in kinds}
        columns["falls up to"] = [_largest(data["learning_rate"].values, row) for row in data["change"].values]
        notes = [f"{self.agreement(kind):.0%} of the grid agree with the {kind} threshold" for kind in kinds]
        what = f"{self.statistic} at t = {self.horizon:g} ({self.outcome})"
        return f"Stability map of {self.title}: {what}", columns, notes

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        from ..show import numbers

        return numbers.stability_map(self, self._table())


def _largest(rates: Float, change: Float) -> float:
    """The largest rate before the first at which the statistic grows; zero if it grows at the first."""
    grows = np.flatnonzero(change >= 0)
    before = int(grows[0]) if grows.size else len(rates)
    return float(rates[before - 1]) if before else 0.0


def stability_map(
    theory: Derivation | SizedDerivation,
    problem: Problem | Callable[[float], Problem],
    learning_rates: ArrayLike,
    over: Mapping[str, ArrayLike],
    *,
    t: float | None = None,
    outcome: str = "ode",
    statistic: str = "distance",
    kinds: Sequence[str] = ("linear",),
    runs: int = 1,
    rng: int = 0,
    **options: Any,
) -> StabilityMap:
    """What happens on a grid of learning rates and values of one parameter, against the thresholds.

    Parameters
    ----------
    problem:
        The problem in which a parameter is varied, or a function of its value that poses one; the learning rate is
        replaced. The start decides what is seen: near X* small deviations grow or decay, as the linear threshold says.
    learning_rates:
        Increasing positive rates.
    over:
        The name and the values of what is varied: ``delta``, ``batch_size``, or a parameter of the model; for a
        function `problem` any name.
    t:
        Horizon; the problem's by default.
    outcome:
        "ode": the limit; "reduced": median over `runs` simulations exact in law, which need a dimension.
    statistic:
        One with a single value at each time: "distance", "aligned_distance", "risk", ...
    kinds:
        Which thresholds are drawn: "linear", "descent", "guaranteed".
    rng:
        Seed of the simulations; each has its own stream.
    options:
        Further arguments of ``theory.stability``: target, radius, floor.

    Raises
    ------
    DeclarationError
        For rates, names, values or an outcome that have no meaning, or a threshold that the model does not have.

    Returns
    -------
    StabilityMap
    """
    import xarray as xr

    rates = np.atleast_1d(checks.real_array(learning_rates, "learning_rates"))
    if rates.ndim != 1 or np.any(rates <= 0) or np.any(np.diff(rates) <= 0):
        raise DeclarationError("learning_rates do not increase, or are not positive", remedy="give such rates")
    if outcome not in ("ode", "reduced"):
        raise DeclarationError(f"outcome is {outcome!r}", remedy='it is "ode" or "reduced"')
    if len(over) != 1:
        raise DeclarationError(f"over has {len(over)} names", remedy='give one, for instance {"delta": [0.0, 0.1]}')
    ((name, given),) = over.items()
    values = np.atleast_1d(checks.real_array(given, name))
    posed = [_posed(theory, problem, name, float(value)) for value in values]
    horizon = float(posed[0].horizon if t is None else t)
    seeds = np.random.SeedSequence(checks.entropy(rng)).spawn(len(values) * len(rates))
    look = _Look(theory, horizon, outcome, statistic, runs)
    change = np.array([look(replace(p, learning_rate=float(g)), seeds.pop()) for p in posed for g in rates])
    thresholds = [_thresholds(theory, p, kinds, options) for p in posed]
    dataset = xr.Dataset(
        {
            "change": (("value", "learning_rate"), change.reshape(len(values), len(rates))),
            "threshold": (("kind", "value"), np.array(thresholds).T),
        },
        {"value": values, "learning_rate": rates, "kind": list(kinds)},
    )
    return StabilityMap(dataset, name, statistic, outcome, horizon, theory.model.name)


def _posed(
    theory: Derivation | SizedDerivation, problem: Problem | Callable[[float], Problem], name: str, value: float
) -> Problem:
    if not isinstance(problem, Problem):
        made = problem(value)
        if not isinstance(made, Problem):
            raise DeclarationError(
                f"the function gives {type(made).__name__} for {name} = {value:g}", remedy="return a Problem"
            )
        return made
    if name in _POSED:
        given: Any = int(value) if name == "batch_size" and value == int(value) else value
        fields: dict[str, Any] = {name: given}
        return replace(problem, **fields)
    if name not in [str(parameter.name) for parameter in theory.model.parameters]:
        known = [*_POSED, *(str(parameter.name) for parameter in theory.model.parameters)]
        raise DeclarationError(
            f"there is no {name!r} to be varied",
            remedy=f"choose from {', '.join(known)}, or give a function that poses a problem for each value",
        )
    return replace(problem, parameters={**problem.parameters, name: value})


def _thresholds(
    theory: Derivation | SizedDerivation, problem: Problem, kinds: Sequence[str], options: Mapping[str, Any]
) -> list[float]:
    table = stability(theory, problem, 0, kinds=kinds, **options)
    return [float(getattr(table, kind)) for kind in kinds]


@dataclass(frozen=True)
class _Look:
    """What happens to one problem: log10 of the statistic at the end over that at the start."""

    theory: Any
    horizon: float
    outcome: str
    statistic: str
    runs: int

    def __call__(self, problem: Problem, seed: np.random.SeedSequence) -> float:
        values = self._ode(problem) if self.outcome == "ode" else self._simulated(problem, seed)
        if not values[0] > 0:
            raise DeclarationError(
                f"the {self.statistic} is {values[0]:g} at the start", remedy="start away from X*, if only a little"
            )
        return float(np.log10(max(float(values[1] / values[0]), _ROUNDING)))

    def _ode(self, problem: Problem) -> Float:
        try:
            path = self.theory.solve(problem, t_eval=[0.0, self.horizon])
        except SolveError as error:
            if error.trajectory is None:
                raise
            return np.array([float(error.trajectory.variable(self.statistic)[0]), np.inf])
        return np.asarray(path.variable(self.statistic).values, dtype=np.float64)

    def _simulated(self, problem: Problem, seed: np.random.SeedSequence) -> Float:
        from ..simulate import simulate

        model = self.theory.model
        found = simulate(model, problem, runs=self.runs, t=self.horizon, rng=seed, method="reduced", record=1)
        values = np.nan_to_num(found.variable(self.statistic).values, nan=np.inf)
        return np.asarray(np.median(values, axis=0), dtype=np.float64)
