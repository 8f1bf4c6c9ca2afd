"""The report of models with sums over units and trained scalars."""

from __future__ import annotations

import numpy as np
import pytest

import hdsym as hd
from hdsym.report import render
from hdsym.report.recipe import declaration, recipe
from tests.test_report import check_page


@pytest.fixture(scope="module")
def problem() -> hd.Problem:
    return hd.Problem(
        spectrum=hd.spectrum.power_law(0.5, d=100),
        start=hd.start.random(norm=0.5, cosine=0.1, n_student=2, n_teacher=2, rng=1),
        learning_rate=0.5,
        learning_rates={"v": 0.3},
        parameters={"a": 1.0, "noise_std": 0.1, "v": 0.8},
    )


def test_formulas_kernels_and_steps_are_shown() -> None:
    theory = hd.derive(hd.zoo.committee("erf", trained_second_layer=True))
    text = render(theory)
    page = check_page(text)
    count = sum(len(step.lines()) for step in theory.steps.values())
    assert text.count('<span class="rule') == count
    for word in ("risk", "gradient", "Fisher matrix", "trained scalars", "kernels", "ODE of a mode"):
        assert word in page.words, word
    assert page.tags["figure"] == 0
    assert "ODE of trained scalars" not in check_page(render(hd.derive(hd.zoo.committee("erf")))).words


def test_full_report_shows_specialisation_and_no_difference_in_parameters(problem: hd.Problem) -> None:
    theory = hd.derive(hd.zoo.committee("erf", trained_second_layer=True))
    path = theory.solve(problem, t=5)
    runs = hd.simulate(theory.model, problem, t=5, runs=5, rng=0)
    assert path.attrs["parameters"] == runs.attrs["parameters"] == {"a1": 1.0, "a2": 1.0, "noise_std": 0.1}
    verdict = hd.compare(path, runs)
    assert "differ in" not in verdict.words
    page = check_page(render(theory, problem, path, runs, verdict))
    assert page.tags["figure"] == 2
    assert "learning rate of v" in page.visible


def test_several_explicit_students_have_a_specialisation_too() -> None:
    x, s, y = (hd.student("x1"), hd.student("x2")), (hd.teacher("s1"), hd.teacher("s2")), hd.label("y")
    theory = hd.derive(hd.Model((x[0] ** 2 + x[1] ** 2 - y) ** 2 / 4, s[0] ** 2 + s[1] ** 2))
    start = hd.start.random(norm=0.5, cosine=0.3, rng=1)
    problem = hd.Problem(spectrum=hd.spectrum.identity(100), start=start, learning_rate=0.02)
    path = theory.solve(problem, t=1)
    assert check_page(render(theory, problem, path)).tags["figure"] == 2


@pytest.mark.parametrize("trained", [False, True])
def test_recipe_declares_the_same_model(trained: bool) -> None:
    model = hd.zoo.committee("erf", trained_second_layer=trained)
    scope: dict[str, hd.Model] = {}
    exec(declaration(model), scope)  # noqa: S102  # our own text
    again = scope["model"]
    assert (again.loss, again.link, again.noise) == (model.loss, model.link, model.noise)
    assert again.sizes == model.sizes
    assert [m.default for m in (*again.parameters, *again.trained)] == [
        m.default for m in (*model.parameters, *model.trained)
    ]


def test_recipe_repeats_the_numbers(problem: hd.Problem) -> None:
    model = hd.zoo.committee("erf", trained_second_layer=True)
    scope: dict[str, hd.Trajectory] = {}
    exec(recipe(model, problem, None, from_file=False), scope)  # noqa: S102  # our own text
    expected = hd.derive(model).solve(problem)
    np.testing.assert_array_equal(scope["path"].risk.values, expected.risk.values)
