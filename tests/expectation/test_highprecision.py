"""The high-precision route against closed forms and 30-digit reference values."""

from __future__ import annotations

from dataclasses import replace

import mpmath
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import ExpectationError
from hdsym.functions import log_ndtr, logsumexp, sigmoid, softplus

X, S, Z, W = sp.symbols("x s z w", real=True)
A2 = sp.Matrix([[13, 4], [4, 9]]) / 10
A3 = sp.Matrix([[12, 3, -2], [3, 8, 4], [-2, 4, 15]]) / 10
ROOT = sp.sqrt(A2[0, 0] * A2[1, 1] - A2[0, 1] ** 2)


def erf2(u: sp.Expr) -> sp.Expr:
    return sp.erf(u / sp.sqrt(2))


def agree(value: sp.Expr, reference: sp.Expr, digits: int) -> bool:
    """Relative agreement to 10^-digits, in more digits than that."""
    with mpmath.workdps(50):
        a, b = (mpmath.mpf(str(sp.N(e, 45))) for e in (value, reference))
        return bool(abs(a - b) <= mpmath.mpf(10) ** -digits * abs(b))


CLOSED = [
    (X**4 * S**2, A2, sp.Rational(7059, 1000)),
    (sp.Abs(X) * sp.Abs(S), A2, 2 / sp.pi * (ROOT + A2[0, 1] * sp.asin(A2[0, 1] / sp.sqrt(A2[0, 0] * A2[1, 1])))),
    (sp.sign(X) * sp.sign(S), A2, 2 / sp.pi * sp.asin(A2[0, 1] / sp.sqrt(A2[0, 0] * A2[1, 1]))),
    (sp.cos(X) * S**2, A2, (A2[1, 1] - A2[0, 1] ** 2) * sp.exp(-A2[0, 0] / 2)),
]


@pytest.mark.parametrize(("integrand", "cov", "form"), CLOSED)
def test_closed_forms_to_25_digits(integrand: sp.Expr, cov: sp.Matrix, form: sp.Expr) -> None:
    assert agree(hd.expect(integrand, [X, S]).evalf(cov, digits=25), form, 25)


@pytest.mark.slow
def test_error_functions_to_25_digits() -> None:
    form = 2 / sp.pi * sp.asin(A2[0, 1] / sp.sqrt((1 + A2[0, 0]) * (1 + A2[1, 1])))
    assert agree(hd.expect(erf2(X) * erf2(S), [X, S]).evalf(A2, digits=25), form, 25)


REFERENCE = [
    (erf2(X) * erf2(S), "0.12257047426594078"),
    (sp.log(1 + sp.exp(X)) - X * sigmoid(S), "0.75245463439267606"),
    (sigmoid(X) * sigmoid(S), "0.26664978419735268"),
    pytest.param(sp.log(1 + sp.exp(X) + sp.exp(S)), "1.2815311802969837", marks=pytest.mark.slow),
    (X * (1 + erf2(X)) / 2 * S * (1 + erf2(S)) / 2, "0.20252807471569545"),
]


@pytest.mark.parametrize(("integrand", "value"), REFERENCE)
def test_reference_values_to_15_digits(integrand: sp.Expr, value: str) -> None:
    assert agree(hd.expect(integrand, [X, S]).evalf(A2, digits=15), sp.Float(value, 20), 15)


def test_three_variables_at_few_digits_and_an_error_beyond() -> None:
    found = hd.expect(X**2 * S * Z, [X, S, Z])
    exact = A3[0, 0] * A3[1, 2] + 2 * A3[0, 1] * A3[0, 2]
    assert agree(found.evalf(A3, digits=2), exact, 2)
    with pytest.raises(ExpectationError, match="evaluations") as caught:
        found.evalf(A3, digits=30)
    assert "fewer digits" in caught.value.remedy


B11, B12 = sp.symbols("B11 B12", real=True)
SINGLE = [
    (sp.Abs(X), 4, 2 * sp.sqrt(2 / sp.pi)),
    (sp.exp(X), 100, sp.exp(50)),
    (sp.exp(X**2 / 4), sp.Rational(19, 10), sp.sqrt(20)),
    (X**2 * sp.exp(-1000 * X**2), 1, sp.Integer(2001) ** sp.Rational(-3, 2)),
    (softplus(X), 10**6, None),
    (sp.log(sp.cosh(X)), 10**6, None),
    (sigmoid(X) ** 2, 10**6, None),
    (sp.Heaviside(X - 1), 4, sp.erfc(1 / (2 * sp.sqrt(2))) / 2),
    (sp.Max(0, 1 - sp.Abs(X)), 1, sp.erf(1 / sp.sqrt(2)) - sp.sqrt(2 / sp.pi) * (1 - sp.exp(-sp.Rational(1, 2)))),
    (sp.sin(50 * X) ** 2, 1, (1 - sp.exp(-5000)) / 2),
]


@pytest.mark.parametrize(("integrand", "variance", "form"), SINGLE)
def test_one_variable_at_all_scales(integrand: sp.Expr, variance: sp.Expr, form: sp.Expr | None) -> None:
    """Without a closed form: against the tanh-sinh rule of mpmath on the half line, in growing panels."""
    found = replace(hd.expect(X, [X]), integrand=integrand)  # without the rules, which need not know the function
    if form is None:
        with mpmath.workdps(40):
            std = mpmath.sqrt(int(variance))
            names = {"sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)), "softplus": lambda u: mpmath.log1p(mpmath.exp(u))}
            g = sp.lambdify(X, integrand, modules=[names, "mpmath"])
            grid = [0, 1, 10, 100, 1000, 4000, 8000, 12000]
            total = mpmath.quad(
                lambda u: (g(u) + g(-u)) * mpmath.exp(-((u / std) ** 2) / 2) / (std * mpmath.sqrt(2 * mpmath.pi)), grid
            )
            form = sp.Float(mpmath.nstr(total, 40), 40)
    assert agree(found.evalf([[variance]], digits=25), form, 24)


def test_nearly_parallel_kinks_and_singular_covariances() -> None:
    gap = sp.Rational(1, 10**8)
    cov = sp.Matrix([[1, 1 - gap], [1 - gap, 1]])
    form = 2 / sp.pi * sp.asin(1 - gap)
    assert agree(hd.expect(sp.sign(X) * sp.sign(S), [X, S]).evalf(cov, digits=20), form, 19)
    assert hd.expect(sp.Abs(X - S) + sp.sign(2 * X - 2 * S), [X, S]).evalf([[1, 1], [1, 1]]).is_zero
    assert agree(hd.expect(sp.Abs(X) * S**2, [X, S]).evalf([[0, 0], [0, 2]]), sp.S.Zero, 30)
    value = hd.expect(X**2 * sp.Abs(S), [X, S]).evalf([[1.44, -1.2], [-1.2, 1.0]], digits=25)
    assert agree(value, sp.Rational(144, 100) * 2 * sp.sqrt(2 / sp.pi), 24)


def test_mean_constants_and_functions() -> None:
    a = sp.Symbol("a", real=True)
    found = hd.expect(sp.exp(a * X), [X], cov=sp.Matrix([[a]]), mean=[3])
    assert agree(found.evalf(a=0.5), sp.exp(sp.Rational(3, 2) + sp.Rational(1, 16)), 29)
    assert agree(hd.expect(log_ndtr(X), [X]).evalf([[1]], digits=20), -sp.S.One, 19)  # int log(u) du on [0, 1]
    both = hd.expect(logsumexp(X, S) - sp.Max(X, S), [X, S])
    one = hd.expect(softplus(-sp.Abs(Z)), [Z])
    assert agree(both.evalf([[1, 0], [0, 1]], digits=12), one.evalf([[2]], digits=20), 11)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hd.expect(sp.DiracDelta(X), [X]).evalf([[1]]), "delta function"),
        (lambda: hd.expect(X, [X]).evalf(), "no finite value for B11"),
        (lambda: hd.expect(X, [X]).evalf([[sp.oo]]), "no finite value"),
        (lambda: hd.expect(X, [X]).evalf(sp.eye(2)), "shape"),
        (lambda: hd.expect(X, [X]).evalf([[1]], digits=0), "digits"),
        (lambda: hd.expect(X, [X]).evalf([[-1]]), "semi-definite"),
        (lambda: hd.expect(X * S, [X, S]).evalf([[1, 2], [2, 1]]), "semi-definite"),
        (lambda: hd.expect(sp.exp(X**2 / 2), [X]).evalf([[1]]), "grows faster"),
        (lambda: hd.expect(X * S * Z * W, [X, S, Z, W]).evalf(sp.eye(4)), "rank 4"),
        (lambda: hd.expect(sp.log(X), [X]).evalf([[1]]), "not a finite real number"),
    ],
)
def test_errors_name_the_offender(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ExpectationError, match=message) as caught:
        call()
    assert caught.value.remedy
