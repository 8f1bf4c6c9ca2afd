"""Starts at the edge of the admissible overlaps: no NaN, no warning, and a verdict or an error that says why."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import hdsym as hd

D = 200
X = np.full(D, D**-0.5)


def judged(model: hd.Model, start: object, **options: object) -> hd.Verdict:
    problem = hd.Problem(
        spectrum=hd.spectrum.power_law(0.5, d=D),
        start=start,  # type: ignore[arg-type]
        learning_rate=0.3,
        horizon=3.0,
        **options,  # type: ignore[arg-type]
    )
    path = hd.derive(model).solve(problem)
    runs = hd.simulate(model, problem, runs=5, rng=0, record=5)
    assert np.all(np.isfinite(path.risk.values))
    return hd.compare(path, runs, statistics=("risk", "norm"))


@pytest.mark.parametrize("name", hd.zoo.MODELS)
def test_start_at_the_target_stays_there(name: str) -> None:
    verdict = judged(hd.zoo.MODELS[name](), hd.start.arrays(X, X))
    assert verdict.agree, verdict.words


@pytest.mark.parametrize("name", [name for name in hd.zoo.MODELS if name != "lipschitz_phase_retrieval"])
def test_start_at_zero(name: str) -> None:
    verdict = judged(hd.zoo.MODELS[name](), hd.start.arrays(0 * X, X))
    assert verdict.agree, verdict.words


@pytest.mark.parametrize("name", hd.zoo.MODELS)
def test_start_opposite_to_the_target_with_regularisation(name: str) -> None:
    verdict = judged(hd.zoo.MODELS[name](), hd.start.arrays(-X, X), delta=0.5)
    assert verdict.agree, verdict.words


def test_norms_that_saturate_every_sigmoid() -> None:
    start = hd.start.random(norm=100, teacher_norm=50, cosine=0.3, rng=0)
    assert judged(hd.zoo.logistic(), start).agree


def test_nothing_is_said_at_exit() -> None:
    code = "import hdsym as hd; print(float(hd.derive(hd.zoo.probit()).risk_at([[1, 0], [0, 1]])) > 0)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
