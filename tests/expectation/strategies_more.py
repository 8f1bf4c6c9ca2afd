"""Laws with a mean, logits, three variables, and noise: what the grammar of strategies.py lacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import sympy as sp
from hypothesis import strategies as st
from scipy import stats

import hdsym as hd
from hdsym.functions import logsumexp, relu
from tests.expectation.independent import Problem
from tests.expectation.strategies import HALF, KINKS, OPAQUE, POLYNOMIAL, S, X, arguments, covariances, integrands

Z = sp.Symbol("z", real=True)
Factor = Callable[[sp.Expr], sp.Expr]
MEANS = st.sampled_from([sp.Integer(0), HALF, sp.Integer(-1), sp.Rational(5, 2)])


@st.composite
def shifted_problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """The grammar of strategies.py under a law that is not centred."""
    draw(st.integers(variant, variant))
    names = draw(st.sampled_from([(X,), (X, S), (X, S)]))
    mean = tuple(draw(MEANS) for _ in names)
    return Problem(draw(integrands(names)), names, draw(covariances(len(names))), mean)


# ---- two logits ----

PAIRS: list[Callable[[sp.Expr, sp.Expr], sp.Expr]] = [
    lambda u, v: logsumexp(u, v, 0),
    logsumexp,
    lambda u, v: sp.exp(u - logsumexp(u, v, 0)),  # softmax
    lambda u, v: sp.exp(v - logsumexp(u, v, 0)) * sp.exp(u - logsumexp(u, v, 0)),
    lambda u, v: sp.log(1 + sp.exp(u) + 2 * sp.exp(v)),
    lambda u, v: sp.exp(u) / (sp.exp(u) + sp.exp(v) + 1),
]


@st.composite
def logit_problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """Log-sum-exp or softmax of two logits, alone or times something kinked, polynomial or opaque."""
    draw(st.integers(variant, variant))
    names = (X, S)
    integrand = draw(st.sampled_from(PAIRS))(draw(arguments(names)), draw(arguments(names)))
    other = draw(st.sampled_from([None, KINKS, POLYNOMIAL, OPAQUE]))
    if other is not None:
        integrand *= draw(st.sampled_from(other))(draw(arguments(names)))
    return Problem(integrand, names, draw(covariances(2)))


# ---- three variables, closed forms ----

EVEN_KINKS: list[Factor] = [sp.sign, sp.Heaviside, sp.Abs, relu, lambda u: sp.Max(u, u / 10)]
TRIPLE = (X, S, Z)


@st.composite
def _direction(draw: st.DrawFn, bias: bool) -> sp.Expr:
    chosen = draw(st.sampled_from([(X,), (S,), (Z,), (X, S), (X, Z), (S, Z), (X, S, Z)]))
    form = sp.Add(*(draw(st.sampled_from([1, -1, 2, HALF])) * name for name in chosen))
    return form + (draw(st.sampled_from([0, 0, HALF, -1])) if bias else 0)


@st.composite
def triple_problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """A polynomial times up to two signs or moduli (three without thresholds), times an exponential or not."""
    draw(st.integers(variant, variant))
    polynomials, kinks = draw(st.integers(0, 2)), draw(st.integers(1, 3))
    exponential = kinks < 3 and draw(st.integers(0, 2)) == 0
    integrand = sp.Integer(1)
    for _ in range(polynomials):
        integrand *= draw(st.sampled_from([lambda u: u, lambda u: u**2]))(draw(_direction(bias=True)))
    for _ in range(kinks):
        simple = [sp.sign, sp.Abs]
        integrand *= draw(st.sampled_from(EVEN_KINKS if kinks < 3 else simple))(draw(_direction(bias=kinks < 3)))
    if exponential:
        weights = [lambda u: sp.exp(u / 2), lambda u: sp.exp(-(u**2) / 2), lambda u: sp.exp(u / 2 - u**2 / 4)]
        integrand *= draw(st.sampled_from(weights))(draw(_direction(bias=False)))
    return Problem(integrand, TRIPLE, draw(_triple_covariance()))


@st.composite
def _triple_covariance(draw: st.DrawFn) -> np.ndarray:
    """Random and well conditioned, or of rank two. Of rank one see the expected failure in test_regressions.py."""
    loads = [-1.0, -0.4, 0.3, 0.7, 1.2]
    rank = draw(st.sampled_from([3, 3, 2]))
    L = np.array([[draw(st.sampled_from(loads)) for _ in range(rank)] for _ in range(3)])
    cov = L @ L.T
    return cov + 0.2 * np.eye(3) if rank == 3 else cov


# ---- noise ----

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


@dataclass(frozen=True)
class Noise:
    """A law with nodes and weights of a rule for its own average."""

    law: hd.laws.NoiseLaw
    values: np.ndarray
    weights: np.ndarray


def _uniform(low: float, high: float) -> Noise:
    nodes, weights = np.polynomial.legendre.leggauss(24)
    law = hd.Uniform(eps, sp.Rational(low), sp.Rational(high))
    return Noise(law, low + (high - low) * (nodes + 1) / 2, weights / 2)


def _laplace(scale: float) -> Noise:
    nodes, weights = np.polynomial.legendre.leggauss(10)
    edges = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 24.0, 38.0])
    low, width = edges[:-1, None], np.diff(edges)[:, None]
    u = low + width * (nodes + 1) / 2
    w = width * weights / 4 * np.exp(-u)
    law = hd.Laplace(eps, sp.Rational(scale))
    return Noise(law, np.concatenate([-scale * u.ravel(), scale * u.ravel()]), np.concatenate([w.ravel(), w.ravel()]))


def _student(dof: int) -> Noise:
    nodes, weights = np.polynomial.legendre.leggauss(80)
    angle = np.pi / 2 * nodes
    density = stats.t.pdf(np.tan(angle), dof) / np.cos(angle) ** 2
    return Noise(hd.StudentT(eps, dof), np.tan(angle), np.pi / 2 * weights * density)


def _discrete(values: list[sp.Expr], chances: list[sp.Expr]) -> Noise:
    law = hd.Discrete(eps, tuple(values), tuple(chances))
    return Noise(law, np.array(values, dtype=float), np.array(chances, dtype=float))


RADEMACHER = Noise(hd.Rademacher(eps), np.array([-1.0, 1.0]), np.array([0.5, 0.5]))
THIRDS = [sp.Rational(1, 2), sp.Rational(1, 3), sp.Rational(1, 6)]
DISCRETE = [RADEMACHER, _discrete([-1, HALF, 3], THIRDS)]
CONTINUOUS = [_uniform(-1.0, 2.0), _laplace(0.5), _student(11)]
SMOOTH = [_uniform(-1.0, 2.0), _laplace(0.5)]

POLYNOMIAL_LOSSES = [(x - y) ** 2 / 2, (x**2 - y) ** 2 / 4, (x - y) ** 4, x**2 * y - y**2]
KINKED_LOSSES = [sp.Abs(x - y), sp.Max(0, 1 - x + y), sp.Max(3 * (y - x) / 4, (x - y) / 4), relu(x) * y]
OPAQUE_LOSSES = [sp.log(sp.cosh(x - y)), hd.softplus(x - y)]
LINKS = [s + eps, s**2 + eps, s * eps, s + s * eps]
ADDITIVE = [s + eps, 2 * s - eps]


@dataclass(frozen=True)
class NoiseCase:
    loss: sp.Expr
    link: sp.Expr
    noise: Noise
    cov: np.ndarray


@st.composite
def noise_cases(draw: st.DrawFn, variant: int = 0) -> NoiseCase:
    """Any law with polynomial losses, discrete ones with kinked losses, bounded and Laplace ones with smooth losses."""
    draw(st.integers(variant, variant))
    losses, links, laws = draw(
        st.sampled_from(
            [
                (POLYNOMIAL_LOSSES, LINKS, DISCRETE + CONTINUOUS),
                (KINKED_LOSSES, ADDITIVE, DISCRETE),
                (OPAQUE_LOSSES, LINKS, DISCRETE),
                (OPAQUE_LOSSES, ADDITIVE, SMOOTH),
            ]
        )
    )
    loss, link, noise = (draw(st.sampled_from(options)) for options in (losses, links, laws))
    return NoiseCase(loss, link, noise, draw(covariances(2, (0.1, 0.7, 1.0, 1.5))))
