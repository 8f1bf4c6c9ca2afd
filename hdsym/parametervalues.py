"""Values of named numbers: one each, or an array for a family of them. Sizes by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import checks
from .cas import Symbol
from .errors import DeclarationError, ParameterError

if TYPE_CHECKING:
    from .model import Model

__all__ = ["check_names", "expanded", "finite_entries", "name_of", "named_values", "number", "sizes_given"]


def name_of(key: Any) -> str:
    """The name a key of a mapping stands for: its own, or that of a symbol or a family."""
    return str(getattr(key, "name", key))


def expanded(values: Mapping[Any, Any], groups: Mapping[str, Sequence[Symbol]], model: str) -> dict[str, Any]:
    """Values by the names of single symbols; an array given to a family is taken apart, one number goes to all of it.

    Raises
    ------
    ParameterError
        If an array has not one entry for each unit, or a value is given twice.
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = name_of(key)
        pairs = _pairs(name, value, groups[name], model) if name in groups else [(name, value)]
        for element, entry in pairs:
            if element in found:
                raise ParameterError(
                    f"the value of {element!r} is given twice", remedy="give the family or its elements, not both"
                )
            found[element] = entry
    return found


def _pairs(name: str, value: Any, elements: Sequence[Symbol], model: str) -> Iterable[tuple[str, Any]]:
    entries = list(value) if np.ndim(value) == 1 else [value] * len(elements)
    if np.ndim(value) > 1 or len(entries) != len(elements):
        raise ParameterError(
            f"the values of {name!r} have shape {np.shape(value)}, but {model} has {len(elements)} units of it",
            remedy=f"give an array of shape ({len(elements)},), or one number for all",
        )
    return zip((symbol.name for symbol in elements), entries, strict=True)


def check_names(given: Iterable[str], known: Sequence[str], groups: Iterable[str], model: str, what: str) -> None:
    """Raise :class:`ParameterError` for the first name that is not known."""
    for name in given:
        if name not in known:
            listing = ", ".join(sorted({*known, *groups})) or "none"
            raise ParameterError(f"{model} has no {what} {name!r}", remedy=f"its {what}s are: {listing}")


def number(symbol: Symbol, value: Any, model: str) -> float:
    """The value of one symbol as a float within its assumptions, else :class:`ParameterError`."""
    if value is None:
        raise ParameterError(
            f"the parameter {symbol.name!r} of {model} has no value",
            remedy=f"give one: hd.Problem(..., parameters={{{symbol.name!r}: ...}})",
        )
    if not _is_number(value):
        raise ParameterError(f"the parameter {symbol.name!r} is given {value!r}", remedy="give a finite real number")
    result = float(value)
    if (symbol.is_positive and result <= 0) or (symbol.is_nonnegative and result < 0):
        kind = "positive" if symbol.is_positive else ">= 0"
        raise ParameterError(
            f"the parameter {symbol.name!r} is given {result}, but was declared {kind}",
            remedy=f"give a value that is {kind}",
        )
    return result


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def sizes_given(model: Model, values: Mapping[Any, Any]) -> dict[str, int]:
    """The sizes of a model by name, in the order of ``model.sizes``.

    Raises
    ------
    DeclarationError
        For a size that is missing, unknown or not a positive integer.
    """
    given = {name_of(key): value for key, value in values.items()}
    names = [size.name for size in model.sizes]
    for name in given:
        if name not in names:
            listing = ", ".join(names) or "none"
            raise DeclarationError(f"{model.name} has no size {name!r}", remedy=f"its sizes are: {listing}")
    missing = [name for name in names if name not in given]
    if missing:
        raise DeclarationError(
            f"{model.name} has sizes without a value: {', '.join(missing)}",
            remedy=f"give them: model.at({', '.join(f'{name}=3' for name in names)})",
        )
    return {name: checks.dimension(given[name], f"the size {name}") for name in names}


def named_values(values: Any, what: str, example: str, read: Callable[[str, Any], Any]) -> dict[str, Any]:
    """A mapping with names for keys, sorted, each value read."""
    if not isinstance(values, Mapping):
        raise ParameterError(f"{what} is {values!r}", remedy=f"give a mapping, for instance {example}")
    found = {name_of(key): value for key, value in values.items()}
    return {name: read(name, found[name]) for name in sorted(found)}


def finite_entries(name: str, value: Any) -> float | tuple[float, ...]:
    """A finite number, or a vector of them, else :class:`ParameterError`."""
    try:
        if np.ndim(value) != 1:
            return checks.finite(value, f"the parameter {name!r}")
        return tuple(float(entry) for entry in checks.real_array(value, f"the parameter {name!r}"))
    except (DeclarationError, ValueError) as error:  # numpy has its own for ragged lists
        message = error.message if isinstance(error, DeclarationError) else f"the parameter {name!r} is {value!r}"
        raise ParameterError(message, remedy="give a finite number, or a vector of them for a family") from None
