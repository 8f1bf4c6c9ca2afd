"""Models with sums over units: one derivation for every width, equal to what is derived with the sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError

K, M = hd.size("K"), hd.size("M")
i, m = sp.symbols("i m", integer=True)
RNG = np.random.default_rng(5)


def overlaps(n: int, rank: int | None = None) -> np.ndarray:
    A = RNG.standard_normal((n, rank or 2 * n))
    return A @ A.T / (2 * n)


def compare(
    model: hd.Model, k: int, teachers: int, values: dict[str, object], B: np.ndarray, tol: float = 1e-11
) -> None:
    """Risk, gradient and Fisher matrix against the model with its sums written out."""
    theory, explicit = hd.derive(model), model.at(K=k, M=teachers)
    plain = hd.derive(explicit)
    by_element = explicit_values(values, explicit)
    for name in ("risk_at", "gradient_at", "fisher_at"):
        ours = getattr(theory, name)(B, values, {"K": k, "M": teachers})
        theirs = getattr(plain, name)(B, by_element)
        assert ours == pytest.approx(theirs, abs=tol * max(1.0, float(np.max(np.abs(theirs))))), name


def explicit_values(values: dict[str, object], explicit: hd.Model) -> dict[str, float]:
    result = {}
    for name, value in values.items():
        own = [p.name for p in explicit.parameters if p.name == name]
        units = [p.name for p in explicit.parameters if p.name.removeprefix(name).isdigit()]
        for k, unit in enumerate(own or units):
            result[unit] = float(np.broadcast_to(value, (len(own or units),))[k])
    return result


ACTIVATIONS = {
    "erf": "erf",
    "relu": "relu",
    "square": "square",
    "identity": "identity",
    "he3": lambda u: u**3 - 3 * u,
    "leaky relu": lambda u: sp.Max(u, u / 10),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("k", "teachers"), [(1, 1), (2, 1), (1, 2)])
def test_equal_to_the_sums_written_out(name: str, k: int, teachers: int) -> None:
    model = hd.zoo.committee(ACTIVATIONS[name])
    values = {"v": RNG.uniform(0.5, 1.5, k), "a": RNG.uniform(0.5, 1.5, teachers), "noise_std": 0.3}
    compare(model, k, teachers, values, overlaps(k + teachers))


def test_one_derivation_serves_every_width() -> None:
    theory = hd.derive(hd.zoo.committee("erf"))
    for k in (1, 2, 5, 17):
        B = overlaps(k + 2)
        fisher = theory.fisher_at(B, {"v": 1.0, "a": 1.0, "noise_std": 0.2}, {"K": k, "M": 2})
        assert fisher.shape == (k, k)
        assert fisher == pytest.approx(fisher.T, abs=1e-13)
        assert np.min(np.linalg.eigvalsh(fisher)) > 0
    assert theory.module.__name__ == hd.derive(hd.zoo.committee("erf")).module.__name__


@pytest.mark.parametrize("name", ["erf", "relu", "tanh"])
def test_wide_committees_against_draws(name: str) -> None:
    """K = 5, M = 3 against 400,000 draws; five standard errors, fixed seed: fails by chance less than once in 10^4."""
    activation = sp.tanh if name == "tanh" else name
    theory = hd.derive(hd.zoo.committee(activation))
    k, teachers = 5, 3
    B, v, a = overlaps(k + teachers), RNG.uniform(0.5, 1.5, k), RNG.uniform(0.5, 1.5, teachers)
    g, slope = {
        "erf": (lambda u: _erf(u / np.sqrt(2)), lambda u: np.sqrt(2 / np.pi) * np.exp(-(u**2) / 2)),
        "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0) * 1.0),
        "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    }[name]
    r = np.random.default_rng(3).multivariate_normal(np.zeros(k + teachers), B, 400_000)
    gap = g(r[:, :k]) @ v - g(r[:, k:]) @ a
    gradient = v * slope(r[:, :k]) * gap[:, None]
    sizes, values = {"K": k, "M": teachers}, {"v": v, "a": a, "noise_std": 0.0}
    fisher = theory.fisher_at(B, values, sizes)
    products = gradient[:, :, None] * gradient[:, None, :]
    assert np.all(np.abs(fisher - products.mean(0)) < 5 * products.std(0) / np.sqrt(len(r)))
    assert abs(theory.risk_at(B, values, sizes) - (gap**2).mean() / 2) < 5 * (gap**2).std() / 2 / np.sqrt(len(r))
    drift = 2 * B @ theory.gradient_at(B, values, sizes)  # Stein: E[r (grad_x f)^T]
    moments = r[:, :, None] * gradient[:, None, :]
    assert np.all(np.abs(drift - moments.mean(0)) < 5 * moments.std(0) / np.sqrt(len(r)))


def _erf(u: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return erf(u)


@pytest.mark.parametrize("name", ["erf", "relu", "square"])
def test_degenerate_overlaps(name: str) -> None:
    """X = X*, two equal students, students without weight: finite, and the values of a nearby regular point."""
    theory = hd.derive(hd.zoo.committee(name))
    sizes, values = {"K": 2, "M": 2}, {"v": 1.0, "a": 1.0, "noise_std": 0.1}
    T = np.array([[1.0, 0.3], [0.3, 0.8]])
    at_target = np.block([[T, T], [T, T]])
    equal = np.block([[np.ones((2, 2)), np.full((2, 2), 0.4)], [np.full((2, 2), 0.4), T]])
    for B in (at_target, equal):
        near = B + 1e-9 * np.eye(4)
        for call in (theory.risk_at, theory.gradient_at, theory.fisher_at):
            assert call(B, values, sizes) == pytest.approx(call(near, values, sizes), abs=2e-3)
    assert float(theory.risk_at(at_target, values, sizes)) == pytest.approx(0.1**2 / 2, abs=1e-7)


def saad_solla(C: np.ndarray) -> tuple[float, float, float]:
    """I2, I3, I4 of D. Saad and S. A. Solla, Phys. Rev. E 52 (1995) 4225, for g = erf(x / sqrt 2)."""
    I2 = 2 / np.pi * np.arcsin(C[0, 1] / np.sqrt((1 + C[0, 0]) * (1 + C[1, 1])))
    L3 = (1 + C[0, 0]) * (1 + C[2, 2]) - C[0, 2] ** 2
    I3 = 2 / np.pi * (C[1, 2] * (1 + C[0, 0]) - C[0, 1] * C[0, 2]) / (np.sqrt(L3) * (1 + C[0, 0]))
    L4 = (1 + C[0, 0]) * (1 + C[1, 1]) - C[0, 1] ** 2
    L0 = (
        L4 * C[2, 3]
        - C[1, 2] * C[1, 3] * (1 + C[0, 0])
        - C[0, 2] * C[0, 3] * (1 + C[1, 1])
        + C[0, 1] * C[0, 2] * C[1, 3]
        + C[0, 1] * C[0, 3] * C[1, 2]
    )
    L1, L2 = (
        L4 * (1 + C[q, q])
        - C[1, q] ** 2 * (1 + C[0, 0])
        - C[0, q] ** 2 * (1 + C[1, 1])
        + 2 * C[0, 1] * C[0, q] * C[1, q]
        for q in (2, 3)
    )
    return I2, I3, 4 / np.pi**2 * np.arcsin(L0 / np.sqrt(L1 * L2)) / np.sqrt(L4)


def test_the_kernels_of_saad_and_solla_come_out_of_the_general_rules() -> None:
    r = sp.symbols("r1:5", real=True)

    def g(u: sp.Expr) -> sp.Expr:
        return sp.erf(u / sp.sqrt(2))

    slopes = [sp.diff(g(u), u) for u in r[:2]]
    second = hd.expect(g(r[0]) * g(r[1]), r[:2])
    third = hd.expect(slopes[0] * r[1] * g(r[2]), r[:3])
    fourth = hd.expect(slopes[0] * slopes[1] * g(r[2]) * g(r[3]), r)
    assert second.exact and third.exact and fourth.exact  # noqa: PT018
    covariances = np.stack([overlaps(4) for _ in range(50)])
    published = np.array([saad_solla(C) for C in covariances])
    assert second.evaluate(covariances[:, :2, :2]) == pytest.approx(published[:, 0], abs=1e-13)
    assert third.evaluate(covariances[:, :3, :3]) == pytest.approx(published[:, 1], abs=1e-13)
    assert fourth.evaluate(covariances) == pytest.approx(published[:, 2], abs=1e-12)


def test_the_relu_kernels_are_the_arc_cosine_kernels() -> None:
    """Y. Cho and L. K. Saul, Kernel methods for deep learning (2009): J_0 and J_1."""
    r = sp.symbols("r1:3", real=True)
    C = np.stack([overlaps(2) for _ in range(50)])
    norm = np.sqrt(C[:, 0, 0] * C[:, 1, 1])
    angle = np.arccos(C[:, 0, 1] / norm)
    second = hd.expect(hd.relu(r[0]) * hd.relu(r[1]), r)
    expected = norm / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    assert second.evaluate(C) == pytest.approx(expected, abs=1e-13)
    zeroth = hd.expect(sp.Heaviside(r[0]) * sp.Heaviside(r[1]), r)
    assert zeroth.evaluate(C) == pytest.approx((np.pi - angle) / (2 * np.pi), abs=1e-13)


def test_biases_are_trained_inside_the_activation() -> None:
    """E[d_b f] and the risk of sum_i tanh(x_i + b_i) against draws; five standard errors, fixed seed."""
    x, s, b = hd.student("x", size=K), hd.teacher("s", size=M), hd.Trained("b", size=K)
    y = hd.label("y")
    out = sp.Sum(sp.tanh(x[i] + b[i]), (i, 1, K)) / sp.sqrt(K)
    model = hd.Model(loss=(out - y) ** 2 / 2, link=sp.Sum(sp.tanh(s[m]), (m, 1, M)))
    theory = hd.derive(model)
    B, bias = overlaps(3), np.array([0.4, -0.7])
    r = np.random.default_rng(0).multivariate_normal(np.zeros(3), B, 400_000)
    gap = np.tanh(r[:, :2] + bias).sum(1) / np.sqrt(2) - np.tanh(r[:, 2])
    slope = (1 - np.tanh(r[:, :2] + bias) ** 2) / np.sqrt(2) * gap[:, None]
    found = theory.trained_gradient_at(B, {"b": bias}, {"K": 2, "M": 1})
    assert np.all(np.abs(found - slope.mean(0)) < 5 * slope.std(0) / np.sqrt(len(r)))
    risk = theory.risk_at(B, {"b": bias}, {"K": 2, "M": 1})
    assert abs(risk - (gap**2).mean() / 2) < 5 * (gap**2).std() / 2 / np.sqrt(len(r))


def test_sums_inside_functions_are_refused() -> None:
    x, s, y = hd.student("x", size=K), hd.teacher("s"), hd.label("y")
    model = hd.Model(loss=hd.softplus(sp.Sum(x[i], (i, 1, K))) - y, link=s)
    with pytest.raises(DeclarationError, match="no polynomial"):
        hd.derive(model)


def test_a_derivation_shows_its_sums_and_kernels() -> None:
    theory = hd.derive(hd.zoo.committee("erf"))
    shown = str(theory)
    assert "Sum(" in shown
    assert "atan2" in shown
    assert r"\begin{aligned}" in theory._repr_latex_()
    assert theory.exact
    assert theory.risk.has(sp.Sum)
