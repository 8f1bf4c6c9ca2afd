"""Learning-rate thresholds: closed forms, the three routes against each other, and simulated divergence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.stability.flow import Flow
from hdsym.stability.linear import critical_rate

LEAST = hd.derive(hd.zoo.least_squares())
PHASE = hd.derive(hd.zoo.phase_retrieval())


def posed(spectrum: Any = None, **options: Any) -> hd.Problem:
    settings: dict[str, Any] = {
        "spectrum": spectrum or hd.spectrum.identity(),
        "start": hd.start.random(norm=1.0, cosine=0.5, rng=1),
        "learning_rate": 0.1,
        "horizon": 5.0,
        **options,
    }
    return hd.Problem(**settings)


def row(table: Any, kind: str, name: str) -> float:
    (found,) = [r.value for r in table.rows if r.kind == kind and r.name.startswith(name)]
    assert found is not None
    return float(found)


@pytest.mark.parametrize("d", [40, 500])  # all eigenvalues of the Jacobian, and nodes in place of the levels
@pytest.mark.parametrize("batch", [1, 3])
def test_least_squares_has_one_threshold_by_every_route(d: int, batch: int) -> None:
    spectrum = hd.spectrum.power_law(0.7, d=d)
    table = LEAST.stability(posed(spectrum, batch_size=batch), t=0)
    expected = 2 * batch / spectrum.mean
    for found in (table.descent, table.linear, table.guaranteed, row(table, "least squares", "stability")):
        assert found == pytest.approx(expected, rel=1e-6)
    assert table.crossing.direction.kind == "misalignment"


def test_least_squares_with_label_noise() -> None:
    spectrum = hd.spectrum.power_law(0.5, d=60)
    problem = posed(spectrum, parameters={"noise_std": 0.4}, learning_rate=0.6)
    table = LEAST.stability(problem, t=3.0)
    path = LEAST.solve(problem, t_eval=[0.0, 3.0, 400.0])
    for k, found in ((0, table.descent), (0, row(table, "least squares", "descent")), (1, float(table.along[-1]))):
        R = float(path.risk[k])
        assert found == pytest.approx((2 * R - 0.4**2) / (spectrum.mean * R), rel=1e-9)
    assert table.linear == pytest.approx(2 / spectrum.mean, rel=1e-6)
    assert table.crossing.moves
    assert row(table, "least squares", "limiting") == pytest.approx(float(path.risk[-1]), rel=1e-8)


CASES = {
    "Lipschitz phase retrieval": (hd.zoo.lipschitz_phase_retrieval(0.2), {}),
    "batches, regularised": (hd.zoo.phase_retrieval(), {"delta": 0.3, "batch_size": 2}),
    "a committee": (hd.zoo.committee("erf"), {"sizes": {"K": 2, "M": 2}}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_distance_shrinks_just_below_the_descent_threshold_and_grows_above(name: str) -> None:
    model, options = CASES[name]
    theory = hd.derive(model)
    spectrum = hd.spectrum.two_level(0.5, 2.0, 0.3)
    problem = posed(spectrum, start=hd.start.random(norm=0.8, cosine=0.7, rng=0), **options)
    threshold = theory.stability(problem, t=0, kinds=("descent",)).descent
    assert threshold > 0
    for factor, sign in ((0.99, -1), (1.01, 1)):
        moved = posed(spectrum, start=problem.start, **{**options, "learning_rate": factor * threshold})
        path = theory.solve(moved, t_eval=[0.0, 1e-5])
        assert sign * (float(path.distance[1]) - float(path.distance[0])) > 0


def test_phase_retrieval_tells_the_nearer_of_two_equivalent_targets() -> None:
    table = PHASE.stability(posed(start=hd.start.random(norm=1.0, cosine=-0.9, rng=0)), t=0)
    mirrored = PHASE.stability(posed(start=hd.start.random(norm=1.0, cosine=0.9, rng=0)), t=0)
    assert table.target.tolist() == [[-1.0]]
    assert table.descent == pytest.approx(mirrored.descent, rel=1e-12)


def test_closed_forms_of_the_critical_rate() -> None:
    T, norm = sp.Symbol("T", positive=True), 1.3
    forms = {
        PHASE: 1 / (3 * T),
        hd.derive(hd.zoo.lipschitz_phase_retrieval()): sp.Integer(2),  # its formulas are singular at X = X*
        hd.derive(hd.zoo.probit()): sp.pi * sp.sqrt((4 * T + 1) / (2 * T + 1)),
    }
    for theory, expected in forms.items():
        problem = posed(start=hd.start.random(norm=1.0, cosine=0.5, teacher_norm=norm, rng=0))
        table = theory.stability(problem, kinds=("linear",))
        assert sp.simplify(table.closed_form.value - expected) == 0
        assert table.linear == pytest.approx(float(expected.subs(T, norm**2)), rel=1e-9)


def test_closed_form_where_label_noise_moves_the_fixed_point() -> None:
    """Phase retrieval: the overlaps are eliminated, and a pair of imaginary eigenvalues marks the threshold."""
    theory = hd.derive(hd.zoo.phase_retrieval(0.1))
    table = theory.stability(posed(), kinds=("linear",))
    assert table.crossing.moves
    assert table.crossing.oscillates
    assert float(table.closed_form.value) == pytest.approx(table.linear, rel=1e-9)
    assert table.closed_form.equation.is_polynomial()
    # above 400 / 1201 the point has met another and is gone: just above the threshold it is still there
    found = [theory.fixed_points(posed(learning_rate=f * table.linear), starts=2)[0] for f in (0.9999, 1.0001)]
    assert [point.stable for point in found] == [True, False]


KINKED = {
    # next to X = X* half of the samples move x, by (x - s): least squares with half the rates of drift and noise
    "ReLU": (hd.zoo.committee("relu"), hd.start.random(rng=0, n_student=1, n_teacher=1), 2.0),
    # each student sees the samples of its own teacher, half of all, as least squares
    "mixed regression": (hd.zoo.mixed_regression(2), hd.start.random(rng=0, cosine=0.9), 2.0),
}


@pytest.mark.parametrize("name", KINKED)
def test_kinked_models_at_singular_overlaps(name: str) -> None:
    """There formulas have no derivatives and differences step out of the admissible overlaps."""
    model, start, expected = KINKED[name]
    table = hd.derive(model).stability(posed(start=start), kinds=("linear",))
    assert table.linear == pytest.approx(expected, rel=2e-5)


def test_no_formula_where_there_are_integrals() -> None:
    table = hd.derive(hd.zoo.logistic()).stability(posed(), kinds=("linear",))
    assert table.closed_form is None
    assert 9 < table.linear < 10
    assert "no eigenvalue of the Jacobian" in repr(table)


def test_the_critical_rate_brackets_simulated_divergence() -> None:
    """d = 1e5: the theory has factors of 0.3 and 4, single runs differ from it by a fifth."""
    start = hd.start.overlaps(Q=1.0, M=1 - 5e-5, T=1.0)
    critical = PHASE.stability(posed(start=start), kinds=("linear",)).linear
    for factor, stable in ((0.95, True), (1.05, False)):
        problem = posed(hd.spectrum.identity(d=10**5), start=start, learning_rate=factor * critical)
        runs = hd.simulate(PHASE.model, problem, runs=1, t=20, rng=0, method="reduced", record=1)
        ratio = runs.distance.values[:, -1] / runs.distance.values[:, 0]
        assert np.all(ratio < 0.6) if stable else np.all(ratio > 1.8)


def test_anisotropic_critical_rate_separates_decay_from_growth() -> None:
    spectrum = hd.spectrum.power_law(0.5, d=50)
    X = hd.start.random(norm=1.0, cosine=1.0, rng=3)
    critical = PHASE.stability(posed(spectrum, start=X), kinds=("linear",)).linear
    star = X.weights(spectrum, 1, 1)[1]
    start = hd.start.arrays(star + 1e-4 * np.random.default_rng(0).standard_normal(star.shape) / np.sqrt(50), star)
    for factor, sign in ((0.97, -1), (1.03, 1)):
        path = PHASE.solve(posed(spectrum, start=start, learning_rate=factor * critical), t_eval=[0, 40, 80])
        assert sign * (float(path.distance[2]) - float(path.distance[1])) > 0


def test_nodes_stand_for_many_levels() -> None:
    """Phase retrieval with a random teacher, whose threshold depends on where the teacher is in the spectrum."""
    problem = posed(hd.spectrum.power_law(1.5, d=3000))
    many = PHASE.stability(problem, kinds=("linear",))
    assert many.linear > 0.3
    assert 0 < many.crossing.error < 1e-6
    assert many.linear == pytest.approx(critical_rate(Flow(PHASE, problem).compressed(30), np.eye(1)).gamma, rel=1e-4)
    assert "nodes stand for the spectrum" in repr(many)
    flow = Flow(PHASE, posed(hd.spectrum.power_law(1.5, d=100)))
    every = critical_rate(flow, np.eye(1))
    assert every.error == 0.0
    assert every.gamma != pytest.approx(1 / 3, rel=1e-3)  # that of a teacher that is spread evenly
    assert critical_rate(flow.compressed(40, forever=True), np.eye(1)).gamma == pytest.approx(every.gamma, rel=1e-8)


def test_sized_and_written_out_models_agree() -> None:
    start = hd.start.random(norm=0.9, cosine=0.9, rng=0, n_student=1, n_teacher=1)
    first, second = (
        hd.derive(model).stability(posed(start=start), t=0, radius=0.2)
        for model in (hd.zoo.committee("erf"), hd.zoo.committee("erf").at(K=1, M=1))
    )
    for kind in ("descent", "linear", "guaranteed"):
        assert getattr(first, kind) == pytest.approx(getattr(second, kind), rel=1e-6)


def test_trained_scalars_have_a_linear_threshold_and_no_guarantee() -> None:
    x, s, y, v = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.Trained("v")
    theory = hd.derive(hd.Model(loss=(v * x - y) ** 2 / 2, link=s))
    problem = posed(parameters={"v": 1.0}, learning_rates={"v": 0.05})
    table = theory.stability(problem, t=0)
    # v x only sees the product: next to X = X*, v = 1 the equations are those of least squares
    assert table.linear == pytest.approx(2.0, rel=1e-6)
    with pytest.raises(hd.HdsymError, match="trained scalars"):
        _ = table.guaranteed


def test_adaptive_rates_are_followed_along_the_solution() -> None:
    """The Polyak step is half of the descent threshold, at every time."""
    problem = posed(learning_rate=hd.Polyak(), start=hd.start.random(norm=1.0, cosine=0.9, rng=0))
    table = PHASE.stability(problem, t=2.0)
    path = PHASE.solve(problem, t=2.0)
    assert table.along.values / 2 == pytest.approx(path.learning_rate.values, rel=1e-6)
    assert table.linear == pytest.approx(1 / 3, rel=1e-9)
    assert "at best" in repr(table)
    with pytest.raises(hd.HdsymError, match="adaptive"):
        PHASE.fixed_points(problem)


def test_what_has_no_meaning_is_refused_and_said() -> None:
    theory = hd.derive(hd.zoo.committee("erf"))
    problem = posed(start=hd.start.random(norm=0.5, cosine=0.5, rng=0, n_student=2, n_teacher=1))
    table = theory.stability(problem)
    with pytest.raises(hd.HdsymError, match="2 student and 1 teacher"):
        _ = table.descent
    assert "none" in repr(table)
    with pytest.raises(hd.HdsymError, match=r"shape \(1, 2\)"):
        theory.stability(problem, target=np.eye(2))
    with pytest.raises(hd.HdsymError, match="floor"):
        PHASE.stability(posed(), radius=0.1, floor=0.2)
    assert theory.stability(problem, target=[[1.0, 0.0]], kinds=("linear",)).linear > 0
    with pytest.raises(hd.HdsymError, match="kinds"):
        PHASE.stability(posed(), kinds=("all",))


def test_the_table_shows_itself() -> None:
    table = PHASE.stability(posed(), t=1.0)
    for kind, value in (("descent", table.descent), ("linear", table.linear)):
        assert f"{value:.6g}" in repr(table)
        assert kind in table._repr_html_()
    assert "1/(3*T)" in repr(table)
    assert "<mfrac><mn>1</mn><mrow><mn>3</mn><mi>T</mi></mrow></mfrac>" in table._repr_html_()
    assert "numerical, not proved" in repr(table)
    assert max(map(len, repr(table).splitlines())) <= 120
