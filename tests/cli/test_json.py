"""Results for other programs: one JSON value on standard output that says what the text says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import hdsym as hd
import hdsym.doctor
from hdsym.cli import main
from hdsym.cli.reporting import show_json
from hdsym.doctor import FAULT, NOTE, OK
from hdsym.zoo import ZOO

SMALL = """
model = {zoo = "least_squares", noise_std = 0.2}
[problem]
spectrum = {kind = "identity", d = 100}
start = {kind = "random", norm = 1.0, cosine = 0.2, rng = 3}
learning_rate = 0.3
horizon = 1.0
[simulate]
runs = 5
record = 4
"""


def value(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    assert not result.stderr
    return json.loads(result.stdout)


def test_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SMALL)
    found = value("run", "small.toml", "--out", "here")
    assert found["agree"] is True
    assert found["p_value"] >= found["level"]
    assert "agree" in found["words"]
    assert found["runs"] == 5
    assert {"statistic", "time", "gap", "z"} <= found["worst"].keys()
    assert all(Path(name).stat().st_size > 0 for name in found["files"])


def test_derive_of_an_explicit_model_can_be_read_back() -> None:
    found, theory = value("derive", "phase_retrieval", "--steps"), hd.derive(hd.zoo.phase_retrieval())
    names = {symbol.name: symbol for symbol in theory.risk.free_symbols}
    assert hd.parse.parse_expression(found["risk"], names) == theory.risk
    assert found["gradient"] == [[str(theory.gradient[i, 0])] for i in range(2)]
    assert found["fisher"] == [[str(theory.fisher[0, 0])]]
    assert found["odes"] == {name: str(rate) for name, rate in theory.odes.items()}
    assert found["exact"] is True
    assert "polynomial moments" in [rule["name"] for rule in found["rules"]]
    assert found["steps"]["risk"] == theory.steps["risk"].lines()


def test_derive_of_a_sized_model() -> None:
    found = value("derive", "committee")
    assert found["sizes"] == ["K", "M"]
    assert "atan2" in found["kernels"]["kernel 1"]
    assert "K1(" in found["risk"]


def test_zoo() -> None:
    assert [entry["name"] for entry in value("zoo")] == sorted(ZOO)
    shown = value("zoo", "phase_retrieval")
    assert shown["loss"] == "(-y + x**2)**2/4"
    assert shown["parameters"] == [{"name": "noise_std", "default": 0.0}]


def test_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HDSYM_CACHE", "1")
    monkeypatch.setenv("HDSYM_CACHE_DIR", str(tmp_path / "cache"))
    assert value("cache", "info")["derivations"]["files"] == 0
    assert CliRunner().invoke(main, ["export", "least_squares"]).exit_code == 0
    info = value("cache", "info")
    assert info["folder"] == str(tmp_path / "cache")
    assert info["derivations"]["parts"] == {"formulas": 1, "program": 1, "solver-numpy": 1}
    assert info["derivations"]["bytes"] > 1000
    text = CliRunner().invoke(main, ["cache", "info"]).stdout
    assert "3 files" in text
    assert "switched off" not in text
    (tmp_path / "cache" / "mine.txt").write_text("not the cache's")
    assert value("cache", "clear") == {"removed": {"derivations": 3, "modules": 0}}
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == ["mine.txt"]
    monkeypatch.setenv("HDSYM_CACHE", "0")
    assert value("cache", "info")["enabled"] is False
    (tmp_path / "cache" / "derivations").chmod(0o777)
    assert "open to other users" in CliRunner().invoke(main, ["cache", "info"]).stdout


def test_numbers_that_json_does_not_have_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": [float("nan"), float("inf"), 1.5, None, True], "b": {1: "ü"}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 1.5, None, True], "b": {"1": "ü"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HDSYM_CACHE", "1")
    monkeypatch.setenv("HDSYM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_doctor_finds_a_sound_installation_sound(folder: Path) -> None:
    found = value("doctor")
    assert found["works"] is True
    seen = {finding["name"]: finding for finding in found["findings"]}
    assert {"python", "hdsym", "numpy", "numba", "sympy", "BLAS", "templates", "cache", "solution"} <= seen.keys()
    assert seen["numpy"]["detail"] == __import__("numpy").__version__
    assert seen["numba"]["status"] == seen["cache"]["status"] == OK
    assert "which is kept" in seen["numba"]["detail"]
    assert list(folder.rglob("*.nbc"))
    assert not list(folder.rglob("*doctor*.hdsym"))
    assert {f"extra {name}" for name in ("data", "jax", "notebook", "sweep")} <= seen.keys()


def test_doctor_notes_a_cache_that_cannot_be_used(folder: Path) -> None:
    folder.write_text("a file in its place")
    (cache,) = hdsym.doctor._cache()
    assert cache.status == NOTE
    assert "HDSYM_CACHE_DIR" in cache.remedy


def test_doctor_finds_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing package, templates that are not there, a solver that is wrong."""
    from hdsym.derive import Derivation

    monkeypatch.setattr(hdsym.doctor, "_requirements", lambda: ["numpy>=2", "not-there>=1", "absent; extra == 'more'"])
    monkeypatch.setattr(hdsym.doctor, "_extras", lambda: ["more"])
    monkeypatch.setattr("hdsym.paths.templates_dir", lambda: tmp_path)
    solve = Derivation.solve
    monkeypatch.setattr(Derivation, "solve", lambda self, problem, t: solve(self, problem, t * (1 + 1e-3)))
    monkeypatch.setitem(hdsym.doctor._EXAMINATIONS, "numba", lambda: 1 / 0)
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 3, result.output
    assert "faults: not-there, templates, numba" in result.stdout
    assert "pip install not-there" in result.stdout
    assert "missing: absent" in result.stdout
    assert "ZeroDivisionError" in result.stdout
    assert FAULT in result.stdout
