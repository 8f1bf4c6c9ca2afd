"""Whatever is misspelt or misplaced: a message with what was meant, exit code 2, and nothing done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hdsym.cli import main

MODEL = 'model = {zoo = "least_squares"}\n'


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.toml").write_text(MODEL)
    Path("data.csv").write_text("1,2\n")
    Path("theory.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    Path("code.py").write_text("raise SystemExit('executed')\n")
    Path("folder").mkdir()
    Path("folder/inside.toml").write_text(MODEL)
    Path("empty").mkdir()
    return tmp_path


MISUSE = {
    "drive model.toml": "did you mean 'derive'?",
    "cache inf": "did you mean 'info'?",
    "derive model.toml --stps": "--steps",
    "run model.toml --run 5": "--runs",
    "zoo logistik": "did you mean 'logistic'?",
    "derive logistik": "did you mean 'logistic'?",
    "derive modell.toml": "did you mean 'model.toml'?",
    "run modell.toml": "did you mean 'model.toml'?",
    "run folder/insid.toml": "did you mean 'folder/inside.toml'?",
    "derive nowhere/model.toml": "there is no folder nowhere",
    "run logistic": "says nothing of a problem",
    "derive folder": "there is folder/inside.toml",
    "run empty": "it holds no model file",
    "run theory.nc": "a saved result",
    "derive data.csv": "a table",
    "export code.py": "never executes",
    "export logistic --target nunba": "the nearest is 'numba'",
    "export logistic -o empty": "empty is a folder",
    "export logistic -o nowhere/solver.py": "there is no folder nowhere",
    "export logistic -o model.toml/solver.py": "there is no folder model.toml",
    "run model.toml --out data.csv": "data.csv is a file",
    "run model.toml --out data.csv/results": "data.csv is a file",
    "run model.toml --runs 2": "2 is not in the range",
    "run model.toml --runs many": "'many' is not a valid integer",
    "run": "FILE",
}


@pytest.mark.parametrize("words", MISUSE)
def test_misuse_is_answered_with_what_was_meant(words: str, here: Path) -> None:
    before = sorted(here.rglob("*"))
    result = call(*words.split())
    assert result.exit_code == 2, result.output
    assert MISUSE[words] in result.stderr
    assert not result.stdout
    assert "Traceback" not in result.output
    assert sorted(here.rglob("*")) == before


def test_a_folder_without_permission_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    for words in ("export logistic -o empty/solver.py", "run model.toml --out empty/results"):
        result = call(*words.split())
        assert result.exit_code == 2
        assert "empty cannot be written" in result.stderr


def test_errors_are_json_too_where_that_was_asked_for() -> None:
    result = call("derive", "logistik", "--json")
    assert result.exit_code == 2
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "FileFormatError"
    assert error["exit_code"] == 2
    assert "'logistic'" in error["remedy"]
    assert "logistik" in error["message"]
