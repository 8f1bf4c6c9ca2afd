"""Completion and progress bars."""

from __future__ import annotations

import io
import sys
import time
from typing import Any

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

import hdsym as hd
import hdsym.job
from hdsym.cli import main
from hdsym.codegen.render import TARGETS
from hdsym.progress import bar
from hdsym.zoo import ZOO


def completions(*words: str) -> list[tuple[str, str]]:
    *arguments, incomplete = words
    found = BashComplete(main, {}, "hdsym", "_HDSYM_COMPLETE").get_completions(arguments, incomplete)
    return [(item.type, item.value) for item in found]


def test_commands_zoo_names_targets_and_files_are_completed() -> None:
    assert completions("der") == [("plain", "derive")]
    assert completions("cache", "") == [("plain", "clear"), ("plain", "info")]
    assert completions("zoo", "p") == [("plain", "phase_retrieval"), ("plain", "probit")]
    assert completions("derive", "logi") == [("file", "logi"), ("plain", "logistic")]
    assert completions("run", "hdsym/mo") == [("file", "hdsym/mo")]
    assert [name for _, name in completions("export", "--target", "")] == list(TARGETS)
    assert [name for _, name in completions("zoo", "")] == sorted(ZOO)
    assert ("plain", "--json") in completions("doctor", "--j")


def test_the_script_for_the_shell_is_there() -> None:
    result = CliRunner().invoke(main, [], prog_name="hdsym", env={"_HDSYM_COMPLETE": "bash_source"})
    assert result.exit_code == 0
    assert "_HDSYM_COMPLETE=bash_complete" in result.output
    assert "_HDSYM_COMPLETE=bash_source hdsym" in CliRunner().invoke(main, ["--help"]).output


@pytest.mark.parametrize(("name", "count"), [("phase_retrieval", 4), ("committee", None)])
def test_a_derivation_tells_how_far_it_is(name: str, count: int | None) -> None:
    told: list[tuple[int, int]] = []
    hd.derive(hd.zoo.ZOO[name](), progress=lambda done, total: told.append((done, total)))
    total = told[0][1]
    assert told == [(k, total) for k in range(total + 1)]
    assert total == (count or total) > 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), True), (Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr(sys, "stderr", stream)
        with bar("at work", shown=shown) as tell:
            if tell is not None:
                time.sleep(0.35)  # what is done sooner shows no bar
                tell(3, 7)
        assert (tell is not None) == ("at work" in stream.getvalue()) == (shown and stream.isatty())


@pytest.mark.parametrize(("options", "wanted"), [([], True), (["--quiet"], False), (["--json"], True)])
def test_quiet_shows_no_bar(options: list[str], wanted: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(hd.HdsymError):
        pass

    def job(*_: Any, progress: bool, **__: Any) -> None:
        raise Stop(f"progress {progress}")

    monkeypatch.setattr(hdsym.job, "run_job", job)
    monkeypatch.setattr("hdsym.cli.run._seen", lambda: True)
    (tmp_path / "model.toml").write_text("")
    assert f"progress {wanted}" in CliRunner().invoke(main, ["run", str(tmp_path / "model.toml"), *options]).stderr
