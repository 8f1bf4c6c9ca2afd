"""The Lyapunov equation along a solution: covariances of what is observed at the output times, and between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import SolveError
from .magnus import GAUSS, driven, exponent, flow

if TYPE_CHECKING:
    from .linear import LinearNoise

__all__ = ["Covariances", "march"]

Float = NDArray[np.float64]

_TOL = 1e-5
"""Error of one step in the variances of features, relative to those."""

_FLOOR = 1e-9
"""Share of the largest variance so far below which that counts: the solution itself is not known better."""

_GROW, _SHRINK, _SAFE = 4.0, 0.2, 0.8
_SHORTEST = 1e-10
"""Of the horizon: steps that get shorter mean that the solution cannot be linearised."""


@dataclass(frozen=True)
class Covariances:
    """d times the covariances of one run's fluctuations in the linear-noise limit.

    Attributes
    ----------
    features:
        (T, P, P) of the features at each time.
    curves:
        (S, T, T) of each curve between the times.
    shift:
        (T, entries) d times the shift of the mean of packed states; ``None`` if it was not asked for.
    steps:
        Number of steps.
    """

    features: Float
    curves: Float
    shift: Float | None
    steps: int


def march(
    noise: LinearNoise,
    times: Float,
    rows: Float,
    curves: Float,
    source: Callable[[float, Float, Float], Float] | None = None,
    initial: Float | None = None,
) -> Covariances:
    """Integrate Sigma' = J Sigma + Sigma J^T + C.

    Parameters
    ----------
    times:
        Output times (T,).
    rows:
        Features of packed states, (P, entries).
    curves:
        Derivatives of S curves in the features at the output times, (S, T, P).
    source:
        g of mu' = J mu + g(t, Sigma, J), what drives the shift of the mean; ``None`` to leave that out.
    initial:
        Sigma(0), (entries, entries), where every run has a start of its own; zero by default.

    Raises
    ------
    SolveError
        If J or C is not finite along the solution.
    """
    state = _March(noise, rows, float(times[-1]), source)
    if initial is not None:
        state.sigma = initial
    count, (S, T) = len(rows), curves.shape[:2]
    features, between = np.zeros((T, count, count)), np.zeros((S, T, T))
    columns, shift = np.zeros((S, 0, noise.size)), np.zeros((T, noise.size))
    for i, t in enumerate(times):
        pushed = state.advance(float(t))
        columns = columns @ pushed.T
        own = np.einsum("sp,pn->sn", curves[:, i], rows)
        columns = np.concatenate([columns, (own @ state.sigma)[:, None]], axis=1)
        between[:, i, : i + 1] = between[:, : i + 1, i] = np.einsum("sn,sjn->sj", own, columns)
        features[i], shift[i] = rows @ state.sigma @ rows.T, state.shift
    return Covariances(features, between, None if source is None else shift, state.steps)


class _March:
    """Sigma at one time, advanced in steps whose error is that of one step against two of half its length."""

    def __init__(
        self, noise: LinearNoise, rows: Float, end: float, source: Callable[[float, Float, Float], Float] | None
    ) -> None:
        self.noise, self.rows, self.end, self.source = noise, rows, end, source
        self.time, self.step, self.steps = 0.0, 1e-3 * end, 0
        self.sigma, self.shift = np.zeros((noise.size, noise.size)), np.zeros(noise.size)
        self.largest = np.zeros(len(rows))

    def advance(self, to: float) -> Float:
        """Go on to a time; the propagator from there to here, (entries, entries)."""
        total = np.eye(self.noise.size)
        while self.time < to - 1e-12 * self.end:
            h = min(self.step, to - self.time)
            whole, first = self._flow(self.time, h), self._flow(self.time, 0.5 * h)
            second = self._flow(self.time + 0.5 * h, 0.5 * h)
            coarse, middle = self._after(whole), self._after(first)
            fine = second[0] @ middle @ second[0].T + second[1]
            error = self._error(coarse, fine)
            if error <= _TOL:
                self._shift(h, middle, fine)
                self.sigma, self.time = (fine + fine.T) / 2.0, self.time + h
                self.largest = np.maximum(self.largest, self._variances(self.sigma))
                total = second[0] @ first[0] @ total
                self.steps += 1
            wanted = h * float(np.clip(_SAFE * (_TOL / max(error, 1e-300)) ** 0.2, _SHRINK, _GROW))
            if error > _TOL or h == self.step or wanted < self.step:
                self.step = wanted
            if self.step < _SHORTEST * self.end:
                raise SolveError(
                    f"the noise along the solution changes too fast at t = {self.time:.6g}",
                    t=self.time,
                    remedy="solve without fluctuations, or start away from where the formulas are singular",
                )
        return total

    def _flow(self, time: float, h: float) -> tuple[Float, Float]:
        parts = [self.noise.at(time + place * h) for place in GAUSS]
        if not all(np.all(np.isfinite(matrix)) for part in parts for matrix in part):
            raise SolveError(
                f"the noise of single runs is not finite near t = {time:.6g}",
                t=time,
                remedy="a moment of the gradient does not exist, or formulas are singular there; solve without "
                "fluctuations",
            )
        return flow(*exponent(h, *parts))

    def _shift(self, h: float, middle: Float, end: Float) -> None:
        """Advance the shift of the mean, with Sigma as the parabola through its values at both ends and the middle."""
        if self.source is None:
            return
        parts = []
        for place in GAUSS:
            weights = (2 * (place - 0.5) * (place - 1), 4 * place * (1 - place), 2 * place * (place - 0.5))
            sigma = weights[0] * self.sigma + weights[1] * middle + weights[2] * end
            time = self.time + place * h
            J = self.noise.jacobian(time)
            parts.append((J, self.source(time, sigma, J)))
        Phi, v = driven(h, *parts)
        self.shift = Phi @ self.shift + v

    def _after(self, step: tuple[Float, Float]) -> Float:
        moved: Float = step[0] @ self.sigma @ step[0].T + step[1]
        return moved

    def _error(self, coarse: Float, fine: Float) -> float:
        change, size = self._variances(coarse - fine), self._variances(fine)
        scale = np.maximum(np.abs(size), _FLOOR * self.largest)
        return float(np.max(np.abs(change) / np.maximum(scale, 1e-6 * np.max(np.abs(size)) + 1e-300)))

    def _variances(self, sigma: Float) -> Float:
        found: Float = np.einsum("pn,nk,pk->p", self.rows, sigma, self.rows)
        return found
