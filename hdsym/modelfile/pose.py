"""The tables ``[problem]`` and ``[data]``: learning rates, horizon, parameters, or real rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import adaptive, symbols
from ..cas import Symbol
from ..describe.trees import symbol_of
from ..model import Model
from ..problem import Problem
from ..quantities import NAMES
from .declare import read_expression
from .names import MAX_SIZE
from .shapes import read_spectrum, read_start
from .table import Table

__all__ = ["RULES", "read_problem"]

MAX_FEATURES = 20_000


def read_problem(table: Table, data: Table | None, model: Model) -> Problem:
    """The problem; with a table ``[data]`` it is built from real rows, and least squares is assumed by it."""
    common: dict[str, Any] = {
        "learning_rate": _learning_rate(table),
        "delta": float(table.number("delta", 0.0)),
        "horizon": float(table.number("horizon", 20.0)),
        "batch_size": table.integer("batch_size", 1, low=1),
    }
    parameters = _parameters(table, model)
    units: dict[str, Any] = {"learning_rates": _rates(table, model), "sizes": _sizes(table, model)}
    if data is not None:
        for name in ("spectrum", "start"):
            if table.has(name):
                raise table.error(
                    name, "is given together with [data]", f"remove one of the two: the data fix the {name}"
                )
        problem = _from_data(data, model, parameters, common)
    else:
        spectrum, start = read_spectrum(table.table("spectrum")), read_start(table.table("start"))
        problem = Problem(spectrum=spectrum, start=start, parameters=parameters, **units, **common)
    table.done()
    made = problem.explicit(model)  # a missing or impossible value is an error of the file
    made.parameter_values(problem.parameters)
    made.trained_values(problem.parameters)
    problem.trained_rates(made)
    return problem


RULES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "adagrad-norm": (adaptive.AdaGradNorm, ("eta", "b")),
    "rmsprop-norm": (adaptive.RMSpropNorm, ("eta", "b", "alpha")),
    "polyak": (adaptive.Polyak, ()),
    "line-search": (adaptive.LineSearch, ()),
}
"""Adaptive learning rates by name: what makes them, of which numbers."""


def _learning_rate(table: Table) -> Any:
    """A number, an expression in t, or a table with an adaptive rule."""
    if not isinstance(table.get("learning_rate", None), Mapping):
        return read_expression(table, "learning_rate", {"t": symbols.t}, number=True)
    inner = table.table("learning_rate")
    rule = inner.choice("rule", (*RULES, "expression"))
    if rule == "expression":
        made = _own_rule(inner)
    else:
        make, names = RULES[rule]
        made = make(**{name: float(inner.number(name)) for name in names})
    inner.done()
    return made


def _own_rule(table: Table) -> Any:
    """Gamma and du/dt as expressions in t, the quantities of :mod:`hdsym.quantities`, states and parameters."""
    inner = {key: table.table(key, {}) for key in ("states", "parameters")}
    given = {key: {name: part.table(name) for name in part.values} for key, part in inner.items()}
    own = {key: {name: _own_symbol(part, name) for name, part in parts.items()} for key, parts in given.items()}
    names = {"t": symbols.t, **{name: symbol for symbol, name in NAMES.items()}, **own["states"], **own["parameters"]}
    states = {
        own["states"][name]: (float(part.number("start")), read_expression(part, "slope", names, number=True))
        for name, part in given["states"].items()
    }
    values = {own["parameters"][name]: float(part.number("value")) for name, part in given["parameters"].items()}
    rate = read_expression(table, "rate", names, number=True)
    for part in (*given["states"].values(), *given["parameters"].values()):
        part.done()
    return adaptive.AdaptiveRate(rate, states, values, table.text("label", None))


def _own_symbol(table: Table, name: str) -> Symbol:
    """A state or parameter, real unless its assumptions say otherwise."""
    flags = table.table("assumptions", {"real": True})
    return symbol_of(name, {key: flags.boolean(key, True) for key in flags.values})


def _parameters(table: Table, model: Model) -> dict[str, Any]:
    """Values of parameters and starts of trained scalars: numbers, and arrays for families."""
    inner = table.table("parameters", {})
    families = {*model._groups, *(family.name for family in model.families)}
    names = dict.fromkeys(member.name for member in (*model.parameters, *model.trained))
    values: dict[str, Any] = {}
    for name in (*names, *model._groups):
        value = inner.get(name, None)
        if name in families and isinstance(value, list):
            values[name] = inner.numbers(name)
        elif value is not None:
            values[name] = float(inner.number(name))
    inner.done()
    return values


def _rates(table: Table, model: Model) -> dict[str, Any]:
    """Learning rates of trained scalars, each a number or an expression in t."""
    inner = table.table("learning_rates", {})
    trained = {member.name for member in model.trained}
    groups = [name for name, members in model._groups.items() if members[0].name in trained]
    found: dict[str, Any] = {}
    for name in (*sorted(trained), *groups):
        if inner.get(name, None) is not None:
            found[name] = read_expression(inner, name, {"t": symbols.t}, number=True)
    inner.done()
    return found


def _sizes(table: Table, model: Model) -> dict[str, int]:
    inner = table.table("sizes", {})
    values = {size.name: inner.integer(size.name, None, low=1, high=MAX_SIZE) for size in model.sizes}
    inner.done()
    return {name: value for name, value in values.items() if value is not None}


def _from_data(table: Table, model: Model, parameters: dict[str, float], common: dict[str, Any]) -> Problem:
    from ..digits import CLASSES, relu_features
    from ..zoo import least_squares

    table.choice("kind", ("digits_relu_features",))
    d = table.integer("d", low=1, high=MAX_FEATURES)
    classes = table.choice("classes", CLASSES, "even_odd")
    rng = table.integer("rng", 0)
    table.done()
    wanted = least_squares()
    if (model.loss, model.link, model.noise) != (wanted.loss, wanted.link, wanted.noise):
        raise table.error(
            "kind",
            "is least squares on real rows, but the model is another one",
            'declare model = {zoo = "least_squares"}: its noise level is measured on the data',
        )
    if parameters:
        raise table.error("kind", "measures noise_std, which problem.parameters gives too", "remove it there")
    made = relu_features(d, classes=classes, rng=rng)
    return Problem.from_data(made.features, made.labels, **common)
