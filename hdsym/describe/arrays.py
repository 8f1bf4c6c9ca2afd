"""Arrays of a description: a few numbers stand in the text, more of them beside it, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError

__all__ = ["Arrays", "put_in"]

INLINE = 32
"""Numbers up to which an array stands in the text."""

LARGEST = 50_000_000
"""Bytes of one array up to which a file holds it."""

_MARK = "@"


class Arrays:
    """Collects the arrays of a description under names."""

    def __init__(self) -> None:
        self.found: dict[str, NDArray[Any]] = {}

    def keep(self, name: str, values: Any, what: str) -> Any:
        """What stands for an array in the text: its numbers, or its name.

        Raises
        ------
        DeclarationError
            If it is too large for a file.
        """
        array = np.asarray(values)
        if array.size <= INLINE:
            return array.tolist()
        if array.nbytes > LARGEST:
            raise DeclarationError(
                f"{what}, {array.nbytes / 1e6:.0f} MB, is too large to be kept in the file",
                remedy="give the model and the problem themselves, as Python objects",
            )
        self.found[name] = array
        return _MARK + name


def put_in(table: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], where: str) -> dict[str, Any]:
    """The same table with every array in the place of its name. Raises DeclarationError where one is missing."""
    return {str(key): _put(value, arrays, where) for key, value in table.items()}


def _put(value: Any, arrays: Mapping[str, NDArray[Any]], where: str) -> Any:
    if isinstance(value, Mapping):
        return put_in(value, arrays, where)
    if not isinstance(value, str) or not value.startswith(_MARK):
        return value
    name = value.removeprefix(_MARK)
    if name not in arrays:
        raise DeclarationError(f"{where} lacks the array {name!r}", remedy="give a file written by .save(...), whole")
    return arrays[name]
