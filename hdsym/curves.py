"""Which curves a statistic has, and how they look: a few in colours of their own, many by what they have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .entries import entries, names

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["CYCLE", "SIMULATION", "THEORY", "Curve", "styled"]

THEORY = "#0b3c5d"
SIMULATION = "#d55e00"
"""Dark blue and vermillion differ in lightness too: told apart by every kind of colour vision, and in grey."""

CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#444444")
"""Okabe and Ito's colours, for several curves."""

_FEW = 10
"""Curves up to which each has its own entry in the legend."""


@dataclass(frozen=True)
class Curve:
    """One entry of a statistic over time: how it is drawn; an empty label is left out of the legend."""

    entry: tuple[int, ...]
    label: str
    colour: str
    width: float = 1.7
    alpha: float = 0.25

    def of(self, array: xr.DataArray) -> NDArray[np.float64]:
        """Its values, shape (time,)."""
        index: tuple[Any, ...] = (..., *self.entry)
        return np.asarray(array.values[index], dtype=np.float64)


def styled(array: xr.DataArray, n_student: int, alone: str) -> list[Curve]:
    """The curves of a statistic with axes (time, ...); one curve has the colour `alone`."""
    found = entries(array.isel(time=0))
    if found == [()]:
        return [Curve((), "", alone)]
    if len(found) <= _FEW:
        return [Curve(e, names(array, e, ", "), CYCLE[k % len(CYCLE)]) for k, e in enumerate(found)]
    groups = [_group(array, entry, n_student) for entry in found]
    order = list(dict.fromkeys(groups))
    seen: set[str] = set()
    curves = []
    for entry, group in zip(found, groups, strict=True):
        colour = CYCLE[order.index(group) % len(CYCLE)]
        named = group not in seen and len(order) <= _FEW
        curves.append(Curve(entry, group if named else "", colour, width=0.9, alpha=0.08))
        seen.add(group)
    return curves


def _group(array: xr.DataArray, entry: tuple[int, ...], n_student: int) -> str:
    """Of a matrix of overlaps the block, else the first of an entry's names."""
    if array.dims[-2:] == ("row", "col"):
        first, second = ("student" if k < n_student else "teacher" for k in entry)
        return f"{first}, {second}"
    return names(array, entry[:1]) if len(entry) == 1 else f"{array[array.dims[-2]].values[entry[0]]}, each teacher"
