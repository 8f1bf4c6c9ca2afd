"""What a linearised solution needs at its overlaps: H, the derivatives of the drift, moments of the gradient.

Where they are dear, as central differences and averages over points are, they are found at a few times of the solution
and interpolated by cubic splines between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .moments import Moments

if TYPE_CHECKING:
    from ..integration import Run

__all__ = ["Ingredients", "Sampled"]

Float = NDArray[np.float64]

_KNOTS = 96
"""Times between which splines interpolate; they are as far apart as the overlaps and the time move together."""

_CANDIDATES = 2000


@dataclass(frozen=True)
class Ingredients:
    """At one time.

    Attributes
    ----------
    gradient:
        H, shape (n, l).
    slopes:
        Derivatives of H, I and T in the overlaps and scalars, as :class:`hdsym.stepping.jacobian.Jacobian` has them.
    moments:
        Of the gradient.
    """

    gradient: Float
    slopes: tuple[Float, Float, Float]
    moments: Moments

    @property
    def arrays(self) -> list[Float]:
        """All of them in one list."""
        return [self.gradient, *self.slopes, *astuple(self.moments)]

    @classmethod
    def of(cls, arrays: list[Float]) -> Ingredients:
        """From such a list."""
        gradient, dH, dI, dT, *moments = arrays
        return cls(gradient, (dH, dI, dT), Moments(*moments))


class Sampled:
    """Ingredients interpolated in time.

    Parameters
    ----------
    run, states:
        What was integrated, and its packed states (entries, k) at times (k,).
    at:
        Finds the ingredients at overlaps and trained scalars.
    horizon:
        Where the solution ends.
    """

    def __init__(
        self, run: Run, states: Callable[[Any], Float], at: Callable[[Float, Float], Ingredients], horizon: float
    ) -> None:
        self.run, self.states, self.at, self.horizon = run, states, at, horizon

    def __call__(self, time: float) -> Ingredients:
        """At a time."""
        spline, shapes = self._spline
        values = spline(min(max(time, 0.0), self.horizon))
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
        parts = [values[a:b].reshape(shape) for a, b, shape in zip(ends[:-1], ends[1:], shapes, strict=True)]
        return Ingredients.of(parts)

    @cached_property
    def _spline(self) -> tuple[Any, list[tuple[int, ...]]]:
        from scipy.interpolate import CubicSpline

        knots = self._knots()
        found = []
        for t in knots:
            _, B, theta = self.run._point(self.states(t))
            found.append(self.at(B, theta).arrays)
        flat = np.array([np.concatenate([array.ravel() for array in arrays]) for arrays in found])
        return CubicSpline(knots, flat), [array.shape for array in found[0]]

    def _knots(self) -> Float:
        """Times at equal distances in a length that counts the steps of the integrator, the overlaps and the time."""
        own = np.asarray(getattr(self.states, "ts", [0.0, self.horizon]), dtype=np.float64)
        own = own[np.linspace(0, own.size - 1, min(own.size, _CANDIDATES)).astype(int)]
        times = np.unique(np.clip(np.concatenate([own, np.linspace(0.0, self.horizon, 200)]), 0.0, self.horizon))
        grams, trained = self.run._split(np.asarray(self.states(times)).T)
        B = self.run._overlaps(grams).reshape(times.size, -1)
        seen = B if trained is None else np.concatenate([B, trained], axis=1)
        scale = np.maximum(np.ptp(seen, axis=0), 1e-300)
        moved = np.abs(np.diff(seen, axis=0) / scale).max(axis=1)
        length = np.concatenate([[0.0], np.cumsum(moved / max(moved.sum(), 1e-300) + np.diff(times) / self.horizon)])
        return np.unique(np.interp(np.linspace(0.0, length[-1], _KNOTS), length, times))
