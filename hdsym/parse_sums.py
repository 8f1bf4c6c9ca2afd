"""Units in the parser: ``x[i]``, ``x[2]``, and sums over them as sympy writes them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from .cas import Expr, Symbol, sp
from .families import Family
from .parse_pieces import Piece, Refusal, build
from .roles import Size
from .sums import written_out

__all__ = ["MAX_UNITS", "SUM", "Range", "Ranges", "element", "sum_range", "summed", "units_named"]

SUM = "Sum"
MAX_UNITS = 64
"""Largest unit that is written as a number where the size is a symbol: so many units are written out to check it."""

_FORM = "write Sum(v[i]*erf(x[i]), (i, 1, K)) with a declared size, or a whole number, for K"


@dataclass(frozen=True)
class Range:
    """An index that runs from 1 to `high`, a size or an integer."""

    index: Symbol
    high: Expr


Ranges = dict[str, Range]


def units_named(root: ast.AST) -> int:
    """The largest number that stands for a unit or ends a sum, at least 2: how many terms a sum over a size may get."""
    parts = [node.slice for node in ast.walk(root) if isinstance(node, ast.Subscript)]
    parts += [argument for node in ast.walk(root) if isinstance(node, ast.Call) for argument in node.args[1:]]
    ends = [end for part in parts for end in (part.elts if isinstance(part, ast.Tuple) else [part])]
    return max([2, *(number for number in map(_whole, ends) if number is not None)])


def element(node: ast.Subscript, names: Mapping[str, Expr], ranges: Ranges) -> Piece:
    """A unit of a family, for a number or for the index of a sum around it."""
    family = names.get(node.value.id) if isinstance(node.value, ast.Name) else None
    if not isinstance(family, Family):
        raise Refusal(
            "uses indexing, which only families allow", "declare a family by its size, or give each unit a name"
        )
    return Piece(_unit(family, node.slice, ranges), degree=1, terms=1, value=None)


def _unit(family: Family, given: ast.expr, ranges: Ranges) -> Expr:
    number = _whole(given)
    if number is not None:
        _check_unit(family, number)
        return family[number]
    if not isinstance(given, ast.Name) or given.id not in ranges:
        known = f"indices here: {', '.join(ranges)}" if ranges else "there is no sum around it"
        raise Refusal(f"gives {family.name} an index that is neither a number nor summed over", f"{known}; {_FORM}")
    over = ranges[given.id]
    if over.high.is_Integer:
        _check_unit(family, int(over.high))
    elif over.high != family.size:
        raise Refusal(
            f"sums {family.name}[{given.id}] up to {over.high}, but {family.name} has the size {family.size}",
            "sum over the units of the family",
        )
    return family[over.index]


def _check_unit(family: Family, number: int) -> None:
    most = int(family.size) if family.explicit else MAX_UNITS
    if not 1 <= number <= most:
        raise Refusal(f"uses unit {number} of {family.name}, which is outside 1, ..., {most}", "units count from 1")


def sum_range(node: ast.Call, names: Mapping[str, Expr], ranges: Ranges) -> Range:
    """What a sum runs over: its second argument, (index, 1, size)."""
    limits = node.args[1].elts if len(node.args) == 2 and isinstance(node.args[1], ast.Tuple) else []
    if len(limits) != 3 or node.keywords:
        raise Refusal("is not a sum over units", _FORM)
    index, low, high = limits
    if not isinstance(index, ast.Name):
        raise Refusal("sums over something that is not a name", _FORM)
    if index.id in names or index.id in ranges:
        raise Refusal(f"sums over {index.id!r}, which stands for something else", "choose another index")
    if _whole(low) != 1:
        raise Refusal("is a sum that does not start at 1", _FORM)
    return Range(sp.Symbol(index.id, integer=True), _high(high, names))


def _high(node: ast.expr, names: Mapping[str, Expr]) -> Expr:
    number = _whole(node)
    if number is not None and number >= 1:
        return sp.Integer(number)
    size = names.get(node.id) if isinstance(node, ast.Name) else None
    if not isinstance(size, Size):
        sizes = ", ".join(name for name, value in names.items() if isinstance(value, Size)) or "none"
        raise Refusal("ends a sum with something that is not a declared size", f"declared sizes: {sizes}; {_FORM}")
    return size


def _whole(node: ast.AST) -> int | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def summed(body: Piece, over: Range, units: int) -> Piece:
    """The sum: written out where it ends at a number; else as if it had as many terms as units are named."""
    count = int(over.high) if over.high.is_Integer else units
    value = None if body.value is None or not over.high.is_Integer else body.value * count

    def make() -> Expr:
        total = sp.Sum(body.expr, (over.index, 1, over.high))
        return total if total.has(Family) else written_out(total)  # the model knows its families by their sums

    return build(make, body.degree, body.terms * count, value)
