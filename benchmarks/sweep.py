"""Sweeps: ten thousand trajectories at once against a loop, and two workers of a dask scheduler against one.

The loop is scipy's solve_ivp (DOP853) over the generated right-hand side of each problem, with the same tolerances and
wanted times, on an evenly spread sample of the points, scaled to all of them. Both take one core; seconds on the clock,
and of the processor, which other programs do not add to.

python benchmarks/sweep.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

import hdsym as hd

RTOL, ATOL, HORIZON, SAMPLE = 1e-6, 1e-10, 50.0, 200


def trajectories() -> None:
    """Phase retrieval, isotropic, over learning rate and cosine at the start."""
    theory = hd.derive(hd.zoo.phase_retrieval())
    problem = hd.Problem(hd.spectrum.identity(), hd.start.random(norm=1.0, cosine=0.3, rng=0), learning_rate=0.1)
    over = {"learning_rate": np.linspace(0.003, 0.3, 100), "start.cosine": np.linspace(0.01, 0.99, 100)}
    options: dict[str, Any] = {"t": HORIZON, "rtol": RTOL, "atol": ATOL}
    hd.sweep(theory, problem, {"learning_rate": [0.1]}, **options)  # imports
    began = clocks()
    found = hd.sweep(theory, problem, over, **options)
    together = clocks() - began
    points = found["reason"].size
    chosen = np.unique(np.linspace(0, points - 1, SAMPLE).astype(int))
    began = clocks()
    worst = _loop(theory, found, chosen)
    alone = (clocks() - began) * points / chosen.size
    print(f"{points} trajectories up to t = {HORIZON:g}, rtol {RTOL:g}, one core: clock, processor")
    for what, seconds in (("hd.sweep", together), (f"loop, {chosen.size} of them", alone)):
        print(f"  {what:20} {seconds[0]:8.2f} s {seconds[1]:8.2f} s")
    print(f"  {'ratio':20} {alone[0] / together[0]:8.0f}   {alone[1] / together[1]:8.0f}")
    print(f"  largest difference of risks {worst:.1e}")


def clocks() -> Any:
    """Seconds on the clock, and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def _loop(theory: Any, found: Any, chosen: Any) -> float:
    """Solve the chosen points one by one; the largest difference of the risk."""
    times, worst = found["time"].values, 0.0
    risks = found["risk"].values.reshape(-1, times.size)
    rates, cosines = (found[name].values for name in ("learning_rate", "start.cosine"))
    for k in chosen:
        rate, cosine = rates[k // 100], cosines[k % 100]
        G0 = np.array([[[1.0, cosine], [cosine, 1.0]]])
        rhs = theory.module.make_rhs([1.0], [1.0], G0, lambda _, rate=rate: rate)
        path = solve_ivp(rhs, (0.0, HORIZON), theory.module.pack(G0), "DOP853", times, rtol=RTOL, atol=ATOL)
        overlaps = theory.module.unpack(path.y.T, G0)[:, 0]
        worst = max(worst, float(np.max(np.abs(theory.module.risk(overlaps) - risks[k]))))
    return worst


def workers() -> None:
    """The same sweep by one worker and by two, once they have everything imported."""
    theory = hd.derive(hd.zoo.phase_retrieval())
    start = hd.start.random(norm=1.0, cosine=0.3, rng=0)
    problem = hd.Problem(hd.spectrum.power_law(0.6, d=200), start, learning_rate=0.1)
    over = {"spectrum.alpha": np.linspace(0.0, 0.9, 20), "learning_rate": np.linspace(0.02, 0.12, 100)}
    options: dict[str, Any] = {"t": 100.0, "rtol": 1e-8, "block": 50}
    seconds, results, spent = [], [], []
    for count in (1, 2):
        with cluster(count) as client:
            warm = over | {"spectrum.alpha": [0.0, 0.1]}
            hd.sweep(theory, problem, warm, executor=client, **{**options, "block": 10})
            before, began = client.run(time.process_time), time.perf_counter()
            results.append(hd.sweep(theory, problem, over, executor=client, **options))
            seconds.append(time.perf_counter() - began)
            spent.append([after - before[name] for name, after in client.run(time.process_time).items()])
    print(f"{results[0]['reason'].size} trajectories of 200 modes, 40 blocks, {os.cpu_count()} cores")
    for count, clock, processor in zip((1, 2), seconds, spent, strict=True):
        print(f"  {count} workers {clock:8.2f} s; of the processor each " + ", ".join(f"{s:.2f} s" for s in processor))
    print(f"  ratio     {seconds[0] / seconds[1]:8.2f}")
    print(f"  identical: {results[0].identical(results[1])}")


@contextmanager
def cluster(count: int) -> Iterator[Any]:
    """A client of a dask scheduler with so many workers of one thread each, on the loopback."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "scheduler.json")
        dask = [sys.executable, "-m", "dask"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(hd.__file__).parents[1])}
        quiet: dict[str, Any] = {"cwd": folder, "env": environment}
        quiet |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        processes = [subprocess.Popen([*dask, "scheduler", *options], **quiet)]
        try:
            while not file.is_file() or not file.stat().st_size:
                time.sleep(0.1)
            options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--scheduler-file", str(file)]
            processes += [subprocess.Popen([*dask, "worker", *options], **quiet) for _ in range(count)]
            address = json.loads(file.read_text())["address"]
            from distributed import Client

            with Client(address) as client:
                client.wait_for_workers(count, timeout=60)
                yield client
        finally:
            for process in processes:
                process.kill()  # a worker that is asked to end waits for the scheduler to answer
                process.wait()


if __name__ == "__main__":
    trajectories()
    workers()
