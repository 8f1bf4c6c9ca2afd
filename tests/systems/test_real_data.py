"""Theory from the moments of real rows against SGD on those rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

import hdsym as hd
from hdsym.digits import relu_features
from hdsym.errors import DeclarationError

LOGISTIC = hd.zoo.logistic("bernoulli")


def signs(N: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features that are not Gaussian, and sampled labels."""
    rng = np.random.default_rng(seed)
    A = rng.choice([-1.0, 1.0], (N, d)) * np.sqrt(hd.spectrum.power_law(0.4, d=d).eigenvalues())
    return A, (rng.random(N) < expit(A @ rng.standard_normal(d) * 2 / np.sqrt(d))).astype(np.float64)


@pytest.mark.parametrize("d", [500, 1000])
def test_random_features_of_digits(d: int) -> None:
    """gamma tr K / d = 0.3: the mean risk on the rows within 5 % at all times; measured 2 % with 60 runs."""
    made = relu_features(d)
    problem = hd.Problem.from_data(made.features, made.labels, learning_rate=0.3, horizon=20.0)
    assert problem.spectrum.mean == pytest.approx(1.0)
    runs = hd.simulate(hd.zoo.least_squares(), problem, runs=40, rng=0, method="data", record=10)
    path = hd.derive(hd.zoo.least_squares()).solve(problem, t_eval=runs.time.values)
    gap = runs.risk.values.mean(axis=0) / path.risk.values - 1
    assert np.max(np.abs(gap)) < 0.05
    assert path.risk.values[-1] < 0.4 * path.risk.values[0]


def test_the_teacher_of_sampled_labels_is_the_most_likely_one() -> None:
    A, y = signs(400, 20)
    A[:, 3] = 0.0  # a direction without data
    for chance, model in (
        (expit, LOGISTIC),
        (None, hd.Model(LOGISTIC.loss, hd.Bernoulli(1 - hd.sigmoid(LOGISTIC.teachers[0])))),
    ):
        problem = hd.Problem.from_data(A, y, learning_rate=0.2, model=model)
        assert problem.parameters == {}
        assert problem.spectrum.basis is not None
        teacher = problem.spectrum.basis @ problem.start.weights(problem.spectrum, 1, 1)[1][:, 0]
        assert abs(teacher[3]) < 1e-12
        found = minimize(
            lambda X: np.sum(np.logaddexp(0, A @ X) - y * (A @ X)), np.zeros(20), method="BFGS", tol=1e-6
        ).x
        assert teacher == pytest.approx(found if chance is expit else -found, abs=1e-4)


def test_logistic_regression_on_rows() -> None:
    """Within 2 %, measured 1.3 %; a teacher longer by a tenth is off by 4 %."""
    A, y = signs(2000, 100)
    problem = hd.Problem.from_data(A, y, learning_rate=1.0, model=LOGISTIC, horizon=10.0)
    runs = hd.simulate(LOGISTIC, problem, runs=12, rng=0, method="data", record=20)
    path = hd.derive(LOGISTIC).solve(problem, t_eval=runs.time.values)
    assert np.max(np.abs(runs.risk.values.mean(axis=0) / path.risk.values - 1)) < 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.arange(60.0)}, "labels are not all 0 or 1"),
        (
            {"features": np.random.default_rng(0).standard_normal((60, 50))},
            "50 features separate the two classes",
        ),
        ({"model": hd.zoo.phase_retrieval()}, r"real phase retrieval has the link .*s\*\*2"),
        ({"model": hd.zoo.logistic("soft")}, "soft labels has the link"),
        ({"model": hd.Model((hd.student("x") - hd.teacher("s")) ** 2)}, "has no link"),
        ({"labels": (np.arange(60) < 5).astype(float)}, "of the labels are 1"),
    ],
)
def test_labels_that_the_model_cannot_have(change: dict[str, object], message: str) -> None:
    A, y = signs(60, 4)
    arguments = {"features": A, "labels": y, "learning_rate": 0.1, "model": LOGISTIC, **change}
    with pytest.raises(DeclarationError, match=message) as caught:
        hd.Problem.from_data(**arguments)  # type: ignore[arg-type]
    assert caught.value.remedy
