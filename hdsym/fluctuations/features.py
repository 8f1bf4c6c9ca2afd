"""What is observed of a fluctuating state: overlaps W^T q(K) W and trained scalars, and what is made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..composition import Weight
from ..geometry import geometry
from .linear import entry_weights
from .shift import principal_axes

if TYPE_CHECKING:
    from ..integration import Run

__all__ = ["Features"]

Float = NDArray[np.float64]

_STEP = float(np.finfo(float).eps ** (1 / 3))
"""Relative step of central differences."""

_WIDE = 1e-3
"""Step of second differences in units of a direction's deviation at d = 1."""

_ONE, _LINEAR = Weight(np.ones(1), np.ones(1)), Weight(np.array([1.0, 0.0]), np.ones(1))


@dataclass(frozen=True)
class _Seen:
    """Matrices (weights, ..., n, n) of all weights, and trained scalars (..., r)."""

    matrices: Float
    trained: Float


class Features:
    """The entries of W^T q(K) W that evolve, for q = 1, K and those of declared statistics, then trained scalars.

    Attributes
    ----------
    rows:
        (P, entries): the features of packed states.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        first = (_ONE,) if run.modes.bounded else ()
        self.weights = (*first, _LINEAR, *run.composition.weights)
        self.pairs = [(i - 1, j - 1) for i, j in run._pairs]
        self.scalars = len(run._trained_rates)
        self.rows = self._rows()

    @property
    def count(self) -> int:
        """Number P of features."""
        return len(self.weights) * len(self.pairs) + self.scalars

    @property
    def variables(self) -> Float:
        """Rows of B and the trained scalars, (c, entries): what gradient and Fisher matrix depend on."""
        count, first = len(self.pairs), self._linear * len(self.pairs)
        return np.concatenate([self.rows[first : first + count], self.rows[len(self.weights) * count :]])

    def _rows(self) -> Float:
        run = self.run
        entries = [entry_weights(run, i, j, weight(run.lam)) for weight in self.weights for i, j in self.pairs]
        size = run.layout.spread.size
        rows = np.concatenate([entries, np.eye(size)[size - self.scalars :]])
        return np.ascontiguousarray(run.layout.weights_of_packed(rows))

    def slopes(self, states: Float) -> dict[str, Float]:
        """Derivatives of every quantity of a trajectory in the features, (T, ..., P), at packed states (T, entries)."""
        seen = self._seen(states)
        found = self._differences(seen)
        B, theta = seen.matrices[self._linear], seen.trained if self.scalars else None
        gradient = self.run._quantity("gradient", B, theta, 1)
        risk = np.zeros((len(states), self.count))
        offset = self._linear * len(self.pairs)
        for k, (i, j) in enumerate(self.pairs):
            risk[:, offset + k] = gradient[:, j, i] * (1.0 if i == j else 2.0)
        if self.scalars:
            risk[:, -self.scalars :] = [self.run.drift(b, t)[2] for b, t in zip(B, seen.trained, strict=True)]
        found["risk"] = risk
        for name, k in (("overlaps", self._linear), ("gram", 0)):
            if name == "overlaps" or self.run.modes.bounded:
                found[name] = self._entries(len(states), k)
        if self.scalars:
            found["trained"] = np.broadcast_to(
                np.eye(self.count)[-self.scalars :], (len(states), self.scalars, self.count)
            )
        return found

    @property
    def _linear(self) -> int:
        """Which of the weights is q = K."""
        return 1 if self.run.modes.bounded else 0

    def _entries(self, times: int, weight: int) -> Float:
        n = self.run.grams.shape[-1]
        entries = np.zeros((times, n, n, self.count))
        for k, (i, j) in enumerate(self.pairs):
            entries[:, i, j, weight * len(self.pairs) + k] = entries[:, j, i, weight * len(self.pairs) + k] = 1.0
        return entries

    def _seen(self, states: Float) -> _Seen:
        grams, trained = self.run._split(states)
        matrices = np.array([np.einsum("m,tmij->tij", weight(self.run.lam), grams) for weight in self.weights])
        return _Seen(matrices, np.zeros((len(states), 0)) if trained is None else trained)

    def _differences(self, seen: _Seen) -> dict[str, Float]:
        """Central differences of declared statistics and of norms, distances and cosines."""
        columns: list[dict[str, Float]] = []
        for step, unit in zip(self._steps(seen), np.eye(self.count), strict=True):
            above, below = (self._quantities(self._along(seen, sign * step[:, None] * unit)) for sign in (1.0, -1.0))
            columns.append({name: ((above[name] - below[name]).T / (2.0 * step)).T for name in above})
        return {name: np.stack([column[name] for column in columns], axis=-1) for name in columns[0]}

    def _steps(self, seen: _Seen) -> list[Float]:
        """A step for each feature at each time, (P) of (T,), by its scale: sqrt(B_ii B_jj), or max(1, |theta|)."""
        found = []
        for own in seen.matrices:
            for i, j in self.pairs:
                scale = np.sqrt(np.abs(own[:, i, i] * own[:, j, j]))
                found.append(_STEP * np.maximum(scale, 1e-2 * np.abs(own).max(axis=(1, 2)) + 1e-12))
        return [*found, *(_STEP * np.maximum(1.0, np.abs(seen.trained.T)))]

    def _quantities(self, seen: _Seen) -> dict[str, Float]:
        run = self.run
        B, trained = seen.matrices[self._linear], seen.trained if self.scalars else None
        known = {id(weight): matrices for weight, matrices in zip(self.weights, seen.matrices, strict=True)}
        forms = run.composition.forms(lambda weight: known[id(weight)], B.shape[:1])
        found = run._statistics(B, trained, forms) if run.model.declared_statistics else {}
        if run.modes.bounded:
            shapes = geometry(seen.matrices[0], run.model.n_student)
            found |= {name: value for name, value in shapes.items() if name != "teacher_norm"}
        return found

    def curvature(self, states: Float, covariances: Float) -> dict[str, Float]:
        """(1/2) phi'' : Sigma of every quantity, (T, ...), from covariances (T, P, P) of the features."""
        seen = self._seen(states)
        at = self._all(seen)
        total = {name: np.zeros_like(value) for name, value in at.items()}
        axes = [principal_axes(covariance) for covariance in covariances]
        for k in range(max((a.shape[1] for a in axes), default=0)):
            direction = np.array([a[:, k] if k < a.shape[1] else np.zeros(self.count) for a in axes])
            above, below = (self._all(self._along(seen, sign * _WIDE * direction)) for sign in (1.0, -1.0))
            for name, value in at.items():
                total[name] += (above[name] - 2.0 * value + below[name]) / (2.0 * _WIDE**2)
        return total

    def _along(self, seen: _Seen, direction: Float) -> _Seen:
        matrices, count = seen.matrices.copy(), len(self.pairs)
        for w in range(len(self.weights)):
            for k, (i, j) in enumerate(self.pairs):
                matrices[w, :, i, j] += direction[:, w * count + k]
                if i != j:
                    matrices[w, :, j, i] += direction[:, w * count + k]
        return _Seen(matrices, seen.trained + direction[:, len(self.weights) * count :])

    def _all(self, seen: _Seen) -> dict[str, Float]:
        """The risk, and what else is no linear function of the features."""
        trained = seen.trained if self.scalars else None
        return self._quantities(seen) | {"risk": self.run._risk(seen.matrices[self._linear], trained)}
