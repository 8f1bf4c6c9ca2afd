"""The coefficients of both stiff methods against their order conditions, one for each tree."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from hdsym.stepping import exponential, rosenbrock

EPS = 5e-14


def rodas() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(alpha_ij), (gamma_ij), b and those of the embedded method, in the notation of Hairer and Wanner, section IV.7.

    The code has stages u = Gamma k, Gamma = (gamma_ij), so that A = alpha Gamma^-1, C = diag(1 / gamma) - Gamma^-1, and
    weights m = b Gamma^-1.
    """
    A, C = np.zeros((6, 6)), np.zeros((6, 6))
    for k, row in enumerate(rosenbrock._A):
        A[k, : len(row)] = row
    for k, row in enumerate(rosenbrock._C):
        C[k, : len(row)] = row
    A[5], A[5, 4] = A[4], 1.0  # the last stages begin where the one before ended
    last = A[5].copy()
    last[5] = 1.0
    gamma = np.linalg.inv(np.eye(6) / rosenbrock._GAMMA - C)
    return A @ gamma, gamma, last @ gamma, A[5] @ gamma


def conditions(b: np.ndarray, alpha: np.ndarray, gamma: np.ndarray) -> dict[int, list[float]]:
    """Residuals for the trees of each order: table 7.1 there; beta = alpha + gamma where a node has one child."""
    beta = alpha + gamma
    a, s = alpha.sum(axis=1), beta.sum(axis=1)
    return {
        1: [b.sum() - 1],
        2: [b @ s - 1 / 2],
        3: [b @ a**2 - 1 / 3, b @ beta @ s - 1 / 6],
        4: [b @ a**3 - 1 / 4, b @ (a * (alpha @ s)) - 1 / 8, b @ beta @ a**2 - 1 / 12, b @ beta @ beta @ s - 1 / 24],
    }


def test_rodas_has_order_four_and_three_embedded() -> None:
    alpha, gamma, b, embedded = rodas()
    residuals = conditions(b, alpha, gamma)
    assert max(abs(r) for order in (1, 2, 3, 4) for r in residuals[order]) < EPS
    residuals = conditions(embedded, alpha, gamma)
    assert max(abs(r) for order in (1, 2, 3) for r in residuals[order]) < EPS
    assert min(abs(r) for r in residuals[4]) > 1e-3  # else the error estimate would vanish with the error


def test_rodas_times_are_the_sums_of_its_rows() -> None:
    alpha, gamma, _, _ = rodas()
    np.testing.assert_allclose(alpha.sum(axis=1), rosenbrock._TIMES, atol=EPS)
    np.testing.assert_allclose(gamma.sum(axis=1), rosenbrock._TIME_SLOPES, atol=EPS)
    np.testing.assert_allclose(np.diag(gamma), rosenbrock._GAMMA, atol=EPS)


@pytest.mark.parametrize("which", [2, 3], ids=["method", "embedded"])
def test_rodas_is_stable_and_forgets_at_infinity(which: int) -> None:
    """R(z) = 1 + z b (1 - z beta)^-1 1: |R| <= 1 on the imaginary axis, and 0 at infinity: L-stable."""
    tableau = rodas()
    beta, b, one = tableau[0] + tableau[1], tableau[which], np.ones(6)

    def growth(z: complex) -> complex:
        return complex(1 + z * (b @ np.linalg.solve(np.eye(6) - z * beta, one)))

    assert max(abs(growth(1j * y)) for y in np.geomspace(1e-2, 1e4, 400)) < 1 + 1e-12
    assert abs(1 - b @ np.linalg.solve(beta, one)) < 1e-12
    assert abs(growth(-0.3) - np.exp(-0.3)) < 1e-3


def test_rodas_keeps_order_four_where_fast_modes_are_slaved() -> None:
    """Index one: y' = f(y, z), 0 = g(y, z). Stiffly accurate, b beta^-1 = (0, ..., 0, 1), and the one tree of order
    four that needs more: b_i alpha_i alpha_ij omega_jk alpha_k^2 = 1/4 with omega = beta^-1 (section VI.4)."""
    alpha, gamma, b, embedded = rodas()
    beta, a = alpha + gamma, alpha.sum(axis=1)
    np.testing.assert_allclose(np.linalg.solve(beta.T, b), np.eye(6)[5], atol=1e-12)
    np.testing.assert_allclose(np.linalg.solve(beta.T, embedded), np.eye(6)[4], atol=1e-12)
    assert a[4] == pytest.approx(1, abs=EPS)
    assert a[5] == pytest.approx(1, abs=EPS)
    assert b @ (a * (alpha @ np.linalg.solve(beta, a**2))) == pytest.approx(1 / 4, abs=1e-12)


def test_rodas_output_between_steps_has_order_three() -> None:
    """y(s) = (1 - s) y_0 + s (y_1 + (1 - s) (d_1 + s d_2)): the conditions with b(s), the right sides times s^order."""
    alpha, gamma, b, _ = rodas()
    first, second = (np.append(row, 0.0) @ gamma for row in rosenbrock._DENSE)
    for s in (0.2, 0.5, 0.9):
        residuals = conditions(s * (b + (1 - s) * (first + s * second)), alpha, gamma)
        right = {1: [1.0], 2: [1 / 2], 3: [1 / 3, 1 / 6]}
        for order, values in right.items():
            found = np.array(residuals[order]) + values
            np.testing.assert_allclose(found, np.array(values) * s**order, atol=1e-12)


def test_exponential_has_stiff_order_five_and_four_embedded() -> None:
    """Luan and Ostermann's conditions: with psi_i = sum_j a_ij c_j^2 / 2 - c_i^3 phi_3(c_i .) and functions b_i,

    sum b_i c_i^2 = 2 phi_3, sum b_i c_i^3 = 6 phi_4 (order 4); psi_i = 0 wherever b_i is not, sum b_i(0) c_i^4 = 1/5.
    """
    c, at_zero = exponential._C, np.array([1 / factorial(3), 1 / factorial(4)])
    for weights, nodes in ((exponential._LAST, c[[1, 2]]), (exponential._EMBEDDED, c[[0, 2]])):
        np.testing.assert_allclose(weights @ nodes**2, [2, 0], atol=EPS)  # rows are multiples of phi_3 and phi_4
        np.testing.assert_allclose(weights @ nodes**3, [0, 6], atol=EPS)
    np.testing.assert_allclose(exponential._INNER[1:3] * c[0] ** 2 / 2, c[1:3] ** 3, atol=EPS)
    assert at_zero @ exponential._LAST @ c[[1, 2]] ** 4 == pytest.approx(1 / 5, abs=EPS)
    assert abs(at_zero @ exponential._EMBEDDED @ c[[0, 2]] ** 4 - 1 / 5) > 1e-2
