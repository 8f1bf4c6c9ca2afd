"""Learning rates: three ways of giving one, one way of using it."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError

TIMES = np.array([[0.0, 0.5], [2.0, 7.0]])


def test_three_kinds_agree() -> None:
    expression = hd.LearningRate(sp.Rational(1, 2) / (1 + hd.t))
    function = hd.LearningRate(lambda t: 0.5 / (1 + t))
    assert (expression.kind, function.kind) == ("expression", "function")
    assert expression(TIMES) == pytest.approx(0.5 / (1 + TIMES))
    assert function(TIMES) == pytest.approx(0.5 / (1 + TIMES))
    assert function.expr is None
    assert expression.value is None


@pytest.mark.parametrize("number", [0.1, 0, np.float64(0.1), np.array(0.25), sp.Rational(1, 10), sp.sqrt(2)])
def test_constants(number: object) -> None:
    rate = hd.LearningRate(number)
    assert rate.kind == "constant"
    assert rate.value == pytest.approx(float(number))  # type: ignore[arg-type]
    assert rate(TIMES).shape == TIMES.shape
    assert rate(3.0) == rate.value
    assert float(rate.expr) == pytest.approx(rate.value)


def test_functions_of_one_number_need_not_be_vectorised() -> None:
    def step(t: float) -> float:
        return 1.0 if t < 1 else 0.1  # raises on an array

    rate = hd.LearningRate(step)
    assert rate(TIMES).tolist() == [[1.0, 1.0], [0.1, 0.1]]
    assert "step" in rate.describe()
    assert hd.LearningRate(lambda t: 3)(TIMES).tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_any_symbol_called_t_is_time() -> None:
    assert hd.LearningRate(1 / (1 + sp.Symbol("t"))) == hd.LearningRate(1 / (1 + hd.t))


def test_step_decay_by_piecewise_and_max() -> None:
    assert hd.LearningRate(sp.Piecewise((1, hd.t < 1), (sp.Rational(1, 10), True)))([0, 2]) == pytest.approx([1, 0.1])
    assert hd.LearningRate(sp.Max(1 - hd.t, 0))([0.25, 3]).tolist() == [0.75, 0.0]


def test_equality_and_text() -> None:
    assert hd.LearningRate(0.1) == hd.LearningRate(hd.LearningRate(0.1))
    assert hd.LearningRate(0.1) != hd.LearningRate(0.2)
    assert hd.LearningRate(0.1).describe() == "0.1"
    assert repr(hd.LearningRate(1 / (1 + hd.t))) == "LearningRate(1/(t + 1))"


def test_travels_to_another_process_after_use() -> None:
    rate = hd.LearningRate(1 / (1 + hd.t))
    rate(1.0)
    assert pickle.loads(pickle.dumps(rate))(1.0) == 0.5  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (-0.1, r"-0\.1 at t = 0"),
        (np.nan, "nan"),
        ("1/t", "parse"),
        (True, "True"),
        (None, "None"),
        (sp.I * hd.t, "real"),
        (sp.oo, "oo"),
        (1 / hd.t, "inf at t = 0"),
        (sp.Symbol("q") + hd.t, "contains q"),
        (sp.Function("f")(hd.t), "cannot be evaluated"),
        (lambda t: "fast", "'fast' at t = 0"),
        (lambda t: 1j, "1j at t = 0"),
        (lambda t: -1.0, "-1 at t = 0"),
    ],
)
def test_mistakes_on_construction(source: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        hd.LearningRate(source)
    assert caught.value.remedy


@pytest.mark.parametrize("source", [1 - hd.t, lambda t: 1 - t])
def test_later_mistakes_name_the_time(source: object) -> None:
    rate = hd.LearningRate(source)
    with pytest.raises(DeclarationError, match=r"is -1 at t = 2"):
        rate(TIMES)
    with pytest.raises(DeclarationError, match=r"nan at t = 3"):
        hd.LearningRate(lambda t: np.sqrt(1 - t) if t < 1 else np.nan)(3.0)


def test_schedules_by_name() -> None:
    """Each at times before, at and after its corners, against what its name says."""
    at = np.array([0.0, 1.0, 2.0, 5.0, 8.0])
    cases = [
        (hd.schedules.power(0.5, 0.5, scale=2.0), 0.5 / np.sqrt(1 + at / 2)),
        (hd.schedules.cosine(0.5, 4.0, final=0.1), 0.1 + 0.2 * (1 + np.cos(np.pi * np.minimum(at / 4, 1)))),
        (hd.schedules.step(0.8, 0.5, every=2.0), [0.8, 0.8, 0.4, 0.2, 0.05]),
        (hd.schedules.warmup(2.0, 0.6), [0.0, 0.3, 0.6, 0.6, 0.6]),
        (hd.schedules.piecewise([0, 2, 6], [0.3, 0.2, 0.1]), [0.3, 0.3, 0.2, 0.2, 0.1]),
        (hd.schedules.piecewise([0, 2, 6], [0.3, 0.2, 0.1], linear=True), [0.3, 0.25, 0.2, 0.125, 0.1]),
    ]
    for schedule, expected in cases:
        np.testing.assert_allclose(hd.LearningRate(schedule)(at), expected, rtol=1e-12)
    with pytest.raises(DeclarationError, match="times are"):
        hd.schedules.piecewise([1, 2], [0.3, 0.2])
    with pytest.raises(DeclarationError, match="every is 0"):
        hd.schedules.step(0.8, 0.5, every=0)


def test_a_jump_of_the_rate_costs_little_accuracy() -> None:
    """The integrator meets a jump inside a step, which it cuts by its error control: a digit or two are lost there."""
    theory = hd.derive(hd.zoo.least_squares())
    problem = hd.Problem(
        spectrum=hd.spectrum.eigenvalues([0.5] * 3 + [1.5] * 3),
        start=hd.start.overlaps(Q=[[1.0]], M=[[0.2]], T=[[1.0]]),
        learning_rate=hd.schedules.step(0.4, 0.3, every=1.7),
    )
    path = theory.solve(problem, t_eval=[0.0, 1.7, 3.4])
    alone, grams = theory.module.solve, problem.grams(theory.model)
    lam, rho = [0.5, 1.5], [0.5, 0.5]
    first = alone(lam, rho, grams, 0.4, [0.0, 1.7], rtol=1e-11, atol=1e-13)
    assert abs(path.risk[1] - first["risk"][1]) < 1e-7 * path.risk[0]
    both = theory.solve(
        replace(problem, learning_rate=lambda t: 0.4 if t < 1.7 else 0.12), t_eval=[0.0, 3.4], rtol=1e-12
    )
    assert abs(path.risk[2] - both.risk[1]) < 1e-6 * path.risk[0]
