"""Direct SGD: the same numbers as a plain loop, the right moments, exact special cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import erf, expit

import hdsym as hd
from tests.simulate.plain_sgd import Plain, run

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


def _gauss(rng: np.random.Generator) -> float:
    return 0.3 * rng.standard_normal()


def _three(rng: np.random.Generator) -> float:
    u = rng.random()
    return -1.0 if u < 0.25 else (0.5 if u < 0.75 else 2.0)


DISCRETE = hd.Discrete(eps, values=(-1, 0.5, 2), probabilities=(0.25, 0.5, 0.25))
CASES = {
    "least_squares": (hd.zoo.least_squares(0.3), Plain(lambda x, y: x - y, lambda s, e: s + e, _gauss)),
    "phase_retrieval": (
        hd.zoo.phase_retrieval(0.3),
        Plain(lambda x, y: x * (x * x - y), lambda s, e: s * s + e, _gauss),
    ),
    "lipschitz": (
        hd.Model((abs(x) - abs(s)) ** 2 / 2),  # the outer function itself, without a label
        Plain(lambda x, y: np.sign(x) * (abs(x) - y), lambda s, e: abs(s)),
    ),
    "soft": (hd.zoo.logistic("soft"), Plain(lambda x, y: expit(x) - y, lambda s, e: expit(s))),
    "bernoulli": (hd.zoo.logistic("bernoulli"), Plain(lambda x, y: expit(x) - y, lambda s, e: expit(s), sampled=True)),
    "probit": (
        hd.zoo.probit(0.3),
        Plain(
            lambda x, y: (erf(x / math.sqrt(2)) - y) * math.sqrt(2 / math.pi) * math.exp(-x * x / 2),
            lambda s, e: erf(s / math.sqrt(2)) + e,
            _gauss,
        ),
    ),
    "discrete": (hd.Model((x - y) ** 2 / 2, s + eps, DISCRETE), Plain(lambda x, y: x - y, lambda s, e: s + e, _three)),
    "uniform": (
        hd.Model(hd.softplus(-y * x), s + eps, hd.Uniform(eps, -1, 3)),
        Plain(lambda x, y: -y * expit(-y * x), lambda s, e: s + e, lambda rng: -1 + 4 * rng.random()),
    ),
}


def _problem(**changes) -> hd.Problem:
    settings = {
        "spectrum": hd.spectrum.power_law(0.6, d=23),
        "start": hd.start.random(norm=1.2, cosine=0.3, rng=5),
        "learning_rate": 0.4 / (1 + hd.t),
        "delta": 0.2,
        **changes,
    }
    return hd.Problem(**settings)


@pytest.mark.parametrize("name", CASES)
def test_same_numbers_as_a_plain_loop(name):
    model, plain = CASES[name]
    problem = _problem(batch_size=2 if name in ("least_squares", "bernoulli") else 1)
    ensemble = hd.simulate(model, problem, runs=2, t_eval=[0.0, 1.0, 3.0], rng=11)
    for i, seed in enumerate(np.random.SeedSequence(11).spawn(2)):
        B, G = run(plain, problem, model, [0, 23, 69], seed)
        np.testing.assert_allclose(ensemble.overlaps.values[i], B, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(ensemble.gram.values[i], G, rtol=1e-11, atol=1e-13)


def test_mean_of_least_squares_follows_its_closed_recursion():
    """E v_i^2 of v = X - X* obeys a linear recursion for every finite d; 3000 runs, 15 z-scores below 4.5 (1e-4)."""
    omega, gamma, d, runs = 0.5, 0.7, 12, 3000
    spectrum = hd.spectrum.eigenvalues(np.linspace(0.1, 2.0, d))
    problem = hd.Problem(spectrum, hd.start.random(norm=1.0, cosine=0.1, rng=2), gamma)
    model = hd.zoo.least_squares(omega)
    lam, c = spectrum.eigenvalues(), gamma / d
    X, S = problem.weights(model)
    V = (X - S)[:, 0] ** 2
    expected = []
    for k in range(4 * d + 1):
        if k % d == 0:
            expected.append((V.sum(), 0.5 * (lam @ V + omega**2)))
        V = V * (1 - 2 * c * lam + 2 * c**2 * lam**2) + c**2 * lam * (lam @ V + omega**2)
    ensemble = hd.simulate(model, problem, runs=runs, t_eval=np.arange(1.0, 5.0), rng=3)
    for j, name in enumerate(("distance", "risk")):
        values = getattr(ensemble, name).values
        error = values.std(axis=0) / math.sqrt(runs)
        z = (values.mean(axis=0) - np.array(expected)[1:, j]) / error
        assert np.all(np.abs(z) < 4.5), (name, z)


def test_samples_have_the_declared_covariance():
    """20,000 samples of the compiled a ~ N(0, K): 15 entries within 5 standard errors (false positive 1e-5)."""
    from hdsym.simulate import kernels, streams

    module = __import__("sys").modules[kernels.build(hd.zoo.least_squares()).path.stem]
    root, N = np.sqrt(np.array([0.0, 0.3, 1.0, 2.0, 7.0])), 20_000
    rng, rows = streams.generator(np.random.SeedSequence(4)), np.empty((N, 5))
    for row in rows:
        module.normals(rng, root, row)
    K = np.diag(root**2)
    error = np.sqrt((np.outer(root, root) ** 2 + K**2) / N)
    assert np.all(np.abs(rows.T @ rows / N - K) <= 5 * error)
    assert np.all(rows[:, 0] == 0)


def test_bernoulli_labels_have_the_declared_frequency():
    """20,000 labels at each of five s: within 4.5 standard errors (false positive 3e-5)."""
    from hdsym.simulate import kernels, streams

    module = __import__("sys").modules[kernels.build(hd.zoo.logistic("bernoulli")).path.stem]
    rng = streams.generator(np.random.SeedSequence(4))
    for value in (-800.0, -2.0, 0.0, 1.0, 800.0):
        labels = [module.draw_label(rng, np.array([value]), 0.0, np.empty(0)) for _ in range(20_000)]
        p = float(expit(value))
        assert set(labels) <= {0.0, 1.0}
        assert abs(np.mean(labels) - p) <= 4.5 * math.sqrt(p * (1 - p) / 20_000)


def test_regularisation_alone_decays_exactly():
    """Where K vanishes no gradient acts: X_i shrinks by 1 - gamma delta / d each step."""
    spectrum = hd.spectrum.eigenvalues([0.0] * 9 + [1.0])
    X0 = np.r_[np.full(9, 0.3), 0.0]
    problem = hd.Problem(spectrum, hd.start.arrays(X0, np.eye(10)[0]), 0.5, delta=0.8)
    ensemble = hd.simulate(hd.zoo.least_squares(), problem, runs=1, t_eval=[0.0, 2.0], rng=0)
    factor = (1 - 0.5 * 0.8 / 10) ** 20
    np.testing.assert_allclose(ensemble.norm.values[0], np.array([1, factor]) * np.linalg.norm(X0), rtol=1e-13)


def test_zero_start_at_a_kink_does_not_move():
    """sign(0) = 0: phase retrieval from X = 0 has no direction to go."""
    problem = hd.Problem(hd.spectrum.identity(d=8), hd.start.random(norm=0.0, cosine=0.0, rng=0), 0.5)
    ensemble = hd.simulate(hd.zoo.lipschitz_phase_retrieval(), problem, runs=2, t=1, rng=0)
    assert np.all(ensemble.norm.values == 0)
    np.testing.assert_allclose(ensemble.risk.values, 0.5, rtol=1e-5)  # E s^2 / 2


def test_schedule_given_as_python_function_equals_the_expression():
    ensembles = [
        hd.simulate(hd.zoo.least_squares(), _problem(learning_rate=rate), runs=2, t=2, rng=0)
        for rate in (0.4 / (1 + hd.t), lambda t: 0.4 / (1 + t))
    ]
    np.testing.assert_allclose(ensembles[0].risk.values, ensembles[1].risk.values, rtol=1e-12)


def test_memory_does_not_grow_with_the_number_of_steps():
    """From 10^4 to 10^6 steps the peak of allocations grows by one block of rates at most, whatever the schedule."""
    import tracemalloc

    problem, peaks = _problem(learning_rate=0.01 / (1 + hd.t)), []
    for t in (10, 500, 50_000):  # the first run warms up
        tracemalloc.start()
        hd.simulate(hd.zoo.least_squares(), problem, runs=1, t=t, rng=0, workers=1, record=5)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 65536 * 8 * 6  # temporaries of the evaluation included
