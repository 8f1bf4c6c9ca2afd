"""SGD on real rows: the same numbers as a plain loop in the original basis, and statistics in the eigenbasis."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import hdsym as hd
from hdsym.errors import SimulationError


def _rows(N: int = 40, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((N, d)) @ rng.standard_normal((d, d)) / np.sqrt(d)
    return A, A @ rng.standard_normal(d) / np.sqrt(d) + 0.3 * rng.standard_normal(N)


@pytest.mark.parametrize(("name", "batch", "delta"), [("least_squares", 1, 0.0), ("logistic", 3, 0.4)])
def test_same_numbers_as_a_plain_loop(name, batch, delta):
    A, labels = _rows()
    model = hd.zoo.MODELS[name]()
    problem = hd.Problem.from_data(A, labels, learning_rate=0.2, batch_size=batch, delta=delta, start=np.full(6, 0.4))
    if name == "logistic":  # from_data adds the noise level of least squares, which this model does not have
        problem = hd.Problem(
            problem.spectrum, problem.start, 0.2, delta, batch_size=batch, data=problem.data, parameters={}
        )
    ensemble = hd.simulate(model, problem, runs=2, t_eval=[0.0, 2.0, 5.0], rng=4, method="data")
    K = A.T @ A / len(A)
    star = np.linalg.lstsq(A, labels, rcond=None)[0]
    for i, seed in enumerate(np.random.SeedSequence(4).spawn(2)):
        rng = np.random.Generator(np.random.SFC64(seed))
        X = np.full(6, 0.4)
        for k in range(31):
            if k in (0, 12, 30):
                j = (0, 12, 30).index(k)
                W = np.stack([X, star], axis=1)
                np.testing.assert_allclose(ensemble.overlaps.values[i, j], W.T @ K @ W, rtol=1e-9)
                np.testing.assert_allclose(ensemble.gram.values[i, j], W.T @ W, rtol=1e-9)
                u = A @ X
                losses = (u - labels) ** 2 / 2 if name == "least_squares" else np.logaddexp(0, u) - labels * u
                assert ensemble.risk.values[i, j] == pytest.approx(losses.mean(), rel=1e-12)
            gradient = np.zeros(6)
            for _ in range(batch):
                row = int(rng.random() * len(A))
                u = A[row] @ X
                slope = u - labels[row] if name == "least_squares" else expit(u) - labels[row]
                gradient += slope * A[row] / batch
            X = X - 0.2 / 6 * (gradient + delta * X)


def test_least_squares_risk_is_that_of_the_overlaps():
    """The residual is orthogonal to the features, so the mean loss is h(B) at the residual's noise level."""
    A, labels = _rows()
    problem = hd.Problem.from_data(A, labels, learning_rate=0.3)
    ensemble = hd.simulate(hd.zoo.least_squares(), problem, runs=2, t=5, rng=0, method="data")
    B = ensemble.overlaps.values
    h = (B[..., 0, 0] - 2 * B[..., 0, 1] + B[..., 1, 1] + problem.parameters["noise_std"] ** 2) / 2
    np.testing.assert_allclose(ensemble.risk.values, h, rtol=1e-10)


def test_more_features_than_rows_and_any_number_of_workers():
    A, labels = _rows(N=5, d=9)
    problem = hd.Problem.from_data(A, labels, learning_rate=0.3)
    runs = [hd.simulate(hd.zoo.least_squares(), problem, runs=4, t=3, rng=0, method="data", workers=w) for w in (1, 2)]
    np.testing.assert_array_equal(runs[0].risk.values, runs[1].risk.values)
    np.testing.assert_array_equal(runs[0].overlaps.values, runs[1].overlaps.values)


def test_a_model_without_label_has_no_use_for_rows():
    A, labels = _rows()
    problem = hd.Problem.from_data(A, labels, learning_rate=0.3)
    problem = hd.Problem(problem.spectrum, problem.start, 0.3, data=problem.data)
    model = hd.Model((hd.student("x") - hd.teacher("s")) ** 2 / 2)
    with pytest.raises(SimulationError, match="needs a loss in the label"):
        hd.simulate(model, problem, runs=1, t=1, method="data")


def test_one_pass_takes_every_row_once_in_an_order_of_its_own():
    A, labels = _rows()
    problem = hd.Problem.from_data(A, labels, learning_rate=0.2, batch_size=3)
    settings = {"runs": 2, "t_eval": [0.0, 1.0, 13 / 6], "rng": 4, "method": "data", "replace": False}
    ensemble = hd.simulate(hd.zoo.least_squares(), problem, **settings)
    orders = []
    for i, seed in enumerate(np.random.SeedSequence(4).spawn(2)):
        orders.append(np.random.Generator(np.random.SFC64(seed)).permutation(40))
        X = np.zeros(6)
        for k in range(13):  # 13 batches of three: a row is left
            batch = orders[-1][3 * k : 3 * k + 3]
            X = X - 0.2 / 6 * (A[batch] @ X - labels[batch]) @ A[batch] / 3
        np.testing.assert_allclose(ensemble.gram.values[i, -1, 0, 0], X @ X, rtol=1e-10)
    assert not np.array_equal(*orders)
    np.testing.assert_array_equal(
        hd.simulate(hd.zoo.least_squares(), problem, **{**settings, "runs": 1}).more(1).risk.values,
        ensemble.risk.values,
    )
    with pytest.raises(SimulationError, match=r"ends after 13 steps, t = 2.16667; t = 3(.|\n)*t=2.16667 or less"):
        hd.simulate(hd.zoo.least_squares(), problem, **{**settings, "t_eval": [3.0]})
    with pytest.raises(SimulationError, match="draws fresh samples"):
        hd.simulate(hd.zoo.least_squares(), problem, t=1, replace=False)
