"""Blocks: boxes of the grid that are consecutive points at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """How a grid is cut into blocks.

    Attributes
    ----------
    shape:
        Of the grid.
    chunk:
        Shape of a block: ones, then a part of one axis, then whole axes, so that its points are consecutive.
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], points: int) -> Layout:
        """Blocks of at most so many points, if possible nearly as many; no less than one."""
        chunk: list[int] = []
        room = points
        for length in reversed(shape):
            part = max(1, min(length, room))
            chunk.insert(0, part)
            room = room // length if part == length else 0
        return cls(tuple(shape), tuple(chunk))

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of blocks along each axis."""
        return tuple(-(-length // part) for length, part in zip(self.shape, self.chunk, strict=True))

    @property
    def count(self) -> int:
        """Number of blocks."""
        return int(np.prod(self.counts, dtype=np.int64))

    def box(self, k: int) -> tuple[slice, ...]:
        """Where a block is in the grid."""
        places = np.unravel_index(k, self.counts)
        return tuple(
            slice(int(p) * part, min((int(p) + 1) * part, length))
            for p, part, length in zip(places, self.chunk, self.shape, strict=True)
        )

    def bounds(self, k: int) -> tuple[int, int]:
        """First point of a block, and the one after its last."""
        box = self.box(k)
        first = int(np.ravel_multi_index([part.start for part in box], self.shape))
        return first, first + int(np.prod([part.stop - part.start for part in box], dtype=np.int64))

    def length(self, k: int) -> int:
        """Number of points of a block."""
        first, last = self.bounds(k)
        return last - first
