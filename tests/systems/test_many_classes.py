"""Softmax regression with more classes than grids serve: the right-hand side is an average over points."""

from __future__ import annotations

import numpy as np
import pytest

import hdsym as hd


@pytest.mark.slow
def test_six_classes_against_sgd() -> None:
    """The verdict is wrong by chance once in 100 sets of seeds (its level); these are fixed."""
    model = hd.zoo.multiclass_logistic(6)
    theory = hd.derive(model)
    assert "quasi-Monte Carlo" in {rule for root in theory.steps.values() for rule, _, _ in root.rules()}
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d=600),
        start=hd.start.random(norm=0.5, cosine=0.1, n_student=6, n_teacher=6, teacher_norm=2.0, rng=1),
        learning_rate=0.5,
        horizon=3.0,
    )
    path = theory.solve(problem, t_eval=np.linspace(0.0, 3.0, 9), rtol=1e-6, atol=1e-8)
    assert 1e-6 < path.attrs["quadrature_error"] < 2e-2
    runs = hd.simulate(model, problem, runs=8, rng=0, record=8)
    verdict = hd.compare(path, runs, statistics=("risk", "overlaps"))
    assert verdict.agree, verdict.words
