"""Formulas as text and back: a list of expressions, each made of those before it, and a list of values around them.

Expressions come back as they were, node by node, without being evaluated again. Names choose from
:mod:`.vocabulary`; text reaches nothing that would parse or execute it: the two lists are kept apart, so that no
function of sympy is ever given a string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ..cas import Expr, sp
from ..userfunction import UserFunction
from .vocabulary import CONSTANTS, DECLARED, VALUED, compounds, plain_symbols, records

__all__ = ["NotStorableError", "decode", "encode", "round_trip"]

Functions = Mapping[str, Any]
"""Functions declared by code (:func:`hdsym.function`), by name: a file only names them."""
_CONSTANT_NAMES = {value: name for name, value in CONSTANTS.items()}


class NotStorableError(Exception):
    """Something has no place in the vocabulary. Never reaches a user: what cannot be kept is not kept."""


def encode(value: Any, functions: Functions | None = None) -> str:
    """The text of expressions, records, tuples, numbers and strings; the same for equal content in every session.

    Raises
    ------
    NotStorableError
        If `value` contains anything else.
    """
    writer = _Writer(functions or {})
    last = writer.value(value)
    return json.dumps([writer.expressions, writer.values, last], separators=(",", ":"), allow_nan=False)


def decode(text: str, functions: Functions | None = None) -> Any:
    """What :func:`encode` was given.

    Raises
    ------
    NotStorableError
        If the text is not what :func:`encode` writes.
    """
    try:
        expressions, values, last = json.loads(text)
        known = _read_expressions(expressions, functions or {})
        return _read_values(values, known)[last]
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise NotStorableError(str(error)) from error


def round_trip(value: Any, functions: Functions | None = None) -> str:
    """The text of `value`, of which it is certain that it can be read back to the very same.

    Raises
    ------
    NotStorableError
        If it cannot.
    """
    text = encode(value, functions)
    again = decode(text, functions)
    if again != value or encode(again, functions) != text:
        raise NotStorableError("the value does not come back as it was")
    return text


class _Writer:
    """Collects nodes, each once: by identity, so that shared parts are visited once, and by content."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.expressions: list[list[Any]] = []
        self.values: list[list[Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}
        self._visited: dict[tuple[str, int], tuple[int, Any]] = {}  # with the object, which keeps its identity alive

    def value(self, item: Any) -> int:
        """The place of anything in the list of values."""
        key = ("value", id(item))
        if key not in self._visited:
            self._visited[key] = (self._put(self.values, self._value_node(item)), item)
        return self._visited[key][0]

    def _value_node(self, item: Any) -> list[Any]:
        if isinstance(item, sp.Basic):
            return ["expr", self.expression(item)]
        if item is None or type(item) in (bool, int, float, str):
            return [type(item).__name__, item]
        if type(item) is tuple:
            return ["tuple", *map(self.value, item)]
        name = type(item).__name__
        if is_dataclass(item) and records().get(name) is type(item):
            return [name, *(self.value(getattr(item, f.name)) for f in fields(item) if f.init)]
        raise NotStorableError(f"{type(item).__name__} has no place in the cache")

    def expression(self, item: Expr) -> int:
        """The place of an expression."""
        key = ("expression", id(item))
        if key not in self._visited:
            self._visited[key] = (self._put(self.expressions, self._node(item)), item)
        return self._visited[key][0]

    def _put(self, nodes: list[list[Any]], node: list[Any]) -> int:
        key = (nodes is self.values, *map(_hashable, node))
        if key not in self._places:
            self._places[key] = len(nodes)
            nodes.append(node)
        return self._places[key]

    def _node(self, item: Expr) -> list[Any]:
        kind = type(item)
        if item.is_Atom and not item.args:  # sympy counts Indexed among atoms
            return self._atom(item)
        if isinstance(item, sp.ImmutableDenseMatrix):
            rows, columns = item.shape
            parts = (sp.Integer(rows), sp.Integer(columns), sp.Tuple(*item.flat()))
        else:
            parts = item.args
        if isinstance(item, UserFunction):
            if self.functions.get(kind.__name__) is not kind:
                raise NotStorableError(f"{kind.__name__} is no function of the model")
            return ["declared function", kind.__name__, *map(self.expression, parts)]
        if kind.__name__ not in compounds() or compounds()[kind.__name__][0] is not kind:
            raise NotStorableError(f"{kind.__name__} has no place in the cache")
        return [kind.__name__, *map(self.expression, parts)]

    @staticmethod
    def _atom(item: Expr) -> list[Any]:
        name, kind = type(item).__name__, type(item)
        if item in _CONSTANT_NAMES:
            return ["constant", _CONSTANT_NAMES[item]]
        if item.is_Integer:
            return ["integer", str(item.p)]
        if item.is_Rational:
            return ["rational", str(item.p), str(item.q)]
        if item.is_Float:
            sign, mantissa, exponent, bits = item._mpf_
            return ["float", sign, str(int(mantissa)), exponent, bits, item._prec]
        if DECLARED.get(name) is kind:
            return [name, item.name]
        assumptions = [list(pair) for pair in getattr(item, "_assumptions_orig", {}).items()]
        if VALUED.get(name) is kind:
            return [name, item.name, item.default, assumptions]
        if plain_symbols().get(name) is kind:
            return [name, item.name, assumptions]
        raise NotStorableError(f"{kind.__name__} has no place in the cache")


def _hashable(part: Any) -> Any:
    """With its type: 1, 1.0 and True are different values."""
    return tuple(map(_hashable, part)) if isinstance(part, list) else (type(part), part)


def _read_expressions(nodes: list[list[Any]], functions: Functions) -> list[Expr]:
    found: list[Expr] = []
    makers = {name: maker for name, (_, maker) in compounds().items()}
    for name, *rest in nodes:
        if name in makers:
            found.append(makers[name](*[found[k] for k in rest]))
        elif name == "declared function":
            found.append(functions[rest[0]](*[found[k] for k in rest[1:]], evaluate=False))
        else:
            found.append(_read_atom(name, rest))
    return found


def _read_atom(name: str, rest: list[Any]) -> Expr:
    if name == "constant":
        return CONSTANTS[rest[0]]
    if name == "integer":
        return sp.Integer(int(rest[0]))
    if name == "rational":
        return sp.Rational(int(rest[0]), int(rest[1]))
    if name == "float":
        sign, mantissa, exponent, bits, precision = rest
        return sp.Float((int(sign), int(mantissa), int(exponent), int(bits)), precision=int(precision))
    if name in DECLARED:
        return DECLARED[name](rest[0])
    if name in VALUED:
        return VALUED[name](rest[0], rest[1], **_assumptions(rest[2]))
    return plain_symbols()[name](rest[0], **_assumptions(rest[1]))


def _assumptions(pairs: list[list[Any]]) -> dict[str, bool]:
    return {str(name): bool(value) for name, value in pairs}


def _read_values(nodes: list[list[Any]], expressions: list[Expr]) -> list[Any]:
    found: list[Any] = []
    kinds = records()
    for name, *rest in nodes:
        if name == "expr":
            found.append(expressions[rest[0]])
        elif name == "tuple":
            found.append(tuple([found[k] for k in rest]))
        elif name in ("NoneType", "bool", "int", "float", "str"):
            found.append(rest[0])
        else:
            found.append(kinds[name](*[found[k] for k in rest]))
    return found
