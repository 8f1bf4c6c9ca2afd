"""The ways to take SGD steps. Each owns the arrays of one run; the loop over time is in :mod:`.run`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..composition import Forms
from ..errors import SimulationError
from ..model import Model
from ..problem import Problem
from .declared import Statistics
from .diffusion import Diffusion
from .kernels import Kernels, Means
from .levels import Levels
from .rules import Rule, begin, renew, seen_levels, seen_rows, weighted
from .starting import LevelsOf, RowsOf, starting_levels, starting_rows

__all__ = [
    "METHODS",
    "Direct",
    "Observation",
    "Plan",
    "Reduced",
    "Settings",
    "State",
    "Weights",
    "eigenvalues_of",
    "make",
]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """B = W^T K W and W^T W, both (n, n), the trained scalars, and the overlaps <u, q(K) v> of declared statistics.

    And what the method knows without B: the risk (else NaN) and the means of declared statistics (else empty).
    """

    overlaps: Float
    gram: Float
    trained: Float
    forms: Float
    risk: float = np.nan
    means: Float = field(default_factory=lambda: np.empty(0))


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
    """What every step needs besides the weights: values of the parameters, start of the trained scalars, ..."""

    delta: float
    batch: int
    parameters: Float
    trained: Float
    means: tuple[Means, ...]
    forms: Forms
    group: int | None = None
    diffusion: Diffusion = field(default_factory=Diffusion)
    replace: bool = True
    rule: Rule | None = None


class Weights:
    """X and X* as rows, shapes (l, d) and (l*, d), in the basis the method works in; theta the trained scalars."""

    def __init__(self, settings: Settings, X: Float, S: Float, eigenvalues: Float) -> None:
        self.W = np.ascontiguousarray(np.concatenate([X, S]))
        self.X, self.S = self.W[: len(X)], self.W[len(X) :]
        self.theta = settings.trained.copy()
        self.eigenvalues = eigenvalues
        self.gradient = np.zeros_like(self.X)
        self.rules = begin(settings.rule)

    def statistics(self, kernels: Kernels, settings: Settings, rotated: Float) -> tuple[Float, Float, Float, Float]:
        """B, W^T W, theta and the overlaps of statistics, from W in the eigenbasis, `rotated`, shape (n, d)."""
        lam = self.eigenvalues
        B, gram = (weighted(kernels, rotated, by) for by in (lam, np.ones_like(lam)))
        forms = settings.forms(lambda q: weighted(kernels, rotated, q(lam)), ())
        return B, gram, self.theta.copy(), forms


class Direct(Weights):
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
        return Observation(*self.statistics(self.kernels, self.settings, self.W))


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
        levels, grams = self.levels, self.levels.grams(self.A)
        forms = self.settings.forms(lambda q: levels.weighted(self.X, grams, q), ())
        return Observation(*levels.overlaps(self.X, grams), self.theta.copy(), forms)


Factory = Callable[[np.random.Generator], State]
"""Makes the state of one run at t = 0, from the stream of that run."""


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
    steps:
        Most steps of a run; ``None`` if there is no limit.
    """

    begin: Factory
    work: int
    attrs: dict[str, Any] = field(default_factory=dict)
    pace: int | None = None
    steps: int | None = None

    def check(self, steps: int, d: int) -> None:
        """Raise :class:`SimulationError` if runs of so many steps are too long."""
        if self.steps is not None and steps > self.steps:
            raise SimulationError(
                f"one pass over the rows ends after {self.steps} steps, t = {self.steps / d:.6g}; t = {steps / d:g} is "
                "wanted",
                remedy=f"give t={self.steps / d:.6g} or less, or draw rows with replacement",
            )


def make(
    method: str,
    model: Model,
    problem: Problem,
    kernels: Kernels,
    declared: Statistics | None = None,
    group: int | None = None,
    **options: Any,
) -> Plan:
    """How runs of a method go, for an explicit model with these declared statistics.

    Options are `diffusion`, for homogenized SGD, `replace`, for rows, and the `rule` of an adaptive learning rate.

    Raises
    ------
    SimulationError
        For an unknown method, one that the problem or the model does not permit, `group` where there are none, or
        `replace` where there are no rows.
    ParameterError
        If a parameter, or the start of a trained scalar, has no value.
    """
    if method not in METHODS:
        raise SimulationError(f"method is {method!r}", remedy=f"it is one of: {', '.join(METHODS)}")
    values = (model.parameter_values(problem.parameters), model.trained_values(problem.parameters))
    parameters, trained = (np.array(list(part.values()), dtype=np.float64) for part in values)
    recorded = ((), Forms((), ())) if declared is None else declared.recorded
    settings = Settings(problem.delta, problem.batch_size, parameters, trained, *recorded, group, **options)
    _check_meant(method, settings)
    if method != "homogenized":  # runs must not carry a theory, which cannot be sent to other processes
        settings = replace(settings, diffusion=Diffusion())
    return METHODS[method](model, problem, kernels, settings)


def _check_meant(method: str, settings: Settings) -> None:
    """Arguments that a method does not know are errors, not silence."""
    if settings.group is not None and method not in ("reduced", "homogenized"):
        raise SimulationError(f'method="{method}" has no groups', remedy='leave group out, or use method="reduced"')
    if not settings.replace and method != "data":
        raise SimulationError(
            f'method="{method}" draws fresh samples, which never repeat',
            remedy='leave replace out, or use method="data"',
        )
    for name in ("scheme", "steps_per_time"):
        if getattr(settings.diffusion, name) is not None and method != "homogenized":
            raise SimulationError(
                f'method="{method}" has no {name}: its steps are those of SGD',
                remedy=f'leave {name} out, or use method="homogenized"',
            )


def _direct(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    eigenvalues, start = eigenvalues_of(problem), starting_rows(model, problem)
    return Plan(partial(_begin_direct, kernels, settings, start, eigenvalues), eigenvalues.size * problem.batch_size)


def _begin_direct(
    kernels: Kernels, settings: Settings, start: RowsOf, eigenvalues: Float, rng: np.random.Generator
) -> Direct:
    return Direct(kernels, settings, *start(rng), eigenvalues)


def _reduced(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    start, groups, attrs = starting_levels(model, problem, settings.group)
    d, large = problem.spectrum.dimension(), int(np.sum(groups.multiplicities >= groups.grams.shape[-1]))
    work = (groups.kept() + large) * problem.batch_size
    return Plan(partial(_begin_reduced, kernels, settings, start, d), work, attrs)


def _begin_reduced(kernels: Kernels, settings: Settings, start: LevelsOf, d: int, rng: np.random.Generator) -> Reduced:
    return Reduced(kernels, settings, start(rng), d)


def _rows(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    from .realrows import plan  # which imports what a plan is

    return plan(model, problem, kernels, settings)


def _homogenized(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    from .homogenized import plan  # as above

    return plan(model, problem, settings)


def eigenvalues_of(problem: Problem) -> Float:
    """(d,) in the order of coordinates."""
    return np.array(problem.spectrum.eigenvalues(), dtype=np.float64)


METHODS: dict[str, Callable[[Model, Problem, Kernels, Settings], Plan]] = {
    "direct": _direct,
    "reduced": _reduced,
    "data": _rows,
    "homogenized": _homogenized,
}
"""The methods by name."""
