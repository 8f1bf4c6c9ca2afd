"""Integrators for stiff spectra: fitted orders, agreement, output between steps, and the automatic choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import hdsym as hd
from hdsym.errors import SolveError
from hdsym.solve import METHODS
from hdsym.stepping.exponential import Exponential
from hdsym.stepping.methods import integrator
from hdsym.stepping.phi import Phi
from hdsym.stepping.rosenbrock import Rodas
from tests.stepping.problems import PHASE, grams, posed, run_of

COMMITTEE = hd.derive(hd.zoo.committee("erf", trained_second_layer=True))
LEAST_SQUARES = hd.derive(hd.zoo.least_squares())


def with_steps(kind: Any, run: Any, horizon: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The state after equal steps, and the error estimate of the first."""
    solver = kind(run.rhs, 0.0, run.packed(run.grams, getattr(run, "theta", None)), horizon, **run.structure())
    h, estimates = horizon / steps, []
    for k in range(steps):
        solver.t, solver.f = k * h, solver.fun(k * h, solver.y)
        solver.slope = run.linearise(solver.t, solver.y)
        solver.y, error = solver._attempt(h)
        estimates.append(error)
    return solver.y, estimates[0]


def fitted(counts: list[int], sizes: list[float]) -> float:
    """Exponent of the step, 1 / counts, in some sizes."""
    return float(np.polyfit(-np.log(counts), np.log(sizes), 1)[0])


def order(kind: Any, run: Any, horizon: float, counts: list[int]) -> float:
    """Fitted order of the error at the end."""
    state = run.packed(run.grams, getattr(run, "theta", None))
    exact = solve_ivp(run.rhs, (0, horizon), state, method="DOP853", rtol=1e-13, atol=1e-16).y[:, -1]
    return fitted(counts, [np.max(np.abs(with_steps(kind, run, horizon, n)[0] - exact)) for n in counts])


@pytest.mark.parametrize("rate", [0.3, 0.5 / (1 + hd.t)], ids=["constant", "schedule"])
@pytest.mark.parametrize(("kind", "q"), [(Rodas, 4), (Exponential, 5)], ids=["stiff", "exponential"])
def test_order_and_that_of_the_estimate_in_a_step(kind: Any, q: int, rate: Any) -> None:
    run = run_of(PHASE, None, grams(4, 2, 5), learning_rate=rate)
    assert q - 0.3 < order(kind, run, 2.0, [12, 18, 27, 40]) < q + 0.8
    counts = [80, 160, 320]
    estimates = [np.max(np.abs(with_steps(kind, run, 2.0, n)[1])) for n in counts]
    assert kind.error_order == q
    assert q - 0.4 < fitted(counts, estimates) < q + 0.4


@pytest.mark.parametrize(("kind", "q"), [(Rodas, 4), (Exponential, 5)], ids=["stiff", "exponential"])
def test_order_with_trained_scalars_and_differences(kind: Any, q: int) -> None:
    start = hd.start.random(norm=0.7, cosine=0.4, n_student=2, n_teacher=2, rng=2)
    problem = posed(start=start, parameters={"v": [0.6, 0.3]}, learning_rates={"v": 0.5 / (1 + hd.t)})
    assert q - 0.4 < order(kind, run_of(COMMITTEE, problem), 3.0, [28, 40, 56, 80]) < q + 0.6


@pytest.mark.parametrize(("kind", "least"), [(Exponential, 4.3), (Rodas, 3.8)], ids=["exponential", "stiff"])
def test_order_where_steps_are_longer_than_the_fastest_time_scale(kind: Any, least: float) -> None:
    """Step times fastest rate is 60 to 170, past the transient; neither loses its order where the rate is constant."""
    shares = np.geomspace(1.0, 1e-4, 8)
    spectrum = hd.Spectrum(np.geomspace(1.0, 1000.0, 8), shares / shares.sum())
    run = run_of(PHASE, posed(spectrum=spectrum, delta=0.0, batch_size=1, learning_rate=0.02))
    late = solve_ivp(run.rhs, (0, 5.0), run.packed(run.grams), method="DOP853", rtol=1e-12, atol=1e-15).y[:, -1]
    assert least < order(kind, run_of(PHASE, run.problem, run._split(late)[0]), 8.0, [8, 11, 16, 23]) < least + 1.0


def test_phi_functions_against_matrix_exponentials() -> None:
    """phi_k(hJ) v is the last column of exp of [[hJ, v, 0], [0, 0, 1], [0, 0, 0]] and larger ones alike."""
    run = run_of(PHASE, None, grams(4, 2, 1))
    state = run.packed(run.grams)
    dense, size = run.dense_jacobian(0.0, state), state.size
    v, steps = np.random.default_rng(0).standard_normal(size), np.array([1e-3, 0.7, 30.0])
    functions = Phi(run.linearise(0.0, state), steps)
    found = functions(run.layout.to_rows(v)[None], (0, 1, 2, 3, 4))[:, :, 0]
    for k, h in enumerate(steps):
        wide = np.zeros((size + 4, size + 4))
        wide[:size, :size], wide[:size, size], wide[range(size, size + 3), range(size + 1, size + 4)] = h * dense, v, 1
        exact = [expm(h * dense) @ v, *expm(wide)[:size, size:].T]
        np.testing.assert_allclose(run.layout.to_packed(found[k]), exact, atol=3e-11)


def test_phi_functions_one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(PHASE, None, grams(4, 2, 1))
    J, v = run.linearise(0.0, run._start()), np.random.default_rng(0).standard_normal((2, 8))
    steps = np.array([0.1, 0.7, 3.0])
    whole = [Phi(J, steps)(v, (1, 3), first) for first in (0, 1)]
    monkeypatch.setattr("hdsym.stepping.phi._TOGETHER", 1)
    for first in (0, 1):
        np.testing.assert_allclose(Phi(J, steps)(v, (1, 3), first), whole[first], rtol=1e-12)


def test_phi_says_where_a_growing_mode_is_not_enclosed() -> None:
    run = run_of(PHASE, posed(start=hd.start.overlaps(Q=0.1, M=0.01, T=1.0), delta=0.0))
    J = run.linearise(0.0, run._start())
    growth = float(np.max(np.linalg.eigvals(J.dense()).real))
    assert growth > 0
    v = np.ones((1, 8))
    assert np.all(np.isfinite(Phi(J, np.array([0.5 / growth]))(v, (1,))))
    assert np.all(np.isnan(Phi(J, np.array([20.0 / growth]))(v, (1,))))


def test_growing_modes_that_come_in_pairs() -> None:
    """Three exchangeable students specialise along two equal eigenvalues, whose two signs cancel in a determinant."""
    Q = 0.2 + 0.1 * np.eye(3)
    start = hd.start.overlaps(Q=Q, M=np.full((3, 3), 0.25), T=np.eye(3))
    problem = hd.Problem(hd.spectrum.identity(), start, 0.1, parameters={"v": 1.0, "a": 1.0})
    run = run_of(hd.derive(hd.zoo.committee("erf")), problem)
    state = run._start()
    dense, J = run.dense_jacobian(0.0, state), run.linearise(0.0, state)
    growth = np.sort(np.linalg.eigvals(dense).real)[::-1]
    assert growth[0] > 0
    assert growth[1] == pytest.approx(growth[0], rel=1e-5)
    v = np.random.default_rng(0).standard_normal((3, 6))
    v[:, :3] += v[:, :3].T
    packed = run.layout.to_packed(v.reshape(-1))
    for h in np.array([0.5, 2.0, 3.3]) / growth[0]:
        found = run.layout.to_packed(Phi(J, np.array([h]))(v.reshape(1, -1), (0,))[0, 0, 0])
        np.testing.assert_allclose(found, expm(h * dense) @ packed, atol=1e-8 * np.exp(h * growth[0]))
    longer = Phi(J, np.array([3.7, 4.5, 7.0, 20.0, 60.0]) / growth[0])(v.reshape(1, -1), (0,))
    assert np.isnan(longer).all()


@pytest.mark.parametrize("method", METHODS)
def test_error_follows_the_tolerance(method: str) -> None:
    """Fitted slope of the error in rtol, for every integrator."""
    problem = posed(modes=6, delta=0.0, batch_size=1)
    exact = PHASE.solve(problem, t_eval=[5.0], method="DOP853", rtol=1e-13, atol=1e-15).overlaps.values
    tolerances = 10.0 ** -np.arange(4, 10)
    errors = [
        np.abs(PHASE.solve(problem, t_eval=[5.0], method=method, rtol=r, atol=r * 1e-2).overlaps.values - exact).max()
        for r in tolerances
    ]
    slope = np.polyfit(np.log(tolerances), np.log(np.array(errors) + 1e-16), 1)[0]
    assert 0.6 < slope < 1.6


@pytest.mark.parametrize("method", ["stiff", "exponential", "Radau"])
@pytest.mark.parametrize("model", ["schedule", "committee"])
def test_output_between_steps_is_as_accurate(method: str, model: str) -> None:
    times = np.linspace(0.0, 6.0, 31)
    if model == "schedule":
        theory, problem = PHASE, posed(modes=6, learning_rate=0.4 / (1 + hd.t))
    else:
        start = hd.start.random(norm=0.7, cosine=0.4, n_student=2, n_teacher=2, rng=2)
        theory, problem = COMMITTEE, posed(start=start, parameters={"v": [0.6, 0.3]}, learning_rates={"v": 0.5})
    exact = theory.solve(problem, t_eval=times, method="explicit", rtol=1e-11, atol=1e-13)
    path = theory.solve(problem, t_eval=times, method=method, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(path.risk.values, exact.risk.values, rtol=3e-5)
    np.testing.assert_allclose(path.overlaps.values, exact.overlaps.values, atol=3e-5)
    if model == "committee":
        np.testing.assert_allclose(path.trained.values, exact.trained.values, atol=3e-5)


@pytest.mark.parametrize("method", ["stiff", "exponential"])
def test_events_dense_output_and_blow_up(method: str) -> None:
    def reached(t: float, state: Any) -> float:
        return float(state.risk - 0.1)

    reached.terminal = True  # type: ignore[attr-defined]
    problem = posed(delta=0.0, batch_size=1, learning_rate=0.1)
    (when,) = PHASE.solve(problem, t=50.0, events=reached, method=method).events[0]
    (expected,) = PHASE.solve(problem, t=50.0, events=reached, method="explicit").events[0]
    assert when == pytest.approx(expected, rel=1e-6)
    dense = PHASE.solve(problem, t_eval=[0.5, 2.0], dense_output=True, method=method).at(1.234)
    np.testing.assert_allclose(
        dense.overlaps.values, PHASE.solve(problem, t_eval=[1.234]).overlaps.values[0], rtol=1e-6
    )
    wild = posed(spectrum=hd.spectrum.identity(), learning_rate=2.0, start=hd.start.overlaps(Q=9, M=0, T=1), delta=0.0)
    with pytest.raises(SolveError, match="leaves the finite range near t") as caught:
        PHASE.solve(wild, t=50.0, method=method)
    assert np.all(np.isfinite(caught.value.trajectory.risk.values))


def stiff(rate: Any = 0.3) -> hd.Problem:
    """A spectrum of condition number 10^5 in which the largest eigenvalue has a small share."""
    lam = np.geomspace(1e3, 1e-2, 30)
    share = lam**-0.9
    return posed(spectrum=hd.Spectrum(lam, share / share.sum()), delta=0.0, batch_size=1, learning_rate=rate)


def test_automatic_choice_changes_where_stability_holds_steps_back() -> None:
    problem = stiff()
    path = LEAST_SQUARES.solve(problem, t=100.0, rtol=1e-6, atol=1e-12)
    solver = path.attrs["solver"]
    explicit = LEAST_SQUARES.solve(problem, t=100.0, rtol=1e-6, atol=1e-12, method="explicit")
    assert [entry.split()[0] for entry in solver["used"]] == ["DOP853", "exponential"]
    assert "stability" in solver["used"][1]
    assert solver["rhs_evaluations"] < explicit.attrs["solver"]["rhs_evaluations"] / 20
    exact = LEAST_SQUARES.solve(problem, t=100.0, rtol=1e-9, atol=1e-15, method="Radau")
    np.testing.assert_allclose(path.risk.values, exact.risk.values, rtol=3e-5)


@pytest.mark.parametrize(("levels", "name"), [(40, "exponential"), (2000, "RODAS")])
def test_automatic_choice_is_by_the_number_of_modes(levels: int, name: str) -> None:
    """An exponential step takes fewer right-hand sides, but its linear algebra grows with the modes."""
    problem = hd.Problem(hd.spectrum.power_law(1.0, d=levels), hd.start.power(0.0), 0.3)
    path = LEAST_SQUARES.solve(problem, t_eval=[0.0, 300.0], rtol=1e-4, modes="full")
    solver = path.attrs["solver"]
    assert [entry.split()[0] for entry in solver["used"]] == ["DOP853", name]
    assert solver["rhs_evaluations"] < 1000


def test_automatic_choice_stays_explicit_where_nothing_is_stiff() -> None:
    path = PHASE.solve(posed(), t=20.0)
    alone = PHASE.solve(posed(), t=20.0, method="DOP853")
    assert len(path.attrs["solver"]["used"]) == 1
    assert path.attrs["solver"]["rhs_evaluations"] <= alone.attrs["solver"]["rhs_evaluations"]
    np.testing.assert_array_equal(path.overlaps.values, alone.overlaps.values)


def test_absolute_tolerance_is_for_overlaps_at_every_dimension() -> None:
    """With 20 copies of each level, each a twentieth of it, the same steps are taken."""
    few = posed(spectrum=hd.Spectrum(np.array([2.0, 0.5]), np.array([0.5, 0.5])), delta=0.0)
    many = posed(
        spectrum=hd.Spectrum(np.repeat([2.0, 0.5], 20) * (1 + 1e-12 * np.arange(40)), np.full(40, 1 / 40)), delta=0.0
    )
    counts = [PHASE.solve(p, t=10.0, rtol=1e-6, atol=1e-6).attrs["solver"]["rhs_evaluations"] for p in (few, many)]
    assert counts[0] == counts[1]


def test_names_say_what_runs() -> None:
    run = run_of(PHASE, posed())
    assert integrator("explicit", run)[0] == {"method": "DOP853"}
    assert integrator("stiff", run)[0]["method"] is Rodas
    assert callable(integrator("BDF", run)[0]["jac"])
