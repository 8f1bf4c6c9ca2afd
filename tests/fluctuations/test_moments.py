"""The moments of the gradient and the covariance of one step, against averages that share nothing with them."""

from functools import cache

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.derive.noise import symbolic_noise
from hdsym.fluctuations.linear import LinearNoise
from hdsym.fluctuations.moments import StepCovariance
from hdsym.fluctuations.points import PointMoments
from hdsym.solve import _run
from tests import chain

POINTS = 1 << 15


def random_overlaps(seed, n=2):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, n + 1)) / np.sqrt(n)
    return A @ A.T


NEARLY = np.array([[1.0, 1.0 - 1e-7], [1.0 - 1e-7, 1.0]])
SINGULAR = np.outer([0.8, 1.0], [0.8, 1.0])
"""Rank one: X is 0.8 X*."""

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


def mixed_up():
    """A sampled label that holds noise."""
    half = sp.Rational(1, 2)
    return hd.Model(
        loss=(x - y) ** 2 / 2, link=hd.Categorical((s + eps, 2 * s + eps), (half, half)), noise=hd.Normal(eps, std=0.3)
    )


MODELS = {
    "squares": hd.zoo.least_squares(noise_std=0.4),
    "phase": hd.zoo.phase_retrieval(noise_std=0.3),
    "kinked": hd.zoo.lipschitz_phase_retrieval(noise_std=0.2),
    "soft": hd.zoo.logistic(),
    "sampled": hd.zoo.logistic("bernoulli"),
    "mixed": mixed_up(),
    "counts": hd.Model(loss=sp.exp(x / 2) - y * x / 2, link=hd.Poisson(sp.exp(s / 2))),
    "signs": hd.Model(loss=(x**2 - y) ** 2 / 4, link=s**2 + eps / 2, noise=hd.Rademacher(eps)),
}


@cache
def derived(name):
    return hd.derive(MODELS[name])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("B", [random_overlaps(1), NEARLY, SINGULAR], ids=["random", "near", "rank"])
def test_formulas_agree_with_averages_over_points(name, B):
    """As p sees them: weighted by B, since derivatives themselves are not unique where B is singular."""
    model, theory = MODELS[name], derived(name)
    module, why = theory.noise_module
    assert module is not None, why
    second, third, fourth = module.noise_moments(B, **theory.parameter_values())
    points = PointMoments(model, model.parameter_values({}), POINTS)(B, np.zeros(0))
    pairs = [
        (np.einsum("ik,klab,lj->ijab", B, second, B), np.einsum("ik,klab,lj->ijab", B, points.second, B)),
        (np.einsum("ik,kabc->iabc", B, third), np.einsum("ik,kabc->iabc", B, points.third)),
        (fourth, points.fourth),
    ]
    scale = float(theory.fisher_at(B)[0, 0])
    for formula, average in pairs:
        size = max(float(np.abs(formula).max()), scale * float(np.abs(B).max()) * 0.1, scale**2)
        assert np.abs(formula - average).max() < 0.05 * size  # phase retrieval: moments of order twelve


def test_formulas_agree_with_quadrature_to_many_digits():
    """Phase retrieval is polynomial: Gauss-Hermite is exact, and derivatives are written out by hand."""
    B, noise = random_overlaps(5), 0.3
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    weights = weights / weights.sum()
    L = np.linalg.cholesky(B)
    z = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 3)
    w = np.einsum("i,j,k->ijk", weights, weights, weights).ravel()
    x, s = L @ z[:, :2].T
    y = s**2 + noise * z[:, 2]
    u, ux, us = (x**2 - y) * x, 3 * x**2 - y, -2 * s * x
    uxx, uxs, uss = 6 * x, -2 * s, -2 * x
    theory = hd.derive(hd.zoo.phase_retrieval(noise_std=noise))
    second, third, fourth = theory.noise_module[0].noise_moments(B, **theory.parameter_values())
    hessian = [[2 * (ux * ux + u * uxx), 2 * (ux * us + u * uxs)], [0, 2 * (us * us + u * uss)]]
    assert second[0, 0, 0, 0] == pytest.approx(w @ hessian[0][0], rel=1e-11)
    assert second[0, 1, 0, 0] == pytest.approx(w @ hessian[0][1], rel=1e-11)
    assert second[1, 1, 0, 0] == pytest.approx(w @ hessian[1][1], rel=1e-11)
    assert third[:, 0, 0, 0] == pytest.approx([w @ (3 * u**2 * ux), w @ (3 * u**2 * us)], rel=1e-11)
    assert fourth[0, 0, 0, 0] == pytest.approx(w @ u**4, rel=1e-11)


def test_moments_are_batched():
    theory = derived("sampled")
    B = np.array([[random_overlaps(1), random_overlaps(2)]])
    batched = theory.noise_module[0].noise_moments(B)
    single = theory.noise_module[0].noise_moments(B[0, 1])
    for together, alone in zip(batched, single, strict=True):
        assert together.shape == (1, 2, *alone.shape)
        np.testing.assert_allclose(together[0, 1], alone, rtol=1e-12)


def test_several_directions_have_names_without_doubt():
    found, _ = symbolic_noise(MODELS["squares"])
    assert [name for name, _ in found] == ["M2_11_11", "M2_12_11", "M2_22_11", "M3_1_111", "M3_2_111", "M4_1111"]


def _one_step(problem, theory, slope, batch, seed):
    """Covariance of d times the change of all Gram matrices in one step, by sampling."""
    run, d = _run(theory, problem), problem.spectrum.d
    runs = 40_000 if batch > 1 else 200_000  # a batch draws d numbers for each sample
    counts = np.round(run.rho * d).astype(int)
    rate = problem.learning_rate(0.0) / d
    G = np.broadcast_to(run.grams, (runs, *run.grams.shape))
    after = chain._step(G, slope, run.lam, counts, rate, np.random.default_rng(seed), batch, problem.delta)
    change = d * (after - run.grams)[:, :, : run.model.n_student]
    return run, np.cov(change.reshape(runs, -1), rowvar=False)


def _erf_committee(r, rng):
    from scipy.special import erf

    g = erf(r / np.sqrt(2.0))
    gap = g[:, :2].sum(axis=1) - g[:, 2:].sum(axis=1)
    return gap[:, None] * np.sqrt(2 / np.pi) * np.exp(-(r[:, :2] ** 2) / 2)


def _logistic(r, rng):
    p = 1 / (1 + np.exp(-r))
    return (p[:, 0] - (rng.random(len(r)) < p[:, 1]))[:, None]


CASES = {
    "sampled labels": (MODELS["sampled"], _logistic, 1, 1),
    "a batch": (MODELS["sampled"], _logistic, 4, 1),
    "committee": (hd.zoo.committee(), _erf_committee, 1, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_the_covariance_of_a_step_is_that_of_a_step(case):
    """Two eigenvalues; an entry of the sampled matrix has a standard error of 0.4 % of its scale, 0.9 % for a batch.

    Averages over points promise 1 % of a standard deviation.
    """
    model, slope, batch, students = CASES[case]
    theory = hd.derive(model)
    start = hd.start.random(norm=0.9, cosine=0.6, rng=3, n_student=students, n_teacher=students)
    problem = hd.Problem(
        spectrum=hd.spectrum.two_level(0.5, 1.5, d=200), start=start, learning_rate=1.5, delta=0.2, batch_size=batch
    )
    run, sampled = _one_step(problem, theory, slope, batch, seed=7)
    noise = LinearNoise(run, lambda _: run._start(), 1.0)
    grams, B, theta = run._point(run._start())
    step = StepCovariance(noise.moments(B, theta), run.lam, run.rho, grams, 1.5, np.zeros(0), float(batch))
    C = step.dense()
    scale = np.sqrt(np.outer(np.diag(C), np.diag(C)))
    assert np.abs(C - sampled)[scale > 0].max() / scale.max() < (0.03 if case == "sampled labels" else 0.05)
    w = np.random.default_rng(0).standard_normal((3, len(C)))
    np.testing.assert_allclose(step.between(w, w), w @ C @ w.T, rtol=1e-10, atol=1e-12)
