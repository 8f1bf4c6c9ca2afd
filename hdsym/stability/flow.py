"""The mode equations of a problem with the learning rate left open: F(y, gamma) = gamma F_1(y) + gamma^2 F_2(y)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..compression import _time_scale
from ..errors import DeclarationError
from ..floor import best_scalars, quadratic
from ..modelcheck import check_free
from ..modes import Modes
from ..nodes import choose_count
from ..solve import _run

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..stepping.jacobian import Jacobian

__all__ = ["Flow"]

Float = NDArray[np.float64]

_ROUNDING = 1e-8
"""Eigenvalues this small next to the largest count as zero: rounding makes two of this size from a double zero."""

_DECAYED = 36.0
"""Powers of e by which the slowest level decays in the time for which nodes are chosen, if it is not finite."""

_KEPT = 8
"""Linearisations that are remembered."""

_SINGULAR, _INSIDE, _AGREE = 1e-9, 0.12, 1e-4
"""Smallest over largest eigenvalue of B where it counts as singular; sqrt of the largest move inside, relative; largest
relative gap between the Jacobian at a singular point and its limit at which the former is taken."""


class Flow:
    """Right-hand side, Jacobian and averages of a problem, at any learning rate.

    Rates of trained scalars keep their ratio to the learning rate at t = 0, so that gamma scales all of them.

    Attributes
    ----------
    mean:
        tr K / d.
    gamma:
        The problem's learning rate at t = 0; ``None`` if it is adaptive.
    trace:
        (tr K / d) / batch size, the factor of tr I in the growth of the distance.
    """

    def __init__(self, theory: Derivation | SizedDerivation, problem: Problem, modes: Modes | None = None) -> None:
        check_free(theory.model, "the stability of projected SGD")
        adaptive = isinstance(problem.learning_rate, AdaptiveRate)
        self.gamma = None if adaptive else float(problem.learning_rate(0.0))
        problem = replace(problem, learning_rate=1.0) if adaptive else problem
        self.theory, self.problem = theory, problem
        self.run = _run(theory, problem, modes=modes)
        self.model = self.run.model
        self.students, self.n = self.model.n_student, self.model.n_student + self.model.n_teacher
        self.mean = float(self.run.rho @ self.run.lam)
        self.trace = self.mean / problem.batch_size
        self._known: dict[bytes, Jacobian] = {}

    @cached_property
    def ratios(self) -> Float:
        """Rates of the trained scalars divided by the learning rate, at t = 0; shape (r,)."""
        rates = np.array([float(rate(0.0)) for rate in self.run._trained_rates])
        if rates.size and not self.gamma:
            raise DeclarationError(
                "the learning rate is adaptive, or zero at t = 0, so those of trained scalars have no ratio to it",
                remedy="give a positive number, or a schedule in hd.t that starts with one",
            )
        return rates / self.gamma if self.gamma else rates

    def right_hand_side(self, gamma: float) -> Callable[[float, Float], Float]:
        """F(., gamma) as a function of time, which plays no role, and the packed state."""
        run = copy.copy(self.run)
        names = [symbol.name for symbol in self.model.trained]
        rates = dict(zip(names, (gamma * self.ratios).tolist(), strict=True))
        run.problem = replace(self.problem, learning_rate=gamma, learning_rates=rates)
        return run._right_hand_side()

    @cached_property
    def _two(self) -> tuple[Callable[[float, Float], Float], Callable[[float, Float], Float]]:
        return self.right_hand_side(1.0), self.right_hand_side(2.0)

    def rates(self, y: Float) -> tuple[Float, Float]:
        """F_1 and F_2 at a packed state."""
        with np.errstate(all="ignore"):
            one, two = (rhs(0.0, y) for rhs in self._two)
        second = (two - 2.0 * one) / 2.0
        return one - second, second

    def jacobians(self, y: Float) -> tuple[Float, Float]:
        """The derivatives of F_1 and F_2, matrices between packed states."""
        one, two = (self.jacobian(y, gamma) for gamma in (1.0, 2.0))
        second = (two - 2.0 * one) / 2.0
        return one - second, second

    def jacobian(self, y: Float, gamma: float) -> Float:
        """The derivative of F(., gamma), a matrix between packed states."""
        return self.times_jacobian(y, gamma, np.eye(y.size)).T

    def times_jacobian(self, y: Float, gamma: float, v: Float) -> Float:
        """The derivative of F(., gamma) applied to packed directions (..., size)."""
        layout = self.run.layout
        linear = replace(self._linear(y), gamma=gamma, rates=gamma * self.ratios)
        return np.asarray(layout.to_packed(linear.apply(layout.to_rows(v))), dtype=np.float64)

    def _linear(self, y: Float) -> Jacobian:
        """The linearisation at a state, kept for the last few of them: other rates need no other derivatives."""
        key = y.tobytes()
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = self.run.linearise(0.0, y)
        return self._known[key]

    def _limit(self, y: Float, gamma: float, v: Float) -> Float:
        """The Jacobian applied to v (..., size), at singular overlaps as a limit from inside, to about 1e-5.

        There formulas with kinks have no derivatives and differences step outside. They are power series in sqrt(eps)
        where every student is moved by eps out of the span of the others, and are extrapolated in it. What the point
        itself gives is kept if it agrees.
        """
        here = self.times_jacobian(y, gamma, v)
        values = np.linalg.eigvalsh(self.overlaps(y)[0])
        if values[0] > _SINGULAR * values[-1]:
            return here
        roots = _INSIDE * 0.5 ** np.arange(4)
        table = [self.times_jacobian(self._moved_inside(y, root**2), gamma, v) for root in roots]
        for order in range(1, len(roots)):  # Neville's scheme at zero
            table = [
                (roots[k] * table[k + 1] - roots[k + order] * table[k]) / (roots[k] - roots[k + order])
                for k in range(len(table) - 1)
            ]
        near = float(np.max(np.abs(table[0] - here))) <= _AGREE * float(np.max(np.abs(table[0])))
        return here if near else table[0]

    def _moved_inside(self, y: Float, share: float) -> Float:
        grams, trained = self.run._split(y)
        size = float(np.trace(grams.sum(axis=-3)[: self.n, : self.n])) / self.n
        inside = np.diag(np.arange(self.n) < self.students) * share * size
        return self.run.packed(grams + self.run.rho[:, None, None] * inside, trained)

    def spectrum(self, y: Float, gamma: float) -> tuple[NDArray[Any], NDArray[Any], float]:
        """Eigenvalues of the Jacobian of F(., gamma), leading first, packed eigenvectors as columns, what counts as 0.

        Directions in which an entry of B and its mirror image would differ are left out.
        """
        lift = self._lift
        columns = self._limit(y, gamma, lift)[:, self._kept]
        values, vectors = np.linalg.eig(columns.T)
        order = np.argsort(-values.real, kind="stable")
        rounding = _ROUNDING * float(np.max(np.abs(values), initial=0.0))
        return values[order], lift.T @ vectors[:, order], rounding

    @cached_property
    def _kept(self) -> NDArray[np.int64]:
        """Packed entries that determine all: of mirror images one."""
        numbered = np.arange(self.start.size)
        rows = self.run.layout.to_rows(numbered)
        size = self.run.lam.size * self.students * self.n
        square = rows[:size].reshape(-1, self.students, self.n)
        below = np.array([square[:, i, j] for i in range(self.students) for j in range(i)]).ravel()
        above = np.array([square[:, j, i] for i in range(self.students) for j in range(i)]).ravel()
        return np.asarray(np.setdiff1d(numbered, below[below != above].astype(np.int64)))

    @cached_property
    def _lift(self) -> Float:
        """Packed directions in which one kept entry changes, with its mirror image; (kept, size)."""
        rows = self.run.layout.to_rows(np.eye(self.start.size)[self._kept])
        size = self.run.lam.size * self.students * self.n
        square = rows[:, :size].reshape(len(rows), -1, self.students, self.n)
        block = square[..., : self.students]
        block[...] = np.maximum(block, np.swapaxes(block, -1, -2))
        return np.asarray(self.run.layout.to_packed(rows), dtype=np.float64)

    def overlaps(self, y: Float) -> tuple[Float, Float]:
        """B and W^T W, each (n, n), at a packed state."""
        seen = self.run._observe(y)
        return seen.overlaps, seen.gram

    def risk(self, y: Float) -> float:
        """h(B) at a packed state."""
        seen = self.run._observe(y)
        return float(self.run._risk(seen.overlaps, seen.trained))

    def risk_slope(self, y: Float, v: Float) -> Float:
        """Derivative of the risk along packed directions v (..., size), shape (...)."""
        _, B, theta = self.run._point(y)
        H, _, T = self.run.drift(B, theta)
        rows = self.run.layout.to_rows(v)
        size = self.run.lam.size * self.students * self.n
        grams = rows[..., :size].reshape((*v.shape[:-1], -1, self.students, self.n))
        change = np.einsum("m,...mij->...ij", self.run.lam, grams)
        weights = H.T.copy()
        weights[:, self.students :] *= 2.0  # B_is and B_si are one entry of the rows
        return np.asarray(np.einsum("ij,...ij->...", weights, change) + rows[..., size:] @ T)

    def towards(self, C: Float) -> Float:
        """The packed state with X = X* C, C of shape (l*, l), and the trained scalars that are best there.

        Those of the start if the loss is not quadratic in them.
        """
        grams = self.run.grams
        frame = np.concatenate([C, np.eye(self.n - self.students)], axis=1)
        placed = frame.T @ grams[:, self.students :, self.students :] @ frame
        return self.run.packed(placed, self.scalars_at(np.einsum("m,mij->ij", self.run.lam, placed)))

    def scalars_at(self, B: Float) -> Float | None:
        """The trained scalars with the lowest risk at overlaps (n, n), or those of the start; ``None`` without any."""
        given = self.run._split(self.start)[1]
        if given is None or not quadratic(self.theory.model):
            return given
        found = best_scalars(lambda theta: self.run.drift(B, theta)[2], given.size)
        return given if found is None else found

    @cached_property
    def start(self) -> Float:
        """The packed state at t = 0."""
        return self.run._start()

    def compressed(self, count: int, *, forever: bool = False) -> Flow:
        """The same equations over at most `count` nodes in place of all levels: up to the horizon, or for all times."""
        every = self.run.modes.ascending()
        if forever:
            tau = _DECAYED / float(every.lam[every.lam > 0].min())
        else:
            tau = _time_scale(self.run, np.array([0.0, self.problem.horizon]))
        return Flow(self.theory, self.problem, every.at(choose_count(every.lam, tau, count)))
