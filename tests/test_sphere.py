"""Projected SGD: every trained direction gets its length back after each step, in the ODEs and in the simulators.

Limit: V_i C + C V_i is subtracted from dV_i/dt, C diagonal on the students, C_jj half the logarithmic slope of their
squared lengths under the free flow. For K = 1: dQ_jl -= Q_jl (dQ_jj + dQ_ll) / 2 at Q_jj = 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError

k = sp.Symbol("k", integer=True)
K, M = hd.size("K"), hd.size("M")
x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
X, S = hd.student("x", size=K), hd.teacher("s", size=M)
HERMITE = hd.Model((x**3 - 3 * x - y) ** 2 / 2, s**3 - 3 * s, name="third Hermite polynomial", constraint="sphere")
SQUARES = hd.Model(
    (sp.Sum(X[k] ** 2, (k, 1, K)) / K - y) ** 2 / 2,
    sp.Sum(S[k] ** 2, (k, 1, M)) / M,
    name="squares",
    constraint="sphere",
)


@pytest.fixture(scope="module")
def theories() -> dict[str, Any]:
    squares = hd.derive(SQUARES)
    return {"hermite": hd.derive(HERMITE), "squares": squares, "compiled": squares.with_target("numba")}


def problem(d: int, rate: float = 0.1, **options: Any) -> hd.Problem:
    count = options.pop("count", 1)
    settings: dict[str, Any] = {"horizon": 3.0} | options
    return hd.Problem(
        spectrum=hd.spectrum.eigenvalues(np.repeat([0.6, 1.6], [6 * d // 10, 4 * d // 10])),
        start=hd.start.random(norm=1.0, cosine=0.4, n_student=count, n_teacher=count, rng=0),
        learning_rate=rate,
        **settings,
    )


@pytest.mark.parametrize("name", ["hermite", "squares", "compiled"])
def test_the_flow_on_spheres_is_the_free_flow_less_its_stretch(name: str, theories: dict[str, Any]) -> None:
    """For the identity, from the right-hand side of the model that is not constrained."""
    count = 1 if name == "hermite" else 3
    theory = theories[name]
    free = hd.derive(replace(theory.model, constraint=None))
    rng = np.random.default_rng(0)
    A = rng.standard_normal((2 * count, 8))
    A /= np.linalg.norm(A, axis=1, keepdims=True)
    G = A @ A.T
    start = hd.start.overlaps(Q=G[:count, :count], M=G[:count, count:], T=G[count:, count:])
    rate = 0.005 if name == "hermite" else 0.3
    given = hd.Problem(spectrum=hd.spectrum.identity(), start=start, learning_rate=rate, delta=0.2)
    h = 1e-6
    slopes = [
        np.diff(each.solve(given, t_eval=[0.0, h], rtol=1e-12, atol=1e-14).overlaps.values, axis=0)[0] / h
        for each in (theory, free)
    ]
    own = np.concatenate([np.diag(slopes[1])[:count] / 2.0, np.zeros(count)])
    expected = slopes[1] - G * (own[:, None] + own)
    np.testing.assert_allclose(slopes[0], expected, atol=2e-4)
    assert np.abs(np.diag(slopes[1])[:count]).min() > 0.001


def test_lengths_stay_what_they_were_and_regularisation_does_nothing(theories: dict[str, Any]) -> None:
    paths = [theories["squares"].solve(problem(50, count=2, delta=delta)) for delta in (0.0, 0.7)]
    np.testing.assert_allclose(np.diagonal(paths[0].gram.values[:, :2, :2], axis1=1, axis2=2), 1.0, rtol=1e-8)
    np.testing.assert_allclose(paths[1].risk.values, paths[0].risk.values, rtol=1e-6)
    assert paths[0].attrs["solver"]["used"] == ["DOP853 from t = 0: projected to spheres"]


@pytest.mark.parametrize(
    ("name", "count", "d", "rate", "method"),
    [
        ("squares", 1, 1000, 0.1, "direct"),
        ("squares", 2, 1000, 0.2, "reduced"),
        ("hermite", 1, 50_000, 0.01, "reduced"),
    ],
)
def test_sgd_follows_the_odes(
    name: str, count: int, d: int, rate: float, method: str, theories: dict[str, Any]
) -> None:
    """The mean of 40 runs within 4.5 standard errors and 5 / d of the risk at 4 times: a false alarm once in 10^4."""
    theory, posed = theories[name], problem(d, rate, count=count, horizon=2.0)
    runs = hd.simulate(theory, posed, runs=40, rng=1, method=method, record=4)
    path = theory.solve(posed, t_eval=runs.time.values)
    risk = runs.risk.values
    error = risk.std(axis=0, ddof=1) / np.sqrt(len(risk))
    gap = np.abs(risk.mean(axis=0) - path.risk.values)
    assert np.all(gap[1:] <= (4.5 * error + 5.0 / d * path.risk.values.max())[1:])
    lengths = np.diagonal(runs.gram.values[:, :, :count, :count], axis1=2, axis2=3)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-10)


@pytest.mark.parametrize("batch", [1, 2])
def test_one_run_step_by_step(batch: int) -> None:
    """Least squares, written out: a step on a batch, then the old length."""
    d, gamma = 7, 0.4
    model = replace(hd.zoo.least_squares(), constraint="sphere")
    posed = hd.Problem(
        spectrum=hd.spectrum.identity(d),
        start=hd.start.random(norm=1.3, cosine=0.2, rng=3),
        learning_rate=gamma,
        batch_size=batch,
        delta=0.3,
    )
    runs = hd.simulate(model, posed, runs=1, t_eval=np.arange(9) / d, rng=5)
    rng = np.random.Generator(np.random.SFC64(np.random.SeedSequence(5).spawn(1)[0]))
    weights, target = (part[:, 0].copy() for part in posed.weights(model))
    for step in range(9):
        np.testing.assert_allclose(runs.overlaps.values[0, step, 0, 1], weights @ target, rtol=1e-9)
        gradient = np.zeros(d)
        for _ in range(batch):
            a = rng.standard_normal(d)
            rng.standard_normal()  # the label noise, of standard deviation zero
            gradient += a * (a @ (weights - target)) / batch
        weights -= gamma / d * (gradient + 0.3 * weights)
        weights *= 1.3 / np.linalg.norm(weights)


def test_homogenized_sgd_on_spheres_is_of_first_order(theories: dict[str, Any]) -> None:
    """At d = 10^12, where noise is nothing: the error of the overlaps against the number of steps."""
    theory, steps, errors = theories["squares"], (16, 32, 64), []
    posed = hd.Problem(
        spectrum=hd.spectrum.two_level(0.6, 1.6, share=0.6, d=10**12),
        start=hd.start.overlaps(Q=np.eye(2), M=0.4 * np.eye(2), T=np.eye(2)),
        learning_rate=0.2,
    )
    for pace in steps:
        runs = hd.simulate(theory, posed, runs=1, t=3.0, rng=0, method="homogenized", steps_per_time=pace, record=3)
        path = theory.solve(posed, t_eval=runs.time.values, rtol=1e-10, atol=1e-12)
        errors.append(float(np.abs(runs.overlaps.values[0] - path.overlaps.values).max()))
        np.testing.assert_allclose(np.diagonal(runs.gram.values[0, :, :2, :2], axis1=1, axis2=2), 1.0, rtol=1e-12)
    assert np.polyfit(np.log(steps), np.log(errors), 1)[0] == pytest.approx(-1.0, abs=0.1)


def test_what_does_not_know_of_spheres_says_so(theories: dict[str, Any]) -> None:
    theory, posed = theories["squares"], problem(50)
    with pytest.raises(DeclarationError, match="constraint is 'ball'"):
        replace(HERMITE, constraint="ball")
    for refused in (
        lambda: theory.jacobian(posed),
        lambda: theory.stability(posed),
        lambda: theory.solve(posed, formulation="resolvent"),
        lambda: theory.solve(posed, method="stiff"),
        lambda: theory.solve(replace(posed, learning_rate=hd.Polyak())),
    ):
        with pytest.raises(DeclarationError, match="sphere"):
            refused()
    with pytest.raises(DeclarationError, match="sphere"):
        theories["hermite"].export("unused.py", jacobian=True)
