"""Random integrands over the grammar the engine serves, and random laws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import sympy as sp
from hypothesis import strategies as st

from hdsym.functions import log_ndtr, relu, sigmoid, softplus
from tests.expectation.independent import Problem

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


@st.composite
def problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """`variant` > 0 draws other examples: it is a number drawn first and thrown away."""
    draw(st.integers(variant, variant))
    scales = (1e-3, 0.1, 0.7, 1.0, 1.5)
    names = draw(st.sampled_from([(X,), (X, S), (X, S)]))
    return Problem(draw(integrands(names)), names, draw(covariances(len(names), scales)))


@st.composite
def wide_problems(draw: st.DrawFn, variant: int = 0) -> Problem:
    """Nothing that grows exponentially, at widths from 1e-8 to 1e4.

    Waves, which are slow to integrate, up to 10. Powers times functions without closed form, and log Phi, to 100:
    derivatives that Stein's lemma takes cancel further out (an expected failure in test_regressions.py).
    """
    draw(st.integers(variant, variant))
    names = draw(st.sampled_from([(X,), (X, S), (X, S)]))
    integrand = draw(integrands(names).filter(lambda g: not g.has(sp.exp, sp.sinh, sp.cosh)))
    opaque = integrand.has(sigmoid, sp.tanh, softplus, sp.log, log_ndtr)
    powers = any(power.free_symbols for power in integrand.atoms(sp.Pow))
    widest = (100.0, 1.0 if (opaque and powers) or integrand.has(log_ndtr) else 1e4)
    if integrand.has(sp.sin, sp.cos):
        widest = (1.0 if len(names) > 1 else 10.0, 1.0)
    return Problem(integrand, names, draw(covariances(len(names), (1e-3, 1e-8, 1.0, *widest))))
