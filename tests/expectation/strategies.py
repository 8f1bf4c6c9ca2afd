"""Random integrands over the grammar the engine serves, random laws, and an integral that knows nothing of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy import special

from hdsym.functions import log_ndtr, relu, sigmoid, softplus

X, S = sp.symbols("x s", real=True)
HALF = sp.Rational(1, 2)


def cdf(u: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(u / sp.sqrt(2))) / 2


def _hermite(degree: int) -> Callable[[sp.Expr], sp.Expr]:
    polynomial = [X, X**2 - 1, X**3 - 3 * X, X**4 - 6 * X**2 + 3][degree - 1]
    return lambda u: polynomial.xreplace({X: u})


POLYNOMIAL = [lambda u: u, lambda u: u**2, lambda u: u**3, _hermite(2), _hermite(3), _hermite(4)]
GROWTH = [lambda u: sp.exp(u / 2), lambda u: sp.exp(-u), sp.sinh, sp.cosh]
DECAY = [lambda u: sp.exp(-(u**2) / 2), lambda u: sp.exp(-3 * u**2), lambda u: sp.exp(u - u**2 / 4)]
WAVES = [sp.sin, sp.cos]
ERRORS = [sp.erf, sp.erfc, cdf]
KINKS = [
    sp.sign,
    sp.Heaviside,
    sp.Abs,
    relu,
    lambda u: sp.Max(u, u / 10),  # leaky relu
    lambda u: sp.Max(0, 1 - u),  # hinge
    lambda u: sp.Max(3 * u / 4, -u / 4),  # pinball
    lambda u: sp.Piecewise((u**2 / 2, sp.Abs(u) < 1), (sp.Abs(u) - HALF, True)),  # Huber
    lambda u: sp.Max(-1, sp.Min(1, u)),  # hard tanh
    lambda u: sp.Piecewise((0, u < -1), (u + 1, True)),
    lambda u: sp.Piecewise((sp.exp(u) - 1, u < 0), (u, True)),  # ELU
]
OPAQUE = [
    sigmoid,
    sp.tanh,
    softplus,
    lambda u: sp.log(sp.cosh(u)),
    lambda u: u * cdf(u),  # GELU
    lambda u: u * sigmoid(u),  # SiLU
    log_ndtr,
]

SLOPES = st.sampled_from([sp.Integer(1), HALF, -HALF, sp.Integer(-1), sp.Integer(2)])
BIASES = st.sampled_from([sp.Integer(0), sp.Integer(0), sp.Integer(0), HALF, sp.Integer(-1), sp.Rational(3, 2)])


@st.composite
def arguments(draw: st.DrawFn, names: tuple[sp.Symbol, ...]) -> sp.Expr:
    """An affine form of one or both variables."""
    chosen = draw(st.sampled_from([(n,) for n in names] * 3 + ([names] if len(names) > 1 else [])))
    return sp.Add(draw(BIASES), *(draw(SLOPES) * name for name in chosen))


@st.composite
def products(draw: st.DrawFn, names: tuple[sp.Symbol, ...]) -> sp.Expr:
    """One to three factors, at most one of them growing, at most two opaque or kinked."""
    result = draw(st.sampled_from([sp.Integer(1), -HALF, sp.Integer(3)]))
    families = draw(
        st.sampled_from(
            [
                (KINKS,), (OPAQUE,), (ERRORS,), (KINKS, POLYNOMIAL), (KINKS, KINKS), (OPAQUE, POLYNOMIAL),
                (OPAQUE, OPAQUE), (OPAQUE, KINKS), (ERRORS, ERRORS), (ERRORS, POLYNOMIAL), (ERRORS, KINKS),
                (GROWTH, KINKS), (GROWTH, OPAQUE), (GROWTH, ERRORS), (GROWTH, WAVES, POLYNOMIAL), (DECAY, KINKS),
                (DECAY, OPAQUE), (DECAY, ERRORS, POLYNOMIAL), (WAVES, KINKS), (WAVES, OPAQUE), (WAVES, ERRORS),
                (WAVES, WAVES, POLYNOMIAL), (KINKS, KINKS, POLYNOMIAL), (ERRORS, OPAQUE), (POLYNOMIAL, POLYNOMIAL),
                (DECAY, KINKS, KINKS), (ERRORS, ERRORS, POLYNOMIAL), (KINKS, KINKS, OPAQUE),
            ]
        )
    )  # fmt: skip
    for family in families:
        result *= draw(st.sampled_from(family))(draw(arguments(names)))
    return result


@st.composite
def integrands(draw: st.DrawFn, names: tuple[sp.Symbol, ...]) -> sp.Expr:
    """One product or the sum of two."""
    first = draw(products(names))
    return first + draw(products(names)) if draw(st.integers(0, 3)) == 0 else first


@st.composite
def covariances(draw: st.DrawFn, size: int, scales: tuple[float, ...] = (1e-3, 0.1, 0.7, 1.0, 1.5)) -> np.ndarray:
    """Random, nearly singular (correlation +-(1 - 1e-8)), of rank one, or with a variance of zero."""
    std = np.array([draw(st.sampled_from(scales)) for _ in range(size)])
    if size == 1:
        return np.array([[std[0] ** 2]])
    rho = draw(st.sampled_from([0.0, 0.3, -0.8, 0.999, 1 - 1e-8, 1e-8 - 1, 1.0, -1.0]))
    if draw(st.integers(0, 11)) == 0:
        std[draw(st.integers(0, 1))] = 0.0
    return np.array([[std[0] ** 2, rho * std[0] * std[1]], [rho * std[0] * std[1], std[1] ** 2]])


@dataclass(frozen=True)
class Problem:
    integrand: sp.Expr
    names: tuple[sp.Symbol, ...]
    cov: np.ndarray


@st.composite
def problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """`variant` > 0 draws other examples: it is a number drawn first and thrown away."""
    draw(st.integers(variant, variant))
    scales = (1e-3, 0.1, 0.7, 1.0, 1.5)
    names = draw(st.sampled_from([(X,), (X, S), (X, S)]))
    return Problem(draw(integrands(names)), names, draw(covariances(len(names), scales)))


@st.composite
def wide_problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """Nothing that grows exponentially, at widths from 1e-8 to 1e4; waves, which are slow to integrate, up to 10."""
    draw(st.integers(variant, variant))
    names = draw(st.sampled_from([(X,), (X, S), (X, S)]))
    integrand = draw(integrands(names).filter(lambda g: not g.has(sp.exp, sp.sinh, sp.cosh)))
    widest = (100.0, 1e4) if not integrand.has(sp.sin, sp.cos) else (1.0 if len(names) > 1 else 10.0, 1.0)
    return Problem(integrand, names, draw(covariances(len(names), (1e-3, 1e-8, 1.0, *widest))))


# ---- the independent integral: composite Gauss-Legendre in double precision, split at every kink ----

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


def expected(problem: Problem) -> tuple[float, float]:
    """(E g, E |g|), a few digits short of double precision."""
    names, left = problem.names, _root(problem.cov)
    g = sp.lambdify(names, problem.integrand, modules=[_NAMES, "numpy"])
    lines = _lines(problem, left)

    def density(*z: np.ndarray) -> np.ndarray:
        point = [sum((left[i, k] * z[k] for k in range(len(z))), np.zeros(())) for i in range(len(names))]
        with np.errstate(all="ignore"):
            value = np.asarray(g(*point), dtype=float)
        weight = np.exp(-0.5 * sum(v * v for v in z)) / (2 * np.pi) ** (len(z) / 2)
        return value * weight

    reach = 9.5
    if problem.integrand.has(sp.exp, sp.sinh, sp.cosh):  # with slopes up to 2.5 the mass lies further out
        reach += 2.5 * float(np.max(np.abs(left).sum(axis=1), initial=0.0))
    turns = sum((_turning(wave, problem, left) for wave in problem.integrand.atoms(sp.sin, sp.cos)), 0.0)
    widest = min(3.0, 20.0 / max(2.0 * turns, 1e-9))  # twice: for squares
    if left.shape[1] == 0:
        value = float(np.asarray(g(*[0.0] * len(names))))
        return value, abs(value)
    z, w = _panels(_outer(lines, reach, left.shape[1]), reach, widest)
    if left.shape[1] == 1:
        values = w * density(z)
        return float(values.sum()), float(np.abs(values).sum())
    total, absolute = 0.0, 0.0
    for outer, weight in zip(z, w, strict=True):
        places = [(-(line.a * outer + line.c) / line.b, _scale(line, line.b, 0.0)) for line in lines if line.b]
        inner, inner_weight = _panels(places, reach, widest)
        values = weight * inner_weight * density(np.full_like(inner, outer), inner)
        total, absolute = total + float(values.sum()), absolute + float(np.abs(values).sum())
    return total, absolute


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
        constant = node.args[0].xreplace(dict.fromkeys(problem.names, sp.Integer(0)))
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
        constant = float(form.xreplace(dict.fromkeys(problem.names, sp.Integer(0))))
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
