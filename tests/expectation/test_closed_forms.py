"""Every formula of every zoo model against independent quadrature of the raw integrand, at all kinds of overlaps."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.model import Model
from tests import reference

MODELS = {
    "least_squares": hd.zoo.least_squares(0.3),
    "phase_retrieval": hd.zoo.phase_retrieval(0.3),
    "lipschitz_phase_retrieval": hd.zoo.lipschitz_phase_retrieval(0.3),
    "logistic, soft": hd.zoo.logistic(),
    "logistic, bernoulli": hd.zoo.logistic("bernoulli"),
    "probit": hd.zoo.probit(0.3),
}
KINKS = {"lipschitz_phase_retrieval": [(1.0, 0.0), (0.0, 1.0)]}
NOISE_NODES, NOISE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)  # exact: the noise enters to degree two


def raw_mean(name: str, model: Model, transform, cov: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    """E sum_k p_k transform(f_k) by adaptive quadrature; the label noise by an exact Gauss rule."""
    x, s = model.students[0], model.teachers[0]
    total = model.average(transform(model.loss, x))
    nodes = [(0.0, 1.0)]
    if model.noise is not None:
        weights = NOISE_WEIGHTS / NOISE_WEIGHTS.sum()
        nodes = [(0.3 * float(z), float(w)) for z, w in zip(NOISE_NODES, weights, strict=True)]
        total = sp.Add(*(w * total.xreplace({model.noise.symbol: sp.Float(e, 20)}) for e, w in nodes))
    return reference.gaussian_mean(reference.scalar_function([x, s], total), cov, KINKS.get(name, ()))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", reference.ALL)
def test_risk_equals_raw_integral(name: str, place: str) -> None:
    model, cov = MODELS[name], reference.ALL[place]
    value = float(hd.derive(model).risk_at(cov))
    expected = raw_mean(name, model, lambda f, x: f, cov)
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", reference.ALL)
def test_fisher_equals_raw_integral(name: str, place: str) -> None:
    model, cov = MODELS[name], reference.ALL[place]
    if name == "lipschitz_phase_retrieval" and place == "X = 0":
        expected = raw_mean(name, model, lambda f, x: f, cov) * 2  # E (|x| - y)^2, the limit of sgn(x)^2 = 1
        assert fisher_at(model, cov) == pytest.approx(expected, rel=1e-8)
        return
    formula = fisher_at(model, cov)
    expected = raw_mean(name, model, lambda f, x: sp.diff(f, x) ** 2, cov)
    assert formula == pytest.approx(expected, rel=1e-8, abs=1e-12)


def fisher_at(model: Model, cov: np.ndarray) -> float:
    return float(hd.derive(model).fisher_at(cov)[0, 0])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", reference.ALL)
def test_gradient_obeys_stein(name: str, place: str) -> None:
    """E[r grad_x f] = 2 B Dh[:, x], the left side by quadrature of the raw gradient; holds at singular B too."""
    model, cov = MODELS[name], reference.ALL[place]
    if name == "lipschitz_phase_retrieval" and place == "X = 0":
        with pytest.raises(hd.HdsymError, match="not finite"):
            hd.derive(model).gradient_at(cov)
        return
    gradient = hd.derive(model).gradient_at(cov)[:, 0]
    s = model.teachers[0]
    for row, factor in enumerate((model.students[0], s)):
        expected = raw_mean(name, model, lambda f, x, r=factor: r * sp.diff(f, x), cov)
        assert 2 * float(cov[row] @ gradient) == pytest.approx(expected, rel=1e-8, abs=2e-9)


@pytest.mark.parametrize("name", MODELS)
def test_gradient_is_the_derivative_of_the_risk(name: str) -> None:
    """Central differences of h in B11 and in the shared symbol B12 (whose derivative counts twice)."""
    theory = hd.derive(MODELS[name])
    for cov in reference.RANDOM:
        gradient = theory.gradient_at(cov)[:, 0]
        step = 1e-5
        for row, direction in enumerate((np.array([[1.0, 0], [0, 0]]), np.array([[0, 0.5], [0.5, 0]]))):
            difference = theory.risk_at(cov + step * direction) - theory.risk_at(cov - step * direction)
            assert gradient[row] == pytest.approx(float(difference) / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_numeric_policy_gives_the_same_values(name: str) -> None:
    """The rules against our own quadrature of everything that is a function."""
    model = MODELS[name]
    exact, numeric = hd.derive(model), hd.derive(model, policy="numeric")
    for cov in reference.RANDOM:
        assert float(exact.risk_at(cov)) == pytest.approx(float(numeric.risk_at(cov)), rel=1e-10)
        assert float(exact.fisher_at(cov)[0, 0]) == pytest.approx(float(numeric.fisher_at(cov)[0, 0]), rel=1e-10)


def test_sampled_labels_have_the_same_risk_and_a_larger_fisher_matrix() -> None:
    soft, sampled = hd.derive(hd.zoo.logistic()), hd.derive(hd.zoo.logistic("bernoulli"))
    cov = np.stack(reference.RANDOM)
    np.testing.assert_allclose(soft.risk_at(cov), sampled.risk_at(cov), rtol=1e-13)
    np.testing.assert_allclose(soft.gradient_at(cov), sampled.gradient_at(cov), rtol=1e-13)
    assert np.all(sampled.fisher_at(cov) > soft.fisher_at(cov) + 0.05)


def test_values_do_not_depend_on_batching() -> None:
    cov = np.stack([*reference.RANDOM, *reference.NEAR_SINGULAR]).reshape(5, 1, 2, 2)
    for model in MODELS.values():
        theory = hd.derive(model)
        together = theory.risk_at(cov)
        assert together.shape == (5, 1)
        alone = [float(theory.risk_at(c[0])) for c in cov]
        np.testing.assert_allclose(together[:, 0], alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", MODELS)
def test_invariants_along_random_overlaps(name: str) -> None:
    """Risk at least its floor, Fisher matrix >= 0, at 200 random and 200 rank-one overlaps."""
    rng = np.random.default_rng(7)
    theory = hd.derive(MODELS[name])
    full = rng.standard_normal((200, 2, 3))
    thin = rng.standard_normal((200, 2, 1))
    for W in (full, thin):
        cov = W @ np.swapaxes(W, -1, -2)
        target = np.broadcast_to(cov[:, 1:, 1:], cov.shape)
        assert np.all(theory.risk_at(cov) >= theory.risk_at(target) - 1e-12)
        assert np.all(theory.fisher_at(cov)[:, 0, 0] >= -1e-12)
        assert np.all(np.isfinite(theory.gradient_at(cov)))
