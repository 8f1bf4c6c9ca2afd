"""Telling how far the runs are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..errors import SimulationError
from ..progress import Progress  # told the steps done and the steps to do, over all runs

__all__ = ["Progress", "progress_bar"]


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
