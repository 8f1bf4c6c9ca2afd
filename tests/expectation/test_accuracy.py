"""The accuracy that is asked for is delivered: widths from 1e-3 to 1e2, correlations up to 1 - 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from tests.expectation.independent import Problem, expected

X, S = sp.symbols("x s", real=True)
INTEGRANDS = {
    "logistic": hd.softplus(-X) + hd.sigmoid(S) * X,
    "tanh, squared": (sp.tanh(X) - sp.tanh(S)) ** 2,
    "GELU beside tanh": X * (1 + sp.erf(X / sp.sqrt(2))) / 2 * sp.tanh(S),
    "kink": sp.Abs(X - S) * sp.tanh(X) * sp.sign(S),
    "threshold": sp.Max(0, 1 - X) * hd.sigmoid(S - 1),
    "log cosh": sp.log(sp.cosh((X - S) / 10)) * sp.tanh(X) * sp.sign(S),
}
WIDTHS = ((1e-3, 1.0), (1.0, 1.0), (1e2, 1.0), (1e2, 1e2), (1e-3, 1e2))
CORRELATIONS = (0.6, -(1 - 1e-4), 1 - 1e-8, 1 - 1e-12)


@pytest.mark.parametrize("name", INTEGRANDS)
def test_what_is_asked_for_is_delivered(name: str) -> None:
    """Up to what the rounding of the covariance costs, which knows the variance of x - s to 1e-16 only."""
    found = hd.expect(INTEGRANDS[name], [X, S])
    assert not found.exact
    for width in WIDTHS:
        for correlation in CORRELATIONS:
            cov = np.outer(width, width) * np.array([[1.0, correlation], [correlation, 1.0]])
            reference, size, _ = expected(Problem(INTEGRANDS[name], (X, S), cov))
            for tol in (1e-4, 1e-8, 1e-12):
                error = abs(float(found.evaluate(cov, tol=tol)) - reference)
                rounding = 1e-13 + 2e-16 / (1 - correlation**2)
                assert error <= tol * max(1.0, size) + rounding * size, (width, correlation, tol)
