"""The Jacobian of the mode equations against differences of the right-hand side, and systems with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.derive.slopes import symbolic_slopes
from hdsym.errors import DeclarationError
from tests.codegen import common
from tests.stepping.problems import PHASE, grams, posed, run_of

x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
(x1, x2), (s1, s2) = hd.student("x", size=2), hd.teacher("s", size=2)
TWO = hd.Model(loss=(x1**2 + x1 * x2 + x2**3 / 3 - y) ** 2 / 2, link=s**2)
MODELS = {
    "least squares": hd.zoo.least_squares(),
    "phase retrieval": hd.zoo.phase_retrieval(),
    "kinks": hd.zoo.lipschitz_phase_retrieval(),
    "logistic": hd.zoo.logistic("bernoulli"),
    "probit": hd.zoo.probit(),
    "two students": TWO,
    "two by two": hd.Model(loss=(hd.relu(x1) + sp.erf(x2) - y) ** 2 / 2, link=s1 * s2),
}
THEORIES = {name: hd.derive(model) for name, model in MODELS.items()}
SIZED = {
    "committee": (hd.derive(hd.zoo.committee("erf", trained_second_layer=True)), {"K": 2, "M": 2}),
    "relu": (hd.derive(hd.zoo.committee("relu")), {"K": 2, "M": 1}),
}


def by_differences(run: Any, state: np.ndarray, step: float, t: float = 0.7) -> np.ndarray:
    """Fourth-order central differences of the generated right-hand side."""
    columns = []
    for unit in np.eye(state.size):
        near, far = (run.rhs(t, state + k * step * unit) - run.rhs(t, state - k * step * unit) for k in (1, 2))
        columns.append((8 * near - far) / (12 * step))
    return np.array(columns).T


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("closeness", "step", "tolerance"), [(1.0, 1e-3, 1e-7), (0.1, 1e-5, 1e-4)])
def test_jacobian_is_that_of_the_right_hand_side(name: str, closeness: float, step: float, tolerance: float) -> None:
    theory = THEORIES[name]
    G = grams(4, theory.program.size, 1, closeness)
    run = run_of(theory, None, G, learning_rate=0.3 / (1 + hd.t))
    state = run.packed(run.grams)
    expected = by_differences(run, state, step)
    np.testing.assert_allclose(run.dense_jacobian(0.7, state), expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", SIZED)
def test_jacobian_of_sums_over_units_and_trained_scalars(name: str) -> None:
    theory, sizes = SIZED[name]
    start = hd.start.random(norm=0.7, cosine=0.4, n_student=sizes["K"], n_teacher=sizes["M"], rng=2)
    trained = {"parameters": {"v": 0.6}, "learning_rates": {"v": 0.5}} if theory.model.trained else {}
    run = run_of(theory, posed(start=start, **trained))
    state = run._start()
    symmetric = _symmetric_part(run, state.size)
    expected = by_differences(run, state, 1e-3) @ symmetric
    np.testing.assert_allclose(run.dense_jacobian(0.7, state), expected, atol=3e-7 * np.abs(expected).max())
    assert run.slopes_are.startswith("differences")


def _symmetric_part(run: Any, size: int) -> np.ndarray:
    """States that are rows hold both Q_ij and Q_ji: the projection on equal ones."""
    grams, trained = run._split(np.eye(size))
    students = run.model.n_student
    block = grams[..., :students, :students]
    grams[..., :students, :students] = (block + block.swapaxes(-1, -2)) / 2
    states = [run.packed(G, None if trained is None else trained[k]) for k, G in enumerate(grams)]
    return np.array(states).T


@pytest.mark.parametrize("name", ["phase retrieval", "two students", "two by two"])
def test_systems_and_products_with_it(name: str) -> None:
    run = run_of(THEORIES[name])
    state = run._start()
    dense, J, layout = run.dense_jacobian(0.0, state), run.linearise(0.0, state), run.layout
    vectors = np.random.default_rng(3).standard_normal((3, state.size))
    np.testing.assert_allclose(layout.to_packed(J.apply(layout.to_rows(vectors))), vectors @ dense.T, atol=1e-12)
    shifts = np.array([2.0, 3 + 1j, -1 + 5j])
    found = layout.to_packed(J.factor(shifts).solve(layout.to_rows(vectors)))
    for k, shift in enumerate(shifts):
        expected = np.linalg.solve(shift * np.eye(state.size) - dense, vectors.T).T
        np.testing.assert_allclose(found[k], expected, atol=1e-12)


def test_systems_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    from hdsym.stepping import jacobian

    J = PHASE.jacobian(posed())
    v, shifts = np.random.default_rng(0).standard_normal((2, 4 * 2)), np.array([1.0, 2.0, 3.0, 4 + 1j])
    whole = J.factor(shifts).solve(v)
    monkeypatch.setattr(jacobian, "_CHUNK", 40)
    np.testing.assert_allclose(J.factor(shifts).solve(v), whole, rtol=1e-13)


def test_slopes_are_derived_when_asked_for() -> None:
    slopes = PHASE.slopes
    assert list(slopes) == ["H11_B11", "H11_B12", "H21_B11", "H21_B12", "I11_B11", "I11_B12"]
    assert slopes["H11_B11"] == sp.Rational(3, 2)
    assert {symbol.name for symbol in slopes["I11_B12"].free_symbols} == {"B11", "B12", "B22"}


def test_differences_where_formulas_would_cost_more_than_they_save() -> None:
    found, why = symbolic_slopes(THEORIES["two by two"].formulas)
    assert found == ()
    assert "derivatives to be derived" in why


def test_public_jacobian_at_a_state_of_a_trajectory() -> None:
    problem = posed(learning_rate=0.5 / (1 + hd.t))
    path = PHASE.solve(problem, t=2.0)
    J = PHASE.jacobian(problem, t=2.0, grams=path.grams.values[-1])
    run = run_of(PHASE, problem, path.grams.values[-1])
    expected = by_differences(run, run.packed(run.grams), 1e-3, 2.0)
    np.testing.assert_allclose(run.layout.to_packed(run.layout.to_packed(J.dense()).T).T, expected, atol=1e-8)
    with pytest.raises(DeclarationError, match="shape"):
        PHASE.jacobian(problem, grams=np.eye(2))


@pytest.mark.parametrize("name", ["phase retrieval", "logistic", "two students"])
def test_exported_module_gives_its_jacobian_to_implicit_methods(name: str, tmp_path: Path) -> None:
    theory = THEORIES[name]
    module = common.load_file(theory.export(tmp_path / "solver.py", jacobian=True))
    run = run_of(theory)
    state = run._start()
    options = {"delta": 0.2, "batch": 2.0}
    J = module.make_jacobian(run.lam, run.rho, run.grams, lambda _: 0.3, **options)(0.0, state)
    np.testing.assert_allclose(J, run.dense_jacobian(0.0, state), atol=1e-12)
    times = np.linspace(0.0, 3.0, 4)
    paths = [module.solve(run.lam, run.rho, run.grams, 0.3, times, method=m, **options) for m in ("DOP853", "Radau")]
    np.testing.assert_allclose(paths[0]["risk"], paths[1]["risk"], rtol=1e-5)


@pytest.mark.slow
def test_exported_module_is_lint_clean_and_strictly_typed(tmp_path: Path) -> None:
    paths = [THEORIES[n].export(tmp_path / f"m{k}.py", jacobian=True) for k, n in enumerate(("kinks", "logistic"))]
    common.check_lint(*paths)
    common.check_types(tmp_path / "cache", *paths)
