"""What tests of sweeps share: one model, one small grid, and dask processes on the loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdsym as hd

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def theory() -> Any:
    return hd.derive(hd.zoo.phase_retrieval())


@pytest.fixture(scope="session")
def problem() -> hd.Problem:
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    return hd.Problem(spectrum=hd.spectrum.identity(d=100), start=start, learning_rate=0.1)


@pytest.fixture(scope="session")
def grid() -> dict[str, Any]:
    """Of whose 80 points some diverge."""
    return {"learning_rate": np.linspace(0.02, 0.6, 8), "start.cosine": np.linspace(0.05, 0.95, 10)}


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    return {"t": 20.0, "statistics": ("risk", "distance"), "block": 10, "rtol": 1e-5}


@pytest.fixture(scope="session")
def here(theory: Any, problem: hd.Problem, grid: dict[str, Any], settings: dict[str, Any]) -> Any:
    """The sweep as this process computes it."""
    return hd.sweep(theory, problem, grid, **settings)


@dataclass
class Cluster:
    """A dask scheduler and its workers, each a process of its own."""

    address: str
    file: Path
    processes: list[subprocess.Popen[bytes]]

    def worker(self) -> subprocess.Popen[bytes]:
        """One more worker, of one thread, that nobody restarts."""
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        made = _started("worker", "--scheduler-file", str(self.file), *options, folder=self.file.parent)
        self.processes.append(made)
        return made


def _started(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dask", *arguments]
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("dask")
    file = folder / "scheduler.json"
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = _started("scheduler", *options, folder=folder)
    made = Cluster("", file, [scheduler])
    try:
        deadline = time.monotonic() + 60
        while not file.is_file() or not file.stat().st_size:
            assert scheduler.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        made.address = json.loads(file.read_text())["address"]
        yield made
    finally:
        for process in made.processes:
            process.kill()
            process.wait()
