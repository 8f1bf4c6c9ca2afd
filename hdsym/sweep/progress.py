"""Telling how far a sweep is, and how long it will take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import DeclarationError

__all__ = ["reporter"]


@contextmanager
def reporter(progress: Any, total: int, there: int) -> Iterator[Callable[[int], None]]:
    """What to call with the number of points just done.

    Parameters
    ----------
    progress:
        ``True`` for a bar with the remaining time, ``False``, or a function of (points done, points to do).
    total, there:
        Points to do, and those that are done already.

    Raises
    ------
    DeclarationError
        If `progress` is none of these.
    """
    if callable(progress):
        done = there

        def tell(more: int) -> None:
            nonlocal done
            done += more
            progress(done, total)

        yield tell
    elif not isinstance(progress, bool):
        raise DeclarationError(f"progress is {progress!r}", remedy="give True, False or a function of (done, total)")
    elif not progress:
        yield lambda _: None
    else:
        from tqdm import tqdm

        # into a log file every update is a line of its own: there one every ten seconds is enough
        interval = 0.1 if sys.stderr.isatty() else 10.0
        with tqdm(total=total, initial=there, desc="sweep", unit="point", mininterval=interval) as bar:
            yield bar.update
