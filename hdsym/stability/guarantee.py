"""A learning rate that is safe in a whole region, by global optimisation over all overlaps that it holds.

While ||X - X* C|| <= r the overlaps have E|x - C' s|^2 <= lam_max r^2. With

    gamma_g = inf 2 A / ((tr K / d) tr I / batch),      mu = inf A / E|x - C' s|^2

over all admissible B of that kind (A as in :mod:`descent`), every gamma < gamma_g makes the distance D^2 fall, so the
region is not left, and where gamma is constant

    (D^2)' <= -2 gamma (1 - gamma / gamma_g) mu lam_min D^2.

The second infimum is a restricted secant inequality (Collins-Woodfin et al., arXiv:2308.08977). The teachers' overlaps
are those of the problem. Both infima are found by descent from many points: numerical, not proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError
from .descent import alignment, difference
from .flow import Flow

__all__ = ["Guarantee", "Region", "guarantee"]

Float = NDArray[np.float64]

_INNER = 1e-3
"""Distances below this share of the largest are not looked at: cancellation spoils the quotient, which has a limit."""

_SHELL = 0.5

_POINTS, _LEAST, _REFINED = 64, 512, 4
"""Random points per coordinate and at least, and how many of the lowest are refined."""

_STEP, _BEYOND = 1e-6, 1e12


@dataclass(frozen=True)
class Region:
    """Overlaps with the teachers of a problem and floor <= ||X - X* C|| <= radius, seen through K.

    Attributes
    ----------
    teachers:
        T = X*' K X*, (l*, l*).
    C:
        (l*, l).
    inner, outer:
        Bounds of E|x - C' s|^2: lam_min floor^2 and lam_max radius^2.
    """

    teachers: Float
    C: Float
    inner: float
    outer: float

    @property
    def size(self) -> int:
        """Number of coordinates: a length, and a direction."""
        return 1 + _entries(self.C)

    def overlaps(self, cube: Float) -> Float:
        """B (..., n, n) for points (..., size) of the cube [-1, 1]^size, which it covers.

        X - X* C = X* A + U with U' K X* = 0: T^(1/2) A and the triangular factor of U' K U have squares that sum to
        E|x - C' s|^2. The first coordinate is for that sum, the others for the direction.
        """
        cube = np.asarray(cube, dtype=np.float64)
        share, direction = (1.0 + cube[..., :1]) / 2.0, cube[..., 1:]
        norm = np.linalg.norm(direction, axis=-1, keepdims=True)
        low, high = np.sqrt(self.inner), np.sqrt(self.outer)
        vector = direction / np.where(norm == 0, 1.0, norm) * (low + (high - low) * share)
        k, l = self.C.shape
        values, vectors = np.linalg.eigh(self.teachers)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        along = np.swapaxes(vector[..., : l * k].reshape((*vector.shape[:-1], k, l)), -1, -2)
        M = (root @ root.T @ self.C).T + along @ root.T  # x = C's + A's + u
        student = root.T @ self.C + np.swapaxes(along, -1, -2)
        L = np.zeros((*vector.shape[:-1], l, l))
        L[(..., *np.tril_indices(l))] = vector[..., l * k :]
        Q = np.swapaxes(student, -1, -2) @ student + L @ np.swapaxes(L, -1, -2)
        T = np.broadcast_to(root @ root.T, (*M.shape[:-2], k, k))
        top, bottom = np.concatenate([Q, M], -1), np.concatenate([np.swapaxes(M, -1, -2), T], -1)
        return np.concatenate([top, bottom], -2)


@dataclass(frozen=True)
class Guarantee:
    """A rate that is safe in a region, and how fast the distance falls there.

    Attributes
    ----------
    gamma:
        gamma_g; zero if somewhere in the region no rate makes the distance fall.
    secant:
        mu; not positive in the same case.
    worst, worst_secant:
        The overlaps (n, n) at which the two infima are attained.
    radius, floor:
        The region in ||X - X* C||.
    lam_min:
        Smallest eigenvalue of K.
    evaluations:
        Overlaps that were looked at.
    """

    gamma: float
    secant: float
    worst: Float
    worst_secant: Float
    radius: float
    floor: float
    lam_min: float
    evaluations: int

    def contraction(self, gamma: float) -> float:
        """C with D^2(t) <= D^2(0) exp(-c t) at a constant rate `gamma`; zero where nothing is guaranteed."""
        if not 0 < gamma < self.gamma or self.secant <= 0:
            return 0.0
        return 2.0 * gamma * (1.0 - gamma / self.gamma) * self.secant * self.lam_min


def guarantee(flow: Flow, C: Float, radius: float | None, floor: float | None, rng: int = 0) -> Guarantee:
    """Both infima over the region.

    Parameters
    ----------
    radius:
        Of the region, in ||X - X* C||; by default that of the start.
    floor:
        Distances below it are left out; zero by default, and half of `radius` where label noise is left at X = X* C.
    rng:
        Seed of the optimisation.

    Raises
    ------
    DeclarationError
        For an empty region, trained scalars, l2 regularisation, or no distance to begin with.
    """
    _check(flow)
    B, gram = flow.overlaps(flow.start)
    E = difference(C)
    far = float(np.sqrt(max(0.0, float(np.trace(E.T @ gram @ E)))))
    radius = far if radius is None else float(radius)
    if not (np.isfinite(radius) and radius > 0):
        raise DeclarationError(f"the radius is {radius:g}", remedy="give the distance ||X - X*|| of the farthest start")
    T = B[flow.students :, flow.students :]
    lowest, highest = float(flow.run.lam.min()), float(flow.run.lam.max())
    noisy = float(alignment(flow, C, Region(T, C, 0.0, 0.0).overlaps(np.zeros(1 + _entries(C))))[1]) > 1e-9
    floor = (_SHELL * radius if noisy else 0.0) if floor is None else float(floor)
    if not 0 <= floor < radius:
        raise DeclarationError(f"the floor is {floor:g}", remedy=f"give a distance between 0 and the radius {radius:g}")
    outer = highest * radius**2
    region = Region(T, C, max(lowest * floor**2, _INNER**2 * outer), outer)
    value, worst, first = _lowest(lambda B: _quotient(flow, C, B), region, rng)
    secant, slowest, second = _lowest(lambda B: alignment(flow, C, B)[0] / _spread(C, B), region, rng)
    gamma = max(0.0, value)
    return Guarantee(gamma, secant, worst, slowest, radius, floor, lowest, first + second)


def _check(flow: Flow) -> None:
    if flow.model.trained:
        raise DeclarationError(
            f"{flow.model.name} has trained scalars", remedy="a guarantee needs a distance that they do not enter"
        )
    if flow.problem.delta:
        raise DeclarationError(
            f"delta is {flow.problem.delta:g}", remedy="regularisation moves the minimiser away from X*: set delta = 0"
        )


def _entries(C: Float) -> int:
    k, l = map(int, C.shape)
    return l * k + l * (l + 1) // 2


def _spread(C: Float, B: Float) -> Float:
    """E|x - C' s|^2, shape (...)."""
    E = difference(C)
    return np.asarray(np.einsum("ja,...jk,ka->...", E, B, E))


def _quotient(flow: Flow, C: Float, B: Float) -> Float:
    A, noise = alignment(flow, C, B)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2.0 * A / (flow.trace * noise))


def _lowest(function: Callable[[Float], Float], region: Region, rng: int) -> tuple[float, Float, int]:
    """The infimum over the region, where it is attained, and how often `function` was asked.

    The lowest of many random points are refined by L-BFGS-B, with differences whose points are evaluated together.
    """
    from scipy.optimize import minimize

    count = 0

    def values(points: Float) -> Float:
        nonlocal count
        count += len(points)
        with np.errstate(all="ignore"):
            found = function(region.overlaps(points))
        # what is undefined (no gradient, no noise) holds nothing up
        return np.clip(np.where(np.isnan(found), np.inf, found), -_BEYOND, _BEYOND)

    def sloped(x: Float) -> tuple[float, Float]:
        steps = _STEP * np.where(x > 0, -1.0, 1.0) * np.eye(x.size)
        found = values(np.concatenate([x[None], x + steps, x + 2 * steps]))
        first, second = np.split(found[1:], 2)
        return float(found[0]), (4 * first - second - 3 * found[0]) / (2 * np.diagonal(steps))

    size = region.size
    points = np.random.default_rng(rng).uniform(-1.0, 1.0, size=(max(_LEAST, _POINTS * size), size))
    lowest = points[np.argsort(values(points), kind="stable")[:_REFINED]]
    options = {"ftol": 1e-11, "gtol": 1e-10, "maxiter": 60}
    bounds = [(-1.0, 1.0)] * size
    outcomes = [minimize(sloped, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for x in lowest]
    best = min(outcomes, key=lambda outcome: float(outcome.fun))
    return float(best.fun), region.overlaps(best.x), count
