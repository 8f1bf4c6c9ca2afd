"""The ODE of every model against streaming SGD, which shares no code with it, on two covariances."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.model import Model

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")

MODELS: dict[str, tuple[Model, float]] = {
    "least squares, noise": (hd.zoo.least_squares(0.3), 0.6),
    "phase retrieval, noise": (hd.zoo.phase_retrieval(0.2), 0.15),
    "Lipschitz phase retrieval": (hd.zoo.lipschitz_phase_retrieval(), 0.5),
    "logistic, soft labels": (hd.zoo.logistic("soft"), 1.5),
    "logistic, Bernoulli labels": (hd.zoo.logistic("bernoulli"), 1.0),
    "probit, noise": (hd.zoo.probit(0.1), 1.0),
    "tanh neuron, Rademacher noise": (
        Model((sp.tanh(x) - y) ** 2 / 2, sp.tanh(s) + eps / 5, hd.Rademacher(eps), "tanh"),
        0.8,
    ),
    "absolute loss, Gaussian noise": (Model(sp.Abs(x - y), s + eps, hd.Normal(eps, std=0.5), "absolute"), 0.3),
    "hinge, signs": (Model(sp.Max(0, 1 - x * y), sp.sign(s), None, "hinge"), 0.5),
}
SPECTRA = {"identity": hd.spectrum.identity, "power law": lambda d: hd.spectrum.power_law(0.4, d=d)}
LEVEL = 1e-3
"""Each comparison fails by chance with probability 0.001: of the 18 below, one in 56 sets of new seeds would."""


def posed(spectrum: hd.Spectrum, gamma: float, **options: object) -> hd.Problem:
    start = hd.start.random(norm=0.8, cosine=0.4, rng=11)
    return hd.Problem(spectrum=spectrum, start=start, learning_rate=gamma, horizon=4.0, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", MODELS)
def test_theory_agrees_with_sgd(name: str, spectrum: str) -> None:
    model, gamma = MODELS[name]
    problem = posed(SPECTRA[spectrum](600), gamma)
    path = hd.derive(model).solve(problem)
    runs = hd.simulate(model, problem, runs=32, rng=7, record=9)
    verdict = hd.compare(path, runs, statistics=("risk", "distance"))
    assert verdict.p_value > LEVEL, verdict.words


def test_regularisation_batches_and_schedule_agree_with_sgd() -> None:
    model = hd.zoo.phase_retrieval(0.2)
    problem = posed(hd.spectrum.power_law(0.4, d=600), 0.3 / (1 + hd.t), delta=0.4, batch_size=3)  # type: ignore[arg-type]
    path = hd.derive(model).solve(problem)
    runs = hd.simulate(model, problem, runs=32, rng=8, record=9)
    assert hd.compare(path, runs, statistics=("risk", "norm")).p_value > LEVEL


def test_a_wrong_learning_rate_is_found() -> None:
    """The comparison can fail: theory at a rate 20 % too small."""
    model = hd.zoo.least_squares(0.3)
    path = hd.derive(model).solve(posed(hd.spectrum.identity(600), 0.48))
    runs = hd.simulate(model, posed(hd.spectrum.identity(600), 0.6), runs=32, rng=7, record=9)
    assert hd.compare(path, runs).p_value < LEVEL


def test_soft_label_theory_does_not_fit_sampled_labels() -> None:
    """Same risk function, different Fisher matrix: taking one for the other is detected."""
    problem = posed(hd.spectrum.identity(600), 2.5)
    path = hd.derive(hd.zoo.logistic("soft")).solve(problem)
    runs = hd.simulate(hd.zoo.logistic("bernoulli"), problem, runs=32, rng=9, record=9)
    assert hd.compare(path, runs).p_value < LEVEL


@pytest.mark.parametrize("name", ["least squares, noise", "phase retrieval, noise"])
def test_gap_shrinks_with_dimension(name: str) -> None:
    """Root mean square gap of single runs against d: fitted slope at or below -0.4 (theory: -1/2)."""
    model, gamma = MODELS[name]
    theory, dims, gaps = hd.derive(model), np.array([100, 300, 900, 2700]), []
    for d in dims:
        problem = posed(hd.spectrum.identity(int(d)), gamma)
        runs = hd.simulate(model, problem, runs=24, rng=int(d), record=9)
        risk = theory.solve(problem, t_eval=runs.time.values).risk.values
        gaps.append(np.sqrt(np.mean((runs.risk.values - risk) ** 2)))
    slope = np.polyfit(np.log(dims), np.log(gaps), 1)[0]
    assert -0.75 < slope <= -0.4
