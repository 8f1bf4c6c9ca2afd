"""The command: what it prints, what it writes, and its exit codes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import hdsym as hd
import hdsym.job
from hdsym.cli import main
from hdsym.job import FILES
from hdsym.zoo import MODELS, ZOO

SMALL = """
model = {zoo = "least_squares", noise_std = 0.2}
[problem]
spectrum = {kind = "power_law", alpha = 0.6, d = 200}
start = {kind = "random", norm = 1.0, cosine = 0.2, rng = 3}
learning_rate = 0.3
horizon = 3.0
[simulate]
runs = 20
rng = 1
record = 15
"""


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_run_shows_formulas_and_verdict_and_writes_everything(small: Path) -> None:
    result = call("run", "small.toml")
    assert result.exit_code == 0, result.output
    for piece in ("risk h(B)", "gradient", "Fisher matrix", "B₁₁", "agree", "wrote out/small"):
        assert piece in result.output
    folder = Path("out/small")
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "figure.svg").read_text()
    assert "hdsym run small.toml" in (folder / "report.html").read_text()
    runs = hd.load(folder / "simulation.nc")
    theory = hd.load(folder / "theory.nc")
    assert isinstance(runs, hd.Ensemble)
    assert runs.runs == 20
    assert float(theory.time[-1]) == 3.0


def test_run_writes_curves_that_match_the_saved_results(small: Path) -> None:
    assert call("run", "small.toml", "--quiet").exit_code == 0
    table = np.genfromtxt("out/small/curves.csv", delimiter=",", names=True)
    runs = hd.Ensemble.load("out/small/simulation.nc")
    path = hd.Trajectory.load("out/small/theory.nc")
    np.testing.assert_allclose(table["time"], runs.time.values)
    np.testing.assert_allclose(table["simulated_median"], runs.median("risk").values, rtol=1e-9)
    np.testing.assert_allclose(table["simulated_q10"], runs.quantiles("risk", 0.1).values, rtol=1e-9)
    # the table has the dense solution, the saved file interpolates between its times
    np.testing.assert_allclose(table["theory_risk"], path.at(table["time"])["risk"].values, rtol=1e-6)
    assert np.all(table["simulated_q10"] <= table["simulated_q90"])


def test_run_options(small: Path) -> None:
    result = call("run", "small.toml", "--quiet", "--out", "here", "--runs", "5", "--seed", "9")
    assert result.exit_code in (0, 1), result.output
    assert "risk h(B)" not in result.output
    assert "hdsym run small.toml --runs 5 --seed 9" in Path("here/report.html").read_text()
    first = hd.Ensemble.load("here/simulation.nc")
    assert first.runs == 5
    assert not Path("out").exists()
    call("run", "small.toml", "--quiet", "--out", "again", "--runs", "5", "--seed", "9")
    call("run", "small.toml", "--quiet", "--out", "other", "--runs", "5", "--seed", "10")
    np.testing.assert_array_equal(first.risk, hd.Ensemble.load("again/simulation.nc").risk)
    assert not np.array_equal(first.risk, hd.Ensemble.load("other/simulation.nc").risk)


@pytest.mark.parametrize(("agree", "code"), [(True, 0), (False, 1)])
def test_exit_code_is_the_verdict(agree: bool, code: int, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass
    class Fixed:
        agree: bool
        summary: str = "the summary"

    def job(*_: Any, **__: Any) -> Fixed:
        return Fixed(agree)

    monkeypatch.setattr(hdsym.job, "run_job", job)
    result = call("run", "small.toml")
    assert result.exit_code == code
    assert "the summary" in result.output


def test_a_bug_is_not_mistaken_for_a_disagreement(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def job(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("somewhere inside")

    monkeypatch.setattr(hdsym.job, "run_job", job)
    result = call("run", "small.toml")
    assert result.exit_code == 4
    assert "ZeroDivisionError: somewhere inside" in result.output
    assert "this is a bug in hdsym" in result.output


def test_theory_that_is_wrong_is_found_out(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A solver with the wrong learning rate: the simulation does not agree, and the exit code says so."""
    import dataclasses

    from hdsym.derive import Derivation

    solve = Derivation.solve

    def wrong(self: Derivation, problem: Any, **arguments: Any) -> Any:
        return solve(self, dataclasses.replace(problem, learning_rate=0.2), **arguments)

    monkeypatch.setattr(Derivation, "solve", wrong)
    result = call("run", "small.toml", "--quiet")
    assert result.exit_code == 1, result.output
    assert "disagree" in result.output


def test_a_blow_up_is_reported_without_traceback(small: Path) -> None:
    small.write_text(SMALL.replace("learning_rate = 0.3", "learning_rate = 60.0").replace("3.0\n", "500.0\n"))
    result = call("run", "small.toml")
    assert result.exit_code == 3
    assert "error: " in result.output
    assert "remedy: " in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("__import__('os').system('touch owned')", "__import__('os').system"),
        ("x**1000", "x**1000"),
        ("(x - z)**2", "did you mean"),
    ],
)
def test_hostile_or_mistaken_files_end_with_a_message(text: str, piece: str, small: Path) -> None:
    small.write_text(SMALL.replace('{zoo = "least_squares", noise_std = 0.2}', f'{{loss = "{text}", link = "s"}}'))
    for command in ("run", "derive", "export"):
        result = call(command, "small.toml")
        assert result.exit_code == 2
        assert piece in result.output or "known names" in result.output
        assert "remedy: " in result.output
        assert "Traceback" not in result.output
    assert {path.name for path in small.parent.iterdir()} == {"small.toml"}


def test_an_output_folder_that_is_a_file(small: Path) -> None:
    Path("out").write_text("")
    result = call("run", "small.toml", "--quiet")
    assert result.exit_code == 2
    assert "out" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", sorted(MODELS))
def test_derive_prints_formulas(name: str) -> None:
    result = call("derive", name)
    assert result.exit_code == 0, result.output
    assert MODELS[name]().name in result.output
    assert "Fisher matrix I(B)" in result.output


def test_derive_steps_and_file(small: Path) -> None:
    result = call("derive", "small.toml", "--steps")
    assert result.exit_code == 0, result.output
    assert "polynomial moments" in result.output


COMMITTEE = """
[model]
loss = "(Sum(v[k]*erf(x[k]/sqrt(2)), (k, 1, K)) - y)**2 / 2"
link = "Sum(erf(s[m]/sqrt(2)), (m, 1, M))"
sizes = ["K", "M"]
symbols = {student = {name = "x", size = "K"}, teacher = {name = "s", size = "M"}}
WEIGHTS
[problem]
spectrum = {kind = "identity", d = 200}
start = {kind = "random", norm = 0.5, cosine = 0.2, n_student = 2, n_teacher = 1, rng = 1}
learning_rate = 0.3
horizon = 3.0
[simulate]
runs = 8
record = 6
"""
SOFTMAX = """
model = {zoo = "multiclass_logistic", classes = 2}
[problem]
spectrum = {kind = "identity", d = 200}
start = {kind = "random", norm = 0.5, cosine = 0.2, rng = 1}
learning_rate = 0.3
horizon = 0.5
[simulate]
runs = 8
record = 4
"""
SEVERAL = {
    "soft committee": COMMITTEE.replace("WEIGHTS", '[model.parameters]\nv = {size = "K", default = 0.5}'),
    "second layer trained": COMMITTEE.replace("WEIGHTS", '[model.trained]\nv = {size = "K", default = 0.5}'),
    "softmax": SOFTMAX,
}


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", SEVERAL)
def test_models_of_several_units_run_derive_and_export(name: str) -> None:
    Path("several.toml").write_text(SEVERAL[name])
    result = call("run", "several.toml", "--quiet", "--out", "done")
    assert result.exit_code == 0, result.output
    assert "theory and simulation agree" in result.output
    assert Path("done/report.html").stat().st_size > 1000
    derived = call("derive", "several.toml", "--steps")
    assert derived.exit_code == 0, derived.output
    assert "orthant probability" in derived.output or "quadrature" in derived.output
    exported = call("export", "several.toml")
    assert exported.output == Path("done/solver.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["committee", "multiclass_logistic"])
def test_shipped_models_of_several_units_derive_and_export(name: str) -> None:
    file = str(Path(hd.__file__).parent / "models" / f"{name}.toml")
    derived = call("derive", file)
    assert derived.exit_code == 0, derived.output
    source = call("export", file).output
    compile(source, "solver.py", "exec")
    assert "(-y + Sum(" in source if name == "committee" else "x3" in source


def test_export_gives_the_same_module_on_screen_and_in_a_file(tmp_path: Path) -> None:
    target = tmp_path / "solver.py"
    assert call("export", "phase_retrieval", "-o", str(target)).exit_code == 0
    shown = call("export", "phase_retrieval")
    assert shown.exit_code == 0
    assert shown.output == target.read_text(encoding="utf-8")
    compile(target.read_text(encoding="utf-8"), "solver.py", "exec")


def test_zoo_lists_and_shows() -> None:
    listing = call("zoo").output
    assert [line.split()[0] for line in listing.splitlines()] == sorted(ZOO)
    shown = call("zoo", "phase_retrieval").output
    for piece in (
        "(-y + x**2)**2/4",
        "noise_std (default 0.0)",
        "arXiv:2308.08977",
        'model = {zoo = "phase_retrieval"}',
    ):
        assert piece in shown
    sized = call("zoo", "committee").output
    assert "sizes      K, M" in sized
    assert "Sum(erf(sqrt(2)*x[k]/2)*v[k], (k, 1, K))" in sized
    missed = call("zoo", "probt")
    assert missed.exit_code == 2
    assert "did you mean 'probit'?" in missed.output


@pytest.mark.parametrize(
    "arguments", [["run", "none.toml"], ["derive", "none.toml"], ["run"], ["sing"], ["run", "a", "--runs", "2"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_help_documents_the_exit_codes() -> None:
    text = " ".join(call("--help").output.split())
    assert "1 theory and simulation disagree" in text
    assert call("--version").output.strip().endswith(hd.__version__)


def test_help_is_quick_to_import() -> None:
    """``hdsym --help`` loads neither sympy nor any other heavy module."""
    code = "import sys, hdsym.cli; print([m for m in ('sympy', 'numpy', 'scipy', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
