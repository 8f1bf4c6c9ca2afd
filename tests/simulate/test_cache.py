"""Generated modules on disk: atomic, shared by processes, optional."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hdsym import modulecache as cache

SOURCE = "VALUE = 42\n" + "# filler\n" * 20_000

WRITER = """
import sys
from hdsym import modulecache as cache
source = "VALUE = 42\\n" + "# filler\\n" * 20_000
for i in range(60):
    cache._write(cache.cache_dir(), source, "module.py").unlink(missing_ok=True) if i % 2 else None
    path = cache._write(cache.cache_dir(), source, "module.py")
    try:
        text = path.read_text()
    except FileNotFoundError:  # the other process has just taken it away
        continue
    assert text == source, len(text)
"""


def test_two_processes_never_see_half_a_file(tmp_path):
    env = {**os.environ, "HDSYM_CACHE_DIR": str(tmp_path)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER], env=env, stderr=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors.decode()
    assert {path.name for path in tmp_path.iterdir()} <= {"module.py"}


def test_two_processes_simulate_into_one_empty_cache(tmp_path):
    code = (
        "import hdsym as hd; p = hd.Problem(hd.spectrum.identity(d=9), hd.start.random(rng=0), 0.1); "
        "print(hd.simulate(hd.zoo.least_squares(), p, runs=1, t=1, rng=0).risk.values[0, -1])"
    )
    env = {**os.environ, "HDSYM_CACHE_DIR": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, "-W", "error", "-c", code], env=env, **pipes) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in started]
    assert all(process.returncode == 0 for process in started), answers
    assert answers[0][0] == answers[1][0]
    assert len(list(tmp_path.glob("modules/*.py"))) == 1
    assert list(tmp_path.glob("modules/__pycache__/*.nbc"))  # machine code is kept for the next session


def test_an_unchanged_file_is_left_alone_and_a_damaged_one_replaced(tmp_path):
    path = cache._write(tmp_path, SOURCE, "module.py")
    os.utime(path, (1, 1))
    cache._write(tmp_path, SOURCE, "module.py")
    assert path.stat().st_mtime == 1
    path.write_text("raise SystemExit")
    cache._write(tmp_path, SOURCE, "module.py")
    assert path.read_text() == SOURCE


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("HDSYM_CACHE_DIR", str(blocked / "cache"))
    module = cache.load_source("VALUE = 'blocked'\n", "hdsym_test")
    assert module.VALUE == "blocked"
    assert Path(module.__file__).parent.stat().st_mode & 0o077 == 0  # nobody else may put code there


def test_where_the_cache_is(monkeypatch):
    monkeypatch.delenv("HDSYM_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.cache_dir() == Path.home() / ".cache" / "hdsym"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.cache_dir() == Path("/somewhere/hdsym")
    monkeypatch.setenv("HDSYM_CACHE_DIR", "~/mine")
    assert cache.cache_dir() == Path.home() / "mine"


def test_a_module_that_fails_to_import_is_not_kept():
    with pytest.raises(ZeroDivisionError):
        cache.load_source("1 / 0\n", "hdsym_broken")
    assert not any(name.startswith("hdsym_broken") for name in sys.modules)
