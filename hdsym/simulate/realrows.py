"""SGD over the rows of a real matrix."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import SimulationError
from ..followed import owner
from ..model import Model
from ..problem import Problem
from .kernels import Kernels
from .methods import Observation, Plan, Settings, Weights, eigenvalues_of
from .rules import renew, seen_rows
from .starting import RowsOf, starting_rows

__all__ = ["Rows", "plan"]

Float = NDArray[np.float64]


class Rows(Weights):
    """Rows of a real matrix, in the basis it was given in: drawn with replacement, or each once in a random order."""

    def __init__(
        self,
        kernels: Kernels,
        settings: Settings,
        start: RowsOf,
        eigenvalues: Float,
        basis: Float,
        rows: tuple[Float, Float],
        rng: np.random.Generator,
    ) -> None:
        X, S = (np.ascontiguousarray(part @ basis.T) for part in start(rng))
        super().__init__(settings, X, S, eigenvalues)
        self.kernels, self.settings, self.basis = kernels, settings, basis
        self.features, self.labels = rows
        self.order = np.empty(0, dtype=np.int64)  # the rows not yet taken
        self.fresh = True
        self.zero = np.zeros(len(S))  # the label is given: no teacher speaks

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        s, weights = self.settings, (self.X, self.zero, self.theta)
        if not s.replace and self.fresh:
            self.order, self.fresh = rng.permutation(len(self.labels)), False
        taken, self.order = np.split(self.order, [gamma.size * s.batch])
        renew(s.rule, self.rules, lambda: seen_rows(self.kernels, self._rotated(), self.eigenvalues, self.theta))
        rows, rest = (self.features, self.labels, taken), (s.delta, s.batch, s.parameters, *self.rules)
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
        seen = self.statistics(self.kernels, self.settings, rotated)
        return Observation(*seen, self.kernels.empirical(*given), means)


def plan(model: Model, problem: Problem, kernels: Kernels, settings: Settings) -> Plan:
    """How runs over the rows of ``problem.data`` go.

    Raises
    ------
    SimulationError
        If the problem has no rows, the model no label, or a statistic needs what rows do not have.
    """
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
    for name, g in model.means:
        unknown = [symbol for symbol in (*model.teachers, model.noise_symbol) if symbol is not None and g.has(symbol)]
        if unknown:
            raise SimulationError(
                f"the statistic {owner(name)!r} contains {unknown[0]}, which real rows do not have",
                remedy=f'write it in the label {model.label}, or simulate with method="direct"',
            )
    eigenvalues = eigenvalues_of(problem)
    basis = problem.spectrum.basis
    basis = np.eye(eigenvalues.size) if basis is None else np.array(basis, dtype=np.float64, order="C")
    # copies are writeable, as numba compiles for one kind of array only
    rows = (np.array(problem.data.features, order="C"), np.array(problem.data.labels))
    start = starting_rows(model, problem)
    begin, b = partial(Rows, kernels, settings, start, eigenvalues, basis, rows), problem.batch_size
    return Plan(begin, eigenvalues.size * b, steps=None if settings.replace else len(rows[1]) // b)
