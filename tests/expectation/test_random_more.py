"""Random integrands under laws with a mean, of logits, of three variables, and with noise; see test_random.py."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings

import hdsym as hd
from tests.expectation.independent import Problem, ambiguous, expected
from tests.expectation.strategies import S, X
from tests.expectation.strategies_more import (
    NoiseCase,
    logit_problems,
    noise_cases,
    s,
    shifted_problems,
    triple_problems,
    x,
    y,
)
from tests.expectation.test_random import FEW, NIGHTLY, allowed

HANDFUL = settings(FEW, max_examples=6)


def check(problem: Problem, policy: str = "auto") -> None:
    assume(not ambiguous(problem))
    found = hd.expect(problem.integrand, problem.names, mean=problem.mean or 0, policy=policy)
    value = float(found.evaluate(problem.cov))
    reference, scale, terms = expected(problem)
    assert abs(value - reference) <= allowed(problem, scale, terms), (value, reference)


def check_noise(case: NoiseCase) -> None:
    """Risk and Fisher matrix against the average, over a rule for the noise, of independent integrals."""
    theory = hd.derive(hd.Model(loss=case.loss, link=case.link, noise=case.noise.law))
    slope = sp.diff(case.loss, x)
    for name, integrand in (("risk", case.loss), ("fisher", slope**2)):
        problems = [Problem(_at(integrand, case, value), (X, S), case.cov) for value in case.noise.values.tolist()]
        assume(not any(map(ambiguous, problems)))
        reference, scale, terms = case.noise.weights @ np.array([expected(problem) for problem in problems])
        found = float(np.squeeze(getattr(theory, f"{name}_at")(case.cov)))
        assert abs(found - reference) <= allowed(problems[0], scale, terms), (name, found, reference)


def _at(integrand: sp.Expr, case: NoiseCase, value: float) -> sp.Expr:
    eps = case.noise.law.symbol
    label = case.link.xreplace({eps: sp.Rational(value)})
    return integrand.xreplace({y: label}).xreplace({x: X, s: S})


@FEW
@given(shifted_problems())
def test_laws_with_a_mean(problem: Problem) -> None:
    check(problem)


@FEW
@given(logit_problems())
def test_two_logits(problem: Problem) -> None:
    check(problem)


@HANDFUL
@given(triple_problems())
def test_three_variables(problem: Problem) -> None:
    check(problem, "exact")


@HANDFUL
@given(noise_cases())
def test_noise(case: NoiseCase) -> None:
    check_noise(case)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(2))
def test_laws_with_a_mean_nightly(part: int) -> None:
    @NIGHTLY
    @given(shifted_problems(variant=part))
    def every(problem: Problem) -> None:
        check(problem)

    every()


@pytest.mark.nightly
@settings(NIGHTLY, max_examples=500)
@given(logit_problems())
def test_two_logits_nightly(problem: Problem) -> None:
    check(problem)


@pytest.mark.nightly
@settings(NIGHTLY, max_examples=100)
@given(triple_problems())
def test_three_variables_nightly(problem: Problem) -> None:
    check(problem, "exact")


@pytest.mark.nightly
@settings(NIGHTLY, max_examples=100)
@given(noise_cases())
def test_noise_nightly(case: NoiseCase) -> None:
    check_noise(case)
