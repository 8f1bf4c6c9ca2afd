"""Random integrands against an independent integral, and the properties every expectation has.

The normal run takes the same few hundred examples each time; ``pytest -m nightly`` takes thousands of fresh ones.
Every failure found goes to test_regressions.py as a fixed case.
"""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import hdsym as hd
from tests.expectation.independent import Problem, ambiguous, expected
from tests.expectation.strategies import S, X, integrands, problems, products, wide_problems

NORMAL = settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
FEW = settings(NORMAL, max_examples=25)
NIGHTLY = settings(NORMAL, max_examples=1000, derandomize=False)


def allowed(problem: Problem, scale: float, terms: float) -> float:
    """What double precision leaves, of E |g| = scale, and of the terms that a closed form adds up.

    At a correlation of 1 - 1e-8 the determinant keeps half of its digits; at one, its root is that of a rounding error,
    1e-8, also where terms cancel, as in exp(x) - 1 at width 1e-3.
    """
    deviations = np.sqrt(np.diag(problem.cov))
    live = deviations > 0
    cov = problem.cov[live][:, live]
    correlation = cov / np.outer(deviations[live], deviations[live])
    singular = len(cov) > 1 and np.linalg.eigvalsh(correlation)[0] < 1e-7
    relative, rounding = (1e-7 * (len(correlation) - 1), 1e-8) if singular else (1e-8, 1e-13)
    return relative * scale + rounding * terms


def check(problem: Problem, policy: str) -> None:
    """No NaN, no warning (they are errors here), and the value of the independent integral."""
    assume(not ambiguous(problem))
    value = float(hd.expect(problem.integrand, problem.names, policy=policy).evaluate(problem.cov))
    reference, scale, terms = expected(problem)
    assert abs(value - reference) <= allowed(problem, scale, terms), (value, reference)


def run(how: settings, part: int, policy: str) -> None:
    @how
    @given(problems(variant=part))
    def every(problem: Problem) -> None:
        check(problem, policy)

    every()


@pytest.mark.parametrize("part", [0, 1])  # two halves, so that two processes share the work
def test_value_equals_an_independent_integral(part: int) -> None:
    run(NORMAL, part, "auto")


@FEW
@given(problems())
def test_numerical_policy_equals_an_independent_integral(problem: Problem) -> None:
    check(problem, "numeric")


@FEW
@given(wide_problems())
def test_widths_from_1e_minus_8_to_1e4(problem: Problem) -> None:
    check(problem, "auto")


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(2))
def test_widths_nightly(part: int) -> None:
    @NIGHTLY
    @given(wide_problems(variant=part))
    def every(problem: Problem) -> None:
        check(problem, "auto")

    every()


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(8))
def test_value_equals_an_independent_integral_nightly(part: int) -> None:
    run(NIGHTLY, part, "auto")


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(2))
def test_numerical_policy_nightly(part: int) -> None:
    run(NIGHTLY, part, "numeric")


def value(integrand: sp.Expr, cov: np.ndarray) -> float:
    return float(hd.expect(integrand, [X, S]).evaluate(cov))


COV = st.sampled_from([np.array([[1.3, 0.4], [0.4, 0.9]]), np.array([[0.2, -0.35], [-0.35, 2.1]])])


@FEW
@given(integrands((X, S)), COV)
def test_reflection(integrand: sp.Expr, cov: np.ndarray) -> None:
    """E g(-r) = E g(r) under a centred Gaussian; odd integrands vanish."""
    mirrored = integrand.xreplace({X: -X, S: -S})
    first, second = value(integrand, cov), value(mirrored, cov)
    scale = expected(Problem(integrand, (X, S), cov)).size
    assert second == pytest.approx(first, abs=1e-9 * scale)
    assert value(integrand - mirrored, cov) == pytest.approx(0.0, abs=1e-9 * scale)


@FEW
@given(integrands((X, S)), COV, st.sampled_from([sp.Rational(1, 10), sp.Integer(3)]))
def test_scaling(integrand: sp.Expr, cov: np.ndarray, c: sp.Expr) -> None:
    """E g(c x, s) under B is E g under diag(c, 1) B diag(c, 1)."""
    scaling = np.diag([float(c), 1.0])
    scaled = scaling @ cov @ scaling
    scale = expected(Problem(integrand, (X, S), scaled)).size
    assert value(integrand.xreplace({X: c * X}), cov) == pytest.approx(value(integrand, scaled), abs=1e-9 * scale)


@FEW
@given(integrands((X, S)), COV)
def test_permutation(integrand: sp.Expr, cov: np.ndarray) -> None:
    swapped = float(hd.expect(integrand, [S, X]).evaluate(cov[::-1, ::-1]))
    scale = expected(Problem(integrand, (X, S), cov)).size
    assert swapped == pytest.approx(value(integrand, cov), abs=1e-9 * scale)


def check_price(integrand: sp.Expr, cov: np.ndarray, place: tuple[int, int]) -> None:
    """Expectation.diff against central differences with one Richardson step."""
    found = hd.expect(integrand, [X, S])
    i, j = place

    def slope(step: float) -> float:
        change = np.zeros((2, 2))
        change[i, j] = change[j, i] = step
        return float(found.evaluate(cov + change) - found.evaluate(cov - change)) / (2 * step)

    difference = (4 * slope(2e-4) - slope(4e-4)) / 3
    scale = 1 + expected(Problem(integrand, (X, S), cov)).size
    derivative = float(found.diff(found.gaussian.cov[i, j]).evaluate(cov))
    assert derivative == pytest.approx(difference, rel=1e-6, abs=2e-8 * scale)


PLACES = st.sampled_from([(0, 0), (0, 1), (1, 1)])


@FEW
@given(products((X, S)), COV, PLACES)
def test_price(integrand: sp.Expr, cov: np.ndarray, place: tuple[int, int]) -> None:
    check_price(integrand, cov, place)


@pytest.mark.nightly
@settings(NIGHTLY, max_examples=300)
@given(products((X, S)), COV, PLACES)
def test_price_nightly(integrand: sp.Expr, cov: np.ndarray, place: tuple[int, int]) -> None:
    check_price(integrand, cov, place)
