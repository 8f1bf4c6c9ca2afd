"""Many runs at once: handed out, watched, and taken in one by one as they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any

import numpy as np

from ..errors import SimulationError
from .executors import Crew, crew
from .progress import Progress
from .run import Job, Record

__all__ = ["run_all"]

_REFRESH = 0.1
"""Seconds between two reports of progress."""

Keep = Callable[[int, Record], None]
"""Told the number of a run that has ended, and its record."""


def run_all(
    job: Job,
    seeds: Mapping[int, np.random.SeedSequence],
    workers: int,
    executor: Any,
    progress: Progress | None,
    keep: Keep,
) -> None:
    """Compute a run for every seed. Progress and records are reported from the calling thread.

    Raises
    ------
    SimulationError
        The first error of a run; the others are stopped, and those that have ended are kept. Also if a worker process
        is lost.
    """
    if not seeds:
        return
    total = len(seeds) * int(job.steps[-1])
    with crew(executor, workers, job, len(seeds)) as team:
        futures = {team.submit(job, place, seed): i for place, (i, seed) in enumerate(seeds.items())}
        places = {future: place for place, future in enumerate(futures)}

        def take(future: Future[Record]) -> None:
            keep(futures.pop(future), future.result())
            team.done[places[future]] = int(job.steps[-1])

        try:
            _watch(futures, take, lambda: progress(sum(team.done), total) if progress else None)
        except BrokenExecutor as error:
            raise SimulationError(
                f"a worker process was lost: {error}",
                remedy='call hd.simulate under `if __name__ == "__main__":` in a script; if memory ran out, use fewer '
                'workers, or executor="threads"',
            ) from error
        finally:  # after an error, or an interrupt from the keyboard, what has ended is not lost
            _stop(team, futures, take)


def _watch(
    futures: Mapping[Future[Record], int], take: Callable[[Future[Record]], None], report: Callable[[], None]
) -> None:
    while futures:
        finished, _ = wait(futures, timeout=_REFRESH, return_when=FIRST_COMPLETED)
        for future in finished:
            take(future)
        report()


def _stop(team: Crew, futures: Mapping[Future[Record], int], take: Callable[[Future[Record]], None]) -> None:
    if not futures:
        return
    team.stop()
    for future in list(futures):
        if not future.cancel() and future.done() and future.exception() is None:
            take(future)
