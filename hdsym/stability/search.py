"""The search for fixed points: least squares in coordinates that cover the admissible overlaps and nothing else.

With T = R R' the overlaps of the teachers, X = X* A + U: coordinates are R' A, the triangular factor of U' U, and the
trained scalars, so that every point is the W^T W of some weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .flow import Flow
from .newton import ENOUGH, admissible, refine, residual

__all__ = ["search"]

Float = NDArray[np.float64]

_SAME = 1e-5
"""Points whose overlaps differ by less, relative to the largest, are one."""

_MOVED = 0.1

_RATES = np.geomspace(1e-3, 1.0, 16)
"""Rates at which X = X* is followed, in units of the one asked for."""

_FAR = 100.0
"""Students longer than this many times the teachers are on their way to infinity, where a bounded loss is flat."""

_SCALES = (0.03, 3.0)
"""Random students have norms in this range, times that of the teachers."""


class _Chart:
    """Coordinates of the states of one mode."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        l, n = flow.students, flow.n
        T = flow.overlaps(flow.start)[1][l:, l:]
        values, vectors = np.linalg.eigh(T)
        self.root = vectors * np.sqrt(np.maximum(values, 0.0))
        self.shape = (n - l, l)
        self.lower = np.tril_indices(l)
        self.scalars = flow.run._split(flow.start)[1]
        self.sizes = np.cumsum([l * (n - l), len(self.lower[0])])

    def split(self, v: Float) -> tuple[Float, Float, Float]:
        A, entries, theta = np.split(v, self.sizes)
        L = np.zeros((self.shape[1], self.shape[1]))
        L[self.lower] = entries
        return A.reshape(self.shape), L, theta

    def join(self, A: Float, L: Float, theta: Float | None) -> Float:
        rest = np.zeros(0) if theta is None else theta
        return np.concatenate([A.ravel(), L[self.lower], rest])

    def gram(self, A: Float, L: Float) -> Float:
        """W^T W, (n, n)."""
        X = np.concatenate([A, L.T])  # students in an orthonormal frame: along the teachers, and the rest
        S = np.concatenate([self.root.T, np.zeros((self.shape[1], self.shape[0]))])
        W = np.concatenate([X, S], axis=1)
        return np.asarray(W.T @ W, dtype=np.float64)

    def state(self, v: Float) -> Float:
        A, L, theta = self.split(v)
        packed: Float = self.flow.run.packed(self.gram(A, L)[None], None if self.scalars is None else theta)
        return packed

    def directions(self, v: Float) -> Float:
        """Derivatives of the state in every coordinate, (coordinates, size); states are quadratic in coordinates."""
        units = np.eye(v.size)
        return np.stack([(self.state(v + e) - self.state(v - e)) / 2.0 for e in units])


def search(flow: Flow, gamma: float, starts: int, rng: int) -> tuple[list[Float], int]:
    """Packed states that do not move at rate gamma, no two alike, and from how many starts they were found."""
    from scipy.optimize import least_squares

    chart = _Chart(flow)

    def force(v: Float) -> Float:
        first, second = flow.rates(chart.state(v))
        return np.nan_to_num(first + gamma * second, nan=1e6, posinf=1e6, neginf=-1e6)

    def slopes(v: Float) -> Float:
        J = flow.times_jacobian(chart.state(v), gamma, chart.directions(v)).T / gamma
        return np.nan_to_num(J, nan=0.0, posinf=0.0, neginf=0.0)

    found: list[Float] = []
    tried = 0
    for followed in _continued(flow, gamma):
        tried += 1
        if not any(_close(flow, followed, other) for other in found):
            found.append(followed)
    for v in _starts(chart, starts, rng):
        tried += 1
        with np.errstate(all="ignore"):
            outcome = least_squares(force, v, jac=slopes, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=80)
            y = _settled(flow, chart.state(outcome.x), gamma)
        if y is not None and not any(_close(flow, y, other) for other in found):
            found.append(y)
    return found, tried


def _continued(flow: Flow, gamma: float) -> Iterator[Float]:
    """X = X* and X = -X*, followed from small rates on to gamma: label noise moves them."""
    l = flow.students
    if flow.n != 2 * l:
        return
    for sign in (1.0, -1.0):
        y: Float | None = flow.towards(sign * np.eye(l))
        for rate in gamma * _RATES:
            y = None if y is None else refine(flow, y, rate)
        settled = None if y is None else _settled(flow, y, gamma)
        if settled is not None:
            yield settled


def _settled(flow: Flow, y: Float, gamma: float) -> Float | None:
    """A state refined by Newton's method where that stays close, if it is a fixed point."""
    if not np.all(np.isfinite(y)) or residual(flow, y, gamma) > 1e-4:
        return None
    better = refine(flow, y, gamma)
    if better is not None and _near(flow, better, y, _MOVED):
        y = better
    gram = flow.overlaps(y)[1]
    far = np.trace(gram[: flow.students, : flow.students]) > _FAR**2 * np.trace(gram[flow.students :, flow.students :])
    return y if residual(flow, y, gamma) <= ENOUGH and admissible(flow.overlaps(y)[0]) and not far else None


def _close(flow: Flow, y: Float, other: Float) -> bool:
    return _near(flow, y, other, _SAME)


def _near(flow: Flow, y: Float, other: Float, tolerance: float) -> bool:
    scale = float(np.max(np.abs(flow.overlaps(other)[1])))
    return float(np.max(np.abs(y - other))) <= tolerance * scale


def _starts(chart: _Chart, count: int, rng: int) -> Iterator[Float]:
    """X = X* as far as it goes, X = 0, no overlap with the teachers, all students alike; then random ones."""
    random = np.random.default_rng(rng)
    k, l = chart.shape
    size = float(np.sqrt(np.trace(chart.root @ chart.root.T) / k))
    own, theta = np.eye(l), chart.scalars
    for sign in (1.0, -1.0):
        target = chart.join(sign * chart.root.T @ np.eye(k, l), 0.0 * own, theta)
        best = chart.flow.scalars_at(chart.flow.overlaps(chart.state(target))[0])
        for rest in (0.0, 0.1 * size):  # without a rest, nothing says in which direction label noise moves the point
            yield chart.join(sign * chart.root.T @ np.eye(k, l), rest * own, best)
    yield chart.join(np.zeros((k, l)), 0.0 * own, theta)
    for scale in size * np.geomspace(*_SCALES, 3):
        yield chart.join(np.zeros((k, l)), scale * own, theta)
        yield chart.join(np.zeros((k, l)), scale * np.linalg.cholesky(0.5 * own + 0.5), theta)
        column = chart.root.T @ np.ones((k, 1)) / k
        for sign in (1.0, -1.0):
            yield chart.join(sign * scale / size * column @ np.ones((1, l)), 0.1 * scale * own, theta)
    for _ in range(count):
        scale = size * np.exp(random.uniform(*np.log(_SCALES)))
        yield chart.join(
            scale * random.standard_normal((k, l)) / np.sqrt(k + l),
            scale * np.tril(random.standard_normal((l, l))) / np.sqrt(k + l),
            theta,
        )
