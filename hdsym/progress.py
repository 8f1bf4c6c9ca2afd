"""Telling how far work is: functions of what is done and what there is to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Counter", "Progress", "bar"]

Progress = Callable[[int, int], None]
"""Told how many parts are done, and how many there are."""

T = TypeVar("T")


class Counter:
    """Counts parts as they are done, and tells `progress`, if there is one."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.count = progress, total, 0
        self._tell()

    def done(self, part: T) -> T:
        """The part, which is one more."""
        self.count += 1
        self._tell()
        return part

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.count, self.total)


@contextmanager
def bar(description: str, *, shown: bool) -> Iterator[Progress | None]:
    """What to tell (done, total): a progress bar on a terminal; ``None`` where none is wanted or nobody looks."""
    if not shown or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=description, leave=False, delay=0.3) as shown_bar:

        def update(done: int, total: int) -> None:
            shown_bar.total = total
            shown_bar.update(done - shown_bar.n)

        yield update
