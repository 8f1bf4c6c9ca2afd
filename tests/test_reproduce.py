"""Results say how they were computed, and computing them again gives every number, bit for bit."""

from __future__ import annotations

import inspect
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import sympy as sp
from click.testing import CliRunner

import hdsym as hd
from hdsym.cli import main
from hdsym.describe.models import model_of, model_table
from hdsym.describe.origin import Call, Recipe
from hdsym.describe.toml import document
from hdsym.describe.trees import read_tree
from hdsym.errors import DeclarationError, HdsymError, ParseError, SolveError
from hdsym.modelfile import read_text
from hdsym.solve import solve
from hdsym.zoo import ZOO

DATA = Path(__file__).parent / "data"
K = hd.covariance
x, s, y, eps, u = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps"), sp.Symbol("u")
STATISTICS = {
    "error": sp.sqrt(hd.overlap(x - s, x - s)),
    "density": sp.im(hd.resolvent(x, x, 1 + 0.2j)) / sp.pi,
    "relative": sp.sqrt(hd.mean((x**2 - s**2) ** 2)) / hd.overlap(x, x, K),
    "angle": hd.statistics.misclassification(x, s),
}


def own_model() -> hd.Model:
    """A loss with powers that are not whole, a piecewise mean, a parameter without default, text with quotes."""
    slope = hd.parameter("slope", positive=True)
    loss = sp.Max(x - y, slope * (y - x)) * sp.Rational(2, 7) + sp.sqrt(slope) * (x - y) ** 2
    noise = hd.Discrete(eps, (-0.3, 0.1), (0.25, 0.75))
    return hd.Model(loss, sp.Min(s, 1) + eps, noise, 'a "quoted" \\ name\n', ("one", "two"), constraint="sphere")


MODELS: dict[str, Callable[[], hd.Model]] = {
    **ZOO,
    "sampled": lambda: hd.zoo.multiclass_logistic(4, "sampled"),
    "written out": lambda: hd.zoo.committee("relu", True, normalisation="1/sqrt(K)").at(K=3, M=2),
    "three lines": lambda: hd.zoo.mixed_regression(3, noise_std=0.25),
    "statistics": lambda: hd.zoo.phase_retrieval().with_statistics(STATISTICS),
    "own": own_model,
    "poisson": lambda: hd.Model(sp.exp(x / 4) - y * x / 4, hd.Poisson(sp.exp(s / 4))),
    "student t": lambda: hd.Model((x - y) ** 2 / 2, s + eps, hd.StudentT(eps, 5, hd.parameter("scale", 0.1))),
    "outer": lambda: hd.Model((x - s) ** 2 * hd.parameter("weight", 1.0)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_come_back_from_their_text(name: str) -> None:
    model = MODELS[name]()
    text = document({"model": model_table(model)})
    back = model_of(tomllib.loads(text)["model"])
    assert back == model
    assert back._groups == model._groups
    assert back.digest == model.digest
    assert document({"model": model_table(back)}) == text


def posed(gamma: Any = 0.1, d: int = 20, **settings: Any) -> hd.Problem:
    start = settings.pop("start", hd.start.random(norm=1.0, cosine=0.3, rng=2**90))
    return hd.Problem(settings.pop("spectrum", hd.spectrum.power_law(0.6, d=d)), start, gamma, **settings)


def profiled() -> hd.Problem:
    """A start that is a function of the eigenvalue, on a density."""
    start = hd.start.profile(lambda lam: 0 * lam, lambda lam: 0 * lam, lambda lam: 1 / (1 + lam))
    return posed(spectrum=hd.spectrum.marchenko_pastur(0.5), start=start)


def turned() -> hd.Problem:
    """A covariance matrix, and weights in its own coordinates."""
    rng = np.random.default_rng(3)
    A, X, S = rng.standard_normal((60, 12)), rng.standard_normal(12) / 4, rng.standard_normal(12) / 4
    return posed(spectrum=hd.spectrum.from_data(A), start=hd.start.arrays(X, S, basis="original"))


def network() -> hd.Problem:
    start = hd.start.random(norm=0.5, cosine=0.3, n_student=3, n_teacher=2, rng=4)
    v = {"v": [0.3, 0.2, 0.1]}
    rates = {"v": 0.2 / (1 + hd.t)}
    return posed(0.5, spectrum=hd.spectrum.identity(), start=start, parameters=v, learning_rates=rates)


_OWN = hd.AdaptiveRate(0.1 / sp.sqrt(1 + u**2), states={u: (0, hd.quantities.squared_gradient)})

SOLVED: dict[str, tuple[Callable[[], hd.Model], Callable[[], hd.Problem], dict[str, Any]]] = {
    "schedule": (ZOO["phase_retrieval"], lambda: posed(hd.schedules.step(0.2, 0.5, 0.3)), {"t": 0.7}),
    "piecewise": (ZOO["least_squares"], lambda: posed(hd.schedules.cosine(0.2, 2), delta=0.1), {"t_eval": "log"}),
    "committee": (lambda: hd.zoo.committee("erf", True), network, {"t_eval": [0.1, 0.35]}),
    "sampled": (lambda: hd.zoo.logistic("bernoulli"), turned, {"t": 0.5, "method": "stiff", "rtol": 1e-6}),
    "adaptive": (ZOO["phase_retrieval"], lambda: posed(_OWN), {"t": 0.5}),
    "rule": (ZOO["phase_retrieval"], lambda: posed(hd.RMSpropNorm(0.1, 1.0, 0.5)), {"t": 0.5}),
    "density": (ZOO["least_squares"], profiled, {"t": 1.0, "modes": 12}),
    "statistics": (MODELS["statistics"], lambda: posed(spectrum=hd.spectrum.spiked([3, 2], d=40)), {"t": 0.4}),
    "resolvent": (
        ZOO["least_squares"],
        lambda: posed(d=8, start=hd.start.overlaps(1.0, 0.25, 2.0)),
        {"t": 0.3, "formulation": "resolvent", "contour": hd.Ellipse(-1.0, 4.0, 1.0, nodes=32)},
    ),
}


@pytest.mark.parametrize("name", SOLVED)
def test_solutions_reproduce_themselves(name: str, tmp_path: Path) -> None:
    model, problem, options = SOLVED[name]
    path = hd.derive(model()).solve(problem(), **options)
    found = hd.rerun(path.save(tmp_path / "path.nc"))
    assert found.identical, found.words
    assert "bit for bit" in found.words
    assert (found.changed, found.same_code) == ((), True)
    assert hd.load(tmp_path / "path.nc").description == path.description


SIMULATED: dict[str, tuple[Callable[[], hd.Model], Callable[[], hd.Problem], dict[str, Any]]] = {
    "direct": (lambda: hd.zoo.logistic("bernoulli"), turned, {"spacing": "log"}),
    "committee": (
        lambda: hd.zoo.committee("erf", True).at(K=2, M=1),
        lambda: posed(0.5, learning_rates={"v": 0.2 / (1 + hd.t)}, parameters={"v": [0.3, 0.2]}),
        {"t_eval": [0.2, 0.6], "rng": np.random.SeedSequence([3, 4], spawn_key=(1,))},
    ),
    "uninformed": (
        ZOO["least_squares"],
        lambda: posed(start=hd.start.uninformed(norm=0.5, rng=3), spectrum=hd.spectrum.identity(d=30)),
        {"method": "reduced"},
    ),
    "reduced": (ZOO["phase_retrieval"], lambda: posed(d=30), {"method": "reduced", "group": 4}),
    "homogenized": (ZOO["least_squares"], lambda: posed(hd.AdaGradNorm(0.2, 1.0)), {"method": "homogenized"}),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_ensembles_reproduce_themselves_and_grow_from_their_files(name: str, tmp_path: Path) -> None:
    model, problem, options = SIMULATED[name]
    given = {"rng": 5, **({} if "t_eval" in options else {"t": 0.5}), **options}
    runs = hd.simulate(model(), problem(), runs=2, record=5, **given)
    loaded = hd.load(runs.save(tmp_path / "runs.nc"))
    assert isinstance(loaded, hd.Ensemble)
    grown = loaded.more(1)
    np.testing.assert_array_equal(grown.risk.values[:2], runs.risk.values)
    for result in (tmp_path / "runs.nc", grown):
        found = hd.rerun(result)
        assert found.identical, found.words


def test_real_rows_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 5))
    problem = hd.Problem.from_data(A, A[:, 0] + 0.1 * rng.standard_normal(40), learning_rate=0.3, scale=True)
    model = hd.zoo.least_squares()
    runs = hd.simulate(model, problem, runs=2, t=1.0, rng=1, method="data")
    path = hd.derive(model).solve(problem, t=1.0)
    assert hd.rerun(runs.save(tmp_path / "runs.nc")).identical
    assert hd.rerun(path.save(tmp_path / "path.nc")).identical
    assert path.origin is not None
    assert not {"features", "spectrum_basis"} & path.origin.recipe.arrays.keys()  # the ODEs do not depend on them


def test_a_description_is_a_model_file() -> None:
    problem = posed(0.1, delta=0.01, batch_size=2, parameters={"noise_std": 0.2}, horizon=3.0)
    path = hd.derive(hd.zoo.phase_retrieval()).solve(problem, t_eval=[1.0])
    assert path.description is not None
    text, call = path.description.split("[call]")
    file = read_text(text)
    assert file.model == hd.zoo.phase_retrieval()
    assert file.problem.describe() == problem.describe()
    assert 'function = "solve"' in call
    assert "t_eval = [1.0]" in call


def test_what_no_file_can_hold_is_named(tmp_path: Path) -> None:
    model, problem = hd.zoo.least_squares(), posed(lambda t: 0.1 / (1 + t))
    path = hd.derive(model).solve(problem, t=0.5)
    file = path.save(tmp_path / "path.nc")
    with pytest.raises(DeclarationError, match=r"learning rate is a Python function.*<lambda>(.|\n)*problem="):
        hd.rerun(file)
    assert path.rerun().identical  # where the function is still there
    assert hd.rerun(file, model=model, problem=problem).identical
    assert not hd.rerun(file, model=model, problem=posed(0.1)).identical

    def event(t: float, state: Any) -> float:
        return float(state.risk) - 0.1

    stopped = hd.derive(model).solve(posed(), t=0.5, events=event)
    assert stopped.rerun().identical
    with pytest.raises(DeclarationError, match="events are Python functions"):
        hd.rerun(stopped.save(tmp_path / "stopped.nc"))
    bare = hd.Trajectory.build(time=[0.0, 1.0], overlaps=np.ones((2, 2, 2)), gram=np.ones((2, 2, 2)), risk=[1.0, 0.5])
    with pytest.raises(DeclarationError, match="does not say how it was computed"):
        hd.rerun(bare.save(tmp_path / "bare.nc"))


def test_large_arrays_are_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hdsym.describe.arrays.LARGEST", 300)
    X = np.linspace(0.1, 0.4, 40)
    problem = posed(d=40, start=hd.start.arrays(X, X[::-1]))
    file = hd.derive(hd.zoo.least_squares()).solve(problem, t=0.1).save(tmp_path / "path.nc")
    with pytest.raises(DeclarationError, match="the student weights, 0 MB, is too large"):
        hd.rerun(file)


def test_a_solution_that_ended_early_ends_there_again(tmp_path: Path) -> None:
    with pytest.raises(SolveError) as caught:
        hd.derive(hd.zoo.phase_retrieval()).solve(posed(3.0, d=10), t=50)
    found = hd.rerun(caught.value.trajectory.save(tmp_path / "part.nc"))
    assert found.identical, found.words


def test_a_file_that_was_changed_is_found_out(tmp_path: Path) -> None:
    file = hd.derive(hd.zoo.phase_retrieval()).solve(posed(), t=0.5).save(tmp_path / "path.nc")
    runner = CliRunner()
    same = runner.invoke(main, ["rerun", str(file)])
    assert (same.exit_code, same.output[:24]) == (0, "identical, bit for bit: ")
    with h5py.File(file, "a") as opened:
        opened["risk"][7] += 1e-12
        opened["cosine"][0] = -0.0 * opened["cosine"][0]
    found = runner.invoke(main, ["rerun", str(file)])
    assert found.exit_code == 1
    assert "risk: 1 of 201 numbers, by at most 1e-12" in found.output
    assert "first at t = 0.0175" in found.output
    assert "cosine: 1 of 201" in found.output
    assert "the versions are the same" in found.output
    with h5py.File(file, "a") as opened:
        opened.attrs["versions"] = opened.attrs["versions"].replace('"numpy": "', '"numpy": "0.')
    rerun = hd.rerun(file)
    assert [name for name, _, _ in rerun.changed] == ["numpy"]
    assert f"numpy 0.{np.__version__} then, {np.__version__} now" in rerun.words
    assert "cosine" in rerun._repr_html_()
    assert runner.invoke(main, ["rerun", str(tmp_path / "none.nc")]).exit_code == 2
    other = runner.invoke(main, ["rerun", str(DATA / "README.md")])
    assert other.exit_code == 2
    assert "not a netCDF file" in other.output


def test_results_travel_with_their_recipe() -> None:
    theory = hd.derive(hd.zoo.phase_retrieval())
    path = theory.solve(posed(), t=0.2)
    back = pickle.loads(pickle.dumps(path))  # noqa: S301  # our own
    assert back.rerun().identical
    assert path.attrs["model_hash"] == theory.model.digest
    for variable in path.dataset.variables.values():
        assert {"units", "long_name"} <= variable.attrs.keys()
    assert path.time.attrs["units"] == "steps / d"


def test_every_argument_that_changes_numbers_is_recorded() -> None:
    """A new argument of either function has to be recorded, or named here as one that changes no number."""
    call = hd.derive(hd.zoo.least_squares()).solve(posed(), t_eval=[0.1]).origin
    assert call is not None
    assert {"theory", "problem", *call.call.options} - {"function"} == set(inspect.signature(solve).parameters)
    neutral = {"workers", "progress", "executor", "resume", "checkpoint", "rng"}  # the seed is recorded as entropy
    runs = hd.simulate(hd.zoo.least_squares(), posed(), runs=1, t=0.1, rng=0).origin
    assert runs is not None
    recorded = {"model", "problem", *runs.call.options} - {"function"}
    assert recorded | neutral == set(inspect.signature(hd.simulate).parameters)


def test_names_that_a_model_file_refuses_are_named() -> None:
    model = hd.Model((x - y) ** 2 * hd.parameter("E", 1.0), s)
    recipe = Recipe.of(Call(model, posed(), {"function": "solve", "t": 1.0}))
    with pytest.raises(DeclarationError, match="the name 'E', which stands for something else"):
        recipe.call()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__import__(x)", "calls '__import__'"),
        ("open('/etc/passwd')", "contains Constant"),
        ("x.__class__", "contains Attribute"),
        ("(lambda: 1)()", "contains Call"),
        ("Add(x, z)", "unknown name 'z'"),
        ("Pow(10, Pow(10, 10))", "raises to the power"),
        ("Rational(x, 2)", "whole number"),
        ("Symbol(x)", "without a name"),
        ("Unit(x, 1)", "is no family"),
        ("Add(" * 95 + "x" + ")" * 95, "nested too deeply"),
        ("exp(x, x, x)", "is not one"),
        ("9" * 1500, "too many digits"),
    ],
)
def test_trees_hold_nothing_but_expressions(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message.replace("(", r"\(")):
        read_tree(text, {"x": x})


def test_functions_given_by_code_are_named() -> None:
    bump = hd.function("bump", _bump, derivative=lambda v: -2 * v * bump(v))
    with pytest.raises(ParseError, match="the function bump is Python code"):
        model_table(hd.Model((bump(x) - y) ** 2 / 2, bump(s)))


def _bump(v):  # type: ignore[no-untyped-def]  # its text goes into solvers
    return np.exp(-v * v)


@pytest.mark.parametrize("text", ["", "model = 1", "[model]\n[problem]\n", "[model]\nname = 1\n[problem]\n[call]\n"])
def test_a_damaged_description_is_refused(text: str) -> None:
    with pytest.raises(HdsymError):
        Recipe(text).call()


@pytest.mark.parametrize("name", ["trajectory", "ensemble"])
def test_files_of_the_first_version_that_says_how(name: str) -> None:
    """Written by hdsym 0.1.0 on another machine: the numbers are the same up to rounding."""
    old = hd.load(DATA / f"{name}.nc")
    assert old.origin is not None
    assert old.origin.call.model == hd.zoo.phase_retrieval()
    assert old.attrs["model_hash"] == hd.zoo.phase_retrieval().digest
    assert old.risk.sizes["time"] == 5
    for difference in hd.rerun(DATA / f"{name}.nc").differences:
        assert difference.relative < 1e-6 or difference.name.startswith("attribute"), difference
