"""The accuracy that is asked for is delivered: widths from 1e-3 to 1e2, correlations up to 1 - 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import ExpectationError
from tests.expectation.independent import Problem, expected

X, S = sp.symbols("x s", real=True)
INTEGRANDS = {
    "logistic": hd.softplus(-X) + hd.sigmoid(S) * X,
    "tanh, squared": (sp.tanh(X) - sp.tanh(S)) ** 2,
    "GELU beside tanh": X * (1 + sp.erf(X / sp.sqrt(2))) / 2 * sp.tanh(S),
    "kink": sp.Abs(X - S) * sp.tanh(X) * sp.sign(S),
    "threshold": sp.Max(0, 1 - X) * hd.sigmoid(S - 1),
    "log cosh": (hd.softplus(2 * (X - S)) - X + S - sp.log(2)) * sp.tanh(X) * sp.sign(S),
}
WIDTHS = ((1e-3, 1.0), (1.0, 1.0), (1e2, 1.0), (1e2, 1e2), (1e-3, 1e2))
CORRELATIONS = (0.6, -(1 - 1e-4), 1 - 1e-8, 1 - 1e-12)


def check(name: str, width: tuple[float, float], correlation: float) -> None:
    """Up to what the rounding of the covariance costs: it knows the variance of x - s to 2e-16 in each of its terms."""
    found = hd.expect(INTEGRANDS[name], [X, S])
    assert not found.exact
    cov = np.outer(width, width) * np.array([[1.0, correlation], [correlation, 1.0]])
    reference, size, _ = expected(Problem(INTEGRANDS[name], (X, S), cov))
    rounding = (1e-13 + 2e-16 / (1 - correlation**2)) * size
    for tol in (1e-4, 1e-8, 1e-12):
        try:
            error = abs(float(found.evaluate(cov, tol=tol)) - reference)
        except ExpectationError:
            assert tol < 4 * rounding, "refused for more than rounding"
        else:
            assert error <= tol * max(1.0, size) + rounding, (tol, error)


@pytest.mark.parametrize("correlation", CORRELATIONS)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", INTEGRANDS)
def test_what_is_asked_for_is_delivered(name: str, width: tuple[float, float], correlation: float) -> None:
    check(name, width, correlation)


def test_direct_integration_where_terms_cancel() -> None:
    """Terms of the size of B12 = 1e4 cancel to 1e-4 and leave 2e-7: silently, whatever was asked for."""
    found = hd.expect(INTEGRANDS["kink"], [X, S])
    cov = 1e4 * np.array([[1.0, 1 - 1e-12], [1 - 1e-12, 1.0]])
    reference, _, _ = expected(Problem(INTEGRANDS["kink"], (X, S), cov))
    assert abs(float(found.evaluate(cov)) - reference) > 5e-8  # else this test is of nothing
    assert abs(float(found.evaluate(cov, tol=5e-8)) - reference) < 2e-8
    with pytest.raises(ExpectationError, match="rounding of the covariance"):
        found.evaluate(cov, tol=1e-9)


def test_jumps_at_perfect_correlation_are_not_refused() -> None:
    """The nudged matrix has to be a covariance: one with a correlation beyond one moved the value by 0.3."""
    for integrand, correlation in ((X * hd.sigmoid(X) ** 2 * sp.sign(S - X), 1.0), (S * sp.sign(S + X) * X**2, -1.0)):
        found = hd.expect(integrand, [X, S], policy="numeric")
        cov = np.array([[1.0, correlation], [correlation, 1.0]])
        assert float(found.evaluate(cov, tol=1e-6)) == pytest.approx(0.0, abs=1e-6)


def test_direct_integration_where_terms_are_singular() -> None:
    """The formula divides by det B, and says "not finite" at x = -s and at zero."""
    found = hd.expect((X + S) * sp.sign(X + S) * sp.erf(X) ** 2 * S**2, [X, S])
    regular = np.array([[1.0, 0.3], [0.3, 2.0]])
    batch = np.array([[[1.0, -1.0], [-1.0, 1.0]], np.zeros((2, 2)), regular])
    values = found.evaluate(batch)
    assert values[:2] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert values[2] == found.evaluate(regular) == pytest.approx(float(found.evalf(regular, digits=10)), abs=1e-9)
    near = np.array([[1.0, -1.0 + 1e-10], [-1.0 + 1e-10, 1.0]])
    reference, _, _ = expected(Problem(found.integrand, (X, S), near))
    assert float(found.evaluate(near)) == pytest.approx(reference, abs=1e-10)


@pytest.mark.parametrize("width", [1e-3, 0.3, 1.0, 4.0, 30.0, 100.0])
@pytest.mark.parametrize("correlation", [0.6, -(1 - 1e-6), 1.0])
def test_oblique_functions_of_two_variables(width: float, correlation: float) -> None:
    """On a grid where it is small, on panels elsewhere: both within rounding of the independent integral."""
    integrand = hd.softplus(X - S) * sp.tanh(X + S / 2) * hd.sigmoid(S)
    found = hd.expect(integrand, [X, S], policy="numeric")
    cov = width**2 * np.array([[1.0, correlation], [correlation, 1.0]])
    reference, size, _ = expected(Problem(integrand, (X, S), cov))
    assert float(found.evaluate(cov)) == pytest.approx(reference, abs=1e-11 * size)
