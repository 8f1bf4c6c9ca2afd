"""Blocks computed by the workers of a dask scheduler, which gives the blocks of a lost worker to others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import SweepError
from .block import solve_block
from .layout import Layout
from .plan import Block, Plan

__all__ = ["on_cluster"]

_PATIENCE = 5
"""Seconds that a scheduler has to answer."""
_WAITING = 64
"""Blocks that are handed over at a time, at least; three times the threads of all workers if that is more."""


def on_cluster(executor: Any, plan: Plan, layout: Layout, blocks: Sequence[int]) -> Iterator[tuple[int, Block]]:
    """The blocks with these numbers, in the order in which they are finished.

    Parameters
    ----------
    executor:
        A :class:`dask.distributed.Client`, or the address of a scheduler.

    Raises
    ------
    SweepError
        If dask is not installed, the scheduler does not answer or is lost, or blocks keep killing their workers.
    """
    distributed = _distributed()
    with _client(distributed, executor) as client:
        try:
            yield from _results(distributed, client, plan, layout, blocks)
        except (distributed.CancelledError, distributed.comm.CommClosedError, OSError, TimeoutError) as error:
            raise SweepError(
                f"the scheduler at {_address(client)} is lost: {error or type(error).__name__}",
                remedy="start it and its workers again; with store=... the same call goes on from the finished blocks",
            ) from error


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise SweepError(
            f"a dask scheduler needs dask.distributed, which cannot be imported: {error}",
            remedy="install it: pip install 'hdsym[sweep]'",
        ) from error
    return distributed


@contextmanager
def _client(distributed: Any, executor: Any) -> Iterator[Any]:
    """The client given, or one of our own, which is closed again."""
    if not isinstance(executor, str):
        yield executor
        return
    try:
        client = distributed.Client(executor, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise SweepError(
            f"no dask scheduler answers at {executor} within {_PATIENCE} seconds",
            remedy="start one (dask scheduler), and workers (dask worker ADDRESS), and give the address that it prints",
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=_PATIENCE)


def _address(client: Any) -> str:
    scheduler = getattr(client, "scheduler", None)
    return str(getattr(scheduler, "address", "an unknown address"))


def _results(
    distributed: Any, client: Any, plan: Plan, layout: Layout, blocks: Sequence[int]
) -> Iterator[tuple[int, Block]]:
    waiting = max(_WAITING, 3 * sum(client.nthreads().values()))
    queue, numbers, call = list(reversed(blocks)), dict[str, int](), uuid.uuid4().hex

    def submit() -> Any:
        k = queue.pop()
        key = f"hdsym-sweep-{call}-{k}"
        numbers[key] = k
        return client.submit(solve_block, plan, *layout.bounds(k), key=key, pure=False)

    pending = distributed.as_completed([submit() for _ in range(min(waiting, len(queue)))], loop=client.loop)
    for future in pending:
        k = numbers.pop(future.key)
        try:
            found = future.result()
        except (ImportError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "deserialization" not in str(error):
                raise
            raise SweepError(
                f"the scheduler or a worker cannot load the sweep: {error.__cause__ or error}",
                remedy="install the same hdsym, and the modules that functions are defined in, where they run",
            ) from error
        except distributed.KilledWorker as error:
            raise SweepError(
                f"workers died one after the other on block {k}, points {layout.bounds(k)[0]} and following: {error}",
                remedy="is memory short? take smaller blocks, or workers with more",
            ) from error
        del future
        if queue:
            pending.add(submit())
        yield k, found
