"""Kernels of committees come out of the general rules in the published forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

import hdsym as hd

Array = NDArray[np.float64]
r = sp.symbols("r1:5", real=True)


def _covariances(size: int) -> Iterator[Array]:
    """50 random ones: general, then of rank one less, as where two units are equal; scales from 0.01 to 10."""
    rng = np.random.default_rng(size)
    for trial in range(50):
        A = rng.standard_normal((size, size - (1 if trial >= 40 else 0))) * 10 ** rng.uniform(-1, 0.5, (size, 1))
        yield A @ A.T


# The forms of Saad and Solla, Phys. Rev. E 52 (1995) 4225, for g = erf(u / sqrt 2).


def saad_solla_2(C: Array) -> float:
    return float(2 / np.pi * np.arcsin(C[0, 1] / np.sqrt((1 + C[0, 0]) * (1 + C[1, 1]))))


def saad_solla_3(C: Array) -> float:
    """E[g'(r1) r2 g(r3)]."""
    L3 = (1 + C[0, 0]) * (1 + C[2, 2]) - C[0, 2] ** 2
    return float(2 / np.pi * (C[1, 2] * (1 + C[0, 0]) - C[0, 1] * C[0, 2]) / (np.sqrt(L3) * (1 + C[0, 0])))


def saad_solla_4(C: Array) -> float:
    """E[g'(r1) g'(r2) g(r3) g(r4)]."""
    L4 = (1 + C[0, 0]) * (1 + C[1, 1]) - C[0, 1] ** 2
    L0 = L4 * C[2, 3] - C[1, 2] * C[1, 3] * (1 + C[0, 0]) - C[0, 2] * C[0, 3] * (1 + C[1, 1])
    L0 += C[0, 1] * C[0, 2] * C[1, 3] + C[0, 1] * C[0, 3] * C[1, 2]
    scales = [
        L4 * (1 + C[k, k])
        - C[1, k] ** 2 * (1 + C[0, 0])
        - C[0, k] ** 2 * (1 + C[1, 1])
        + 2 * C[0, 1] * C[0, k] * C[1, k]
        for k in (2, 3)
    ]
    return float(4 / np.pi**2 * np.arcsin(L0 / np.sqrt(scales[0] * scales[1])) / np.sqrt(L4))


# The arc-cosine kernels of Cho and Saul, arXiv:1011.3712 (orders 0 and 1), for g = relu.


def _angle(C: Array, i: int, j: int) -> float:
    return float(np.arccos(np.clip(C[i, j] / np.sqrt(C[i, i] * C[j, j]), -1, 1)))


def arc_cosine_2(C: Array) -> float:
    angle, size = _angle(C, 0, 1), np.sqrt(C[0, 0] * C[1, 1])
    return float(size * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi))


def arc_cosine_3(C: Array) -> float:
    """E[theta(r1) r2 relu(r3)] = C23 E[theta theta] + C12 E[delta(r1) relu(r3)], by Stein's lemma."""
    angle = _angle(C, 0, 2)
    both = (np.pi - angle) / (2 * np.pi)
    conditional = np.sqrt(C[2, 2]) * np.sin(angle)
    edge = conditional / (2 * np.pi * np.sqrt(C[0, 0]))
    return float(C[1, 2] * both + C[0, 1] * edge)


G = lambda u: sp.erf(u / sp.sqrt(2))  # noqa: E731
SLOPE = lambda u: sp.sqrt(2 / sp.pi) * sp.exp(-(u**2) / 2)  # noqa: E731
FORMS: dict[str, tuple[sp.Expr, Callable[[Array], float]]] = {
    "I2": (G(r[0]) * G(r[1]), saad_solla_2),
    "I3": (SLOPE(r[0]) * r[1] * G(r[2]), saad_solla_3),
    "I4": (SLOPE(r[0]) * SLOPE(r[1]) * G(r[2]) * G(r[3]), saad_solla_4),
    "relu I2": (hd.relu(r[0]) * hd.relu(r[1]), arc_cosine_2),
    "relu I3": (sp.Heaviside(r[0]) * r[1] * hd.relu(r[2]), arc_cosine_3),
}


@pytest.mark.parametrize("name", FORMS)
def test_published_forms(name: str) -> None:
    integrand, published = FORMS[name]
    variables = sorted(integrand.free_symbols, key=str)
    found = hd.expect(integrand, variables)
    assert found.exact
    for C in _covariances(len(variables)):
        value = float(found.evaluate(C))
        assert value == pytest.approx(published(C), rel=1e-12, abs=1e-12 * max(1.0, float(np.max(np.diag(C)))))


def test_the_derivation_of_the_erf_committee_calls_these_kernels() -> None:
    """Risk, drift E[r grad_x f] = 2 B Dh and Fisher matrix, equal units included, in sums over I2, I3 and I4."""
    theory = hd.derive(hd.zoo.committee("erf"))
    assert theory.exact
    assert max(kernel.size for kernel in theory.formulas.kernels) == 4
    K, M = 3, 2
    rng = np.random.default_rng(5)
    A = rng.standard_normal((K + M, K + M + 2))
    B = A @ A.T / (K + M)
    weights = np.concatenate([rng.standard_normal(K), -rng.standard_normal(M)])
    parameters, sizes_given = {"v": weights[:K], "a": -weights[K:], "noise_std": 0.4}, {"K": K, "M": M}
    n = range(K + M)

    def block(*rows: int) -> Array:
        return B[np.ix_(rows, rows)]

    risk = sum(weights[i] * weights[j] * saad_solla_2(block(i, j)) for i in n for j in n) / 2 + 0.08
    drift = [[weights[i] * sum(weights[j] * saad_solla_3(block(i, q, j)) for j in n) for i in range(K)] for q in n]
    fisher = [
        [
            weights[i]
            * weights[k]
            * (
                sum(weights[p] * weights[q] * saad_solla_4(block(i, k, p, q)) for p in n for q in n)
                + 0.16 * 2 / np.pi / np.sqrt((1 + B[i, i]) * (1 + B[k, k]) - B[i, k] ** 2)
            )
            for k in range(K)
        ]
        for i in range(K)
    ]
    assert theory.risk_at(B, parameters, sizes_given) == pytest.approx(risk, rel=1e-12)
    np.testing.assert_allclose(2 * B @ theory.gradient_at(B, parameters, sizes_given), drift, rtol=0, atol=1e-12)
    np.testing.assert_allclose(theory.fisher_at(B, parameters, sizes_given), fisher, rtol=0, atol=1e-12)
