"""An integral that knows nothing of the engine: composite Gauss-Legendre in double precision, split at every kink."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import sympy as sp
from scipy import special

from hdsym.functions import sigmoid


@dataclass(frozen=True)
class Problem:
    integrand: sp.Expr
    names: tuple[sp.Symbol, ...]
    cov: np.ndarray
    mean: tuple[float, ...] = ()  # zero if left out

    @property
    def centre(self) -> dict[sp.Symbol, sp.Expr]:
        means = self.mean or (0,) * len(self.names)
        return {name: sp.nsimplify(value) for name, value in zip(self.names, means, strict=True)}


NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)
_NAMES = {
    "sigmoid": special.expit,
    "softplus": lambda u: np.logaddexp(0.0, u),
    "log_ndtr": special.log_ndtr,
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
    names, left = problem.names, _root(problem.cov)
    g = sp.lambdify(names, (problem.integrand, _bounded_terms(problem)), modules=[_NAMES, "numpy"], cse=True)
    lines = _lines(problem, left)

    def weighted(weight: np.ndarray, *z: np.ndarray) -> np.ndarray:
        """Sums of g, |g| and its terms over the nodes."""
        point = [
            m + sum((a * v for a, v in zip(row, z, strict=True)), np.zeros(()))
            for m, row in zip(mean, left, strict=True)
        ]
        with np.errstate(all="ignore"):
            value, terms = (np.asarray(part, dtype=float) for part in g(*point))
        weight = weight * np.exp(-0.5 * sum(v * v for v in z)) / (2 * np.pi) ** (len(z) / 2)
        return np.array([np.sum(weight * value), np.sum(weight * np.abs(value)), np.sum(weight * terms)])

    mean = problem.mean or (0.0,) * len(names)
    reach = 9.5
    if problem.integrand.has(sp.exp, sp.sinh, sp.cosh):  # with slopes up to 2.5 the mass lies further out
        reach += 2.5 * float(np.max(np.abs(left).sum(axis=1), initial=0.0))
    turns = sum((_turning(wave, problem, left) for wave in problem.integrand.atoms(sp.sin, sp.cos)), 0.0)
    widest = min(3.0, 20.0 / max(2.0 * turns, 1e-9))  # twice: for squares
    if left.shape[1] == 0:
        value, terms = (float(np.asarray(part)) for part in g(*mean))
        return Expected(value, abs(value), terms)
    z, w = _panels(_outer(lines, reach, left.shape[1]), reach, widest)
    if left.shape[1] == 1:
        return Expected(*map(float, weighted(w, z)))
    total = np.zeros(3)
    for outer, weight in zip(z, w, strict=True):
        places = [(-(line.a * outer + line.c) / line.b, _scale(line, line.b, 0.0)) for line in lines if line.b]
        inner, inner_weight = _panels(places, reach, widest)
        total += weighted(weight * inner_weight, np.full_like(inner, outer), inner)
    return Expected(*map(float, total))


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
    if isinstance(expr, sp.sign | sp.Heaviside | sp.erf | sp.erfc | sp.sin | sp.cos | sp.tanh | sigmoid):
        return sp.Integer(2)
    return _size(expr) if expr.is_Symbol else sp.Abs(expr)


def _turning(wave: sp.Expr, problem: Problem, left: np.ndarray) -> float:
    row = np.array([float(wave.args[0].coeff(v)) for v in problem.names])
    return float(np.abs(row @ left).max(initial=0.0))


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
    for p, q in itertools.combinations([line for line in lines if line.b], 2):
        determinant = p.a * q.b - p.b * q.a
        if determinant:
            blur = sum(1.5 / abs(line.b) for line in (p, q) if not line.sharp)
            places.append(((p.b * q.c - q.b * p.c) / determinant, blur * abs(p.b * q.b / determinant)))
    return places


def _panels(places: list[tuple[float, float]], reach: float, widest: float) -> tuple[np.ndarray, np.ndarray]:
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
    return ((low + high) / 2 + half * NODES).ravel(), (half * WEIGHTS).ravel()


def ambiguous(problem: Problem) -> bool:
    """Whether a jump sits exactly at a form without variance: sgn(0)^2 is 1 for the rules and 0 as a number."""
    left = _root(problem.cov)
    for node in problem.integrand.atoms(sp.sign, sp.Heaviside):
        row = np.array([float(node.args[0].coeff(v)) for v in problem.names])
        constant = float(node.args[0].xreplace(problem.centre))
        if constant == 0 and np.all(np.abs(row @ left) < 1e-12):
            return True
    return False


def _lines(problem: Problem, left: np.ndarray) -> list[Line]:
    """Forms of the standard normals."""
    found = []
    for sharp, form in _forms(problem.integrand, problem.names):
        polynomial = sp.Poly(form, *problem.names)
        if polynomial.total_degree() > 1:
            continue
        row = np.array([float(form.coeff(v)) for v in problem.names])
        slope = row @ left
        constant = float(form.xreplace(problem.centre))
        size = float(np.abs(row) @ np.abs(left).sum(axis=1)) if left.size else 0.0
        slope = np.where(np.abs(slope) > 1e-13 * size, slope, 0.0)
        a, b = (*slope, 0.0, 0.0)[:2]
        if not np.any(slope):
            continue
        found.append(Line(a, b, constant, sharp))
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
