"""The table ``[model]``: a declaration, or the name of a model of the zoo."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .. import laws
from ..cas import Expr, Symbol
from ..describe.trees import TREE, read_tree
from ..forms import covariance
from ..labels import Bernoulli, Categorical, Poisson, RandomLabel
from ..laws import NoiseLaw
from ..model import Model
from ..parse import parse_expression
from ..parse_pieces import STATISTICS, Function
from .names import read_names
from .table import Table, is_number

__all__ = ["LAWS", "read_expression", "read_model"]

MAX_CLASSES = 100


_KEYS = (
    "name",
    "loss",
    "link",
    "sizes",
    "symbols",
    "parameters",
    "trained",
    "noise",
    "statistics",
    "references",
    "constraint",
)


def read_model(table: Table) -> Model:
    """The declared model. Raises :class:`FileFormatError`, :class:`ParseError` or :class:`DeclarationError`."""
    if table.has("zoo"):
        return _zoo(table)
    for key in _KEYS:
        table.get(key, None)
    table.done()  # before the loss, which would miss what a misspelt table declares
    name = table.text("name", "model")
    names, noise_symbol, parameters = read_names(table)
    loss = read_expression(table, "loss", names)
    link = _link(table, names)
    noise = _noise(table.table("noise"), noise_symbol, parameters) if table.get("noise", None) is not None else None
    references = table.sequence("references", [])
    for index, reference in enumerate(references):
        if not isinstance(reference, str):
            raise table.error(f"references[{index}]", f"is {reference!r}, not text", "write it in quotes")
    constraint = table.choice("constraint", ("sphere",)) if table.has("constraint") else None
    return Model(loss, link, noise, name, tuple(references), _statistics(table, names), constraint)


def _statistics(table: Table, names: dict[str, Expr]) -> dict[str, Expr]:
    """What is followed along with the risk, by name: means, and functions of means and of overlaps W^T q(K) W."""
    inner, known = table.table("statistics", {}), {str(covariance): covariance, **names}
    return {name: read_expression(inner, name, known, functions=STATISTICS) for name in inner.values}


def read_expression(
    table: Table,
    name: str,
    names: dict[str, Expr],
    *,
    number: bool = False,
    functions: Mapping[str, Function] | None = None,
) -> Expr:
    """The expression under a key; with `number`, a plain number may stand there too."""
    value = table.get(name)
    if number and is_number(value):
        return value
    if not isinstance(value, str):
        kind = "a number or an expression in quotes" if number else "an expression in quotes"
        raise table.error(name, f"is {value!r}", f"write {kind}")
    if value.startswith(TREE):
        return read_tree(value, names)
    return parse_expression(value, names, where=f"{table.file}: {table.key(name)}", functions=functions)


def _zoo(table: Table) -> Model:
    from ..zoo import ZOO

    make = ZOO[table.choice("zoo", sorted(ZOO))]
    arguments: dict[str, Any] = {}
    for key in inspect.signature(make).parameters:
        if table.get(key, None) is not None:
            arguments[key] = _ARGUMENTS.get(key, Table.text)(table, key)
    table.done()
    return make(**arguments)


_ARGUMENTS: dict[str, Callable[[Table, str], Any]] = {
    "noise_std": lambda table, key: table.number(key),
    "classes": lambda table, key: table.integer(key, low=2, high=MAX_CLASSES),
    "components": lambda table, key: table.integer(key, low=2, high=MAX_CLASSES),
    "trained_second_layer": lambda table, key: table.boolean(key, False),
}
"""How arguments of zoo models are read that are not text."""


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


LAWS: dict[str, tuple[type[NoiseLaw], tuple[str, ...], tuple[str, ...]]] = {
    "normal": (laws.Normal, ("std",), ("mean",)),
    "uniform": (laws.Uniform, ("low", "high"), ()),
    "laplace": (laws.Laplace, ("scale",), ("mean",)),
    "student_t": (laws.StudentT, ("dof",), ("scale", "mean")),
    "rademacher": (laws.Rademacher, (), ()),
    "discrete": (laws.Discrete, (), ()),
}
"""Noise laws: class, constants that must be there, constants that may be."""


def _noise(table: Table, symbol: Symbol, names: dict[str, Expr]) -> NoiseLaw:
    law, wanted, optional = LAWS[table.choice("law", tuple(LAWS))]
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
