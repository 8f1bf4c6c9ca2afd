"""The table ``[model]``: a declaration, or the name of a model of the zoo."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import laws, symbols
from ..cas import Expr, Symbol
from ..labels import Bernoulli, Categorical, Poisson, RandomLabel
from ..laws import NoiseLaw
from ..model import Model
from ..parse import CONSTANTS, function_names, parse_expression
from .table import Table, is_number

__all__ = ["read_expression", "read_model"]

_ROLES: dict[str, tuple[str, Callable[[str], Symbol]]] = {
    "student": ("x", symbols.student),
    "teacher": ("s", symbols.teacher),
    "label": ("y", symbols.label),
    "noise": ("eps", symbols.noise),
}


def read_model(table: Table) -> Model:
    """The declared model. Raises :class:`FileFormatError`, :class:`ParseError` or :class:`DeclarationError`."""
    if table.has("zoo"):
        return _zoo(table)
    name = table.text("name", "model")
    parameters = _parameters(table.table("parameters", {}))
    roles = _roles(table.table("symbols", {}))
    names = _names(table, [symbol for symbols in roles.values() for symbol in symbols], parameters)
    loss = read_expression(table, "loss", names)
    link = _link(table, names)
    noise = (
        _noise(table.table("noise"), roles["noise"][0], parameters) if table.get("noise", None) is not None else None
    )
    references = table.sequence("references", [])
    for index, reference in enumerate(references):
        if not isinstance(reference, str):
            raise table.error(f"references[{index}]", f"is {reference!r}, not text", "write it in quotes")
    table.done()
    return Model(loss, link, noise, name, tuple(references))


def read_expression(table: Table, name: str, names: dict[str, Expr], *, number: bool = False) -> Expr:
    """The expression under a key; with `number`, a plain number may stand there too."""
    value = table.get(name)
    if number and is_number(value):
        return value
    if not isinstance(value, str):
        kind = "a number or an expression in quotes" if number else "an expression in quotes"
        raise table.error(name, f"is {value!r}", f"write {kind}")
    return parse_expression(value, names, where=f"{table.file}: {table.key(name)}")


def _read_expressions(table: Table, name: str, names: dict[str, Expr]) -> tuple[Expr, ...]:
    """A list of numbers and expressions in quotes."""
    values = table.get(name)
    if not isinstance(values, list) or not all(isinstance(v, str) or is_number(v) for v in values):
        raise table.error(name, f"is {values!r}", "write a list of numbers and expressions in quotes")
    where = f"{table.file}: {table.key(name)}"
    return tuple(parse_expression(v, names, where=where) if isinstance(v, str) else v for v in values)


def _zoo(table: Table) -> Model:
    from ..zoo import MODELS

    name = table.choice("zoo", sorted(MODELS))
    make = MODELS[name]
    arguments: dict[str, Any] = {}
    for key in inspect.signature(make).parameters:
        if table.get(key, None) is not None:
            arguments[key] = table.number(key) if key == "noise_std" else table.text(key)
    table.done()
    return make(**arguments)


def _roles(table: Table) -> dict[str, list[Symbol]]:
    """Symbols by role; of students and teachers there may be several, ``student = ["x1", "x2"]``."""
    roles = {role: [make(name) for name in _role_names(table, role, name)] for role, (name, make) in _ROLES.items()}
    table.done()
    return roles


def _role_names(table: Table, role: str, default: str) -> list[str]:
    value = table.get(role, default)
    if role not in ("student", "teacher") or not isinstance(value, list):
        return [_identifier(table, role, table.text(role, default))]
    entries = Table({f"{role}[{i}]": entry for i, entry in enumerate(value)}, table.path, table.file)
    if not value:
        raise table.error(role, "is empty", "give at least one name")
    return [_identifier(entries, key, entries.text(key)) for key in entries.values]


def _parameters(table: Table) -> dict[str, Symbol]:
    """Parameters by name: ``name = default``, or ``name = {default = ..., positive = ..., nonnegative = ...}``."""
    found = {}
    for name in table.values:
        _identifier(table, name, name)
        if is_number(table.get(name)):
            found[name] = symbols.parameter(name, default=float(table.number(name)))
            continue
        inner = table.table(name)
        default = inner.number("default", None)
        positive, nonnegative = inner.boolean("positive", False), inner.boolean("nonnegative", False)
        inner.done()
        found[name] = symbols.parameter(
            name, None if default is None else float(default), positive=positive, nonnegative=nonnegative
        )
    return found


def _identifier(table: Table, key: str, name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise table.error(key, f"is the name {name!r}", "use letters, digits and underscores, first a letter")
    if name in function_names() or name in CONSTANTS or name == "t":
        raise table.error(key, f"is the name {name!r}, which stands for something else", "choose another name")
    return name


def _names(table: Table, roles: list[Symbol], parameters: dict[str, Symbol]) -> dict[str, Expr]:
    names: dict[str, Expr] = {}
    for symbol in (*roles, *parameters.values()):
        if symbol.name in names:
            raise table.error("", f"uses the name {symbol.name!r} twice", "give each symbol and parameter its own name")
        names[symbol.name] = symbol
    return names


def _link(table: Table, names: dict[str, Expr]) -> Expr | RandomLabel | None:
    """An expression, or a sampled label: {bernoulli = p}, {poisson = rate}, {values = [...], probabilities = [...]}."""
    value = table.get("link", None)
    if value is None:
        return None
    if isinstance(value, str):
        return read_expression(table, "link", names)
    inner = table.table("link")
    label: RandomLabel
    if inner.has("poisson"):
        label = Poisson(read_expression(inner, "poisson", names, number=True))
    elif inner.has("values") or inner.has("probabilities"):
        label = Categorical(_expressions(inner, "values", names), _expressions(inner, "probabilities", names))
    else:
        label = Bernoulli(read_expression(inner, "bernoulli", names, number=True))
    inner.done()
    return label


_LAWS: dict[str, tuple[type[NoiseLaw], tuple[str, ...], tuple[str, ...]]] = {
    "normal": (laws.Normal, ("std",), ("mean",)),
    "uniform": (laws.Uniform, ("low", "high"), ()),
    "laplace": (laws.Laplace, ("scale",), ("mean",)),
    "student_t": (laws.StudentT, ("dof",), ("scale", "mean")),
    "rademacher": (laws.Rademacher, (), ()),
    "discrete": (laws.Discrete, (), ()),
}
"""Noise laws: class, constants that must be there, constants that may be."""


def _noise(table: Table, symbol: Symbol, names: dict[str, Symbol]) -> NoiseLaw:
    law, wanted, optional = _LAWS[table.choice("law", tuple(_LAWS))]
    constants: dict[str, Any] = {name: read_expression(table, name, names, number=True) for name in wanted}
    constants |= {name: read_expression(table, name, names, number=True) for name in optional if table.has(name)}
    if law is laws.Discrete:
        constants = {name: _expressions(table, name, names) for name in ("values", "probabilities")}
    for name in optional:
        table.get(name, None)  # known, so that a misspelt key is answered with it
    table.done()
    return law(symbol, **constants)


def _expressions(table: Table, name: str, names: dict[str, Expr]) -> tuple[Expr, ...]:
    """An array of numbers and expressions in quotes."""
    entries = Table({f"{name}[{i}]": entry for i, entry in enumerate(table.sequence(name))}, table.path, table.file)
    return tuple(read_expression(entries, key, names, number=True) for key in entries.values)
