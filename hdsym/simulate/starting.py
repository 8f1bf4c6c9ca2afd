"""Where runs start: all from the same weights, or each from weights that it draws first, from its own stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Model
from ..problem import Problem
from ..spectrum import Spectrum
from ..start import Start
from .grouping import exact, grouped, merge
from .levels import Groups, Levels, split

__all__ = ["LevelsOf", "RowsOf", "starting_levels", "starting_rows"]

Float = NDArray[np.float64]
RowsOf = Callable[[np.random.Generator], tuple[Float, Float]]
"""X0 and X* as rows, (l, d) and (l*, d), in the eigenbasis, of the run with this generator."""
LevelsOf = Callable[[np.random.Generator], Levels]
"""The same up to rotations of the eigenspaces."""


@dataclass(frozen=True)
class _Same:
    """The same for all runs: nothing is drawn."""

    value: Any

    def __call__(self, rng: np.random.Generator) -> Any:
        return self.value


@dataclass(frozen=True)
class _DrawnRows:
    start: Start
    spectrum: Spectrum
    sizes: tuple[int, int]

    def __call__(self, rng: np.random.Generator) -> tuple[Float, Float]:
        return _rows(*self.start.draw_weights(rng, self.spectrum, *self.sizes))


@dataclass(frozen=True)
class _DrawnLevels:
    start: Start
    mean: Groups
    n_student: int
    group: int | None

    def __call__(self, rng: np.random.Generator) -> Levels:
        lam, counts = self.mean.eigenvalues, self.mean.multiplicities
        groups = Groups(lam, counts, self.start.draw_grams(rng, self.mean.grams, counts, self.n_student, 1)[0])
        return split(groups if self.group is None else merge(groups, self.group), self.n_student)


def starting_rows(model: Model, problem: Problem) -> RowsOf:
    """Weights of runs at t = 0, for an explicit model."""
    if problem.start.drawn:
        return _DrawnRows(problem.start, problem.spectrum, (model.n_student, model.n_teacher))
    return _Same(_rows(*problem.weights(model)))


def starting_levels(
    model: Model, problem: Problem, group: int | None, **most: Any
) -> tuple[LevelsOf, Groups, dict[str, Any]]:
    """Weights of runs at t = 0 up to rotations, their groups (of the mean, where they are drawn), and what is recorded.

    Raises
    ------
    SimulationError, DeclarationError
        As :func:`hdsym.simulate.grouping.grouped` does.
    """
    groups, attrs = grouped(model, problem, group, **most)
    if problem.start.drawn:
        return _DrawnLevels(problem.start, exact(model, problem), model.n_student, group), groups, attrs
    return _Same(split(groups, model.n_student)), groups, attrs


def _rows(X: Float, S: Float) -> tuple[Float, Float]:
    return np.array(X.T, order="C"), np.array(S.T, order="C")
