"""Risk, gradient, Fisher matrix and slopes of trained scalars for many problems, from the formulas of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sums import UnitSums

__all__ = ["ExplicitDrifts", "Parameters", "SizedDrifts"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]
Matrix = Sequence[Sequence[Float]]
Parameters = Mapping[str, Any]
"""Numbers, or arrays whose last axis is that of the problems."""


def _taken(parameters: Parameters, chosen: Int, problems: int) -> dict[str, Any]:
    """Those of some problems; what all share stays as it is."""
    return {
        name: value[..., chosen] if np.ndim(value) and np.shape(value)[-1] == problems > 1 else value
        for name, value in parameters.items()
    }


@dataclass(frozen=True)
class ExplicitDrifts:
    """The formulas of an explicit model, which are elementwise in the entries of B and in parameters.

    Attributes
    ----------
    module:
        The generated module.
    parameters:
        Named arguments of its functions.
    n, l, problems:
        Preactivations, students among them, problems.
    """

    module: Any
    parameters: Parameters
    n: int
    l: int
    problems: int

    def take(self, chosen: Int) -> ExplicitDrifts:
        """Those of the problems with these numbers."""
        return replace(self, parameters=_taken(self.parameters, chosen, self.problems), problems=chosen.size)

    def risk(self, B: Matrix, theta: Float) -> Float:
        """h(B), shape (problems,)."""
        (value,) = self.module._risk(*self._entries(B), **self.parameters)
        return np.asarray(np.broadcast_to(value, (self.problems,)))

    def __call__(self, B: Matrix, theta: Float) -> tuple[Any, Any, Any]:
        """H[k][i] and I[i][j], each (problems,) or a number, and no T."""
        n, l = self.n, self.l
        found = self.module._drift(*self._entries(B), **self.parameters)
        return [found[k * l : (k + 1) * l] for k in range(n)], [found[(n + k) * l :][:l] for k in range(l)], theta

    def _entries(self, B: Matrix) -> list[Float]:
        return [B[i][j] for i in range(self.n) for j in range(i, self.n)]


@dataclass(frozen=True)
class SizedDrifts:
    """Those of a model with sums over units.

    Attributes
    ----------
    sums:
        The sums, for the sizes that all problems have.
    parameters:
        Named numbers; for families (units, problems), or (units, 1) where all problems have the same.
    trained:
        Where each trained member is among the scalars.
    problems:
        How many there are.
    """

    sums: UnitSums
    parameters: Parameters
    trained: Mapping[str, slice]
    problems: int

    def take(self, chosen: Int) -> SizedDrifts:
        """Those of the problems with these numbers."""
        return replace(self, parameters=_taken(self.parameters, chosen, self.problems), problems=chosen.size)

    def risk(self, B: Matrix, theta: Float) -> Float:
        """h(B), shape (problems,)."""
        return self.sums.risk(np.array(B), self._values(theta))

    def __call__(self, B: Matrix, theta: Float) -> tuple[Any, Any, Any]:
        """H (n, l, problems), I (l, l, problems), T (scalars, problems)."""
        return self.sums.drift(np.array(B), self._values(theta))

    def _values(self, theta: Float) -> dict[str, Any]:
        return {**self.parameters, **{name: theta[part] for name, part in self.trained.items()}}
