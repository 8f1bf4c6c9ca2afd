"""Time integration: options, events, blow-up, and least squares against independent solutions."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError, ParameterError, SolveError
from hdsym.solve import METHODS

LEAST_SQUARES = hd.derive(hd.zoo.least_squares())
PHASE = hd.derive(hd.zoo.phase_retrieval())


def problem(spectrum=None, **options):  # type: ignore[no-untyped-def]
    settings = {"start": hd.start.random(norm=1.0, cosine=0.3, rng=3), "learning_rate": 0.1, **options}
    return hd.Problem(spectrum=spectrum or hd.spectrum.power_law(0.6, d=100), **settings)


def volterra(
    lam: np.ndarray, distance: np.ndarray, omega: float, rate, horizon: float, times: np.ndarray
) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Risk of least squares: R(t) = F(t) + (1/d) int_0^t gamma^2 tr(K^2 e^{-2K (G(t) - G(s))}) R(s) ds, G = int gamma.

    Collocation at Chebyshev points, integrals by Gauss-Legendre of the interpolant: spectrally accurate, no ODE.
    """
    n, d = 48, lam.size
    nodes = horizon * (1 - np.cos(np.pi * np.arange(n) / (n - 1))) / 2
    p, w = np.polynomial.legendre.leggauss(60)

    def integrated(t: float) -> float:
        return float(np.sum(w * rate(t * (p + 1) / 2)) * t / 2)

    total = np.array([integrated(t) for t in nodes])
    forcing = 0.5 * np.exp(-2 * np.outer(total, lam)) @ (lam * distance) + omega**2 / 2
    matrix = np.eye(n)
    for i, t in enumerate(nodes):
        s = t * (p + 1) / 2
        kernel = np.exp(-2 * np.outer(total[i] - np.array([integrated(v) for v in s]), lam)) @ lam**2 / d
        matrix[i] -= (w * t / 2 * rate(s) ** 2 * kernel) @ lagrange(nodes, s)
    return lagrange(nodes, times) @ np.linalg.solve(matrix, forcing)


def lagrange(nodes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values of the Lagrange basis of Chebyshev extreme points at `points`, by the barycentric formula."""
    weights = (-1.0) ** np.arange(nodes.size)
    weights[[0, -1]] /= 2
    gap = points[:, None] - nodes
    hit = gap == 0
    ratio = weights / np.where(hit, 1.0, gap)
    basis = ratio / ratio.sum(axis=1, keepdims=True)
    rows = hit.any(axis=1)
    basis[rows] = hit[rows]
    return basis


@pytest.mark.parametrize("omega", [0.0, 0.4])
@pytest.mark.parametrize("rate", [0.5, "schedule"])
@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_least_squares_against_the_volterra_equation(omega: float, rate: object, alpha: float) -> None:
    d, horizon = 60, 6.0
    spectrum = hd.spectrum.power_law(alpha, d=d) if alpha else hd.spectrum.eigenvalues(np.linspace(0.2, 2.0, d))
    rng = np.random.default_rng(5)
    X0, Xstar = rng.standard_normal((2, d)) / np.sqrt(d)
    gamma = rate if rate != "schedule" else 1 / (1 + hd.t / 4)
    posed = hd.Problem(
        spectrum=spectrum, start=hd.start.arrays(X0, Xstar), learning_rate=gamma, parameters={"noise_std": omega}
    )
    path = LEAST_SQUARES.solve(posed, t=horizon, rtol=1e-10, atol=1e-12)
    scalar = (lambda t: np.full_like(t, 0.5)) if rate != "schedule" else (lambda t: 1 / (1 + t / 4))
    expected = volterra(spectrum.eigenvalues(), (X0 - Xstar) ** 2, omega, scalar, horizon, path.time.values)
    np.testing.assert_allclose(path.risk.values, expected, rtol=1e-7)


@pytest.mark.parametrize("spectrum", [hd.spectrum.identity(), hd.spectrum.power_law(0.3, d=40, trace=2.5)])
def test_least_squares_is_stable_exactly_below_two_over_the_mean_eigenvalue(spectrum: hd.Spectrum) -> None:
    threshold = 2 / spectrum.mean
    risks = {}
    for factor in (0.97, 1.03):
        path = LEAST_SQUARES.solve(problem(spectrum, learning_rate=factor * threshold), t=120.0, rtol=1e-9)
        late = path.risk.values[-60:]
        risks[factor] = np.polyfit(path.time.values[-60:], np.log(late), 1)[0]
    assert risks[0.97] < -1e-3
    assert risks[1.03] > 1e-3


def test_limiting_risk_of_isotropic_least_squares() -> None:
    """R' = -2 g (R - w^2/2) + g^2 R, so that R -> g w^2 / (2 g - g^2) for K = 1."""
    gamma, omega = 0.6, 0.5
    posed = problem(hd.spectrum.identity(), learning_rate=gamma, parameters={"noise_std": omega})
    path = LEAST_SQUARES.solve(posed, t=40.0)
    assert float(path.risk[-1]) == pytest.approx(omega**2 / (2 - gamma), rel=1e-8)
    assert float(path.excess_risk[-1]) == pytest.approx(omega**2 / (2 - gamma) - omega**2 / 2, rel=1e-7)


def test_regularisation_and_batches_against_the_closed_form() -> None:
    """K = 1, least squares: with M' = -g (1 + delta) M + g T and Q' as below, two linear equations."""
    gamma, delta, batch = 0.4, 0.7, 3
    posed = problem(hd.spectrum.identity(), learning_rate=gamma, delta=delta, batch_size=batch)
    path = LEAST_SQUARES.solve(posed, t=3.0, rtol=1e-11, atol=1e-13)
    g2 = gamma**2 / batch
    A = np.array([[-2 * gamma * (1 + delta) + g2, 2 * gamma - 2 * g2, g2], [0, -gamma * (1 + delta), gamma], [0, 0, 0]])
    from scipy.linalg import expm

    expected = expm(3.0 * A) @ np.array([1.0, 0.3, 1.0])
    assert path.overlaps.values[-1, 0, 0] == pytest.approx(expected[0], rel=1e-8)
    assert path.overlaps.values[-1, 0, 1] == pytest.approx(expected[1], rel=1e-8)


def test_every_integrator_gives_the_same_curve() -> None:
    posed = problem(hd.spectrum.power_law(0.5, d=20))
    curves = [PHASE.solve(posed, t=4.0, method=method, rtol=1e-9, atol=1e-11).risk.values for method in METHODS]
    for curve in curves[1:]:
        np.testing.assert_allclose(curve, curves[0], rtol=1e-5)


def test_error_follows_the_tolerance() -> None:
    """Fitted slope of the error in rtol: near one for an error-controlled integrator."""
    posed = problem(hd.spectrum.power_law(0.5, d=20))
    exact = PHASE.solve(posed, t_eval=[5.0], rtol=1e-13, atol=1e-15).risk.values
    tolerances = 10.0 ** -np.arange(4, 10)
    errors = [abs(PHASE.solve(posed, t_eval=[5.0], rtol=r, atol=r * 1e-2).risk.values - exact)[0] for r in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(np.array(errors) + 1e-16), 1)[0]
    assert 0.6 < slope < 1.6


def test_symbolic_and_python_schedules_agree() -> None:
    symbolic = PHASE.solve(problem(learning_rate=sp.Rational(1, 5) * sp.exp(-hd.t / 3)), t=3.0)
    python = PHASE.solve(problem(learning_rate=lambda t: 0.2 * np.exp(-t / 3)), t=3.0)
    np.testing.assert_allclose(symbolic.risk.values, python.risk.values, rtol=1e-12)
    np.testing.assert_allclose(symbolic.learning_rate.values, 0.2 * np.exp(-symbolic.time.values / 3), rtol=1e-12)


def test_statistics_are_those_of_the_arrays() -> None:
    d = 30
    rng = np.random.default_rng(0)
    X0, Xstar = rng.standard_normal((2, d)) / np.sqrt(d)
    lam = np.linspace(0.5, 1.5, d)
    posed = hd.Problem(spectrum=hd.spectrum.eigenvalues(lam), start=hd.start.arrays(X0, Xstar), learning_rate=0.1)
    path = PHASE.solve(posed, t=1.0)
    assert float(path.distance[0]) == pytest.approx(np.sum((X0 - Xstar) ** 2))
    assert float(path.norm[0]) == pytest.approx(np.linalg.norm(X0))
    assert float(path.cosine[0]) == pytest.approx(X0 @ Xstar / np.linalg.norm(X0) / np.linalg.norm(Xstar))
    assert path.overlaps.values[0, 0, 1] == pytest.approx(np.sum(lam * X0 * Xstar))
    assert float(path.risk[0]) == pytest.approx(float(PHASE.risk_at(path.overlaps.values[0])))
    eigenvalues = np.linalg.eigvalsh(path.overlaps.values)
    assert np.all(eigenvalues > -1e-12)


def test_equal_eigenvalues_share_a_mode() -> None:
    one = PHASE.solve(problem(hd.spectrum.identity(d=50)), t=2.0)
    many = PHASE.solve(problem(hd.spectrum.eigenvalues(1 + 1e-13 * np.arange(50))), t=2.0)
    assert one.dataset.sizes["mode"] == 1
    np.testing.assert_allclose(one.risk.values, many.risk.values, rtol=1e-8)


def test_times_and_dense_output() -> None:
    posed = problem(horizon=7.0)
    assert float(PHASE.solve(posed).time[-1]) == 7.0
    path = PHASE.solve(posed, t=2.0, t_eval=[0.5, 2.0], dense_output=True)
    assert list(path.time.values) == [0.5, 2.0]
    fine = PHASE.solve(posed, t_eval=[1.234])
    between = path.at(1.234)
    np.testing.assert_allclose(between.overlaps.values.squeeze(), fine.overlaps.values.squeeze(), rtol=1e-6)


def test_events_follow_solve_ivp() -> None:
    def reached(t: float, state) -> float:  # type: ignore[no-untyped-def]
        return state.risk - 0.5

    reached.terminal = True  # type: ignore[attr-defined]
    path = PHASE.solve(problem(), t=50.0, events=reached)
    (when,) = path.events[0]
    assert 0 < when < 50
    assert float(path.time[-1]) <= when
    again = PHASE.solve(problem(), t_eval=[when])
    assert float(again.risk[0]) == pytest.approx(0.5, abs=1e-6)
    free = PHASE.solve(problem(), t=2.0, events=[lambda t, state: state.overlaps[0, 1] - 10.0])
    assert free.events[0].size == 0


def test_blow_up_says_when_and_keeps_the_trajectory() -> None:
    with pytest.raises(SolveError, match="leaves the finite range near t") as caught:
        PHASE.solve(problem(hd.spectrum.identity(), learning_rate=2.0, start=hd.start.overlaps(Q=9, M=0, T=1)), t=50.0)
    kept = caught.value.trajectory
    assert 0 < caught.value.t < 50
    assert np.all(np.isfinite(kept.risk.values))
    assert float(kept.time[-1]) <= caught.value.t
    assert caught.value.remedy


def test_singular_start_is_an_error_not_a_nan() -> None:
    theory = hd.derive(hd.zoo.lipschitz_phase_retrieval())
    with pytest.raises(SolveError, match="not finite at the start"):
        theory.solve(problem(start=hd.start.overlaps(Q=0, M=0, T=1)), t=1.0)


def test_existence_conditions_are_enforced() -> None:
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    theory = hd.derive(hd.Model(loss=sp.exp(x**2 / 4) / 2 - x * y, link=s))
    fine = theory.solve(problem(hd.spectrum.identity(), start=hd.start.overlaps(Q=0.2, M=0.1, T=0.2)), t=0.5)
    assert np.all(fine.overlaps.values[:, 0, 0] < 1)
    with pytest.raises(SolveError, match="do not exist at t = 0"):
        theory.solve(problem(hd.spectrum.identity(), start=hd.start.overlaps(Q=1.5, M=0.1, T=0.2)), t=0.5)


def test_missing_parameter_and_bad_options() -> None:
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    theory = hd.derive(hd.Model(loss=(hd.parameter("slope") * x - y) ** 2, link=s))
    with pytest.raises(ParameterError, match="'slope'"):
        theory.solve(problem(), t=1.0)
    with pytest.raises(ParameterError, match="'slop'"):
        theory.solve(problem(parameters={"slop": 1.0}), t=1.0)
    for options in ({"t": -1.0}, {"t": float("nan")}, {"t_eval": [1.0, 0.5]}, {"t": 1.0, "t_eval": [2.0]}):
        with pytest.raises(DeclarationError):
            PHASE.solve(problem(), **options)
    with pytest.raises(DeclarationError, match="Euler"):
        PHASE.solve(problem(), t=1.0, method="Euler")
    with pytest.raises(DeclarationError, match="rtol"):
        PHASE.solve(problem(), t=1.0, rtol=0.0)


def test_generated_solver_returns_the_library_numbers() -> None:
    posed = problem(parameters={"noise_std": 0.2})
    path = PHASE.solve(posed, t_eval=np.linspace(0, 5, 11))
    grams = posed.grams(PHASE.model)
    alone = PHASE.module.solve(
        posed.spectrum.levels, posed.spectrum.fractions, grams, 0.1, np.linspace(0, 5, 11), noise_std=0.2
    )
    np.testing.assert_allclose(alone["risk"], path.risk.values, rtol=1e-12)
    np.testing.assert_allclose(alone["overlaps"], path.overlaps.values, rtol=1e-12, atol=1e-14)
