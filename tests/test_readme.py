"""Every snippet and command of the README is executed."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [line for language, body in BLOCKS if language == "bash" for line in body.splitlines()]


def test_snippets_run_in_order_and_print_what_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for position, (language, body) in enumerate(BLOCKS):
        if language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(body, f"README block {position}", "exec"), namespace)  # noqa: S102  # our own README
        if position + 1 < len(BLOCKS) and BLOCKS[position + 1][0] == "text":
            assert printed.getvalue() == BLOCKS[position + 1][1]
    assert (tmp_path / "phase_retrieval.py").exists()
    assert namespace["verdict"].p_value > 1e-3  # fails by chance once in 1000 sets of seeds


def test_first_commands_are_those_ci_runs() -> None:
    """`make demo` and `make test` would recurse here: the CI script runs both on a clean clone."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert COMMANDS[:2] == ["make demo", "make test"]
    for command in COMMANDS[:2]:
        assert re.search(rf"^\s*part \w+ {command}$", script, flags=re.MULTILINE), command


def test_every_other_command_works(tmp_path: Path) -> None:
    (tmp_path / "hdsym").symlink_to(ROOT / "hdsym", target_is_directory=True)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert len(COMMANDS) == 11
    for command in COMMANDS[2:]:
        done = subprocess.run(
            shlex.split(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "results" / "report.html").exists()
    assert (tmp_path / "solver.py").exists()


def test_files_the_readme_names_exist() -> None:
    for name in re.findall(r"`((?:hdsym|templates|tests|notebooks|benchmarks)/[\w./-]*)`", TEXT):
        assert (ROOT / name).exists(), name
