"""Homogenized SGD: the exact step, orders in the limit, the spread it must have, groups, and what it refuses."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.stats import ks_2samp

import hdsym as hd
from hdsym.errors import DeclarationError, SimulationError
from hdsym.simulate import homogenized, methods, streams
from hdsym.simulate.diffusion import Diffusion
from hdsym.simulate.kernels import build

LEAST_SQUARES = hd.zoo.least_squares()  # one model for most tests: every other one is compiled anew
HUGE = 10**12
"""So many dimensions that a run follows its limit within 1e-5."""


@pytest.fixture(scope="module")
def least_squares() -> hd.Derivation:
    return hd.derive(LEAST_SQUARES)


@pytest.fixture(scope="module")
def phase_retrieval() -> hd.Derivation:
    return hd.derive(hd.zoo.phase_retrieval(0.2))


@pytest.fixture(scope="module")
def committee() -> Any:
    """Two units with a trained second layer against one."""
    K, M, i = hd.size("K"), hd.size("M"), sp.Symbol("i", integer=True)
    x, s, y, eps = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y"), hd.noise("eps")
    v = hd.Trained("v", size=K)
    out = sp.Sum(v[i] * sp.erf(x[i] / sp.sqrt(2)), (i, 1, K))
    link = sp.Sum(sp.erf(s[i] / sp.sqrt(2)), (i, 1, M)) + eps
    return hd.derive(hd.Model((out - y) ** 2 / 2, link, hd.Normal(eps, std=0.2)))


def problem(d: int = 40, **changes: Any) -> hd.Problem:
    settings: dict[str, Any] = {
        "spectrum": hd.spectrum.two_level(1.5, 0.5, d=d),
        "start": hd.start.overlaps(Q=1.0, M=0.3, T=1.0),
        "learning_rate": 0.5,
        "parameters": {"noise_std": 0.3},
        **changes,
    }
    return hd.Problem(**settings)


def run(theory: Any, posed: hd.Problem, **settings: Any) -> hd.Ensemble:
    return hd.simulate(theory, posed, **{"runs": 3, "t": 2.0, "rng": 7, "method": "homogenized", **settings})


@pytest.mark.parametrize("euler", [False, True])
def test_a_step_solves_its_linear_equation(euler: bool) -> None:
    """Mean and covariance by matrix exponentials (C. Van Loan, IEEE Trans. Automat. Contr. 23 (1978)), 3 students."""
    module, rng, l, t, E = homogenized._kernels(), np.random.default_rng(0), 3, 2, 200
    gamma, tau, delta, scale = 0.7, 0.6, 0.3, 0.2
    H, root = rng.standard_normal((l + t, l)), rng.standard_normal((l, 2))
    H[:l] += H[:l].T
    fisher = root @ root.T  # of rank two
    X, S, lam = rng.standard_normal((l, E)), rng.standard_normal((t, E)), rng.uniform(0, 3, E)
    lam[:2] = 0.0, 1e-12
    new, B = np.empty_like(X), np.zeros((l + t, l + t))

    def moved(Z: np.ndarray) -> np.ndarray:
        rest = homogenized._decomposed(H, fisher), (gamma, tau, delta, scale, euler)
        module.move(X, S, lam, Z, *rest[0], *rest[1], new, B)
        W = np.concatenate([new, S])
        np.testing.assert_allclose(B[:l], ((W * lam) @ W.T)[:l], rtol=1e-12, atol=1e-12)
        return new.copy()

    mean = moved(np.zeros_like(X))
    columns = np.array([moved(np.eye(l)[:, [k]].repeat(E, axis=1)) - mean for k in range(l)])
    for i in range(E):
        A = gamma * (2 * lam[i] * H[:l] + delta * np.eye(l))
        C, force = scale * lam[i] * fisher, -2 * gamma * lam[i] * H[l:].T @ S[:, i]
        if euler:
            expected, covariance = X[:, i] + tau * (force - A @ X[:, i]), tau * C
        else:
            augmented = expm(tau * np.block([[-A, force[:, None]], [np.zeros((1, l + 1))]]))
            expected = augmented[:l, :l] @ X[:, i] + augmented[:l, l]
            pair = expm(tau * np.block([[A, C], [np.zeros((l, l)), -A.T]]))
            covariance = pair[l:, l:].T @ pair[:l, l:]
        np.testing.assert_allclose(mean[:, i], expected, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(columns[:, :, i].T @ columns[:, :, i], covariance, rtol=1e-7, atol=1e-9)


def limits(theory: Any, posed: hd.Problem, scheme: str, paces: list[int]) -> float:
    """Fitted order of the largest error of overlaps and trained scalars at t = 2, in so many dimensions."""
    times, errors = [0.0, 2.0], []
    path = theory.solve(posed, t_eval=times, rtol=1e-11, atol=1e-13)
    for pace in paces:
        found = run(theory, posed, runs=1, t=None, t_eval=times, scheme=scheme, steps_per_time=pace)
        names = ["overlaps", *(["trained"] if "trained" in path.dataset else [])]
        errors.append(max(np.abs(found.variable(n).values[0, -1] - path.variable(n).values[-1]).max() for n in names))
    return -float(np.polyfit(np.log(paces), np.log(errors), 1)[0])


@pytest.mark.parametrize(("scheme", "order"), [("exponential", 2.0), ("euler", 1.0)])
def test_order_in_the_limit(phase_retrieval: Any, committee: Any, scheme: str, order: float) -> None:
    """Schedules, batches and regularisation; several students, and a trained second layer with a rate of its own."""
    changes = {"delta": 0.1, "batch_size": 2, "spectrum": hd.spectrum.two_level(1.5, 0.5, d=HUGE)}
    one = problem(learning_rate=0.2 / (1 + hd.t), parameters={}, **changes)
    assert abs(limits(phase_retrieval, one, scheme, [4, 8, 16, 32]) - order) < 0.2
    start = hd.start.overlaps(Q=[[0.6, 0.1], [0.1, 0.4]], M=[[0.3], [-0.1]], T=1.0)
    own = {"parameters": {"v": (0.5, 1.0)}, "learning_rates": {"v": 0.3}}
    several = problem(learning_rate=0.8 / (1 + hd.t), start=start, **own, **changes)
    assert abs(limits(committee, several, scheme, [4, 8, 16, 32]) - order) < 0.2


def spread_of_phase_retrieval(theory: Any, gamma: float, end: float) -> np.ndarray:
    """d times the covariance of (|X|^2, X.X*) in linear noise, for K = 1, from the drift alone."""
    drift = theory.drift(problem(spectrum=hd.spectrum.identity(d=9), parameters={}))

    def rates(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (q, m), (H, fisher, _) = u, drift(np.array([[u[0], u[1]], [u[1], 1.0]]), np.zeros(0))
        power = gamma**2 * fisher[0, 0]
        slope = -2 * gamma * np.array([2 * (q * H[0, 0] + m * H[1, 0]), m * H[0, 0] + H[1, 0]])
        return slope + np.array([power, 0.0]), power * np.array([[4 * q, 2 * m], [2 * m, 1.0]])

    def equation(_: float, state: np.ndarray) -> np.ndarray:
        u, cov, e = state[:2], state[2:].reshape(2, 2), 1e-5
        J = np.stack([(rates(u + e * k)[0] - rates(u - e * k)[0]) / (2 * e) for k in np.eye(2)], axis=1)
        slope, power = rates(u)
        return np.concatenate([slope, (J @ cov + cov @ J.T + power).ravel()])

    start = np.array([1.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    return solve_ivp(equation, (0.0, end), start, rtol=1e-9, atol=1e-11).y[2:, -1].reshape(2, 2)


def test_fluctuations_are_right_at_long_steps(phase_retrieval: Any) -> None:
    """Variances of 1500 runs at tau = 1/2 within 4.5 standard errors (1e-5), Euler's off by more than 8."""
    d, gamma, runs = 10**8, 0.2, 1500
    expected = np.diag(spread_of_phase_retrieval(phase_retrieval, gamma, 2.0))
    spectrum, start = hd.spectrum.identity(d=d), hd.start.overlaps(Q=1.0, M=0.5, T=1.0)
    posed = problem(spectrum=spectrum, start=start, learning_rate=gamma, parameters={})
    z = {}
    for scheme in homogenized.SCHEMES:
        found = run(phase_retrieval, posed, runs=runs, t=None, t_eval=[2.0], scheme=scheme, steps_per_time=2)
        B = found.overlaps.values[:, 0]
        z[scheme] = (d * np.var([B[:, 0, 0], B[:, 0, 1]], axis=1, ddof=1) / expected - 1) * math.sqrt(runs / 2)
    assert np.all(np.abs(z["exponential"]) < 4.5), z
    assert np.abs(z["euler"]).max() > 8, z


@pytest.mark.parametrize("batch", [1, 4])
def test_mean_of_least_squares_is_the_limit_in_every_dimension(least_squares: Any, batch: int) -> None:
    """All is linear there, so E B obeys the ODE at d = 9 too; 1000 runs, 4 z-scores below 4.5 (3e-5)."""
    spectrum = hd.spectrum.eigenvalues([0.4] * 5 + [2.5] + [1.2] * 3)
    start = hd.start.random(cosine=0.1, rng=2)
    posed = problem(spectrum=spectrum, start=start, batch_size=batch, learning_rate=1.0)
    found = run(least_squares, posed, runs=1000, t=None, t_eval=[1.0, 3.0], steps_per_time=10)
    path = least_squares.solve(posed, t_eval=[1.0, 3.0])
    for name in ("distance", "risk"):
        values = found.variable(name).values
        z = (values.mean(axis=0) - path.variable(name).values) / (values.std(axis=0) / math.sqrt(1000))
        assert np.all(np.abs(z) < 4.5), (name, z)


def test_groups_have_the_law_of_their_coordinates(committee: Any) -> None:
    """Equal eigenvalues, and the same ones a billionth apart, which are followed one by one: 300 runs each, d = 12.

    Kolmogorov and Smirnov for five overlaps and the trace at two times, corrected: fails by chance in 1e-3.
    """
    lam = np.repeat([1.4, 0.3], [9, 3])  # the second multiplicity is that of W
    start = hd.start.random(norm=0.8, cosine=0.4, rng=3, n_student=2, n_teacher=1)
    apart = lam * (1 + 1e-9 * np.arange(12))
    samples = []
    for seed, values in ((1, lam), (2, apart)):
        own = {"parameters": {"v": (0.5, 1.0)}, "learning_rates": {"v": 0.3}}
        posed = problem(spectrum=hd.spectrum.eigenvalues(values), start=start, learning_rate=2.0, **own)
        found = run(committee, posed, runs=300, t=None, t_eval=[0.5, 2.0], rng=seed, steps_per_time=4)
        B, gram = found.overlaps.values, found.gram.values
        moving = [B[..., a, b] for a, b in ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2))]
        samples.append(np.stack([*moving, np.trace(gram, axis1=2, axis2=3)]))
    tests = [ks_2samp(*(s[k, :, j] for s in samples)).pvalue for k in range(6) for j in range(2)]
    assert min(tests) * len(tests) > 1e-3, tests


def test_same_seed_same_arrays_however_the_work_is_cut(least_squares: Any) -> None:
    posed = problem(learning_rate=0.5 / (1 + hd.t))
    one, two = (run(least_squares, posed, workers=workers, runs=5) for workers in (1, 2))
    np.testing.assert_array_equal(one.overlaps.values, two.overlaps.values)
    np.testing.assert_array_equal(one.overlaps.values[:3], run(LEAST_SQUARES, posed).overlaps.values)
    assert len({*one.overlaps.values[:, -1, 0, 0]}) == 5
    assert {one.attrs[name] for name in ("method", "scheme")} == {"homogenized", "exponential"}
    asked = Diffusion(least_squares, steps_per_time=10)
    plan = methods.make("homogenized", LEAST_SQUARES, posed, build(LEAST_SQUARES), diffusion=asked)
    sent = pickle.loads(pickle.dumps(plan.begin))  # noqa: S301  # our own bytes
    states = [begin(streams.generator(np.random.SeedSequence(0))) for begin in (sent, plan.begin)]
    for state, cuts in zip(states, ([30], [1, 7, 22]), strict=True):
        rng = streams.generator(np.random.SeedSequence(3))
        for count in cuts:
            assert state.advance(rng, np.full(count, 0.5), np.empty((count, 0))) == -1
    np.testing.assert_array_equal(*(state.observe().overlaps for state in states))


def test_ensembles_grow_also_from_a_file(least_squares: Any, tmp_path: Any) -> None:
    posed = problem()
    few, many = (run(least_squares, posed, runs=runs, record=5) for runs in (2, 5))
    np.testing.assert_array_equal(few.more(3).overlaps.values, many.overlaps.values)
    few.save(tmp_path / "few.nc")
    grown = hd.load(tmp_path / "few.nc").more(3, LEAST_SQUARES, posed)
    np.testing.assert_array_equal(grown.overlaps.values, many.overlaps.values)
    with pytest.raises(SimulationError, match="scheme"):
        run(least_squares, posed, runs=5, record=5, scheme="euler", resume=few)


def test_divergence_is_a_result(phase_retrieval: Any) -> None:
    found = run(phase_retrieval, problem(learning_rate=8.0, parameters={}), t=20.0, steps_per_time=50)
    left = found.diverged.values
    assert np.all((left > 0) & (left < 20))
    assert np.all(np.isnan(found.risk.values[:, -1]))
    assert np.all(np.isfinite(found.risk.values[:, 0]))


class Fading:
    """A theory by hand: X grows, and the expectations exist for |X|^2 below two only."""

    model = LEAST_SQUARES

    def drift(self, _: hd.Problem) -> Fading:
        return self

    def exists(self, B: np.ndarray) -> bool:
        return bool(B[0, 0] < 2.0)

    def __call__(self, B: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        return np.array([[-0.5], [0.0]]), np.array([[0.1]]), theta


def test_a_run_ends_where_expectations_do_not_exist() -> None:
    posed = problem(spectrum=hd.spectrum.identity(d=HUGE))
    found = run(Fading(), posed, t=4.0, steps_per_time=10)
    growth = 2 * 0.5  # of |X|^2, and heat from noise
    expected = math.log((2.0 + 0.025) / 1.025) / growth
    np.testing.assert_allclose(found.diverged.values, expected, atol=0.1)
    assert np.nanmax(found.overlaps.values) < 2.0
    with pytest.raises(SimulationError, match="not finite at the start"):
        run(Fading(), problem(start=hd.start.overlaps(Q=3.0, M=0.0, T=1.0)))


def test_many_eigenvalues_one_by_one_or_grouped(least_squares: Any) -> None:
    model = LEAST_SQUARES.with_statistics(angle=hd.statistics.misclassification(hd.student("x"), hd.teacher("s")))
    spectrum = hd.spectrum.power_law(0.5, d=5000)
    posed = problem(spectrum=spectrum, learning_rate=0.3, start=hd.start.random(rng=1))
    path = least_squares.solve(posed, t=2.0)
    for group in (None, 32):
        found = run(hd.derive(model), posed, runs=4, record=4, group=group)
        assert ("grouping" in found.attrs) == (group is not None)
        assert hd.compare(path, found).agree
        B = found.overlaps.values
        angle = np.arccos(B[..., 0, 1] / np.sqrt(B[..., 0, 0] * B[..., 1, 1])) / math.pi
        np.testing.assert_allclose(found.variable("angle").values, angle, atol=2e-3)


def test_regularisation_alone_decays_exactly(least_squares: Any) -> None:
    spectrum, X0 = hd.spectrum.eigenvalues([0.0] * 9 + [1.0]), np.r_[np.full(9, 0.3), 0.0]
    posed = problem(spectrum=spectrum, start=hd.start.arrays(X0, np.eye(10)[0]), delta=0.8)
    found = run(least_squares, posed, t=None, t_eval=[0.0, 2.0], steps_per_time=1)
    still = found.gram.values[:, :, 0, 0] - found.overlaps.values[:, :, 0, 0]  # where lam = 0
    np.testing.assert_allclose(still[0], X0 @ X0 * np.array([1.0, math.exp(-2 * 0.5 * 0.8 * 2)]), rtol=1e-12)


def test_what_is_refused(least_squares: Any) -> None:
    for settings, message in (
        ({"scheme": "heun"}, "scheme is 'heun'"),
        ({"method": "direct", "scheme": "euler"}, "has no scheme"),
        ({"method": "reduced", "steps_per_time": 3}, "has no steps_per_time"),
        ({"steps_per_time": 1, "t": 0.1}, "less than one step"),
    ):
        with pytest.raises(SimulationError, match=message):
            run(least_squares, problem(), **settings)
    with pytest.raises(DeclarationError, match="steps_per_time is 0"):
        run(least_squares, problem(), steps_per_time=0)
    with pytest.raises(SimulationError, match="needs the theory"):
        methods.make("homogenized", LEAST_SQUARES, problem(), build(LEAST_SQUARES))
    kinked = hd.zoo.lipschitz_phase_retrieval()
    with pytest.raises(SimulationError, match="not finite at the start"):
        run(kinked, problem(start=hd.start.random(norm=0.0, rng=0), parameters={}))
