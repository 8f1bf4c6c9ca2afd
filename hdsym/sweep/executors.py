"""Where blocks are computed: here, in processes of this machine, by an executor, by workers of a dask scheduler."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..errors import DeclarationError, SweepError
from ..simulate.executors import follow_parent, worker_count
from .block import solve_block
from .layout import Layout
from .plan import Block, Plan

__all__ = ["computed"]

Found = Iterator[tuple[int, Block]]

_WAITING = 64
"""Blocks that are handed over at a time, at least."""
_LOSSES = 3
"""How often the processes of this machine may die."""


def computed(plan: Plan, layout: Layout, blocks: Sequence[int], executor: Any, workers: int | None) -> Found:
    """The blocks with these numbers, in the order in which they are finished.

    Raises
    ------
    DeclarationError
        If the executor is none.
    SweepError
        If the sweep cannot be sent to other processes, or those that compute it are lost.
    """
    if executor is None:
        return ((k, solve_block(plan, *layout.bounds(k))) for k in blocks)
    if isinstance(executor, Executor):
        check_travels(plan)
        return _by(executor, plan, layout, blocks, _WAITING)
    if executor == "processes":
        check_travels(plan)
        return _by_processes(plan, layout, blocks, worker_count(workers))
    if _of_dask(executor):
        from .cluster import on_cluster

        check_travels(plan)
        return on_cluster(executor, plan, layout, blocks)
    raise DeclarationError(
        f"executor is {executor!r}",
        remedy='give "processes", a dask Client, the address of a dask scheduler ("tcp://host:8786"), '
        "or a concurrent.futures.Executor",
    )


def _of_dask(executor: Any) -> bool:
    """A client of dask, or an address."""
    address = isinstance(executor, str) and "://" in executor
    return address or type(executor).__module__.partition(".")[0] == "distributed"


def check_travels(plan: Plan) -> None:
    """Raise :class:`SweepError` if the plan cannot be pickled."""
    try:
        pickle.dumps(plan)
    except Exception as error:  # each object has its own
        raise SweepError(
            f"the sweep cannot be sent to another process: {error}",
            remedy="functions (learning rates, densities, what poses problems) must be defined in a module that "
            "workers can import; write them as expressions, or leave executor out",
        ) from error


def _by_processes(plan: Plan, layout: Layout, blocks: Sequence[int], workers: int) -> Found:
    """Fresh processes; if one dies, new ones go on with what is missing."""
    import multiprocessing

    context, missing, losses = multiprocessing.get_context("spawn"), set(blocks), 0
    while missing:
        count = min(workers, len(missing))
        with ProcessPoolExecutor(count, mp_context=context, initializer=follow_parent) as pool:
            try:
                for k, found in _by(pool, plan, layout, sorted(missing), 4 * count):
                    missing.discard(k)
                    yield k, found
            except BrokenProcessPool as error:
                losses += 1
                if losses > _LOSSES:
                    raise SweepError(
                        f"processes died {losses} times, {len(missing)} blocks are missing",
                        remedy="is memory short? take smaller blocks, or fewer workers",
                    ) from error


def _by(pool: Executor, plan: Plan, layout: Layout, blocks: Sequence[int], waiting: int) -> Found:
    queue, pending = list(reversed(blocks)), dict[Future[Block], int]()
    try:
        while queue or pending:
            while queue and len(pending) < waiting:
                k = queue.pop()
                pending[pool.submit(solve_block, plan, *layout.bounds(k))] = k
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                yield pending.pop(future), future.result()
    finally:
        for future in pending:
            future.cancel()
