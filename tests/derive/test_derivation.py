"""The derivation: known formulas, the mode equations, what it says and exports."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.derive.odes import mode_system
from hdsym.errors import DeclarationError, ExpectationError

B11, B22 = sp.Symbol("B11", positive=True), sp.Symbol("B22", positive=True)
B12 = sp.Symbol("B12", real=True)


def test_phase_retrieval_by_hand() -> None:
    """Isserlis by hand: E x^6 = 15 B11^3 and so on."""
    theory = hd.derive(hd.zoo.phase_retrieval(0))
    assert sp.expand(theory.risk - (3 * B11**2 - 2 * (B11 * B22 + 2 * B12**2) + 3 * B22**2) / 4) == 0
    assert theory.gradient == sp.Matrix([(3 * B11 - B22) / 2, -B12]).expand()
    fisher = 15 * B11**3 - 2 * (3 * B11**2 * B22 + 12 * B11 * B12**2) + 3 * B11 * B22**2 + 12 * B12**2 * B22
    assert sp.expand(theory.fisher[0, 0] - fisher) == 0
    assert theory.exact


def test_least_squares_has_equal_fisher_matrix_and_twice_the_risk() -> None:
    theory = hd.derive(hd.zoo.least_squares())
    assert sp.expand(theory.fisher[0, 0] - 2 * theory.risk) == 0


def test_soft_committee_kernel_of_saad_and_solla() -> None:
    """I2 = (2/pi) asin(C12 / sqrt((1 + C11)(1 + C22)))."""
    x, s = hd.student("x"), hd.teacher("s")
    kernel = hd.expect(sp.erf(x / sp.sqrt(2)) * sp.erf(s / sp.sqrt(2)), [x, s], policy="exact")
    published = 2 / sp.pi * sp.asin(B12 / sp.sqrt((1 + B11) * (1 + B22)))
    for cov in ([[1.3, 0.4], [0.4, 0.9]], [[0.2, -0.3], [-0.3, 2.0]]):
        values = {B11: cov[0][0], B12: cov[0][1], B22: cov[1][1]}
        assert float(kernel.evaluate(cov)) == pytest.approx(float(published.subs(values)), rel=1e-13)


def test_mode_equations_are_those_of_the_paper() -> None:
    """l = l* = 1: V11' = -4 g lam (V11 H1 + V12 H2) - 2 g delta V11 + g^2 lam I, V12' likewise."""
    modes = mode_system(1, 1)
    G11, G12, G22 = modes.gram[0, 0], modes.gram[0, 1], modes.gram[1, 1]
    H1, H2, fisher = modes.gradient[0, 0], modes.gradient[1, 0], modes.fisher[0, 0]
    lam, rho, g, delta, batch = modes.lam, modes.rho, modes.gamma, modes.delta, modes.batch
    first = -4 * g * lam * (G11 * H1 + G12 * H2) - 2 * g * delta * G11 + g**2 * lam * rho * fisher / batch
    second = -2 * g * lam * (H1 * G12 + H2 * G22) - g * delta * G12
    assert modes.pairs == ((1, 1), (1, 2))
    assert [sp.expand(a - b) for a, b in zip(modes.rates, (first, second), strict=True)] == [0, 0]


def test_mode_equations_for_several_directions_are_the_matrix_formula() -> None:
    modes = mode_system(2, 1)
    rng = np.random.default_rng(0)
    values = {symbol: float(rng.standard_normal()) for symbol in modes.gram.free_symbols | modes.fisher.free_symbols}
    values |= {symbol: float(rng.standard_normal()) for symbol in modes.gradient.free_symbols}
    values |= {modes.lam: 0.7, modes.rho: 0.3, modes.gamma: 0.2, modes.delta: 0.1, modes.batch: 2.0}
    G = np.array(modes.gram.xreplace(values), dtype=float)
    H = np.zeros((3, 3))
    H[:, :2] = np.array(modes.gradient.xreplace(values), dtype=float)
    fisher, P = np.zeros((3, 3)), np.diag([1.0, 1.0, 0.0])
    fisher[:2, :2] = np.array(modes.fisher.xreplace(values), dtype=float)
    rate = -2 * 0.2 * 0.7 * (G @ H + H.T @ G) - 0.2 * 0.1 * (G @ P + P @ G) + 0.04 * 0.7 * 0.3 * fisher / 2
    for (i, j), expr in zip(modes.pairs, modes.rates, strict=True):
        assert float(expr.xreplace(values)) == pytest.approx(rate[i - 1, j - 1], rel=1e-13)


def test_uniform_noise_enters_by_its_moments_or_as_a_normal_variable() -> None:
    x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
    low, high = -1, hd.parameter("high", default=2.0)
    linear = hd.derive(hd.Model(loss=(x - y) ** 2 / 2, link=s + eps, noise=hd.Uniform(eps, low, high)))
    variance, mean = 9 / 12, 0.5
    assert float(linear.risk_at(np.eye(2))) == pytest.approx((2 + variance + mean**2) / 2, rel=1e-14)
    squashed = hd.derive(hd.Model(loss=(x - y) ** 2 / 2, link=s + sp.tanh(eps), noise=hd.Uniform(eps, -1, 1)))
    second = 1 - np.tanh(1)  # (1/2) int_-1^1 tanh^2
    assert float(squashed.risk_at(np.eye(2))) == pytest.approx((2 + second) / 2, rel=1e-10)


def test_gaussian_noise_inside_a_function_is_one_more_variable() -> None:
    x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
    theory = hd.derive(hd.Model(loss=sp.Abs(x - y), link=s + eps, noise=hd.Normal(eps, std=0.5)))
    assert theory.exact
    assert float(theory.risk_at(np.eye(2))) == pytest.approx(np.sqrt(2 / np.pi) * np.sqrt(2.25), rel=1e-14)
    assert theory.fisher == sp.Matrix([[1]])


def test_what_it_shows() -> None:
    theory = hd.derive(hd.zoo.logistic())
    text = str(theory)
    for word in ("risk h(B)", "gradient", "Fisher matrix", "dG11/dt"):
        assert word in text
    assert r"\mathbb{E}" in theory._repr_latex_()
    assert repr(theory) == "Derivation('logistic regression, soft labels', with quadrature)"
    assert "Stein's lemma" in theory.show(["risk"])
    with pytest.raises(DeclarationError, match="'loss'"):
        theory.show(["loss"])
    assert set(theory.steps) == {"risk", "H11", "H21", "I11"}


def test_errors() -> None:
    with pytest.raises(DeclarationError, match="not a model"):
        hd.derive("phase retrieval")  # type: ignore[arg-type]
    with pytest.raises(ExpectationError, match="no closed form"):
        hd.derive(hd.zoo.logistic(), policy="exact")
    theory = hd.derive(hd.zoo.phase_retrieval())
    with pytest.raises(DeclarationError, match="shape"):
        theory.risk_at(np.eye(3))
    with pytest.raises(DeclarationError, match="NaN"):
        theory.risk_at(np.full((2, 2), np.nan))
    with pytest.raises(hd.HdsymError, match="no target 'nunpy'"):
        theory.export("never_written.py", target="nunpy")
