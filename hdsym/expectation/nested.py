"""Nested Gauss-Legendre integration over independent standard normals at any precision, split where it must be.

Pure mpmath: it knows nothing of the rules, of sympy or of generated code. Kinks and narrow features are given as affine
forms; every axis is split at the places they have there, with panels that shrink geometrically towards narrow ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import mpmath
from mpmath import mp

from ..errors import ExpectationError

__all__ = ["Feature", "Real", "normal_mean"]

Real: TypeAlias = Any
"""An mpmath number of the working precision."""

_MAX_EVALUATIONS = 4_000_000
_GROWTH = 3
"""Ratio of neighbouring panels near a narrow feature; with the first one 3 / slope wide, each panel's nearest pole of
a logistic function stays far enough away for about two digits a node."""


@dataclass(frozen=True)
class Feature:
    """The form constant + coefficients . z at whose zero the integrand changes quickly.

    `sharp`: it has a kink or a jump there; otherwise it changes on the scale 1 / slope.
    """

    coefficients: tuple[Real, ...]
    constant: Real
    sharp: bool


def normal_mean(
    f: Callable[..., Real], features: Sequence[Feature], dimension: int, digits: int, frequency: float = 0.0
) -> tuple[Real, Real]:
    """(E f(z), E |f(z)|) for independent standard normals z_1 ... z_dimension, the first to 10^-digits of the second.

    `frequency` is the largest slope inside a sine or cosine. Works at the precision mpmath is set to, which should
    exceed `digits` by ten.

    Raises
    ------
    ExpectationError
        If the expectation does not exist, costs too much, or two orders of the rule disagree.
    """
    if dimension == 0:
        value = f()
        return value, abs(value)
    reach = _reach(f, dimension, digits)
    width = 6.6 / max(frequency, 1.0)
    for _ in range(4):
        nest = _Nest(f, tuple(features), dimension, reach, width)
        _check_cost(nest, digits)
        coarse, _ = nest.integrate(digits + 6)
        fine, absolute = nest.integrate(digits + 12)
        if abs(fine - coarse) <= mp.mpf(10) ** -digits * absolute:
            return fine, absolute
        width /= 2
    raise ExpectationError(
        f"nested integration to {digits} digits has not converged: two orders differ by "
        f"{mpmath.nstr(abs(fine - coarse), 3)}",
        remedy="ask for fewer digits; the integrand may have a singularity that is not at a kink of its functions",
    )


@dataclass(frozen=True)
class _Nest:
    """One splitting of space; `width` bounds the panels."""

    f: Callable[..., Real]
    features: tuple[Feature, ...]
    dimension: int
    reach: float
    width: float

    def integrate(self, order: int) -> tuple[Real, Real]:
        return self._level((), _gauss_legendre(order, mp.prec), mp.sqrt(2 * mp.pi))

    def _level(self, outer: tuple[Real, ...], rule: list[tuple[Real, Real]], root: Real) -> tuple[Real, Real]:
        total, absolute = mp.zero, mp.zero
        last = len(outer) == self.dimension - 1
        for left, right in itertools.pairwise(self.edges(outer)):
            half, middle = (right - left) / 2, (right + left) / 2
            for node, weight in rule:
                z = middle + half * node
                if last:
                    value = self.f(*outer, z)
                    size = abs(value)
                else:
                    value, size = self._level((*outer, z), rule, root)
                weight = weight * half * mp.exp(-z * z / 2) / root
                total += weight * value
                absolute += weight * size
        return total, absolute

    def edges(self, outer: tuple[Real, ...]) -> list[Real]:
        """Where the axis after the coordinates `outer` is split."""
        axis, reach = len(outer), mp.mpf(self.reach)
        points: set[Real] = set()
        for feature in self.features:
            points |= self._own(feature, outer, axis)
        if axis == self.dimension - 2:
            for first, second in itertools.combinations(self.features, 2):
                points |= self._crossing(first, second, outer)
        edges, closest = [-reach], mp.mpf(10) ** (4 - mp.dps)
        for point in [*sorted(p for p in points if -reach < p < reach), reach]:
            gap = point - edges[-1]
            if gap > closest:
                count = math.ceil(gap / self.width)
                edges += [point - gap * (count - k) / count for k in range(1, count + 1)]
        return edges

    def _own(self, feature: Feature, outer: tuple[Real, ...], axis: int) -> set[Real]:
        """Around the zero of the form on this axis; inner axes smear it out over their share of the form."""
        slope = abs(feature.coefficients[axis])
        if slope == 0:
            return set()
        inner = mp.norm(list(feature.coefficients[axis + 1 :]) or [0])
        scale = inner if feature.sharp else 3 * mp.sqrt(1 + inner * inner)
        value = feature.constant + sum((c * z for c, z in zip(feature.coefficients, outer, strict=False)), mp.zero)
        return self._graded(-value / feature.coefficients[axis], scale / slope)

    def _crossing(self, first: Feature, second: Feature, outer: tuple[Real, ...]) -> set[Real]:
        """Where the zeros of two forms on the innermost axis change order."""
        (a, b), (c, d) = first.coefficients[-2:], second.coefficients[-2:]
        determinant = a * d - b * c
        if b == 0 or d == 0 or determinant == 0:
            return set()
        e, g = (
            form.constant + sum((p * z for p, z in zip(form.coefficients, outer, strict=False)), mp.zero)
            for form in (first, second)
        )
        place, inner = (b * g - d * e) / determinant, (c * e - a * g) / determinant
        blur = sum((3 / abs(slope) for slope, form in ((b, first), (d, second)) if not form.sharp), mp.zero)
        if abs(inner) > self.reach + blur:
            return set()
        return self._graded(place, blur * abs(b * d / determinant))

    def _graded(self, centre: Real, scale: Real) -> set[Real]:
        if scale >= 0.4 * self.reach:
            return set()  # wide enough for panels of the usual width
        points = {centre}
        if scale > mp.mpf(10) ** (-mp.dps + 4):
            far = self.reach + abs(centre)
            while scale < far:
                points |= {centre - scale, centre + scale}
                scale *= _GROWTH
        return points


def _check_cost(nest: _Nest, digits: int) -> None:
    count = 1
    for axis in range(nest.dimension):
        count *= (len(nest.edges((mp.mpf("0.1"),) * axis)) - 1) * (digits + 12)
    if count > _MAX_EVALUATIONS:
        raise ExpectationError(
            f"nested integration in {nest.dimension} dimensions to {digits} digits needs about {count:.1g} evaluations",
            remedy=f"ask for fewer digits (the limit is {_MAX_EVALUATIONS:.0g} evaluations)",
        )


def _reach(f: Callable[..., Real], dimension: int, digits: int) -> float:
    """The radius beyond which |f| times the Gaussian density is negligible in every direction tried."""
    least = math.sqrt(2 * (digits + 6) * math.log(10))
    steps = [0.5 * 1.06**k for k in range(100)]  # to 170 standard deviations
    rows = []
    with mp.workdps(15):
        for direction in _directions(dimension):
            rows.append([abs(f(*(mp.mpf(r * c) for c in direction))) * mp.exp(-(mp.mpf(r) ** 2) / 2) for r in steps])
    peak = max(max(row) for row in rows)
    if not mp.isfinite(peak):
        raise ExpectationError("the integrand is not finite", remedy="check where its functions are defined")
    tiny = peak * mp.mpf(10) ** -(digits + 6)
    outermost = max((k for row in rows for k, value in enumerate(row) if value > tiny), default=0)
    if outermost == len(steps) - 1:
        raise ExpectationError(
            "the integrand grows faster than the Gaussian density falls off",
            remedy="the expectation does not exist at this covariance, or its mass lies beyond 170 standard deviations",
        )
    return max(least, steps[outermost + 1])


def _directions(dimension: int) -> list[tuple[float, ...]]:
    if dimension == 1:
        return [(1.0,), (-1.0,)]
    if dimension == 2:
        angles = [2 * math.pi * (k + 0.25) / 24 for k in range(24)]
        return [(math.cos(a), math.sin(a)) for a in angles]
    corners = [c for c in itertools.product((-1.0, 0.0, 1.0), repeat=dimension) if any(c)]
    return [tuple(x / math.hypot(*c) for x in c) for c in corners]


@lru_cache(maxsize=64)
def _gauss_legendre(order: int, precision: int) -> list[tuple[Real, Real]]:
    """(node, weight) on [-1, 1] by Newton's method on the Legendre polynomial."""
    with mp.workprec(precision + 20):
        rule = []
        for k in range(order):
            x = mp.cos(mp.pi * (k + mp.mpf("0.75")) / (order + mp.mpf("0.5")))
            for _ in range(200):
                value, slope = _legendre(order, x)
                step = value / slope
                x -= step
                if abs(step) < mp.mpf(2) ** -(precision // 2 + 10):  # convergence is quadratic
                    break
            value, slope = _legendre(order, x)
            x -= value / slope
            _, slope = _legendre(order, x)
            rule.append((x, 2 / ((1 - x * x) * slope * slope)))
        return rule


def _legendre(order: int, x: Real) -> tuple[Real, Real]:
    before, value = mp.one, x
    for k in range(2, order + 1):
        before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
    return value, order * (x * value - before) / (x * x - 1)
