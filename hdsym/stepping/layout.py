"""Where the entries of a packed state are among the rows of all modes, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout"]

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Two ways to write a state: packed, as a generated module has it, and as rows (m, l, n) and scalars.

    Attributes
    ----------
    spread:
        For every entry of the rows, and every scalar, where it is in the packed state.
    gather:
        For every entry of the packed state, where it is among rows and scalars.
    modes:
        The mode of each packed entry; -1 for scalars.
    """

    spread: Int
    gather: Int
    modes: Int

    def to_rows(self, y: Any) -> Any:
        """Rows and scalars (..., m * l * n + r) from packed states (..., entries)."""
        return y[..., self.spread]

    def to_packed(self, v: Any) -> Any:
        """Packed states from rows and scalars."""
        return v[..., self.gather]

    def weights_of_rows(self, w: Any) -> Any:
        """What weights (..., entries) of a packed state are as weights of rows and scalars: to_packed, transposed."""
        rows = np.zeros((*w.shape[:-1], self.spread.size))
        rows[..., self.gather] = w
        return rows

    def weights_of_packed(self, v: Any) -> Any:
        """What weights (..., m * l * n + r) of rows and scalars are for a packed state: to_rows, transposed."""
        packed = np.zeros((self.gather.size, *v.shape[:-1]))
        np.add.at(packed, self.spread, np.moveaxis(v, -1, 0))
        return np.moveaxis(packed, 0, -1)

    @classmethod
    def of_rows(cls, modes: int, students: int, n: int, scalars: int) -> Layout:
        """The state is rows, mode by mode, then scalars: nothing moves."""
        size = modes * students * n
        same = np.arange(size + scalars)
        owner = np.concatenate([np.repeat(np.arange(modes), students * n), np.full(scalars, -1)])
        return cls(same, same, owner)

    @classmethod
    def of_pairs(cls, modes: int, students: int, n: int, pairs: tuple[tuple[int, int], ...]) -> Layout:
        """The state is entry by entry of the upper triangle, (i, j) from one, each over all modes."""
        position = np.zeros((students, n), dtype=np.int64)
        for k, (i, j) in enumerate(pairs):
            position[i - 1, j - 1] = k
            if j <= students:
                position[j - 1, i - 1] = k
        mode = np.arange(modes)
        spread = (position * modes + mode[:, None, None]).reshape(-1)
        entry = np.array([(i - 1) * n + j - 1 for i, j in pairs])
        gather = (entry[:, None] + mode * students * n).reshape(-1)
        return cls(spread, gather, np.tile(mode, len(pairs)))
