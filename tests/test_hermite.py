"""Hermite coefficients and information exponents, against one-dimensional integrals and derivatives of the risk."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad
from scipy.special import eval_hermitenorm

import hdsym as hd
from hdsym.cas import numeric_function
from hdsym.errors import DeclarationError

S = hd.teacher("s")
EPS, A = hd.noise("eps"), hd.parameter("a")


def polynomial(k: int) -> sp.Expr:
    return sp.expand(sp.sqrt(2) ** -k * sp.hermite(k, S / sp.sqrt(2)))


EXPONENTS = [
    *((polynomial(k), k) for k in range(1, 6)),
    (S**2, 2),
    (sp.Abs(S), 2),
    (sp.sign(S), 1),
    (hd.relu(S), 1),
    (S**3 - 3 * S, 3),
    (sp.erf(S), 1),
    (sp.tanh(S) ** 2, 2),
    (hd.softplus(S) - S / 2, 2),
    (sp.cos(3 * S), 2),
    (sp.sin(S) - S * sp.exp(-sp.Rational(1, 2)), 3),
    (hd.Bernoulli(hd.sigmoid(S**2)), 2),
    (hd.Poisson(sp.exp(S)), 1),
]


@pytest.mark.parametrize(("link", "k"), EXPONENTS, ids=str)
def test_exponents(link: sp.Expr, k: int) -> None:
    found = hd.information_exponent(link)
    assert found == k
    assert len(found.coefficients) == k + 1
    assert all(c == 0 for c in found.coefficients[1:k])


@pytest.mark.parametrize(
    "link", [sp.Abs(S), hd.relu(S - 1), sp.erf(S) * S, sp.tanh(2 * S), S**4, sp.exp(-(S**2))], ids=str
)
def test_coefficients_against_an_integral(link: sp.Expr) -> None:
    values = numeric_function([S], link)
    for k, c in enumerate(hd.hermite_coefficients(link, 5)):
        density = lambda u, k=k: float(values(u)) * eval_hermitenorm(k, u) * math.exp(-u * u / 2)  # noqa: E731
        pieces = [(-12.0, 0.0), (0.0, 1.0), (1.0, 12.0)]
        reference = sum(quad(density, *piece, epsabs=1e-13)[0] for piece in pieces) / math.sqrt(2 * math.pi)
        value = float(hd.expect(link * polynomial(k), [S]).evaluate(np.eye(1)))
        assert value == pytest.approx(reference, abs=1e-10)
        if not c.has(hd.expect(sp.tanh(S), [S]).expr.func, sp.Integral) and c.is_number:
            assert float(c) == pytest.approx(reference, abs=1e-10)


MODELS = [
    hd.zoo.phase_retrieval(0.3),
    hd.zoo.least_squares(0.3),
    hd.zoo.logistic(),
    hd.zoo.lipschitz_phase_retrieval(0.0),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_models_by_the_first_power_of_the_cosine(model: hd.Model) -> None:
    """h(m) - h(0) ~ c m^k, fitted between two small cosines."""
    found = hd.information_exponent(model)
    theory = hd.derive(model)
    h = [float(theory.risk_at([[1.0, m], [m, 1.0]])) for m in (0.0, 0.01, 0.02)]
    slope = math.log2((h[2] - h[0]) / (h[1] - h[0]))
    assert slope == pytest.approx(int(found), abs=0.02)
    if not found.coefficients[-1].free_symbols and found.exact:
        assert (h[1] - h[0]) / 0.01 ** int(found) == pytest.approx(float(found.coefficients[-1]), rel=1e-3)


def test_noise_is_averaged_over_and_the_label_may_be_transformed() -> None:
    assert hd.information_exponent(S**2 + EPS, noise=hd.Normal(EPS, std=0.5)) == 2
    assert hd.information_exponent((S + EPS) ** 3, noise=hd.Rademacher(EPS)) == 1
    assert hd.information_exponent((S**3 - 3 * S) ** 2) == 2


def test_parameters_are_generic_unless_given() -> None:
    assert hd.information_exponent(A * S + S**2) == 1
    assert hd.information_exponent(A * S + S**2, parameters={A: 0}) == 2
    assert hd.information_exponent(A * S + S**2, parameters={"a": 0.5}) == 1


def test_what_it_says() -> None:
    d = sp.Symbol("d", positive=True)
    scales = [hd.information_exponent(polynomial(k)).sample_scale for k in (1, 2, 3, 4)]
    assert scales == [d, d * sp.log(d), d**2, d**3]
    found = hd.information_exponent(sp.tanh(S) ** 2)
    assert "numerically" in repr(found)
    assert "log d" in repr(found)
    assert hd.information_exponent(S**2).exact
    assert copy.copy(found).coefficients == found.coefficients
    assert "c_{2}" in hd.information_exponent(S**2)._repr_latex_()


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (sp.Integer(1) + A, "no variable"),
        (S * hd.teacher("u"), "s, u"),
        ("s", "'s'"),
        (sp.Abs(S) ** 2 - S**2, "no variable|all zero"),
        (hd.zoo.multiclass_logistic(3), "3 student"),
    ],
    ids=str,
)
def test_errors(link: object, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        hd.information_exponent(link)


def test_order_reached() -> None:
    with pytest.raises(DeclarationError, match="from order 1 to 3"):
        hd.information_exponent(polynomial(5), order=3)
    with pytest.raises(DeclarationError, match="order is -1"):
        hd.hermite_coefficients(S, -1)
