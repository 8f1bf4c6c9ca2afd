"""The ways to take SGD steps. Each owns the arrays of one run; the loop over time is in :mod:`.run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..model import Model
from ..problem import Problem
from .grouping import grouped
from .kernels import Kernels, Means
from .levels import Levels, split
from .rules import Rule, begin, renew, seen_levels, seen_rows

__all__ = ["METHODS", "Direct", "Observation", "Plan", "Reduced", "Rows", "State", "make"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """B = W^T K W and W^T W, both (n, n), the trained scalars, and what the method knows without B.

    That are the risk (else NaN) and the declared statistics (else empty).
    """

    overlaps: Float
    gram: Float
    trained: Float
    risk: float = np.nan
    statistics: Float = field(default_factory=lambda: np.empty(0))


class State(Protocol):
    """One run in progress."""

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        """Take gamma.size steps; -1, or the step that left the finite range, or -2 - step for a label not a number.

        `rates` are those of the trained scalars, shape (steps, scalars).
        """

    def observe(self) -> Observation:
        """Statistics of the current weights."""


@dataclass(frozen=True)
class Settings:
    """What every step needs besides the weights: values of the parameters, start of the trained scalars, ...

    The last ones are for homogenized SGD: see :mod:`.homogenized`.
    """

    delta: float
    batch: int
    parameters: Float
    trained: Float
    means: tuple[Means, ...]
    group: int | None = None
    theory: Any = None
    scheme: str | None = None
    steps_per_time: int | None = None
    horizon: float = 1.0
    rule: Rule | None = None


class _Weights:
    """X and X* as rows, shapes (l, d) and (l*, d), in the basis the method works in; theta the trained scalars."""

    def __init__(self, settings: Settings, X: Float, S: Float, eigenvalues: Float) -> None:
        self.W = np.ascontiguousarray(np.concatenate([X, S]))
        self.X, self.S = self.W[: len(X)], self.W[len(X) :]
        self.theta = settings.trained.copy()
        self.eigenvalues = eigenvalues
        self.gradient = np.zeros_like(self.X)
        self.rules = begin(settings.rule)

    def statistics(self, kernels: Kernels, rotated: Float) -> tuple[Float, Float, Float]:
        """B, W^T W and theta, from W in the eigenbasis, `rotated`, shape (n, d)."""
        n = len(rotated)
        overlaps, gram = np.empty((n, n)), np.empty((n, n))
        kernels.overlaps(rotated, self.eigenvalues, overlaps)
        kernels.overlaps(rotated, np.ones_like(self.eigenvalues), gram)
        return overlaps, gram, self.theta.copy()


class Direct(_Weights):
    """Fresh Gaussian data in the eigenbasis: O(n d) work per sample for every covariance."""

    def __init__(self, kernels: Kernels, settings: Settings, X: Float, S: Float, eigenvalues: Float) -> None:
        super().__init__(settings, X, S, eigenvalues)
        self.kernels, self.settings = kernels, settings
        self.root, self.sample = np.sqrt(eigenvalues), np.empty_like(eigenvalues)

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        s, weights = self.settings, (self.X, self.S, self.theta)
        renew(s.rule, self.rules, lambda: seen_rows(self.kernels, self.W, self.eigenvalues, self.theta))
        work, rest = (self.sample, self.gradient), (s.delta, s.batch, s.parameters, *self.rules)
        return self.kernels.direct(rng, self.root, *weights, *work, gamma, rates, *rest)

    def observe(self) -> Observation:
        return Observation(*self.statistics(self.kernels, self.W))


class Rows(_Weights):
    """Rows of a real matrix, drawn with replacement, in the basis the matrix was given in."""

    def __init__(
        self,
        kernels: Kernels,
        settings: Settings,
        weights: tuple[Float, Float],
        eigenvalues: Float,
        basis: Float,
        rows: tuple[Float, Float],
    ) -> None:
        X, S = (np.ascontiguousarray(part @ basis.T) for part in weights)
        super().__init__(settings, X, S, eigenvalues)
        self.kernels, self.settings, self.basis = kernels, settings, basis
        self.features, self.labels = rows
        self.zero = np.zeros(len(S))  # the label is given: no teacher speaks

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        s, weights = self.settings, (self.X, self.zero, self.theta)
        renew(s.rule, self.rules, lambda: seen_rows(self.kernels, self._rotated(), self.eigenvalues, self.theta))
        rows, rest = (self.features, self.labels), (s.delta, s.batch, s.parameters, *self.rules)
        return self.kernels.data(rng, *rows, *weights, self.gradient, gamma, rates, *rest)

    def _rotated(self) -> Float:
        rotated = np.empty_like(self.W)
        self.kernels.rotate(self.basis, self.W, rotated)
        return rotated

    def observe(self) -> Observation:
        rotated = self._rotated()
        weights = (self.X, self.zero, self.theta)
        given = (self.features, self.labels, *weights, self.settings.parameters)
        means = np.array([mean.empirical(*given) for mean in self.settings.means])
        return Observation(*self.statistics(self.kernels, rotated), self.kernels.empirical(*given), means)


class Reduced:
    """Fresh Gaussian data up to rotations of the eigenspaces: exact in law, at a cost free of d."""

    def __init__(self, kernels: Kernels, settings: Settings, levels: Levels, d: int) -> None:
        self.kernels, self.settings, self.levels, self.d = kernels, settings, levels, float(d)
        self.X, self.A, self.theta = levels.X.copy(), levels.A.copy(), settings.trained.copy()
        self.root, self.scale = np.sqrt(levels.eigenvalues), np.sqrt(levels.shared)
        self.sample, self.gradient = np.empty_like(self.root), np.zeros_like(self.X)
        self.rules = begin(settings.rule)

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        renew(self.settings.rule, self.rules, lambda: seen_levels(self.levels, self.X, self.A, self.theta))
        s, kept = self.settings, (self.root, self.X, self.levels.S, self.sample, self.gradient)
        groups = (self.scale, self.levels.freedom, self.A)
        rest = (self.theta, gamma, rates, s.delta, self.d, s.batch, s.parameters, *self.rules)
        return self.kernels.reduced(rng, *kept, *groups, *rest)

    def observe(self) -> Observation:
        return Observation(*self.levels.overlaps(self.X, self.A), self.theta.copy())


Factory = Callable[[], State]
"""Makes the state of one run at t = 0."""


@dataclass(frozen=True)
class Plan:
    """How the runs of a method are made.

    Attributes
    ----------
    begin:
        Makes the state of one run; can be sent to another process.
    work:
        Numbers drawn in a step, roughly.
    attrs:
        What results record of the method's approximations.
    pace:
        Steps per unit of time, if that is not d.
    """

    begin: Factory
    work: int
    attrs: dict[str, Any] = field(default_factory=dict)
    pace: int | None = None


def make(
    method: str,
    model: Model,
    problem: Problem,
    kernels: Kernels,
    means: tuple[Means, ...] = (),
    group: int | None = None,
    **equation: Any,
) -> Plan:
    """How runs of a method go, for an explicit model; `means` are the averages of its declared statistics.

    What only homogenized SGD takes are theory, scheme, steps_per_time and horizon.

    Raises
    ------
    SimulationError
        For an unknown method, one that the problem or the model does not permit, or `group` where there are none.
    ParameterError
        If a parameter, or the start of a trained scalar, has no value.
    """
    if method not in METHODS:
        raise SimulationError(f"method is {method!r}", remedy=f"it is one of: {', '.join(METHODS)}")
    values = (model.parameter_values(problem.parameters), model.trained_values(problem.parameters))
    parameters, trained = (np.array(list(part.values()), dtype=np.float64) for part in values)
    settings = Settings(problem.delta, problem.batch_size, parameters, trained, means, group, **equation)
    _check_meant(method, settings)
    return METHODS[method](model, problem, kernels, settings)


def _check_meant(method: str, settings: Settings) -> None:
    """Arguments that a method does not know are errors, not silence."""
    if settings.group is not None and method not in ("reduced", "homogenized"):
        raise SimulationError(f'method="{method}" has no groups', remedy='leave group out, or use method="reduced"')
    for name in ("scheme", "steps_per_time"):
        if getattr(settings, name) is not None and method != "homogenized":
            raise SimulationError(
                f'method="{method}" has no {name}: its steps are those of SGD',
                remedy=f'leave {name} out, or use method="homogenized"',
            )


def _direct(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    X, S = _starting_rows(model, problem)
    eigenvalues = _eigenvalues(problem)
    return Plan(partial(Direct, kernels, settings, X, S, eigenvalues), eigenvalues.size * problem.batch_size)


def _reduced(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    groups, attrs = grouped(model, problem, settings.group)
    levels, d = split(groups, model.n_student), problem.spectrum.dimension()
    work = (levels.eigenvalues.size + levels.A[:, :, 0].size) * problem.batch_size
    return Plan(partial(Reduced, kernels, settings, levels, d), work, attrs)


def _rows(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    if problem.data is None:
        raise SimulationError(
            'method="data" needs real rows, and the problem has none',
            remedy="build it with hd.Problem.from_data(features, labels, learning_rate=...)",
        )
    if model.label is None:
        raise SimulationError(
            f'method="data" needs a loss in the label, and {model.name} declares f(x, s, eps) directly',
            remedy='declare the loss with y = hd.label("y") and a link',
        )
    for name, g in model.declared_statistics:
        unknown = [symbol for symbol in (*model.teachers, model.noise_symbol) if symbol is not None and g.has(symbol)]
        if unknown:
            raise SimulationError(
                f"the statistic {name!r} contains {unknown[0]}, which real rows do not have",
                remedy=f'write it in the label {model.label}, or simulate with method="direct"',
            )
    eigenvalues = _eigenvalues(problem)
    basis = problem.spectrum.basis
    basis = np.eye(eigenvalues.size) if basis is None else np.array(basis, dtype=np.float64, order="C")
    # copies are writeable, as numba compiles for one kind of array only
    rows = (np.array(problem.data.features, order="C"), np.array(problem.data.labels))
    weights = _starting_rows(model, problem)
    begin = partial(Rows, kernels, settings, weights, eigenvalues, basis, rows)
    return Plan(begin, eigenvalues.size * problem.batch_size)


def _homogenized(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    from .homogenized import plan  # which imports what a plan is

    return plan(model, problem, settings)


def _starting_rows(model: Model, problem: Problem) -> tuple[Float, Float]:
    X, S = problem.weights(model)
    return np.array(X.T, order="C"), np.array(S.T, order="C")


def _eigenvalues(problem: Problem) -> Float:
    return np.array(problem.spectrum.eigenvalues(), dtype=np.float64)


METHODS: dict[str, Callable[[Model, Problem, Kernels, Settings], Plan]] = {
    "direct": _direct,
    "reduced": _reduced,
    "data": _rows,
    "homogenized": _homogenized,
}
"""The methods by name."""
