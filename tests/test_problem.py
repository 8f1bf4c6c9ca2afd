"""Problems: validated on construction, and least squares built from real rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError, ParameterError

SPECTRUM = hd.spectrum.power_law(0.6, d=30)
START = hd.start.random(rng=0)


def test_defaults_and_normalisation() -> None:
    problem = hd.Problem(SPECTRUM, START, 0.1, parameters={hd.parameter("sigma"): 1, "a": 2.0})
    assert isinstance(problem.learning_rate, hd.LearningRate)
    assert (problem.delta, problem.batch_size, problem.horizon, problem.data) == (0.0, 1, 20.0, None)
    assert problem.parameters == {"a": 2.0, "sigma": 1.0}
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.delta = 1.0  # type: ignore[misc]
    for piece in ("power_law(0.6, d=30)", "random(norm=1", "0.1", "horizon"):
        assert piece in repr(problem)
    assert problem.describe()["learning_rate"] == "0.1"


def test_grams_and_weights_of_a_model() -> None:
    x, s = hd.student("x"), hd.teacher("s")
    model = hd.Model(loss=(x - s) ** 2 / 2)
    problem = hd.Problem(SPECTRUM, START, 0.1)
    W = np.concatenate(problem.weights(model), axis=1)
    assert problem.grams(model).sum(axis=0) == pytest.approx(W.T @ W)
    assert problem.grams(model).shape == (30, 2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spectrum": [1.0, 2.0]}, r"hd\.spectrum\.eigenvalues"),
        ({"spectrum": np.eye(2)}, r"hd\.spectrum\.from_matrix"),
        ({"spectrum": hd.spectrum.identity}, "call it"),
        ({"start": 0.3}, "start of the problem is 0.3"),
        ({"start": hd.start.random}, "call it"),
        ({"start": hd.start.arrays(np.ones(3), np.ones(3))}, "d = 3.*d = 30"),
        ({"learning_rate": -1.0}, "-1 at t = 0"),
        ({"learning_rate": 1 - hd.t / 10}, "horizon 20"),
        ({"delta": -0.5}, r"delta is -0\.5"),
        ({"delta": "x"}, "delta is 'x'"),
        ({"horizon": 0.0}, "horizon is 0"),
        ({"horizon": np.inf}, "horizon is inf"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 1.5}, r"batch_size is 1\.5"),
        ({"data": np.eye(2)}, "from_data"),
    ],
)
def test_mistakes_on_construction(changes: dict[str, object], message: str) -> None:
    arguments = {"spectrum": SPECTRUM, "start": START, "learning_rate": 0.1, **changes}
    with pytest.raises(DeclarationError, match=f"(?s){message}") as caught:
        hd.Problem(**arguments)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_a_shorter_horizon_admits_a_schedule_that_ends() -> None:
    assert hd.Problem(SPECTRUM, START, 1 - hd.t / 10, horizon=10.0).horizon == 10.0


@pytest.mark.parametrize("parameters", [{"sigma": np.nan}, {"sigma": "large"}, {"sigma": None}, [("sigma", 1.0)]])
def test_parameters_are_finite_numbers(parameters: object) -> None:
    with pytest.raises(ParameterError, match=r"sigma"):
        hd.Problem(SPECTRUM, START, 0.1, parameters=parameters)  # type: ignore[arg-type]


def rows(N: int, d: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    A = rng.standard_normal((N, rank)) @ rng.standard_normal((rank, d)) + 0.5
    return A, A @ rng.standard_normal(d) + rng.standard_normal(N)


@pytest.mark.parametrize(("N", "d", "rank"), [(60, 8, 8), (60, 20, 8), (10, 25, 25)])
@pytest.mark.parametrize("center", [False, True])
def test_from_data_reproduces_the_second_moments(N: int, d: int, rank: int, center: bool) -> None:
    A, y = rows(N, d, rank)
    problem = hd.Problem.from_data(A, y, learning_rate=0.1, center=center, scale=True, horizon=5.0)
    data, spectrum = problem.data, problem.spectrum
    assert data is not None
    assert spectrum.basis is not None
    assert spectrum.mean == pytest.approx(1.0)
    features = (A - A.mean(axis=0) if center else A) / data.scale
    assert data.features == pytest.approx(features)
    X0, Xstar = problem.start.weights(spectrum, 1, 1)
    assert not X0.any()
    teacher = spectrum.basis @ Xstar[:, 0]
    expected, *_ = np.linalg.lstsq(features, y, rcond=1e-10)
    assert teacher == pytest.approx(expected, rel=1e-7, abs=1e-9)
    residual = y - features @ teacher
    assert features.T @ residual == pytest.approx(np.zeros(d), abs=1e-9 * N)
    assert problem.parameters["noise_std"] == pytest.approx(np.sqrt(np.mean(residual**2)), abs=1e-12)
    flat = spectrum.eigenvalues() == 0.0
    assert flat.sum() == d - np.linalg.matrix_rank(features)
    assert np.abs(Xstar[flat]).max(initial=0.0) < 1e-12
    # the risk of any weights on the rows is the Gaussian problem's: E(x - s)^2 / 2 + noise^2 / 2
    X = np.random.default_rng(3).standard_normal(d)
    gap = spectrum.basis.T @ X - Xstar[:, 0]
    theory = (gap @ (spectrum.eigenvalues() * gap) + problem.parameters["noise_std"] ** 2) / 2
    assert theory == pytest.approx(np.mean((features @ X - y) ** 2) / 2, rel=1e-9)


def test_from_data_takes_a_start_in_the_basis_of_the_features() -> None:
    A, y = rows(40, 6, 6)
    X0 = np.arange(6.0)
    problem = hd.Problem.from_data(A, y, 0.1, start=X0)
    assert problem.spectrum.basis is not None
    assert problem.spectrum.basis @ problem.start.weights(problem.spectrum, 1, 1)[0][:, 0] == pytest.approx(X0)
    assert problem.data is not None
    assert problem.data.scale == 1.0
    assert "N=40" in repr(problem)


@pytest.mark.parametrize(
    ("features", "labels", "start", "message"),
    [
        (np.ones((4, 2)), np.ones(3), None, r"labels have shape \(3,\)"),
        (np.ones(4), np.ones(4), None, r"shape \(4,\)"),
        (np.zeros((4, 2)), np.ones(4), None, "all zero"),
        (np.full((4, 2), np.nan), np.ones(4), None, "nan"),
        (np.eye(4), np.ones(4), np.ones(5), "start has 5"),
    ],
)
def test_from_data_mistakes(features: object, labels: object, start: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        hd.Problem.from_data(features, labels, 0.1, start=start)  # type: ignore[arg-type]
