"""Sampled labels, biases and plain students beside sums over units: the ODE against streaming SGD at d = 1000."""

from __future__ import annotations

import pytest
import sympy as sp

import hdsym as hd
from tests.derive.committees import NORMAL, K, M, a, b, eps, erf, k, m, s, s0, teachers, units, v, w, x, x0, y

LEVEL = 1e-3
"""Each comparison fails by chance with probability 0.001: of the four below, one in 250 sets of new seeds would."""

OUTPUT = units(v[k] * erf(x[k] + b[k]))
BINARY = hd.Bernoulli((1 + teachers(erf(s[m])) / M) / 2)
MODELS = {
    "logistic regression with a bias": (
        hd.Model(hd.softplus(x0 + w) - (x0 + w) * y, hd.Bernoulli(hd.sigmoid(s0 + sp.Rational(1, 2)))),
        1, 1, {"w": 0.0}, 1.0,
    ),
    "biases in a committee": (
        hd.Model((OUTPUT - y) ** 2 / 2, teachers(a[m] * erf(s[m])) + eps, NORMAL),
        3, 2, {"v": [0.5, 1.0, -0.3], "b": [0.1, -0.2, 0.3], "a": 1.0}, 0.8,
    ),
    "labels sampled given a committee": (
        hd.Model((OUTPUT - y) ** 2 / 2, BINARY), 2, 2, {"v": [0.5, 0.8], "b": 0.0}, 0.8,
    ),
    "a plain student beside a committee": (
        hd.Model((units(x[k] ** 2) / K + w * x0 - y) ** 2 / 2, s0 + s0**2 / 2 + eps, NORMAL), 2, 1, {"w": 0.5}, 0.2,
    ),
}  # fmt: skip


def posed(name: str) -> tuple[hd.Model, hd.Problem]:
    model, width, n_teacher, values, gamma = MODELS[name]
    sizes = {size.name: {"K": width, "M": n_teacher}[size.name] for size in model.sizes}
    start = hd.start.random(norm=0.7, cosine=0.4, rng=11)
    spectrum = hd.spectrum.power_law(0.3, d=1000)
    return model, hd.Problem(
        spectrum,
        start,
        gamma,
        delta=0.02,
        horizon=4.0,
        parameters=values,
        sizes=sizes,
        learning_rates={"w": 0.5 * gamma} if "w" in values else {},
    )


@pytest.mark.parametrize("name", MODELS)
def test_theory_agrees_with_sgd(name: str) -> None:
    model, problem = posed(name)
    path = hd.derive(model).solve(problem)
    runs = hd.simulate(model, problem, runs=16, rng=7, record=7)
    verdict = hd.compare(path, runs, statistics=("risk", "overlaps", "trained"))
    assert verdict.p_value > LEVEL, verdict.words


def test_labels_that_are_means_are_not_labels_that_are_sampled() -> None:
    """The comparison can fail: a theory whose labels are the conditional means has a smaller Fisher matrix."""
    name = "labels sampled given a committee"
    model, problem = posed(name)
    soft = hd.Model(model.loss, (1 + teachers(erf(s[m])) / M) / 2)
    runs = hd.simulate(model, problem, runs=16, rng=7, record=7)
    path = hd.derive(soft).solve(problem)
    assert hd.compare(path, runs, statistics=("overlaps",)).p_value < LEVEL
