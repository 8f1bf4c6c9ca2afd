"""Exported modules with adaptive learning rates: the library's solutions, from the file alone, lint clean and typed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdsym as hd
from tests.codegen import common

RULES: dict[str, tuple[hd.AdaptiveRate, tuple[float, ...]]] = {
    "adagrad_norm": (hd.AdaGradNorm(0.2, 0.7), (0.2, 0.7)),
    "rmsprop_norm": (hd.RMSpropNorm(0.15, 0.9, 0.5), (0.15, 0.9, 0.5)),
    "polyak": (hd.Polyak(), ()),
    "line_search": (hd.LineSearch(), ()),
}
MODELS = {
    "phase_retrieval": (hd.zoo.phase_retrieval(), {}, {}),
    "probit": (hd.zoo.probit(), {}, {}),
    "committee": (hd.zoo.committee("erf", trained_second_layer=True), {"v": 0.4, "noise_std": 0.2}, {"K": 2, "M": 2}),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: Any) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adaptive")
    return {
        name: hd.derive(model).export(folder / f"{name}_adaptive.py", adaptive=True)
        for name, (model, _, _) in MODELS.items()
    }


@pytest.mark.parametrize("name", MODELS)
def test_solutions_of_the_library(name: str, files: dict[str, Path]) -> None:
    model, parameters, sizes = MODELS[name]
    theory, module = hd.derive(model), common.load_file(files[name])
    count = max(sizes.values(), default=1)
    problem = hd.Problem(
        spectrum=hd.spectrum.eigenvalues(np.repeat([0.5, 1.5], [30, 20])),
        start=hd.start.random(norm=0.8, cosine=0.3, n_student=count, n_teacher=count, rng=0),
        learning_rate=1.0,
        delta=0.1,
        batch_size=2,
        parameters=parameters,
    )
    times, spectrum = np.linspace(0.0, 3.0, 7), problem.spectrum
    modes = spectrum.levels, spectrum.fractions, problem.grams(model.at(sizes))
    given = {"delta": 0.1, "batch": 2.0, **sizes, **parameters}
    for rule, (rate, numbers) in RULES.items():
        path = theory.solve(replace(problem, learning_rate=rate), t_eval=times, rtol=1e-9, atol=1e-11)
        made = getattr(module, rule)(*numbers)
        found = module.solve_adaptive(*modes, made, times, rtol=1e-9, atol=1e-11, **given)
        np.testing.assert_allclose(found["risk"], path.risk.values, rtol=1e-6, err_msg=rule)
        np.testing.assert_allclose(found["rate"], path.learning_rate.values, rtol=1e-5, err_msg=rule)
        np.testing.assert_allclose(found["overlaps"], path.overlaps.values, rtol=1e-5, atol=1e-8, err_msg=rule)


def test_text_is_lint_clean_and_strictly_typed(files: dict[str, Path], tmp_path: Path) -> None:
    common.check_lint(*files.values())
    common.check_types(tmp_path, *files.values())


def test_without_them_nothing_is_said(files: dict[str, Path]) -> None:
    assert "Adaptive" in files["probit"].read_text(encoding="utf-8")
    assert "Adaptive" not in hd.derive(MODELS["probit"][0]).source
