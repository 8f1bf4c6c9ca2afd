"""The excess risk of models that train scalars: what it is relative to, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd

x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")


def problem(units: int, **parameters: object) -> hd.Problem:
    return hd.Problem(
        spectrum=hd.spectrum.power_law(0.5, d=100),
        start=hd.start.random(norm=0.7, cosine=0.3, n_student=units, n_teacher=units, rng=1),
        learning_rate=0.3,
        learning_rates=dict.fromkeys(parameters, 0.1),
        parameters=parameters,
        horizon=3.0,
    )


def test_a_committee_is_measured_from_the_teacher_itself() -> None:
    """At X = X* the best second layer is the teacher's: the noise is left."""
    path = hd.derive(hd.zoo.committee(trained_second_layer=True, noise_std=0.2)).solve(problem(3, v=[0.3, 0.5, 0.1]))
    assert path.risk.values - path.excess_risk.values == pytest.approx(0.2**2 / 2, rel=1e-10)


def test_the_best_scalar_where_the_teacher_is_out_of_reach() -> None:
    """f = (b tanh x - y)^2 / 2 with y = tanh s + s: at x = s the best b is E[tanh s y] / E[tanh^2 s]."""
    b = hd.Trained("b", default=0.1)
    path = hd.derive(hd.Model((b * sp.tanh(x) - y) ** 2 / 2, sp.tanh(s) + s)).solve(problem(1, b=0.1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    weights = weights / weights.sum()
    u = np.sqrt(float(path.overlaps[0, 1, 1])) * nodes
    target = np.tanh(u) + u
    best = (weights @ (np.tanh(u) * target)) / (weights @ np.tanh(u) ** 2)
    floor = weights @ (best * np.tanh(u) - target) ** 2 / 2
    assert path.risk.values - path.excess_risk.values == pytest.approx(floor, rel=1e-8)


def test_equally_good_scalars() -> None:
    """Only b + c enters: the minimum is a line, and its value is what counts."""
    b, c = hd.Trained("b", default=0.1), hd.Trained("c", default=0.2)
    path = hd.derive(hd.Model((x + b + c - y) ** 2 / 2, s + 1)).solve(problem(1, b=0.1, c=0.2))
    assert path.excess_risk.values == pytest.approx(path.risk.values, rel=1e-10)


@pytest.mark.parametrize(
    "loss",
    [
        (sp.erf(x + hd.Trained("b", default=0.0)) - y) ** 2 / 2,  # not quadratic in b
        (x - y) ** 2 / 2 + hd.Trained("b", default=0.0) * x**2,  # linear in b: no minimum
        (x - y) ** 2 / 2 - hd.Trained("b", default=0.0) ** 2,  # a maximum
    ],
)
def test_no_excess_risk_without_a_best_scalar(loss: sp.Expr) -> None:
    path = hd.derive(hd.Model(loss, s)).solve(problem(1, b=0.0))
    assert "excess_risk" not in path.dataset
