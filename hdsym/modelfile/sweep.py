"""The table ``[sweep]``: what is varied, and what of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import symbols
from .declare import read_expression
from .table import Table, is_number

__all__ = ["SweepSettings", "read_sweep"]

_LONGEST = 1_000_000


@dataclass(frozen=True)
class SweepSettings:
    """Axes by name, and further arguments of :func:`hdsym.sweep`."""

    over: Mapping[str, Any]
    options: Mapping[str, Any]


def read_sweep(table: Table) -> SweepSettings:
    """The sweep; its names are checked when it is made, against the model and the problem.

    Raises
    ------
    FileFormatError, ParseError
        For a key or a value that has no meaning.
    """
    axes = table.table("over")
    over = {name: _values(axes, name) for name in axes.values}
    if not over:
        raise table.error("over", "has no axes", "give some: over = {learning_rate = [0.1, 0.2]}")
    options: dict[str, Any] = {"statistics": _names(table)}
    for name in ("t", "rtol", "atol"):
        if table.get(name, None) is not None:
            options[name] = float(table.number(name))
    if table.get("t_eval", None) is not None:
        options["t_eval"] = table.numbers("t_eval")
    options["block"] = table.integer("block", None, low=1, high=_LONGEST)
    options["rng"] = table.integer("rng", 0)
    if table.get("simulate", None) is not None:
        inner = table.table("simulate")
        options["simulate"] = {
            "runs": inner.integer("runs", 10, low=1, high=1_000_000),
            "method": inner.choice("method", ("direct", "reduced", "homogenized"), "direct"),
        }
        inner.done()
    table.done()
    return SweepSettings(over, options)


def _names(table: Table) -> list[str]:
    names = table.sequence("statistics", ["risk"])
    if not names or not all(isinstance(name, str) for name in names):
        raise table.error("statistics", "is not an array of names", 'write for instance ["risk", "distance"]')
    return list(names)


def _values(table: Table, name: str) -> list[Any]:
    """An array of numbers and of expressions in t, or ``{from = 0.1, to = 1.0, count = 10, spacing = "log"}``."""
    if isinstance(table.get(name), Mapping):
        return _spaced(table.table(name))
    values = table.sequence(name)
    if not values:
        raise table.error(name, "is empty", "give at least one value")
    return [_value(table, name, index, value) for index, value in enumerate(values)]


def _value(table: Table, name: str, index: int, value: Any) -> Any:
    if is_number(value):
        return value
    key = f"{name}[{index}]"
    if not isinstance(value, str) or not name.startswith("learning_rate"):
        raise table.error(key, f"is {value!r}, not a finite number", "write numbers; learning rates may be text in t")
    return read_expression(Table({key: value}, table.path, table.file), key, {"t": symbols.t})


def _spaced(table: Table) -> list[float]:
    low, high = float(table.number("from")), float(table.number("to"))
    count = table.integer("count", low=1, high=_LONGEST)
    spacing = table.choice("spacing", ("linear", "log"), "linear")
    table.done()
    if spacing == "linear":
        return [float(value) for value in np.linspace(low, high, count)]
    if low <= 0 or high <= 0:
        raise table.error("spacing", "is 'log' between numbers that are not positive", "give positive ones")
    return [float(value) for value in np.geomspace(low, high, count)]
