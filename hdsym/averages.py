"""Means along a solution: the risk, its excess, the declared statistics, and how exact they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .derive.means import mean_at
from .quadratureerror import quadrature_error, relative_change, spread_over

if TYPE_CHECKING:
    from .composition import Composition
    from .model import Model
    from .problem import Problem

__all__ = ["Averages"]

Float = NDArray[np.float64]

_CHECKED = 8
"""Times at which the quadrature is repeated with twice the nodes."""


class Averages:
    """What a time integration evaluates at the overlaps (..., n, n) and trained scalars (..., count) it has found."""

    theory: Any
    module: Any
    model: Model
    problem: Problem
    parameters: dict[str, Any]
    composition: Composition

    def _risk(self, overlaps: Float, trained: Float | None, refine: int = 1) -> Float:
        """h(B), shape (...)."""
        return self._quantity("risk", overlaps, trained, refine)

    def _quantity(self, name: str, overlaps: Float, trained: Float | None, refine: int) -> Float:
        """A function of the generated module, as "fisher"."""
        result: Float = getattr(self.module, name)(overlaps, **self.parameters, refine=refine)
        return result

    def _statistics(self, overlaps: Float, trained: Float | None, forms: Float, refine: int = 1) -> dict[str, Float]:
        """Every declared statistic, shape (...), also from the overlaps W^T q(K) W in it (count, ...)."""
        return self.composition.values(self._means(overlaps, trained, refine), forms, trained)

    def _means(self, overlaps: Float, trained: Float | None, refine: int) -> dict[str, Float]:
        """E[g] of all that declared statistics are made of, by key, shape (...)."""
        values = self.model.parameter_values(self.problem.parameters)
        size = self.model.n_student + self.model.n_teacher
        return {key: mean_at(entry, overlaps, size, values, refine) for key, entry in self.theory.formulas.statistics}

    def _excess(self, risk: Float, overlaps: Float, trained: Float | None) -> Float | None:
        """Risk above that of X = X*; ``None`` where student and teacher have different numbers of directions."""
        if self.model.n_student != self.model.n_teacher:
            return None
        return np.asarray(risk - self._risk(self._at_target(overlaps[:1]), None), dtype=np.float64)

    def _at_target(self, overlaps: Float) -> Float:
        """The overlaps of X = X*; those of the teachers never change."""
        students = self.model.n_student
        block = overlaps[..., students:, students:]
        return np.concatenate([np.concatenate([block, block], -1), np.concatenate([block, block], -1)], -2)

    def _errors(self, overlaps: Float, trained: Float | None, forms: Float) -> dict[str, Any]:
        """Largest changes, relative to the largest value, when the number of quadrature nodes is doubled."""
        error = 0.0 if self.theory.exact else quadrature_error(self._quantity, overlaps, trained)
        if not self.model.declared_statistics:
            return {"quadrature_error": error}
        chosen = spread_over(len(overlaps), _CHECKED)
        given = overlaps[chosen], None if trained is None else trained[chosen], forms[..., chosen]
        coarse, fine = ({}, {}) if self._exact_statistics() else (self._statistics(*given, k) for k in (1, 2))
        statistics = {name: 0.0 for name, _ in self.model.declared_statistics}
        statistics |= {name: relative_change(coarse[name], fine[name]) for name in coarse}
        return {"quadrature_error": error, "statistics_error": statistics}

    def _exact_statistics(self) -> bool:
        return all(entry.exact for _, entry in self.theory.formulas.statistics)
