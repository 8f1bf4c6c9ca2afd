"""The risk by quasi-Monte-Carlo against closed forms, at random, nearly singular and singular overlaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

import hdsym as hd
from hdsym.simulate.kernels import build
from hdsym.simulate.quasirandom import rule
from hdsym.simulate.risk import Averager, triangular_factor

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


def _overlaps() -> np.ndarray:
    rng = np.random.default_rng(0)
    rho = np.concatenate([rng.uniform(-1, 1, 20), 1 - np.logspace(-1, -8, 8), [1.0, -1.0, 0.5]])
    a, b = rng.uniform(0.3, 2, (2, rho.size))
    a[-1] = 0.0  # X = 0
    return np.moveaxis(np.array([[a * a, rho * a * b], [rho * a * b, b * b]]), -1, 0)


def _risk(model: hd.Model, **parameters: float) -> np.ndarray:
    values = np.array(list(model.parameter_values(parameters).values()))
    overlaps = _overlaps()
    return Averager(build(model).population, model, values, 2)(overlaps, np.empty((len(overlaps), 0)))


B = _overlaps()
Q, M, T = B[:, 0, 0], B[:, 0, 1], B[:, 1, 1]


def test_polynomials_to_degree_four_are_exact():
    exact = (3 * Q**2 + 3 * T**2 - 2 * (Q * T + 2 * M**2) + 0.09) / 4
    np.testing.assert_allclose(_risk(hd.zoo.phase_retrieval(), noise_std=0.3), exact, rtol=1e-12)


def test_absolute_values_to_the_stated_accuracy():
    rho = np.divide(M, np.sqrt(Q * T), out=np.zeros_like(M), where=Q > 0).clip(-1, 1)
    product = np.sqrt(Q * T) * 2 / math.pi * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho))
    exact = (Q + T + 0.09) / 2 - product
    np.testing.assert_allclose(_risk(hd.zoo.lipschitz_phase_retrieval(), noise_std=0.3), exact, rtol=8e-5)


@pytest.mark.parametrize("labels", ["soft", "bernoulli"])
def test_logistic_loss_to_the_stated_accuracy(labels):
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    L = triangular_factor(B)
    z0, z1 = np.meshgrid(nodes, nodes, indexing="ij")
    exact = [
        np.einsum("i,j,ij", weights, weights, np.logaddexp(0, u) - expit(v) * u)
        for u, v in ((f[0, 0] * z0, f[1, 0] * z0 + f[1, 1] * z1) for f in L)
    ]
    np.testing.assert_allclose(_risk(hd.zoo.logistic(labels)), exact, rtol=1e-6)


def test_noise_of_every_law_has_its_second_moment():
    p = hd.parameter("p")
    laws = {
        hd.Normal(eps, std=p, mean=1): 0.25 + 1,
        hd.Uniform(eps, 0, 3 * p): 2.25 / 3,
        hd.Rademacher(eps): 1.0,
        hd.Discrete(eps, (-1, 0, 4), (p / 2, p / 2, 1 - p)): 0.25 + 8,
    }
    for law, second_moment in laws.items():
        model = hd.Model((x - y) ** 2 / 2, s + eps + 0 * p, law)
        values = _risk(model, **({"p": 0.5} if model.parameters else {}))
        np.testing.assert_allclose(values, (Q + T - 2 * M + second_moment) / 2, rtol=1e-12, atol=1e-12)


def test_noise_inside_a_nonlinear_loss():
    """E softplus of x + eps for normal eps is E softplus at the summed variance."""
    model = hd.Model(hd.softplus(x + eps) + 0 * s + s**2, None, hd.Normal(eps, std=0.7))
    nodes, weights = np.polynomial.hermite_e.hermegauss(300)
    scale = np.sqrt(Q + 0.49)[:, None]
    exact = np.logaddexp(0, scale * nodes) @ weights / weights.sum() + T
    np.testing.assert_allclose(_risk(model), exact, rtol=1e-6)


def test_unknown_overlaps_stay_unknown():
    model = hd.zoo.least_squares()
    stack = np.stack([np.eye(2), np.full((2, 2), np.nan), 2 * np.eye(2)])[None]
    values = Averager(build(model).population, model, np.zeros(1))(stack, np.empty((1, 3, 0)))
    assert values.shape == (1, 3)
    np.testing.assert_allclose(values, [[1.0, np.nan, 2.0]])


def test_triangular_factor_of_singular_matrices():
    rng = np.random.default_rng(1)
    for rank in (1, 2, 3, 4):
        A = rng.standard_normal((50, 4, rank))
        B4 = A @ A.transpose(0, 2, 1)
        L = triangular_factor(B4)
        assert np.all(np.triu(L, 1) == 0)
        np.testing.assert_allclose(L @ L.transpose(0, 2, 1), B4, atol=1e-6)
    np.testing.assert_array_equal(triangular_factor(np.zeros((1, 3, 3))), 0)


@pytest.mark.parametrize(("n", "noise"), [(2, ""), (2, "normal"), (2, "uniform"), (8, "")])
def test_rule_has_exact_second_moments(n, noise):
    points, weights = rule(n, noise)
    assert points.shape == (n + 1, 2**16)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights.min() > 0
    np.testing.assert_allclose((points[:n] * weights) @ points[:n].T, np.eye(n), atol=1e-11)
    np.testing.assert_allclose(points[:n] @ weights, 0, atol=1e-11)
