"""A solution linearised: the Jacobian along it, and the covariance per step of the noise that single runs add."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .ingredients import Ingredients, Sampled
from .moments import Moments, StepCovariance
from .points import PointMoments

if TYPE_CHECKING:
    from ..integration import Run
    from ..stepping.jacobian import Jacobian

__all__ = ["LinearNoise", "entry_weights"]

Float = NDArray[np.float64]

_FEWEST, _MOST, _ACCURATE = 1 << 12, 1 << 16, 0.01
"""Points for averages: as few as give the noise's standard deviations at the start to this relative error."""


def entry_weights(run: Run, i: int, j: int, weights: Float) -> Float:
    """What reads sum_k weights_k (G_k)_ij, i among the students, off rows and scalars: (m l n + r)."""
    n, l = run.grams.shape[-1], run.model.n_student
    found = np.zeros(run.layout.spread.size)
    found[i * n + j : run.lam.size * l * n : l * n] = weights
    return found


class LinearNoise:
    """J(t) and C(t) along a solution, in packed states.

    Parameters
    ----------
    run:
        What was integrated.
    states:
        The solution: packed states (entries,) at a time, or (entries, k) at times (k,).
    horizon:
        Where it ends.
    """

    def __init__(self, run: Run, states: Callable[[Any], Float], horizon: float) -> None:
        self.run, self.states = run, states
        self.size = run.layout.gather.size
        self._sampled = Sampled(run, states, self._found, horizon)

    def at(self, time: float) -> tuple[Float, Float]:
        """J and C, (entries, entries) each: a fluctuation z of one run follows dz = J z dt + sqrt(C / d) dW."""
        gather = self.run.layout.gather
        jacobian, step = self.forms(time)
        return self.run._matrix(jacobian), step.dense()[np.ix_(gather, gather)]

    def jacobian(self, time: float) -> Float:
        """J at a time, (entries, entries)."""
        return self.run._matrix(self.forms(time)[0])

    def forms(self, time: float) -> tuple[Jacobian, StepCovariance]:
        """J and C by rows, as forms whose products cost as much as the state has entries."""
        run = self.run
        grams, B, theta = run._point(self.states(time))
        found = self._sampled(time) if self._dear else self._found(B, theta)
        return run._jacobian(time, grams, found.gradient, found.slopes), self._step(found.moments, time, grams)

    def _step(self, moments: Moments, time: float, grams: Float) -> StepCovariance:
        run = self.run
        gamma, batch = float(run.problem.learning_rate(time)), float(run.problem.batch_size)
        rates = np.array([float(rate(time)) for rate in run._trained_rates])
        return StepCovariance(moments, run.lam, run.rho, grams, gamma, rates, batch)

    def _found(self, B: Float, theta: Float) -> Ingredients:
        run = self.run
        return Ingredients(run._gradient(B, theta), run._finite_slopes(B, theta), self.moments(B, theta))

    @cached_property
    def _dear(self) -> bool:
        """Whether derivatives are differences or moments averages, which are found at few times."""
        return self._module is None or self.run.slopes_are != "formulas"

    def moments(self, B: Float, theta: Float) -> Moments:
        """Moments of the gradient at overlaps (n, n) and trained scalars (r,); not finite where formulas are not."""
        if self._module is None:
            return self._points(B, theta)
        with np.errstate(all="ignore"):
            gradient, fisher, _ = self.run.drift(B, theta)
            return Moments.of_weights(gradient, fisher, *self._module.noise_moments(B, **self.run.parameters))

    @cached_property
    def source(self) -> str:
        """How the moments are found: "formulas", or "averages over ... points" and why."""
        why = self.run.theory.noise_module[1]
        return f"averages over {self._points.count} points: {why}" if self._module is None else "formulas"

    @cached_property
    def error(self) -> float:
        """Relative error of the standard deviations at the start that averages over points make; 0 for formulas."""
        return self._accuracy[1] if self._module is None else 0.0

    @cached_property
    def _module(self) -> Any:
        return self.run.theory.noise_module[0]

    @property
    def _points(self) -> PointMoments:
        return self._accuracy[0]

    @cached_property
    def _accuracy(self) -> tuple[PointMoments, float]:
        """Averages over as many points as are needed, and their error."""
        values = self.run.model.parameter_values(self.run.problem.parameters)
        count = _FEWEST
        while True:
            found = PointMoments(self.run.model, values, count)
            error = self._difference(found, PointMoments(self.run.model, values, count, replica=1))
            if error <= _ACCURATE or count >= _MOST:
                return found, error
            count *= 2

    def _difference(self, one: PointMoments, other: PointMoments) -> float:
        """Largest relative difference of the standard deviations of overlaps that two sets of points give."""
        run = self.run
        grams, B, theta = run._point(run._start())
        l, n = run.model.n_student, len(B)
        entries = [entry_weights(run, i, j, run.lam) for i in range(l) for j in range(n)]
        weights = np.concatenate([entries, np.eye(run.layout.spread.size)[run.layout.spread.size - theta.size :]])
        deviations = []
        for moments in (one, other):
            step = self._step(moments(B, theta), 0.0, grams)
            deviations.append(np.sqrt(np.maximum(np.diag(step.between(weights, weights)), 0.0)))
        scale = np.maximum(deviations[1], 1e-3 * float(np.max(deviations[1], initial=0.0)))
        return float(np.max(np.abs(deviations[0] - deviations[1]) / np.where(scale > 0, scale, 1.0), initial=0.0))
