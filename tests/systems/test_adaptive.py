"""SGD with adaptive learning rates against the ODEs: states moved by every step, and idealised rates.

Least squares, logistic regression with sampled labels and phase retrieval, on a spectrum with two eigenvalues. Means
over runs must be within 4.5 standard errors, and an allowance of 3 / d of the risk's scale for the O(1 / d) bias, at 6
times: by the union bound a true theory fails with probability below 6e-5 a case.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import hdsym as hd

D = 1000
MODELS = {
    "least squares": (hd.zoo.least_squares(), {"noise_std": 0.3}),
    "logistic": (hd.zoo.logistic("bernoulli"), {}),
    "phase retrieval": (hd.zoo.phase_retrieval(), {}),
}
RULES = {
    "AdaGrad-Norm": hd.AdaGradNorm(0.2, 0.7),
    "RMSprop-Norm": hd.RMSpropNorm(0.15, 0.9, 0.5),
    "Polyak": hd.Polyak(),
    "line search": hd.LineSearch(),
}
DAILY = [("least squares", "AdaGrad-Norm", "direct", 1), ("logistic", "RMSprop-Norm", "reduced", 3)]
DAILY += [("phase retrieval", "Polyak", "reduced", 1), ("least squares", "line search", "direct", 1)]
ALL = [
    (model, rule, method, batch)
    for model in MODELS
    for rule in RULES
    for method, batch in (("direct", 3), ("reduced", 1))
]


@cache
def theory(name: str) -> Any:
    return hd.derive(MODELS[name][0])


def check(name: str, rule: str, method: str, batch: int) -> None:
    parameters = MODELS[name][1]
    problem = hd.Problem(
        spectrum=hd.spectrum.eigenvalues(np.repeat([0.6, 1.6], [600, 400])),
        start=hd.start.random(norm=1.0, cosine=0.4, rng=0),
        learning_rate=RULES[rule],
        parameters=parameters,
        batch_size=batch,
        delta=0.1,
        horizon=3.0,
    )
    runs = hd.simulate(theory(name), problem, runs=60, rng=1, method=method, record=6)
    path = theory(name).solve(problem, t_eval=runs.time.values)
    risk = runs.risk.values
    error = risk.std(axis=0, ddof=1) / np.sqrt(len(risk))
    gap = np.abs(risk.mean(axis=0) - path.risk.values)
    allowed = 4.5 * error + 3.0 / D * np.abs(path.risk.values).max()
    assert np.all(gap[1:] <= allowed[1:]), (gap / error).round(1)
    assert np.ptp(path.learning_rate.values) > 0.03 * path.learning_rate.values.max()  # it does adapt


@pytest.mark.parametrize(("name", "rule", "method", "batch"), DAILY)
def test_sgd_follows_the_odes(name: str, rule: str, method: str, batch: int) -> None:
    check(name, rule, method, batch)


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "rule", "method", "batch"), ALL)
def test_sgd_follows_the_odes_nightly(name: str, rule: str, method: str, batch: int) -> None:
    check(name, rule, method, batch)


def test_a_rate_that_does_not_adapt_moves_no_random_number() -> None:
    """A rule that is constant gives the very runs of the constant rate, batches and trained scalars included."""
    x, c = hd.student("x"), hd.Trained("c")
    model = hd.Model((hd.label("y") - c * x) ** 2 / 2, hd.teacher("s"))
    start = hd.start.random(norm=0.5, cosine=0.3, rng=0)
    for method, batch in (("reduced", 3), ("reduced", 1)):
        runs = []
        for rate in (0.5, hd.AdaptiveRate(0.5)):
            problem = hd.Problem(
                spectrum=hd.spectrum.identity(40),
                start=start,
                learning_rate=rate,
                batch_size=batch,
                parameters={"c": 0.4},
            )
            runs.append(hd.simulate(model, problem, runs=2, t=2.0, rng=0, method=method, record=2))
        np.testing.assert_allclose(runs[1].overlaps.values, runs[0].overlaps.values, rtol=1e-9)
        np.testing.assert_allclose(runs[1].trained.values, runs[0].trained.values, rtol=1e-9)


def test_adagrad_norm_step_by_step() -> None:
    """b_{k+1}^2 = b_k^2 + ||a grad f||^2 / d^2 and gamma_k = eta / b_{k+1}, written out for a run of least squares."""
    d, eta, b = 7, 0.9, 0.8
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d),
        start=hd.start.random(norm=1.0, cosine=0.2, rng=3),
        learning_rate=hd.AdaGradNorm(eta, b),
    )
    model = hd.zoo.least_squares()
    runs = hd.simulate(model, problem, runs=1, t_eval=np.arange(12) / d, rng=5)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(5).spawn(1)[0]))
    weights, target = (part[:, 0].copy() for part in problem.weights(model))
    square = b**2
    for k in range(12):
        np.testing.assert_allclose(runs.gram.values[0, k, 0, 0], weights @ weights, rtol=1e-9)
        a = rng.standard_normal(d)
        rng.standard_normal()  # the label noise, of standard deviation zero
        gradient = a * (a @ (weights - target))
        square += gradient @ gradient / d**2
        weights -= eta / np.sqrt(square) / d * gradient


@pytest.mark.parametrize("rule", ["RMSprop-Norm", "line search"])
def test_homogenized_sgd_follows_the_odes_at_the_order_of_its_scheme(rule: str) -> None:
    """At d = 10^12, where noise is nothing: the error of the risk against steps of length 1/16, 1/32 and 1/64."""
    problem = hd.Problem(
        spectrum=hd.spectrum.two_level(0.6, 1.6, share=0.6, d=10**12),
        start=hd.start.overlaps(Q=[[0.64]], M=[[0.3]], T=[[1.0]]),
        learning_rate=RULES[rule],
        delta=0.1,
        horizon=3.0,
    )
    made, steps = theory("phase retrieval"), (16, 32, 64)
    for scheme, order in (("exponential", 2.0), ("euler", 1.0)):
        errors = []
        for pace in steps:
            options = {"method": "homogenized", "scheme": scheme, "steps_per_time": pace}
            runs = hd.simulate(made, problem, runs=1, rng=0, t_eval=[0.0, 1.0, 2.0, 3.0], **options)
            path = made.solve(problem, t_eval=runs.time.values, rtol=1e-10, atol=1e-12)
            errors.append(float(np.abs(runs.risk.values[0] / path.risk.values - 1.0).max()))
        assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(-order, abs=0.15)
    assert hd.simulate(made, problem, runs=1, rng=0, method="homogenized").attrs["steps_per_time"] >= 34


def test_rules_that_ask_for_the_theory_run_in_other_processes() -> None:
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d=50),
        start=hd.start.random(norm=1.0, cosine=0.4, rng=0),
        learning_rate=hd.AdaptiveRate(hd.quantities.descent / hd.quantities.risk / 4),
        parameters={"noise_std": 0.3},
    )
    here, there = (
        hd.simulate(theory("least squares"), problem, runs=2, t=1.0, rng=0, record=2, executor=executor)
        for executor in ("threads", "processes")
    )
    np.testing.assert_array_equal(there.overlaps.values, here.overlaps.values)
