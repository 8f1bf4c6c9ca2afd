"""The names a model file declares: symbols by role, families by size, parameters and trained scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import symbols
from ..cas import Expr, Symbol
from ..parse import CONSTANTS, function_names
from .table import Table, is_number

__all__ = ["MAX_SIZE", "read_names"]

MAX_SIZE = 1000
"""Most units a file may ask for, in a declaration or in a problem."""

_ROLES: dict[str, tuple[str, Callable[..., Any]]] = {
    "student": ("x", symbols.student),
    "teacher": ("s", symbols.teacher),
    "label": ("y", symbols.label),
    "noise": ("eps", symbols.noise),
}
_FAMILIES = ("student", "teacher")

Sizes = Mapping[str, Symbol]


def read_names(table: Table) -> tuple[dict[str, Expr], Symbol, dict[str, Expr]]:
    """Everything a loss and a link may name; the noise; the parameters alone, which a noise law may name."""
    sizes = _sizes(table)
    parameters = _parameters(table.table("parameters", {}), sizes)
    trained = _trained(table.table("trained", {}), sizes)
    roles = _roles(table.table("symbols", {}), sizes)
    declared = [made for group in roles.values() for made in group]
    names: dict[str, Expr] = {}
    for made in (*declared, *parameters.values(), *trained, *sizes.values()):
        if made.name in names:
            raise table.error("", f"uses the name {made.name!r} twice", "give each symbol and parameter its own name")
        names[made.name] = made
    return names, roles["noise"][0], parameters


def _sizes(table: Table) -> dict[str, Symbol]:
    entries = _entries(table, "sizes", table.sequence("sizes", []))
    return {
        name: symbols.size(name) for name in (_identifier(entries, key, entries.text(key)) for key in entries.values)
    }


def _entries(table: Table, name: str, values: Iterable[Any]) -> Table:
    """An array as a table, for messages such as ``model.sizes[0]``."""
    return Table({f"{name}[{i}]": entry for i, entry in enumerate(values)}, table.path, table.file)


def _size(table: Table, sizes: Sizes) -> Any:
    """The size of a family: the name of a declared one, or a whole number; ``None`` if there is none."""
    if not table.has("size"):
        table.get("size", None)
        return None
    if not isinstance(table.values["size"], str):
        return table.integer("size", low=1, high=MAX_SIZE)
    name = table.text("size")
    if name not in sizes:
        known = ", ".join(sizes) or "none"
        raise table.error(
            "size", f"is {name!r}, which is not declared", f'add it to model.sizes = ["{name}"]; there: {known}'
        )
    return sizes[name]


def _roles(table: Table, sizes: Sizes) -> dict[str, list[Any]]:
    """Symbols and families by role; of students and teachers there may be several, ``student = ["x1", "x2"]``."""
    roles = {role: _members(table, role, name, make, sizes) for role, (name, make) in _ROLES.items()}
    table.done()
    return roles


def _members(table: Table, role: str, default: str, make: Callable[..., Any], sizes: Sizes) -> list[Any]:
    value = table.get(role, default)
    if role in _FAMILIES and isinstance(value, list):
        if not value:
            raise table.error(role, "is empty", "give at least one name")
        entries = _entries(table, role, value)
        return [_member(entries, key, make, sizes, family=True) for key in entries.values]
    if role not in table.values:
        return [make(default)]
    return [_member(table, role, make, sizes, family=role in _FAMILIES)]


def _member(table: Table, key: str, make: Callable[..., Any], sizes: Sizes, *, family: bool) -> Any:
    """One symbol, ``"x"``, or one family, ``{name = "x", size = "K"}``."""
    if not family or not isinstance(table.values[key], Mapping):
        return make(_identifier(table, key, table.text(key)))
    inner = table.table(key)
    name, size = _identifier(inner, "name", inner.text("name")), _size(inner, sizes)
    inner.done()
    return make(name) if size is None else make(name, size=size)


def _parameters(table: Table, sizes: Sizes) -> dict[str, Expr]:
    """``name = default``, or ``name = {default = ..., size = ..., positive = ..., nonnegative = ...}``."""
    found: dict[str, Expr] = {}
    for name in table.values:
        _identifier(table, name, name)
        if is_number(table.get(name)):
            found[name] = symbols.parameter(name, default=float(table.number(name)))
            continue
        inner = table.table(name)
        default, size = _default(inner), _size(inner, sizes)
        positive, nonnegative = inner.boolean("positive", False), inner.boolean("nonnegative", False)
        inner.done()
        found[name] = symbols.parameter(name, default, size=size, positive=positive, nonnegative=nonnegative)
    return found


def _trained(table: Table, sizes: Sizes) -> list[Any]:
    """``name = start``, or ``name = {default = ..., size = ...}``."""
    found: list[Any] = []
    for name in table.values:
        _identifier(table, name, name)
        if is_number(table.get(name)):
            found.append(symbols.Trained(name, default=float(table.number(name))))
            continue
        inner = table.table(name)
        default, size = _default(inner), _size(inner, sizes)
        inner.done()
        found.append(symbols.Trained(name, size=size, default=default))
    return found


def _default(table: Table) -> float | None:
    value = table.number("default", None)
    return None if value is None else float(value)


def _identifier(table: Table, key: str, name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise table.error(key, f"is the name {name!r}", "use letters, digits and underscores, first a letter")
    if name in function_names() or name in CONSTANTS or name == "t":
        raise table.error(key, f"is the name {name!r}, which stands for something else", "choose another name")
    return name
