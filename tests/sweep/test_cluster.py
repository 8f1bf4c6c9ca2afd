"""Sweeps on a real dask scheduler with workers as processes; what survives when one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import hdsym as hd
from hdsym.errors import SweepError

from .conftest import ROOT, Cluster


def test_a_worker_is_killed_in_mid_sweep(
    theory: Any, problem: hd.Problem, grid: dict[str, Any], settings: dict[str, Any], here: Any, cluster: Cluster
) -> None:
    """Its blocks, those it had finished among them, are computed by another; the arrays are the same."""
    from distributed import Client

    victim, _ = cluster.worker(), cluster.worker()
    told: list[int] = []

    def kill(done: int, _: int) -> None:
        told.append(done)
        if len(told) == 2:
            os.kill(victim.pid, signal.SIGKILL)

    with Client(cluster.address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        small = {**settings, "block": 2}
        found = hd.sweep(theory, problem, grid, executor=client, progress=kill, **small)
        victim.wait(timeout=30)
        assert victim.returncode == -signal.SIGKILL
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert found.identical(here)
    assert told[-1] == 80
    assert hd.sweep(theory, problem, grid, executor=cluster.address, **settings).identical(here)


_DRIVER = """
import sys
import numpy as np
import hdsym as hd

start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
problem = hd.Problem(spectrum=hd.spectrum.identity(d=100), start=start, learning_rate=0.1)
grid = {"learning_rate": np.linspace(0.02, 0.6, 8), "start.cosine": np.linspace(0.05, 0.95, 10)}
hd.sweep(
    hd.derive(hd.zoo.phase_retrieval()), problem, grid, t=20.0, statistics=("risk", "distance"), block=2, rtol=1e-5,
    executor=sys.argv[1], store=sys.argv[2], progress=lambda done, total: print(done, flush=True),
)
"""


def test_the_driver_is_killed_and_starts_again(
    theory: Any,
    problem: hd.Problem,
    grid: dict[str, Any],
    settings: dict[str, Any],
    here: Any,
    cluster: Cluster,
    tmp_path: Path,
) -> None:
    """The second one takes up from the blocks that the first has stored."""
    if len(cluster.processes) == 1:
        cluster.worker()
    store = tmp_path / "sweep.zarr"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _DRIVER, cluster.address, str(store)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        for _ in range(3):
            assert driver.stdout.readline()
        driver.kill()
    told: list[int] = []
    found = hd.sweep(
        theory, problem, grid, store=store, progress=lambda done, _: told.append(done), **{**settings, "block": 5}
    )
    assert found.identical(here)
    assert told[0] >= 3 * 2 + 2
    assert told[-1] == 80


def test_a_scheduler_that_is_not_there(theory: Any, problem: hd.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    from hdsym.sweep import cluster

    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    began = time.monotonic()
    with pytest.raises(SweepError, match=r"no dask scheduler answers at tcp://127.0.0.1:9 within 1 seconds"):
        hd.sweep(theory, problem, {"delta": [0.0, 0.1]}, t=1.0, executor="tcp://127.0.0.1:9")
    assert time.monotonic() - began < 20
