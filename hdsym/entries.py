"""The entries of labelled arrays, one by one, with readable names."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["entries", "label"]


def entries(array: xr.DataArray) -> list[tuple[int, ...]]:
    """Indices of every entry; of a symmetric matrix, with the axes row and col, those of the upper triangle."""
    found = list(product(*(range(size) for size in array.shape)))
    return [entry for entry in found if entry[0] <= entry[1]] if array.dims == ("row", "col") else found


def label(array: xr.DataArray, entry: tuple[int, ...]) -> str:
    """``overlaps[x1,s2]``: the variable and the names of the entry along the last axes of `array`."""
    return str(array.name) + (f"[{names(array, entry)}]" if entry else "")


def names(array: xr.DataArray, entry: tuple[int, ...], separator: str = ",") -> str:
    """The names of an entry along the last axes."""
    axes = array.dims[array.ndim - len(entry) :]
    return separator.join(str(array[axis].values[k]) for axis, k in zip(axes, entry, strict=True))
