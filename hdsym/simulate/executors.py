"""Where runs are computed: threads of this process, processes of its own, or an executor that the user brings."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, MutableSequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import checks
from ..errors import DeclarationError, SimulationError
from .run import Job, Record, run

__all__ = ["Crew", "crew", "follow_parent", "worker_count"]

Submit = Callable[[Job, int, np.random.SeedSequence], "Future[Record]"]


def worker_count(workers: Any) -> int:
    """The number of workers: `workers`, or the cores this process may use. Raises :class:`DeclarationError`."""
    if workers is not None:
        return checks.dimension(workers, "workers")
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Crew:
    """How to have runs computed.

    Attributes
    ----------
    submit:
        Hands over the i-th run.
    done:
        Steps that each run has taken; an executor of the user tells of complete runs only.
    stop:
        Makes the runs that have begun stop soon, where they can be reached.
    """

    submit: Submit
    done: MutableSequence[int]
    stop: Callable[[], None]


@contextmanager
def crew(executor: Any, workers: int, job: Job, runs: int) -> Iterator[Crew]:
    """Workers for `runs` runs; those that are made here are gone afterwards.

    Raises
    ------
    DeclarationError
        If `executor` is not ``None``, "threads", "processes" or a :class:`concurrent.futures.Executor`.
    SimulationError
        If the job cannot be sent to another process.
    """
    if executor is None or executor == "threads":
        with ThreadPoolExecutor(workers, thread_name_prefix="hdsym") as pool:
            yield _threads(pool, runs)
    elif isinstance(executor, ThreadPoolExecutor):
        yield _threads(executor, runs)
    elif isinstance(executor, Executor):
        _check_travels(job)
        yield Crew(partial(_elsewhere, executor), [0] * runs, lambda: None)
    elif executor == "processes":
        _check_travels(job)
        with _processes(workers, runs) as made:
            yield made
    else:
        raise DeclarationError(
            f"executor is {executor!r}", remedy='give "threads", "processes" or a concurrent.futures.Executor'
        )


def _threads(pool: Executor, runs: int) -> Crew:
    done, stop = [0] * runs, threading.Event()

    def submit(job: Job, i: int, seed: np.random.SeedSequence) -> Future[Record]:
        return pool.submit(run, job, seed, lambda steps: done.__setitem__(i, steps), stop.is_set)

    return Crew(submit, done, stop.set)


def _elsewhere(pool: Executor, job: Job, _: int, seed: np.random.SeedSequence) -> Future[Record]:
    return pool.submit(run, job, seed, _unheard, _never)


def _unheard(_: int) -> None:
    """Progress that nobody hears."""


def _never() -> bool:
    return False


@contextmanager
def _processes(workers: int, runs: int) -> Iterator[Crew]:
    """Fresh processes, on every system alike: forking one that has threads may lock up."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    done, stop = context.RawArray("q", runs), context.Event()
    joining: Any = {"mp_context": context, "initializer": _join, "initargs": (done, stop)}
    with ProcessPoolExecutor(min(workers, runs), **joining) as pool:
        yield Crew(partial(_submit, pool), done, stop.set)


def _submit(pool: Executor, job: Job, i: int, seed: np.random.SeedSequence) -> Future[Record]:
    return pool.submit(_in_worker, job, i, seed)


_shared: dict[str, Any] = {}
"""In a worker process: what it shares with the one that asked for it."""


def _join(done: Any, stop: Any) -> None:
    """Begin as a worker that tells its parent how far it is."""
    _shared.update(done=done, stop=stop)
    follow_parent()


def follow_parent() -> None:
    """Begin as a worker: an interrupt from the keyboard is for the parent, whose end is the worker's too."""
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _in_worker(job: Job, i: int, seed: np.random.SeedSequence) -> Record:
    return run(job, seed, partial(_shared["done"].__setitem__, i), _shared["stop"].is_set)


def _check_travels(job: Job) -> None:
    try:
        pickle.dumps(job)
    except Exception as error:  # each object has its own
        raise SimulationError(
            f"the simulation cannot be sent to another process: {error}",
            remedy="a learning rate that is a Python function must be defined in a module; write it as an expression "
            'in hd.t, or use executor="threads"',
        ) from error
