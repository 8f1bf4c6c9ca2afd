"""An integral that knows nothing of the engine: composite Gauss-Legendre in double precision, split at every kink."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import sympy as sp
from scipy import special

from hdsym.functions import logsumexp, sigmoid


@dataclass(frozen=True)
class Problem:
    integrand: sp.Expr
    names: tuple[sp.Symbol, ...]
    cov: np.ndarray
    mean: tuple[sp.Expr, ...] = ()  # numbers; zero if left out

    @property
    def centre(self) -> dict[sp.Symbol, sp.Expr]:
        means = self.mean or (0,) * len(self.names)
        return {name: sp.sympify(value) for name, value in zip(self.names, means, strict=True)}


_NAMES = {
    "sigmoid": special.expit,
    "softplus": lambda u: np.logaddexp(0.0, u),
    "log_ndtr": special.log_ndtr,
    "logsumexp": lambda *a: np.logaddexp.reduce(np.broadcast_arrays(*a)),
    "sinh": lambda u: np.sinh(np.clip(u, -340.0, 340.0)),  # squares stay finite, so that their ratios are numbers
    "cosh": lambda u: np.cosh(np.clip(u, -340.0, 340.0)),
    "erf": special.erf,
    "erfc": special.erfc,
    "Heaviside": lambda u, middle=0.5: np.heaviside(u, middle),
    "Max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "Min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
}


@dataclass(frozen=True)
class Line:
    """A form a z1 + b z2 + c where the integrand has a kink, or changes on the scale 1 / hypot(a, b)."""

    a: float
    b: float
    c: float
    sharp: bool


class Expected(NamedTuple):
    """E g a few digits short of double precision, E |g|, and E of the sum of the absolute values of g's terms.

    The last is what rounding is relative to: a closed form adds up the terms' expectations, and relu(x - 9) = (x - 9
    + |x - 9|) / 2 is small where its terms are not. With a kink across the axes s may have to be written as u - x: then
    |s| counts as |s| + |x|.
    """

    value: float
    size: float
    terms: float


def expected(problem: Problem) -> Expected:
    """See :class:`Expected`; covariances of rank up to three."""
    names, left = problem.names, _root(problem.cov)
    both = sp.lambdify(names, (problem.integrand, _bounded_terms(problem)), modules=[_NAMES, "numpy"], cse=True)
    reach = 9.5
    powers = [e.args[0] for e in problem.integrand.atoms(sp.exp) if e.args[0].is_polynomial(*names)]
    linear = any(sp.Poly(power, *names).total_degree() == 1 for power in powers if power.has(*names))
    if linear or problem.integrand.has(sp.sinh, sp.cosh):  # with slopes up to 2.5 the mass lies further out
        reach += 2.5 * float(np.max(np.abs(left).sum(axis=1), initial=0.0))
    turns = sum((_turning(wave, problem, left) for wave in problem.integrand.atoms(sp.sin, sp.cos)), 0.0)
    turns += 2.5 * max((_bending(form, problem, left) for _, form in _forms(problem.integrand, names)), default=0.0)
    widest = min(3.0, 20.0 / max(2.0 * turns, 1e-9))  # twice: for squares
    mean = np.array([float(m) for m in problem.mean or (0,) * len(names)])
    space = _Space(both, _features(problem), reach, widest, 24 if left.shape[1] < 3 else 14)
    return Expected(*map(float, space.integral(mean, left)))


@dataclass(frozen=True)
class _Space:
    """What is integrated: (g, terms) as a function of the variables, and its features as (sharp, row, constant)."""

    both: Callable[..., tuple[np.ndarray, np.ndarray]]
    features: list[tuple[bool, np.ndarray, float]]
    reach: float
    widest: float
    order: int

    def integral(self, origin: np.ndarray, left: np.ndarray) -> np.ndarray:
        """E of (g, |g|, terms) at origin + left z, z standard normal, the last axis innermost."""
        rank = left.shape[1]
        lines = _lines(self.features, origin, left)
        if rank == 0:
            return self.sums(np.ones(()), origin, left)
        corners = self.corners(origin, left) if rank == 3 else []
        z, w = self.panels([*_outer(lines, self.reach, rank), *corners])
        if rank == 1:
            return self.sums(w, origin, left, z)
        total = np.zeros(3)
        for outer, weight in zip(z, w, strict=True):
            if rank == 3:
                density = np.exp(-0.5 * outer * outer) / np.sqrt(2 * np.pi)
                total += weight * density * self.integral(origin + left[:, 0] * outer, left[:, 1:])
                continue
            places = [(-(line.a * outer + line.c) / line.b, _scale(line, line.b, 0.0)) for line in lines if line.b]
            inner, inner_weight = self.panels(places)
            total += self.sums(weight * inner_weight, origin, left, np.full_like(inner, outer), inner)
        return total

    def corners(self, origin: np.ndarray, left: np.ndarray) -> list[tuple[float, float]]:
        """Where three kinks meet in a point, and where two pass each other in the plane of the last two axes."""
        sharp = [(row @ left, constant + row @ origin) for kinked, row, constant in self.features if kinked]
        systems = [list(zip(*three, strict=True)) for three in itertools.combinations(sharp, 3)]
        solvable = [(rows, right) for rows, right in systems if abs(np.linalg.det(np.array(rows))) > 1e-9]
        points = [(float(np.linalg.solve(np.array(rows), -np.array(right))[0]), 0.0) for rows, right in solvable]
        units = [(row / size, c / size) for row, c in sharp if (size := np.hypot(*row[1:])) > 1e-13 * abs(row[0])]
        for (p, c), (q, d) in itertools.combinations(units, 2):
            points += [
                (float(-constant / form[0]), float(np.hypot(*form[1:]) / abs(form[0])))
                for form, constant in ((p - q, c - d), (p + q, c + d))
                if form[0]
            ]
        return points

    def panels(self, places: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
        return _panels(places, self.reach, self.widest, self.order)

    def sums(self, weight: np.ndarray, origin: np.ndarray, left: np.ndarray, *z: np.ndarray) -> np.ndarray:
        point = [
            m + sum((a * v for a, v in zip(row, z, strict=True)), np.zeros(()))
            for m, row in zip(origin, left, strict=True)
        ]
        with np.errstate(all="ignore"):
            value, terms = (np.asarray(part, dtype=float) for part in self.both(*point))
        weight = weight * np.exp(-0.5 * sum(v * v for v in z)) / (2 * np.pi) ** (len(z) / 2)
        return np.array([np.sum(weight * value), np.sum(weight * np.abs(value)), np.sum(weight * terms)])


def _bounded_terms(problem: Problem) -> sp.Expr:
    names, sizes = problem.names, [_size(name) for name in problem.names]
    oblique = any(sharp and len(form.free_symbols) > 1 for sharp, form in _forms(problem.integrand, names))
    bounds = [sp.Add(*map(sp.Abs, names)) if oblique else sp.Abs(name) for name in names]
    return _terms(problem.integrand).xreplace(dict(zip(sizes, bounds, strict=True)))


def _size(name: sp.Symbol) -> sp.Symbol:
    return sp.Symbol(f"size_{name}", positive=True)


def _terms(expr: sp.Expr) -> sp.Expr:
    """The sum of the absolute values of the terms of an integrand whose kinks are written with signs."""
    if expr.is_Add or isinstance(expr, sp.Max | sp.Min | sp.Abs):
        return sp.Add(*map(_terms, expr.args))
    if expr.is_Mul:
        return sp.Mul(*map(_terms, expr.args))
    if isinstance(expr, sp.Piecewise):
        return sp.Add(*(_terms(value) for value, _ in expr.args))
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer:
        return _terms(expr.base) ** expr.exp
    if isinstance(expr, sp.sinh | sp.cosh):
        return sp.cosh(*expr.args)
    if isinstance(expr, sp.log) and isinstance(expr.args[0], sp.cosh):
        return 1 + 2 * _terms(expr.args[0].args[0])  # evaluated as softplus(2u) - u - log 2
    if isinstance(expr, sp.sign | sp.Heaviside | sp.erf | sp.erfc | sp.sin | sp.cos | sp.tanh | sigmoid):
        return sp.Integer(2)
    return _size(expr) if expr.is_Symbol else sp.Abs(expr)


def _turning(wave: sp.Expr, problem: Problem, left: np.ndarray) -> float:
    row = np.array([float(wave.args[0].coeff(v)) for v in problem.names])
    return float(np.abs(row @ left).max(initial=0.0))


def _bending(form: sp.Expr, problem: Problem, left: np.ndarray) -> float:
    """How steep the argument of a function is, if it is not affine, at three standard deviations: at most 100."""
    if sp.Poly(form, *problem.names).total_degree() < 2 or not left.size:
        return 0.0
    slopes = sp.lambdify(problem.names, [form.diff(name) for name in problem.names])
    corners = itertools.product((-3.0, 0.0, 3.0), repeat=left.shape[1])
    return min(100.0, float(max(np.abs(np.array(slopes(*(left @ z)), dtype=float) @ left).max() for z in corners)))


def _root(cov: np.ndarray) -> np.ndarray:
    """L with L L^T = cov and only as many columns as the rank; the last axis follows the largest eigenvalue."""
    d = np.sqrt(np.diag(cov))
    scale = np.where(d > 0, d, 1.0)
    values, vectors = np.linalg.eigh(cov / np.outer(scale, scale))
    keep = values > 1e-13
    return (scale[:, None] * vectors[:, keep]) * np.sqrt(values[keep])


def _scale(line: Line, slope: float, inner: float) -> float:
    return (abs(inner) if line.sharp else 1.5 * np.hypot(1.0, inner)) / abs(slope)


def _outer(lines: list[Line], reach: float, rank: int) -> list[tuple[float, float]]:
    if rank == 1:
        return [(-line.c / line.a, _scale(line, line.a, 0.0)) for line in lines if line.a]
    places = [(-line.c / line.a, _scale(line, line.a, line.b)) for line in lines if line.a]
    for p, q in itertools.combinations([line for line in lines if line.b and rank == 2], 2):
        determinant = p.a * q.b - p.b * q.a
        if determinant:
            blur = sum(1.5 / abs(line.b) for line in (p, q) if not line.sharp)
            places.append(((p.b * q.c - q.b * p.c) / determinant, blur * abs(p.b * q.b / determinant)))
    return places


def _panels(
    places: list[tuple[float, float]], reach: float, widest: float, order: int
) -> tuple[np.ndarray, np.ndarray]:
    points = [-reach, reach]
    for centre, scale in places:
        if scale > 0.3 * reach or not np.isfinite(centre):
            continue
        points.append(centre)
        step = max(scale, 1e-13)
        while scale and step < reach + abs(centre):
            points += [centre - step, centre + step]
            step *= 3
    edges = [-reach]
    for point in sorted(p for p in points if -reach < p <= reach):
        if point - edges[-1] > 1e-14:
            count = int(np.ceil((point - edges[-1]) / widest))
            edges += [point - (point - edges[-1]) * (count - k) / count for k in range(1, count + 1)]
    low, high = np.array(edges[:-1])[:, None], np.array(edges[1:])[:, None]
    half = (high - low) / 2
    nodes, weights = _rule(order)
    return ((low + high) / 2 + half * nodes).ravel(), (half * weights).ravel()


_rule = lru_cache(np.polynomial.legendre.leggauss)


def ambiguous(problem: Problem) -> bool:
    """Whether a jump sits exactly at a form without variance: sgn(0)^2 is 1 for the rules and 0 as a number."""
    left = _root(problem.cov)
    for node in problem.integrand.atoms(sp.sign, sp.Heaviside):
        row = np.array([float(node.args[0].coeff(v)) for v in problem.names])
        constant = float(node.args[0].xreplace(problem.centre))
        if constant == 0 and np.all(np.abs(row @ left) < 1e-12):
            return True
    return False


def _features(problem: Problem) -> list[tuple[bool, np.ndarray, float]]:
    """(kinked?, coefficients, constant) of the affine forms of :func:`_forms`."""
    found = []
    for sharp, form in sorted(_forms(problem.integrand, problem.names), key=str):
        if sp.Poly(form, *problem.names).total_degree() == 1:
            row = np.array([float(form.coeff(v)) for v in problem.names])
            found.append((sharp, row, float(form.xreplace(dict.fromkeys(problem.names, sp.Integer(0))))))
    return found


def _lines(features: list[tuple[bool, np.ndarray, float]], origin: np.ndarray, left: np.ndarray) -> list[Line]:
    """Forms of the standard normals; of three the last two count as one."""
    found = []
    for sharp, row, constant in features:
        slope = row @ left
        size = float(np.abs(row) @ np.abs(left).sum(axis=1)) if left.size else 0.0
        slope = np.where(np.abs(slope) > 1e-13 * size, slope, 0.0)
        if not np.any(slope):
            continue
        b = 0.0 if len(slope) == 1 else float(slope[1]) if len(slope) == 2 else float(np.hypot(*slope[1:]))
        found.append(Line(float(slope[0]), b, constant + float(row @ origin), sharp))
    return found


def _forms(expr: sp.Expr, names: tuple[sp.Symbol, ...]) -> set[tuple[bool, sp.Expr]]:
    """(kinked?, affine form) of every function in the integrand; kinks inside kinks by trying all their branches."""
    found: set[tuple[bool, sp.Expr]] = set()
    for node in expr.atoms(sp.Function, sp.exp, sp.Max, sp.Min, sp.core.relational.Relational):
        if isinstance(node, sp.core.relational.Relational):
            pairs = [(True, node.lhs - node.rhs)]
        elif isinstance(node, sp.Max | sp.Min):
            pairs = [(True, a - b) for a, b in itertools.combinations(node.args, 2)]
        elif isinstance(node, sp.Piecewise):
            continue
        elif isinstance(node, logsumexp):
            pairs = [(False, a - b) for a, b in itertools.combinations(node.args, 2)]
        else:
            pairs = [(isinstance(node, sp.sign | sp.Abs | sp.Heaviside), node.args[0])]
        for sharp, form in pairs:
            for branch in _branches(sp.expand(form)):
                if branch.has(*names) and branch.is_polynomial(*names):
                    found.add((sharp, sp.expand(branch)))
    for power in expr.atoms(sp.exp):
        form = power.args[0]
        if form.is_polynomial(*names) and sp.Poly(form, *names).total_degree() == 2:
            for name in names:  # the narrow direction of exp(-k u^2): u changes it on the scale 1
                slope = form.diff(name)
                if slope.has(*names):
                    found.add((False, sp.expand(slope)))
    return found


def _branches(expr: sp.Expr) -> list[sp.Expr]:
    inner = sorted(expr.atoms(sp.Abs, sp.Max, sp.Min, sp.sign), key=sp.default_sort_key)
    if not inner:
        return [expr]
    node = min(inner, key=sp.count_ops)
    choices = {sp.Abs: lambda: [node.args[0], -node.args[0]], sp.sign: lambda: [sp.Integer(1), -sp.Integer(1)]}
    return [
        branch
        for choice in choices.get(type(node), lambda: list(node.args))()
        for branch in _branches(sp.expand(expr.xreplace({node: choice})))
    ]
