"""The losses of the literature derive, and agree with draws from the model and with finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import special

import hdsym as hd
from hdsym.model import Model

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
NOISE = hd.Normal(eps, std=0.2)
SIGN = sp.sign(s)
PLUS_MINUS = hd.Categorical([1, -1], [hd.sigmoid(s), hd.sigmoid(-s)])


def cdf(u: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(u / sp.sqrt(2))) / 2


def he3(u: sp.Expr) -> sp.Expr:
    return u**3 - 3 * u


def huber(u: sp.Expr) -> sp.Expr:
    return sp.Piecewise((u**2 / 2, sp.Abs(u) <= 1), (sp.Abs(u) - sp.Rational(1, 2), True))


def elu(u: sp.Expr) -> sp.Expr:
    return sp.Piecewise((u, u > 0), (sp.exp(u) - 1, True))


# (model, whether every expectation has a closed form)
MODELS: dict[str, tuple[Model, bool]] = {
    "least squares": (Model((x - y) ** 2 / 2, s + eps, NOISE), True),
    "absolute": (Model(sp.Abs(x - y), s + eps, NOISE), True),
    "Huber": (Model(huber(x - y), s + eps, NOISE), True),
    "pinball": (Model(sp.Max(3 * (y - x) / 10, 7 * (x - y) / 10), s + eps, NOISE), True),
    "log cosh": (Model(sp.log(sp.cosh(x - y)), s + eps, NOISE), False),
    "logistic, soft": (hd.zoo.logistic("soft"), False),
    "logistic, sampled": (hd.zoo.logistic("bernoulli"), False),
    "logistic, signs": (Model(sp.log(1 + sp.exp(-x * y)), PLUS_MINUS), False),
    "probit likelihood": (Model(-y * hd.log_ndtr(x) - (1 - y) * hd.log_ndtr(-x), hd.Bernoulli(cdf(s))), False),
    "hinge": (Model(sp.Max(0, 1 - x * y), SIGN), True),
    "hinge, sampled": (Model(sp.Max(0, 1 - x * y), PLUS_MINUS), False),
    "squared hinge": (Model(sp.Max(0, 1 - x * y) ** 2, SIGN), True),
    "exponential": (Model(sp.exp(-x * y), SIGN), True),
    "Poisson": (Model(sp.exp(x) - x * y, hd.Poisson(sp.exp(s))), True),
    "phase retrieval": (hd.zoo.phase_retrieval(0.2), True),
    "Lipschitz phase retrieval": (hd.zoo.lipschitz_phase_retrieval(0.2), True),
    "sign retrieval": (Model((x - y) ** 2 / 2, SIGN), True),
    "Hermite link": (Model((he3(x) - y) ** 2 / 2, he3(s)), True),
    "perceptron": (Model(sp.Max(0, -x * y), SIGN), True),
    "perceptron with margin": (Model(sp.Max(0, sp.Rational(1, 2) - x * y), SIGN), True),
    "tanh neuron": (Model((sp.tanh(x) - y) ** 2 / 2, sp.tanh(s) + eps, NOISE), False),
    "ReLU neuron": (Model((hd.relu(x) - y) ** 2 / 2, hd.relu(s)), True),
    "leaky ReLU neuron": (Model((sp.Max(x, x / 10) - y) ** 2 / 2, s), True),
    "SiLU neuron": (Model((x * hd.sigmoid(x) - y) ** 2 / 2, s * hd.sigmoid(s)), False),
    "ELU neuron": (Model((elu(x) - y) ** 2 / 2, s), True),
    "hard tanh neuron": (Model((sp.Max(-1, sp.Min(1, x)) - y) ** 2 / 2, s), True),
}
B = np.array([[1.1, 0.4], [0.4, 0.8]])
DRAWS = 400_000
NUMPY = {
    "sigmoid": special.expit,
    "softplus": lambda u: np.logaddexp(0.0, u),
    "log_ndtr": special.log_ndtr,
    "erf": special.erf,
}


def sampled_mean(expr: sp.Expr) -> tuple[float, float]:
    """Mean and standard error over draws of (x, s, eps)."""
    rng = np.random.default_rng(0)
    r = rng.multivariate_normal([0.0, 0.0], B, size=DRAWS)
    function = sp.lambdify([x, s, eps], expr, modules=[NUMPY, "numpy"])
    values = np.broadcast_to(function(r[:, 0], r[:, 1], 0.2 * rng.standard_normal(DRAWS)), DRAWS)
    return float(values.mean()), float(values.std() / np.sqrt(DRAWS))


@pytest.mark.parametrize("name", MODELS)
def test_risk_and_fisher_matrix_against_draws(name: str) -> None:
    """Within 4.5 standard errors: of the 52 checks one fails by chance in 2800 sets of seeds; the seed is fixed."""
    model, exact = MODELS[name]
    theory = hd.derive(model)
    assert theory.exact is exact
    slope = sp.diff(model.loss, x).replace(sp.DiracDelta, lambda *_: sp.S.Zero)
    pairs = ((theory.risk_at(B), model.loss), (theory.fisher_at(B)[0, 0], slope**2))
    for value, integrand in pairs:
        mean, error = sampled_mean(model.average(integrand))
        assert abs(float(value) - mean) <= 4.5 * error + 1e-12


@pytest.mark.parametrize("name", MODELS)
def test_gradient_against_central_differences(name: str) -> None:
    theory = hd.derive(MODELS[name][0])
    gradient = theory.gradient_at(B)[:, 0]
    for row, step in enumerate((np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 0.5], [0.5, 0.0]]))):
        difference = float(theory.risk_at(B + 1e-5 * step) - theory.risk_at(B - 1e-5 * step)) / 2e-5
        assert gradient[row] == pytest.approx(difference, rel=1e-6, abs=1e-8)
