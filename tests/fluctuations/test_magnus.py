"""The step of the Lyapunov equation: exact for constant matrices, stiff or not, and of order four otherwise."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm, solve_continuous_lyapunov

from hdsym.fluctuations.magnus import GAUSS, driven, exponent, flow


@pytest.mark.parametrize("decay", [0.0, 10.0, 1e4])
def test_constant_matrices_are_solved_exactly(decay):
    rng = np.random.default_rng(0)
    F = rng.standard_normal((5, 5)) - decay * np.diag([0.1, 0.2, 1.0, 1.0, 2.0])
    S = rng.standard_normal((5, 5))
    S = S @ S.T
    Phi, Q = flow(F, S)
    X = solve_continuous_lyapunov(F, -S)
    np.testing.assert_allclose(Phi, expm(F), atol=1e-12 * np.abs(expm(F)).max())
    np.testing.assert_allclose(Q, X - expm(F) @ X @ expm(F).T, rtol=1e-9, atol=1e-12 * np.abs(Q).max())


def test_the_order_is_four():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((3, 4, 4))
    C = np.array([m @ m.T for m in rng.standard_normal((2, 4, 4))])
    g = rng.standard_normal((2, 4))

    def at(t):
        return A[0] * np.cos(t) + A[1] * t - A[2] * np.sin(2 * t), C[0] * (1 + t * t) + C[1] * np.sin(t)

    def force(t):
        return g[0] * np.cos(3 * t) + g[1]

    def both(t, z):
        J, noise = at(t)
        sigma = z[:16].reshape(4, 4)
        return np.concatenate([(J @ sigma + sigma @ J.T + noise).ravel(), J @ z[16:] + force(t)])

    exact = solve_ivp(both, (0, 1), np.zeros(20), method="DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    steps, errors = np.array([8, 16, 32]), []
    for count in steps:
        h, sigma, mu = 1 / count, np.zeros((4, 4)), np.zeros(4)
        for k in range(count):
            times = [(k + place) * h for place in GAUSS]
            Phi, Q = flow(*exponent(h, *(at(t) for t in times)))
            sigma = Phi @ sigma @ Phi.T + Q
            Phi, v = driven(h, *((at(t)[0], force(t)) for t in times))
            mu = Phi @ mu + v
        errors.append([np.abs(sigma.ravel() - exact[:16]).max(), np.abs(mu - exact[16:]).max()])
    slopes = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert np.all(slopes < -3.8), slopes
