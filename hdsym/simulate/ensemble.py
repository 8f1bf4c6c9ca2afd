"""Many runs on threads: the compiled steps release the interpreter lock."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np

from .. import checks
from ..errors import SimulationError
from .run import Job, Record, run

__all__ = ["Progress", "progress_bar", "run_all", "worker_count"]

Progress = Callable[[int, int], None]
"""Told the steps done and the steps to do, over all runs."""

_REFRESH = 0.1
"""Seconds between two reports of progress."""


def worker_count(workers: Any) -> int:
    """The number of threads: `workers`, or the cores this process may use. Raises :class:`DeclarationError`."""
    if workers is not None:
        return checks.dimension(workers, "workers")
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def run_all(job: Job, seeds: list[np.random.SeedSequence], workers: int, progress: Progress | None) -> list[Record]:
    """All runs, in the order of their seeds. Progress is reported from the calling thread.

    Raises
    ------
    SimulationError
        The first error of a run; the others are stopped.
    """
    done = [0] * len(seeds)
    total = len(seeds) * int(job.steps[-1])
    stop = threading.Event()

    def one(i: int) -> Record:
        return run(job, seeds[i], lambda steps: done.__setitem__(i, steps), stop.is_set)

    with ThreadPoolExecutor(workers, thread_name_prefix="hdsym") as pool:
        futures = [pool.submit(one, i) for i in range(len(seeds))]
        try:
            _watch(futures, lambda: progress(sum(done), total) if progress else None)
            return [future.result() for future in futures]
        finally:  # after an error, or an interrupt from the keyboard
            stop.set()
            for future in futures:
                future.cancel()


def _watch(futures: list[Future[Record]], report: Callable[[], None]) -> None:
    pending = set(futures)
    while pending:
        finished, pending = wait(pending, timeout=_REFRESH, return_when=FIRST_EXCEPTION)
        report()
        for future in finished:
            future.result()


def progress_bar(progress: Any, compile_seconds: float) -> tuple[Progress | None, Callable[[], None]]:
    """What to call with progress, and what to call at the end; a bar for ``True``.

    Raises
    ------
    SimulationError
        If `progress` is neither a bool nor callable.
    """
    if callable(progress):
        return progress, lambda: None
    if not isinstance(progress, bool):
        raise SimulationError(f"progress is {progress!r}", remedy="give True, False or a function of (done, total)")
    if not progress:
        return None, lambda: None
    from tqdm import tqdm

    # into a log file every update is a line of its own: there one every ten seconds is enough
    interval = 0.1 if sys.stderr.isatty() else 10.0
    postfix = {"compile": f"{compile_seconds:.1f}s"}
    bar = tqdm(desc="SGD", unit="step", unit_scale=True, postfix=postfix, mininterval=interval)

    def update(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return update, bar.close
