"""Several directions, sampled labels, trained scalars: the same numbers as plain numpy loops, and wide models."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from scipy.special import erf, softmax

import hdsym as hd
from hdsym.simulate.kernels import build
from hdsym.simulate.quasirandom import points_for, rule
from hdsym.simulate.risk import Averager
from tests.simulate.plain_multi import Plain, run

K, M, i = hd.size("K"), hd.size("M"), sp.Symbol("i", integer=True)
x, s, y, eps = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y"), hd.noise("eps")
x1, x2, x3 = hd.student("x", size=3)
s1, s2, s3 = hd.teacher("s", size=3)
v, a = hd.Trained("v", size=K), hd.parameter("a", size=M)
b = hd.Trained("b")
A = np.array([0.7, -1.1])


def _gauss(rng: np.random.Generator) -> float:
    return 0.3 * rng.standard_normal()


def _slope_erf(u: np.ndarray) -> np.ndarray:
    return np.sqrt(2 / np.pi) * np.exp(-(u**2) / 2)


def _erf_committee() -> tuple[hd.Model, Plain]:
    out = sp.Sum(v[i] * sp.erf(x[i] / sp.sqrt(2)), (i, 1, K)) / sp.sqrt(K)
    link = sp.Sum(a[i] * sp.erf(s[i] / sp.sqrt(2)), (i, 1, M)) + eps

    def slopes(x, s, y, v):
        gap = v @ erf(x / math.sqrt(2)) / math.sqrt(3) - y
        return gap * v * _slope_erf(x) / math.sqrt(3), gap * erf(x / math.sqrt(2)) / math.sqrt(3)

    label = lambda rng, s, e: A @ erf(s / math.sqrt(2)) + e  # noqa: E731
    return hd.Model((out - y) ** 2 / 2, link, hd.Normal(eps, std=0.3)), Plain(slopes, label, _gauss)


def _relu_with_bias() -> tuple[hd.Model, Plain]:
    """The bias is inside of every unit, the second layer outside: b comes before v1, v2, v3 in the order of names."""
    out = sp.Sum(v[i] * hd.relu(x[i] - b), (i, 1, K)) / K
    link = sp.Sum(a[i] * s[i] ** 2, (i, 1, M))

    def slopes(x, s, y, theta):
        bias, weights = theta[0], theta[1:]
        active, gap = (x > bias) * 1.0, weights @ np.maximum(x - bias, 0) / 3 - y
        return gap * weights * active / 3, np.r_[-gap * weights @ active / 3, gap * np.maximum(x - bias, 0) / 3]

    return hd.Model((out - y) ** 2 / 2, link), Plain(slopes, lambda rng, s, e: A @ s**2)


def _softmax(sampled: bool) -> tuple[hd.Model, Plain]:
    students, teachers = (x1, x2, x3), (s1, s2, s3)
    chances = [sp.exp(t) / sum(sp.exp(u) for u in teachers) for t in teachers]
    if not sampled:
        loss = hd.logsumexp(*students) - sum(p * u for p, u in zip(chances, students, strict=True))
        return hd.Model(loss), Plain(lambda x, s, y, v: (softmax(x) - softmax(s), []), lambda rng, s, e: None)
    picked = sum(sp.KroneckerDelta(y, k) * u for k, u in enumerate(students, start=1))

    def label(rng, s, e):
        return int(np.searchsorted(np.cumsum(softmax(s))[:2], rng.random(), side="right"))

    plain = Plain(lambda x, s, y, v: (softmax(x) - np.eye(3)[y], []), label)
    return hd.Model(hd.logsumexp(*students) - picked, hd.Categorical([1, 2, 3], chances)), plain


def _mixture() -> tuple[hd.Model, Plain]:
    """The student that is closest moves; the label is one of two teachers, drawn by a fair coin."""
    loss = sp.Min((x1 - y) ** 2, (x2 - y) ** 2) / 2
    model = hd.Model(loss, hd.Categorical([s1, s2], [sp.Rational(1, 2)] * 2))

    def slopes(x, s, y, v):
        return (x - y) * np.eye(2)[np.argmin(np.abs(x - y))], []

    return model, Plain(slopes, lambda rng, s, e: s[0] if rng.random() < 0.5 else s[1])


def _poisson() -> tuple[hd.Model, Plain]:
    u = (x1 + x2) / 2
    model = hd.Model(sp.exp(u) - y * u, hd.Poisson(sp.exp((s1 - s2) / 2)))
    plain = Plain(
        lambda x, s, y, v: (np.full(2, (np.exp(x.mean()) - y) / 2), []),
        lambda rng, s, e: rng.poisson(np.exp((s[0] - s[1]) / 2)),
    )
    return model, plain


CASES: dict[str, tuple[Callable[[], tuple[hd.Model, Plain]], int, int, dict[str, object]]] = {
    "erf committee, second layer trained": (_erf_committee, 3, 2, {"a": A, "v": (0.5, 1.0, -0.4)}),
    "relu with a trained bias": (_relu_with_bias, 3, 2, {"a": A, "v": (0.5, 1.0, -0.4), "b": 0.1}),
    "softmax, soft labels": (lambda: _softmax(False), 3, 3, {}),
    "softmax, sampled labels": (lambda: _softmax(True), 3, 3, {}),
    "mixture of two regressions": (_mixture, 2, 2, {}),
    "poisson": (_poisson, 2, 2, {}),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_same_numbers_as_a_plain_loop(name: str, batch: int) -> None:
    make, l, m, parameters = CASES[name]
    model, plain = make()
    rng = np.random.default_rng(5)
    problem = hd.Problem(
        hd.spectrum.power_law(0.6, d=23),
        hd.start.arrays(rng.standard_normal((23, l)) / 5, rng.standard_normal((23, m)) / 5),
        0.4 / (1 + hd.t),
        delta=0.2,
        batch_size=batch,
        parameters=parameters,
        learning_rates={"v": lambda t: 0.3 / (1 + t / 2)} if "v" in parameters else {},
    )
    runs = hd.simulate(model, problem, runs=2, t_eval=[0.0, 1.0, 3.0], rng=11)
    explicit = problem.explicit(model)
    theta = list(explicit.trained_values(parameters).values())
    rates = problem.trained_rates(model)
    for k, seed in enumerate(np.random.SeedSequence(11).spawn(2)):
        B, G, scalars = run(plain, problem, problem.weights(model), theta, rates, [0, 23, 69], seed)
        np.testing.assert_allclose(runs.overlaps.values[k], B, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(runs.gram.values[k], G, rtol=1e-10, atol=1e-12)
        if theta:
            np.testing.assert_allclose(runs.trained.values[k], scalars, rtol=1e-10, atol=1e-12)
            assert np.ptp(scalars, axis=0).min() > 1e-3  # they do move
    assert [*runs.dataset["row"].values] == [symbol.name for symbol in (*explicit.students, *explicit.teachers)]


def test_trained_scalars_are_recorded_with_their_names_and_rates() -> None:
    model, _ = _relu_with_bias()
    start = hd.start.random(rng=0, n_student=2, n_teacher=1)
    problem = hd.Problem(
        hd.spectrum.identity(50), start, 0.1, parameters={"a": 1, "v": 0.5, "b": 0.0}, learning_rates={"b": 0}
    )
    runs = hd.simulate(model, problem, runs=2, t=1, rng=0)
    assert runs.trained.dims == ("run", "time", "theta")
    assert list(runs.trained["theta"].values) == ["b", "v1", "v2"]
    assert np.all(runs.trained.sel(theta="b") == 0.0)
    assert np.all(runs.trained.sel(theta="v2")[:, -1] != 0.5)
    assert runs.attrs["learning_rates"] == {"b": "0", "v1": "0.1", "v2": "0.1"}
    assert runs.attrs["parameters"] == {"a1": 1.0}


def test_a_trained_scalar_that_runs_away_ends_the_run() -> None:
    """theta' = theta grows without bound while X stays where it is."""
    scalar = hd.Trained("c", default=1.0)
    model = hd.Model((x1 - s1) ** 2 - scalar**2 / 2)
    problem = hd.Problem(hd.spectrum.identity(10), hd.start.random(rng=0), 0.1, learning_rates={"c": 50.0})
    runs = hd.simulate(model, problem, runs=2, t=200, rng=0, record=100)
    assert np.all(np.isfinite(runs.diverged))
    assert np.all(np.isnan(runs.trained.values[:, -1]))
    assert np.all(np.isfinite(runs.trained.values[:, 0]))


def test_a_start_of_a_trained_scalar_is_asked_for() -> None:
    model, _ = _erf_committee()
    start = hd.start.random(rng=0, n_student=3, n_teacher=2)
    with pytest.raises(hd.HdsymError, match="'v1' of model has no value"):
        hd.simulate(model, hd.Problem(hd.spectrum.identity(20), start, 0.1, parameters={"a": 1}), runs=1, t=1)


def test_a_loss_that_jumps_in_a_trained_scalar_is_refused() -> None:
    with pytest.raises(hd.HdsymError, match="continuous in b"):
        build(hd.Model(x1 * sp.sign(b - 1) + s1))


def test_rows_of_data_train_scalars_too() -> None:
    """Least squares with a bias on rows whose labels have mean 3: the bias goes there; in the end to 2 %."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 10))
    problem = hd.Problem.from_data(features, features @ rng.standard_normal(10) + 3.0, 0.3, horizon=60.0)
    bias = hd.Trained("bias", default=0.0)
    noise = hd.Normal(eps, std=hd.parameter("noise_std"))
    model = hd.Model((hd.student("x") + bias - y) ** 2 / 2, hd.teacher("s") + eps, noise)
    runs = hd.simulate(model, problem, runs=2, rng=0, method="data")
    assert runs.trained.values[:, -1, 0] == pytest.approx(3.0, rel=0.02)
    assert np.all(runs.risk.values[:, -1] < 1e-3)


@pytest.mark.parametrize("width", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_wide_committees_compile(width: int) -> None:
    model, _ = _erf_committee()
    start = hd.start.random(rng=0, n_student=width, n_teacher=width)
    problem = hd.Problem(hd.spectrum.identity(200), start, 0.1, parameters={"a": 1, "v": 1})
    runs = hd.simulate(model, problem, runs=2, t=0.5, rng=0, record=2)
    assert np.all(np.isfinite(runs.risk.values))
    assert 0 < runs.attrs["risk_error"] < 0.02


def _committee_risk(B: np.ndarray, K: int, v: np.ndarray, a: np.ndarray) -> float:
    """Saad and Solla's I2 = (2 / pi) asin(B_ij / sqrt((1 + B_ii)(1 + B_jj)))."""
    one = np.sqrt(1 + np.diag(B))
    kernel = 2 / np.pi * np.arcsin(B / np.outer(one, one))
    weights = np.r_[v / math.sqrt(K), -a]
    return float(weights @ kernel @ weights / 2) + 0.09 / 2


@pytest.mark.parametrize("width", [2, 6, 16])
def test_the_risk_of_a_committee_is_as_accurate_as_it_says(width: int) -> None:
    """Against the closed form; the worst of eight matrices may be five times the root mean square error it reports."""
    model = _erf_committee()[0].at(K=width, M=width)
    rng, n = np.random.default_rng(1), 2 * width
    W = rng.standard_normal((8, n, n + 3)) / math.sqrt(n)
    B = W @ W.transpose(0, 2, 1)
    second, a = rng.standard_normal((8, width)), rng.standard_normal(width)
    average = Averager(build(model).population, model, a)
    exact = np.array([_committee_risk(B[k], width, second[k], a) for k in range(8)])
    error = average.error(B, second)
    worst = np.max(np.abs(average(B, second) / exact - 1))
    assert error < 8e-3
    assert worst < 5 * error + 1e-5


@pytest.mark.parametrize(("n", "noise"), [(9, ""), (12, "normal"), (40, "uniform"), (128, "")])
def test_points_in_many_dimensions_have_exact_moments(n: int, noise: str) -> None:
    points, weights = rule(n, noise)
    assert points.shape == (n + 1, points_for(n))
    assert n * points_for(n) <= 2**20
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    normals = points[: n + (noise == "normal")]
    np.testing.assert_allclose(normals @ normals.T / normals.shape[1], np.eye(len(normals)), atol=1e-11)
    np.testing.assert_allclose(np.mean(normals**3, axis=1), 0, atol=1e-12)
    if noise == "uniform":
        assert 0 < points[n].min() < points[n].max() < 1
        assert points[n].mean() == pytest.approx(0.5, abs=1e-12)
    assert not np.array_equal(points, rule(n, noise, 1)[0])
