"""Cases that the random tests, or a reader, once found wrong. Each says what had gone wrong."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray
from scipy import special
from scipy.integrate import quad

import hdsym as hd
from hdsym.errors import ExpectationError
from hdsym.functions import log_ndtr, relu, sigmoid, softplus
from tests.expectation.independent import Problem, expected
from tests.expectation.strategies import S, X

HALF = sp.Rational(1, 2)
EYE = np.eye(2)
SOME = np.array([[0.49, 0.2], [0.2, 2.25]])
NEAR = np.array([[0.01, 0.01 * (1 - 1e-8)], [0.01 * (1 - 1e-8), 0.01]])
WIDE = np.array([[2.25, 0.15 * (1 - 1e-8)], [0.15 * (1 - 1e-8), 0.01]])
RANK_ONE = np.array([[2.25, 0.0015], [0.0015, 1e-6]])
TINY = np.full((2, 2), 1e-6)
OPPOSITE = np.array([[1e-6, -1e-6], [-1e-6, 1e-6]])
NO_X = np.diag([0.0, 0.01])
NO_S = np.diag([1.0, 0.0])


def huber(u: sp.Expr) -> sp.Expr:
    return sp.Piecewise((u**2 / 2, sp.Abs(u) < 1), (sp.Abs(u) - HALF, True))


def elu(u: sp.Expr) -> sp.Expr:
    return sp.Piecewise((sp.exp(u) - 1, u < 0), (u, True))


def hard_tanh(u: sp.Expr) -> sp.Expr:
    return sp.Max(-1, sp.Min(1, u))


def leaky(u: sp.Expr) -> sp.Expr:
    return sp.Max(u, u / 10)


CASES = {
    # exp(-9000) * exp(+8999...) was 0 * inf
    "narrow weight far out": (sp.exp(-1000 * (X - 3) ** 2) * sp.erf(S), np.array([[1.3, 0.4], [0.4, 0.9]])),
    # the outer axis saw a step of width 1e-4 where two kinks nearly coincide
    "two kinks nearly parallel": (sp.Heaviside(-S / 2) * sp.Heaviside(-X / 2) * sigmoid(-X - 1), NEAR),
    "kink and product nearly parallel": (sp.Heaviside(-S / 2) * sigmoid(-X - 1) * leaky(-X / 2 - 1), WIDE),
    "kinks in three directions": (sp.Abs(2 * S + 2 * X) * softplus(X / 2 - S - 1) * relu(HALF - S / 2), NEAR),
    "kinks and log cosh, parallel": (sp.log(sp.cosh(S / 2)) * sp.Heaviside(X) * sp.Heaviside(X + S - HALF), NEAR),
    "cosine between kinks": (sp.cos(X + 1) * hard_tanh(S / 2 + HALF), np.array([[2.25, 1.05], [1.05, 0.49]])),
    # a steep function was taken for one of slope one, a shifted one for a centred one
    "steep": (sp.tanh(100 * X) ** 2 * sigmoid(S), EYE),
    "steep and far out": (sigmoid(30 * X + 60) * sp.tanh(S - 2), EYE),
    "wide and shifted": (sigmoid(X + 50) ** 2, np.diag([1e4, 1.0])),
    # sympy wrote a sign as a Piecewise when it rewrote the Heaviside beside it
    "sign beside Heaviside": ((2 * S - 1) * sp.Heaviside(2 * S - 1) * sp.sign(-S - 1) * softplus(S), EYE),
    "two jumps in one direction": (sp.sign(X) * sp.sign(X - 1) * sp.erf(S), EYE),
    # E sgn sgn by Owen's T jumped by one where a mean vanished, here at B12 = 0
    "Owen's T at mean zero": (sp.exp(-((S + HALF) ** 2) / 2) * sp.sign(X) * sp.sign(S + X), EYE),
    "Owen's T in a product": (elu(2 * S) * elu(X / 2) * sp.exp(-((X + 3) ** 2) / 8), 0.49 * EYE),
    # 0 / 0 in the arguments of erf and exp, 0 * inf for a density, where a variance vanishes
    "thresholds, rank one": (relu(S + 2 * X + 5 * HALF) * leaky(X) - relu(X + 1) * relu(S - X / 2 + 1), RANK_ONE),
    "weighted signs, rank one": (sp.exp(-3 * (HALF - S) ** 2) * sp.sign(-S - 1) * sp.sign(-S / 2 - X / 2 - 1), TINY),
    "weighted product, X = 0": (sp.exp(-3 * (2 * S - 1) ** 2) * relu(X / 2 + 2) * sp.Max(-X / 2, 3 * X / 2), NO_X),
    "density far from a point mass": (relu(1 - S / 2 - X / 2) * sp.exp(X) + sp.cosh(X / 2) * relu(S / 2 + 1), OPPOSITE),
    # v / sqrt(v / d) was not seen to be sqrt(v) sqrt(d)
    "weighted moduli, s = 0": (sp.exp(-12 * S**2) * leaky(-S / 2) * leaky(-X / 2), NO_S),
    # E[x^2 |s|] contains B12^2 / sqrt(B22); products with exp(-2 / B11) contained B12 / B11
    "moments of a point mass": ((2 * X - S + HALF) ** 2 * sp.Abs(S), NO_S),
    "oblique moments of a point mass": ((S - 1) * leaky(S) * leaky(X - S), TINY),
    "threshold without variance": ((X + 3) ** 2 * sp.Abs(S - HALF) * relu(2 - X), NO_X),
    # panels were too wide for waves under a wide Gaussian
    "waves under a wide Gaussian": (sp.sin(2 * X) * sp.erfc(2 * X) * sp.Abs(S), np.diag([100.0, 1.0])),
    # Stein's lemma went on for ever: (log Phi)'' brings back the power that was taken away
    "log Phi with powers": (huber(X / 2) * log_ndtr(2 * X - S) * sp.Heaviside(X / 2), SOME),
    # of a kink and a smooth change at the same place only the kink was seen
    "sign and sigmoid, wide": (X * sigmoid(X) + 6 * sp.sign(X), np.diag([1e8, 1.0])),
    # a smooth change along x + s was taken for one along an axis
    "oblique and wide": (-(S + X / 2) * sp.erfc((S + X / 2) / sp.sqrt(2)) * softplus(-S), 1e4 * EYE),
    # u + phi(u) / Phi(u) lost its digits far out
    "log Phi, wide": (3 * X**2 * log_ndtr(HALF - S + X), np.array([[1e4, -90.0], [-90.0, 1.0]])),
    # B11 B22 - B12^2 over the root of B11 B22 - B12^2 + 4 B11 was 0 / 0
    "weighted moduli, x = 0": (S * sp.erf(sp.sqrt(2) * S / 4) * sp.Max(-X, 3 * X), NO_X),
    # v (c / sqrt(v) + ...) was 0 * (0 / 0); c^2 (v v' - c^2) / v^(3/2) was 0 / 0, for two factors vanish together
    "clipped times a vanishing modulus": ((S - X / 2 - 1) ** 2 * sp.Abs(S - X) * hard_tanh(X), np.full((2, 2), 1e4)),
    "cubic moduli, x = 0": ((S**3 / 8 - 3 * S / 2) * sp.Max(-S, 3 * S) * sp.Max(-X, 3 * X), NO_X),
    "powers and a threshold, x = 0": (8 * X**3 * relu(X) * relu(3 - S), np.diag([0.0, 1e-6])),
    # c / sqrt(v) - c' / sqrt(v), covariances of the form without variance
    "oblique modulus and erf, X = X*": (sp.Abs(S - X) * sp.erf(X / 2), np.full((2, 2), 0.49)),
    # C11 (2 + B11 - 4 B12 + 4 B22) in a denominator was not seen to vanish with C11
    "tilted clip, x = 0": (sp.exp(2 * S - X - (2 * S - X - 1) ** 2 / 4) * sp.Abs(X) * hard_tanh(2 * S - X - 1), NO_X),
    # of two variances, one inside the other, only the inner one was kept from vanishing
    "tilted thresholds, rank one": (
        relu(S + X / 2 + 3 * HALF) * sp.exp(S + X / 2 - (S + X / 2 + HALF) ** 2 / 4) * sp.Max(1 - S, 3 * S - 3),
        np.array([[1e-6, -0.0015], [-0.0015, 2.25]]),
    ),
    # the mean B12 / B11 of s given x = 1 was 0 / 0, under a density of zero
    "integral given a point mass": (sp.Abs(X - 1) * sigmoid(S) * sp.sign(S) + X * sp.sin(S) * sp.cosh(S / 2), NO_X),
    # s was written as u - x, both of them 1e10 times larger
    "small beside large": (
        S**3 * relu(S / 2 + HALF) * leaky(-S - X / 2 - 1), np.array([[1e4, 9.9999999e-7], [9.9999999e-7, 1e-16]])
    ),
    # a product of two kinks was integrated in parts that cancel
    "cancelling parts beside a closed form": (
        X**3 * sp.erf(2 * S - 1) * sp.erf(X / 2) - log_ndtr(S) * relu(S / 2 + 2), np.diag([1e-16, 1e8])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_value(name: str) -> None:
    integrand, cov = CASES[name]
    reference, scale, terms = expected(Problem(integrand, (X, S), cov))
    tolerance = 1e-9 * scale + 1e-15 * terms
    assert float(hd.expect(integrand, [X, S]).evaluate(cov)) == pytest.approx(reference, abs=tolerance)


DERIVATIVES = [
    # after conditioning on s = 1 the sign of s is certain: Owen's T was asked for T(inf, nan)
    sp.sign(X) * X * huber(S),
    # delta(s) delta(s - 1) was refused instead of vanishing
    hard_tanh(S) * sp.sign(X),
    relu(X - 1) * relu(X) * sp.Abs(S),
    # delta' beside a shifted sign needs the derivative of Owen's T
    sp.sign(X) * sp.sign(S - 1) * sp.exp(X / 2),
    # delta' beside a sign and a function without closed form: an integral with a kink was to be differentiated
    relu(3 * HALF - S) * softplus(X) * sp.sign(S + X + 3 * HALF / 2),
]


@pytest.mark.parametrize("integrand", DERIVATIVES)
def test_derivative(integrand: sp.Expr) -> None:
    cov = np.array([[1.3, 0.4], [0.4, 0.9]])
    found = hd.expect(integrand, [X, S])
    for i, j in ((0, 0), (0, 1), (1, 1)):
        step = np.zeros((2, 2))
        step[i, j] = step[j, i] = 1e-4
        difference = float(found.evaluate(cov + step) - found.evaluate(cov - step)) / 2e-4
        value = float(found.diff(found.gaussian.cov[i, j]).evaluate(cov))
        assert value == pytest.approx(difference, rel=1e-6, abs=1e-7)


Z = sp.Symbol("z", real=True)


def test_three_signs_in_two_directions() -> None:
    """The change of variables went on for ever: only two of the three forms can be variables."""
    integrand = (2 * Z - S) ** 2 * (Z + 1) ** 2 * sp.sign(X) * sp.sign(Z) * sp.sign(2 * X + Z)
    cov = np.array([[1.0, 0.3, 0.2], [0.3, 0.8, -0.1], [0.2, -0.1, 1.2]])
    reference, scale, _ = expected(Problem(integrand, (X, S, Z), cov))
    assert float(hd.expect(integrand, [X, S, Z]).evaluate(cov)) == pytest.approx(reference, abs=1e-7 * scale)


def test_three_kinks_of_parallel_variables() -> None:
    """Given one of three parallel forms, the signs of the others were rounding errors."""
    integrand = sp.Abs(S / 2 - Z) * sp.sign(Z) * sp.sign(S / 2 - X + 2 * Z)
    direction = np.array([1.0, 0.4, 1.0])
    value = float(hd.expect(integrand, [X, S, Z]).evaluate(np.outer(direction, direction)))
    assert value == pytest.approx(0.8 * np.sqrt(2 / np.pi), abs=1e-7)


@pytest.mark.xfail(strict=True, reason="E f(u), f the third derivative of tanh, is a small difference times B^3")
def test_cubes_beside_tanh_at_width_1e4() -> None:
    """Relative errors of 1e-10 at width 100, 1e-7 at 1e3, 4e-5 at 1e4."""
    cov = 1e8 * np.array([[1.0, 0.9], [0.9, 1.0]])
    integrand = S**3 * sp.tanh(S / 2 - X)
    reference, scale, _ = expected(Problem(integrand, (X, S), cov))
    assert float(hd.expect(integrand, [X, S]).evaluate(cov)) == pytest.approx(reference, abs=1e-8 * scale)


def test_threshold_that_is_a_parameter_may_be_zero() -> None:
    """E sgn(x + a) sgn(s + 1) at a = 0 was wrong by one."""
    a = sp.Symbol("a", real=True)
    found = hd.expect(sp.sign(X + a) * sp.sign(S + 1), [X, S])
    cov = np.array([[1.3, 0.4], [0.4, 0.9]])
    plain = float(hd.expect(sp.sign(X) * sp.sign(S + 1), [X, S]).evaluate(cov))
    for value in (0.0, -0.0, 1e-9, -1e-9):
        assert float(found.evaluate(cov, a=value)) == pytest.approx(plain, abs=1e-8)


def test_growth_is_followed_by_the_range_of_integration() -> None:
    """exp(2 x) has its mass three standard deviations out: eight were too few, unseen by the error estimate."""
    for integrand in (sp.exp(2 * X) * sp.tanh(X), sp.cosh(3 * X) * sp.Abs(X - 1)):
        exact, numeric = (hd.expect(integrand, [X], policy=policy) for policy in ("auto", "numeric"))
        cov = np.array([[2.25]])
        reference, scale, _ = expected(Problem(integrand, (X,), cov))
        for found in (exact, numeric):
            assert float(found.evaluate(cov)) == pytest.approx(reference, abs=1e-10 * scale)


def test_panels_stay_narrow_where_the_range_is_wide() -> None:
    """exp(-3 (s + x - 1)^2) counts as growth: the range was cut into eight panels however wide it was."""
    integrand = (sp.exp(X) + sp.exp(-3 * (S + X - 1) ** 2)) * sp.sign(X)
    cov = np.array([[2.25, 2.24775], [2.24775, 2.25]])
    reference, scale, _ = expected(Problem(integrand, (X, S), cov))
    found = hd.expect(integrand, [X, S], policy="numeric")
    assert float(found.evaluate(cov)) == pytest.approx(reference, abs=1e-10 * scale)


def test_too_many_waves_are_refused() -> None:
    with pytest.raises(ExpectationError, match="oscillates"):
        hd.expect(sp.sin(2 * X) * sp.tanh(X), [X]).evaluate([[1e14]])


def test_numerical_policy_does_not_integrate_what_diverges() -> None:
    found = hd.expect(sp.exp(X**2 / 2) * sp.tanh(X) ** 2, [X], policy="numeric")
    with pytest.raises(ExpectationError, match="does not exist"):
        found.evaluate([[1.5]])


@pytest.mark.parametrize(
    ("B", "one"), [(np.full((4, 4), 1.3), True), (np.kron([[1.3, 0.3], [0.3, 1.3]], np.ones((2, 2))), False)]
)
def test_conditional_law_without_variance(B: NDArray[np.float64], one: bool) -> None:
    """Loadings were rounding errors over a variance that had vanished, and scales of exp(-w^2) were 0/0."""
    x, y, z, w = sp.symbols("x y z w", real=True)
    f = hd.softplus(x) * hd.softplus(y) * z * sp.erf(z) * w * sp.erf(w)
    value = hd.expect(f, [x, y, z, w]).evaluate(B)
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    u, v = np.sqrt(1.3) * nodes[:, None], np.sqrt(1.3) * nodes
    v = u if one else 0.3 / 1.3 * u + np.sqrt(1 - (0.3 / 1.3) ** 2) * v
    grid = np.logaddexp(0, u) ** 2 * (v * special.erf(v)) ** 2
    assert float(value) == pytest.approx(float(np.sum(np.outer(weights, weights) * grid) / (2 * np.pi)), rel=1e-9)


def test_grid_of_error_functions_is_fine_enough() -> None:
    """The number of Hermite nodes took erf(u) for as smooth as the logistic function: 1e-9."""
    x, y, z, w = sp.symbols("x y z w", real=True)
    f = hd.sigmoid(x) * hd.sigmoid(y) * sp.erf(z) * sp.erf(w)
    value = hd.expect(f, [x, y, z, w], policy="numeric").evaluate(np.full((4, 4), 1.3))
    one = hd.expect(hd.sigmoid(x) ** 2 * sp.erf(x) ** 2, [x], policy="numeric").evaluate([[1.3]])
    assert float(value) == pytest.approx(float(one), abs=1e-12)


@pytest.mark.parametrize("B", [[[1, -1], [-1, 1]], [[4, -2], [-2, 1]], [[1, 1], [1, 1]], [[0, 0], [0, 1]], NO_X - NO_X])
def test_stein_collects_equal_derivatives(B: NDArray[np.float64]) -> None:
    """(B12 + B22) / sqrt(B11 + 2 B12 + B22) is zero at x = -s; it came as a sum of two infinite terms."""
    f = sp.Abs(X + S) * sigmoid(X)
    exact, numeric = (hd.expect(f, [X, S], policy=policy).evaluate(B) for policy in ("auto", "numeric"))
    assert float(exact) == pytest.approx(float(numeric), abs=1e-13)


CURVED = (hd.softplus(2 * (S**2 - 1 - X)), sp.tanh(S**2 + 1 + X) * S**2, hd.sigmoid(S**3 - X + 1))


@pytest.mark.parametrize("width", [0.3, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("integrand", CURVED, ids=str)
def test_functions_that_change_along_a_curve(integrand: sp.Expr, width: float) -> None:
    """The first changes where s^2 = 1 + x: too few panels left 6e-8 at width 1, 5e-5 at 2."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    values = sp.lambdify(
        (X, S),
        integrand.replace(softplus, lambda u: sp.log(1 + sp.exp(-sp.Abs(u))) + sp.Max(u, 0)),
        [{"sigmoid": special.expit}, "numpy"],
    )

    def inner(s: float) -> float:
        density = np.exp(-0.5 * (s / width) ** 2) / math.sqrt(2 * math.pi)
        return float(np.sum(weights * values(0.1 * nodes, s))) * density

    found = hd.expect(integrand, [X, S]).evaluate(np.diag([0.01, width**2]))
    assert float(found) == pytest.approx(piecewise(inner, width), rel=1e-10)


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("integrand", [sp.tanh(X**2 - 1), hd.sigmoid(X**3 - X - 1)], ids=str)
def test_functions_of_a_power_of_one_variable(integrand: sp.Expr, width: float) -> None:
    values = sp.lambdify(X, integrand, [{"sigmoid": special.expit}, "numpy"])
    reference = piecewise(lambda x: float(values(x)) * math.exp(-0.5 * (x / width) ** 2), width)
    assert float(hd.expect(integrand, [X]).evaluate(np.array([[width**2]]))) == pytest.approx(reference, rel=1e-10)


def piecewise(f: Callable[[float], float], width: float) -> float:
    """The integral of f / (width sqrt(2 pi)), f negligible beyond 9 widths, by adaptive quadrature on short pieces."""
    edges = np.linspace(-9 * width, 9 * width, 145)
    pieces = (quad(f, a, b, epsabs=1e-15, limit=200)[0] for a, b in itertools.pairwise(edges))
    return math.fsum(pieces) / (width * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("width", [1e-3, 1.0, 5.0])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_polynomials_across_the_functions_on_a_grid(correlation: float, width: float) -> None:
    """E x^2 sigmoid(x + s) was off by a third: one node on the axis along which x + s is constant."""
    cov = width**2 * np.array([[1.0, correlation], [correlation, 1.0]])
    for integrand in (X**2 * sigmoid(X + S), (X - S) ** 6 * sigmoid(X + S), S**3 * sp.tanh(X) ** 2 * X):
        reference, scale, _ = expected(Problem(integrand, (X, S), cov))
        found = hd.expect(integrand, [X, S], policy="numeric").evaluate(cov)
        assert float(found) == pytest.approx(reference, abs=1e-11 * scale)


def test_polynomials_across_the_functions_of_one_factor() -> None:
    """The same in three variables, where the integrand separates and the canonical axis of (x, s) is (1, 1)."""
    cov = np.array([[1.0, 0.3, 0.2], [0.3, 1.0, 0.2], [0.2, 0.2, 1.0]])
    u = sp.Symbol("u", real=True)
    for integrand in (X**2 * sigmoid(X + S) * sp.tanh(u) ** 2, X**2 * sigmoid(X + S) * sigmoid(u)):
        exact, numeric = (
            hd.expect(integrand, [X, S, u], policy=policy).evaluate(cov) for policy in ("auto", "numeric")
        )
        assert float(numeric) == pytest.approx(float(exact), rel=1e-10)


def test_slopes_that_are_not_known_do_not_spoil_the_panels() -> None:
    """With x = s a conditional law is 0/0, which its weight of zero forgives; a number of panels is not forgiven."""
    integrand = 3 * log_ndtr(-S / 2 - 1) * sp.Abs(X - S + 1) * sp.Max(0, 1 - S - X)
    cov = np.full((2, 2), 2.25)
    reference, scale, _ = expected(Problem(integrand, (X, S), cov))
    assert float(hd.expect(integrand, [X, S]).evaluate(cov)) == pytest.approx(reference, abs=1e-9 * scale)
