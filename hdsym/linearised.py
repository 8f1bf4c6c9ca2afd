"""The equations of a time integration, linearised: the Jacobian at any state, and what integrators are told of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .averages import Averages
from .differences import central_slopes
from .drift import Drift
from .modelcheck import check_free
from .runstate import constant_or_call

if TYPE_CHECKING:
    from .composition import Weigh
    from .ratestates import RateStates
    from .stepping.jacobian import Jacobian
    from .stepping.layout import Layout

__all__ = ["Linearised", "Observed"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """What a state says: B and W^T W (..., n, n), trained scalars (..., count), and the Gram matrices (..., m, n, n).

    The latter two are ``None`` where there are no such scalars, and where the state does not resolve modes. `weigh`
    gives W^T q(K) W (..., n, n) for any q.
    """

    overlaps: Float
    gram: Float
    trained: Float | None
    grams: Float | None
    weigh: Weigh


class Linearised(Averages, ABC):
    """Adds the Jacobian of the mode equations to a run, which has the attributes named here."""

    lam: Float
    rho: Float
    grams: Float
    rhs: Callable[[float, Float], Float]
    rates: RateStates | None

    @cached_property
    def layout(self) -> Layout:
        """Where the entries of the state are."""
        from .stepping.layout import Layout

        n, students = self.grams.shape[-1], self.model.n_student
        return Layout.of_pairs(self.lam.size, students, n, self._pairs)

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """Entries (i, j) of B, from one, that evolve."""
        students, n = self.model.n_student, self.model.n_student + self.model.n_teacher
        return tuple((i, j) for i in range(1, students + 1) for j in range(i, n + 1))

    @property
    def autonomous(self) -> bool:
        """Whether no learning rate depends on time."""
        return all(rate.kind == "constant" for rate in (self.problem.learning_rate, *self._trained_rates))

    @cached_property
    def _trained_rates(self) -> tuple[Any, ...]:
        return self.problem.trained_rates(self.model) if self.model.trained else ()

    @cached_property
    def slopes_are(self) -> str:
        """How the derivatives of H, I and T are found: "formulas", or "differences" and why."""
        why = self._slopes_module[1]
        return f"differences: {why}" if why else "formulas"

    @cached_property
    def _slopes_module(self) -> tuple[Any, str]:
        found: tuple[Any, str] = self.theory.slopes_module
        return found

    @property
    def variables(self) -> int:
        """Number of overlaps that evolve, and of trained scalars: columns of the Jacobian beside its blocks."""
        return len(self._pairs) + len(self._trained_rates)

    @property
    def slopes_cost(self) -> int:
        """Right-hand sides that one Jacobian costs, about."""
        return 2 if self._slopes_module[0] is not None else 2 * self.variables

    def linearise(self, time: float, y: Float) -> Jacobian:
        """The Jacobian at a time and a packed state, exact up to rounding or the error of central differences, 1e-10.

        Where the derivatives are not finite, at singular overlaps, they are taken for zero: integrators then take
        shorter steps, as their error control tells them.
        """
        check_free(self.model, "the Jacobian of the mode equations")
        grams, B, theta = self._point(y)
        return self._jacobian(time, grams, self._gradient(B, theta), self._finite_slopes(B, theta))

    def _finite_slopes(self, B: Float, theta: Float) -> tuple[Float, Float, Float]:
        """Derivatives of H, I and T, zero where they are not finite."""
        with np.errstate(all="ignore"):
            dH, dI, dT = (np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0) for part in self._slopes(B, theta))
        return dH, dI, dT

    def _jacobian(self, time: float, grams: Float, gradient: Float, slopes: tuple[Float, Float, Float]) -> Jacobian:
        """The Jacobian at a time, from Gram matrices (m, n, n), H (n, l), and derivatives of H, I and T."""
        from .stepping.jacobian import Jacobian

        return Jacobian(
            self.lam,
            self.rho,
            grams,
            float(self.problem.learning_rate(time)),
            self.problem.delta,
            float(self.problem.batch_size),
            np.array([float(rate(time)) for rate in self._trained_rates]),
            gradient,
            slopes,
        )

    def _matrix(self, jacobian: Jacobian) -> Float:
        """A Jacobian as a matrix between packed states."""
        layout = self.layout
        rows = layout.to_packed(jacobian.apply(layout.to_rows(np.eye(layout.gather.size))))
        return np.ascontiguousarray(rows.T)

    def fastest(self, time: float, y: Float) -> float:
        """Largest rate at which a single mode decays or grows."""
        _, B, theta = self._point(y)
        A = self._gradient(B, theta)[: self.model.n_student]
        gamma, largest = float(self.problem.learning_rate(time)), float(np.max(np.abs(np.linalg.eigvalsh(A))))
        return 2.0 * gamma * (2.0 * float(self.lam.max()) * largest + self.problem.delta)

    def _point(self, y: Float) -> tuple[Float, Float, Float]:
        """Gram matrices (m, n, n), overlaps (n, n) and trained scalars (r,) of a packed state."""
        grams, trained = self._split(y)
        return grams, self._overlaps(grams), np.zeros(0) if trained is None else trained

    def _rate(self, schedule: Any) -> Callable[[float], float]:
        """A learning rate as the right-hand side calls it; one that adapts is worked out just before."""
        return constant_or_call(schedule) if self.rates is None else self.rates.current

    def rates_along(self, times: Float, states: Float) -> Float:
        """The learning rate at times (T,), where the states are (T, entries)."""
        if self.rates is not None:
            return self.rates.along(times, states)
        return np.broadcast_to(self.problem.learning_rate(times), times.shape)

    def dense_jacobian(self, time: float, y: Float) -> Float:
        """The Jacobian as a matrix between packed states, for general solvers."""
        return self._matrix(self.linearise(time, y))

    def _gradient(self, B: Float, theta: Float) -> Float:
        """H (n, l) at one matrix of overlaps."""
        return self._quantity("gradient", B, None, 1)

    @cached_property
    def drift(self) -> Drift:
        """H, I and T at one matrix of overlaps."""
        n = self.model.n_student + self.model.n_teacher
        conditions = self.theory.program.conditions is not None
        text = self.theory.source, self.theory.target
        return Drift(*text, self.parameters, (n, self.model.n_student), self._trained_parts, conditions)

    @property
    def _trained_parts(self) -> Mapping[str, slice] | None:
        return None

    def _slopes(self, B: Float, theta: Float) -> tuple[Float, Float, Float]:
        module = self._slopes_module[0]
        if module is not None:
            dH, dI = module.slopes(B, **self.parameters)
            return dH, dI, np.zeros((0, dH.shape[-1]))
        dH, dI, dT = central_slopes(self.drift, B, theta, self._pairs)
        return dH, dI, dT

    @abstractmethod
    def _split(self, y: Float) -> tuple[Float, Float | None]:
        """Gram matrices and trained scalars of packed states."""

    @abstractmethod
    def _overlaps(self, grams: Float) -> Float:
        """B = sum of lam_j G_j, (..., n, n) from (..., m, n, n)."""

    def structure(self) -> dict[str, Any]:
        """What the integrators of :mod:`hdsym.stepping` are given."""
        return {"linearise": self.linearise, "layout": self.layout, "autonomous": self.autonomous}
