"""Expressions as text that gives them back exactly: as a formula where that suffices, else as a tree of calls.

A formula such as ``(x**2 - y)**2/4`` is read by :mod:`hdsym.parse`. What it cannot express, or would build in another
form, is written as a tree, ``tree: Mul(Rational(1, 2), Min(...))``, and read by a whitelist of constructors. Neither is
ever executed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from sympy.printing.str import StrPrinter

from ..cas import PRECEDENCE, Expr, Symbol, sp
from ..errors import HdsymError, ParseError
from ..families import Family
from ..forms import Mean, Overlap
from ..functions import ANGLES, KNOWN
from ..parse import parse_expression
from ..parse_pieces import Function
from ..userfunction import UserFunction

__all__ = ["TREE", "assumed", "read_tree", "symbol_of", "written"]

TREE = "tree:"
MAX_CHARACTERS = 1_000_000
_MAX_DEPTH = 90
_MAX_EXPONENT = 1000
_MAX_BITS = 4000

Names = Mapping[str, Any]

_CONSTANTS: dict[str, Expr] = {"pi": sp.pi, "E": sp.E, "true": sp.true, "false": sp.false}

_FUNCTIONS = "acosh asinh atan2 atanh ceiling floor frac Mod re im tan cot sec csc Piecewise"
_RELATIONS = "Equality Unequality LessThan StrictLessThan GreaterThan StrictGreaterThan And Or Not"

_CALLS: dict[str, Callable[..., Any]] = {
    "Add": sp.Add,
    "Mul": sp.Mul,
    "Tuple": sp.Tuple,
    "Sum": sp.Sum,
    "ExprCondPair": sp.functions.elementary.piecewise.ExprCondPair,
    "Overlap": Overlap,
    "Mean": Mean,
    **{name: getattr(sp, name) for name in (*_FUNCTIONS.split(), *_RELATIONS.split())},
    **KNOWN,
    **ANGLES,
}
"""What a tree may call; powers, numbers, symbols and units of families are read one by one."""


def written(expr: Expr, names: Names, functions: Mapping[str, Function] | None = None) -> str:
    """The text of an expression in the given names.

    Raises
    ------
    ParseError
        If neither way gives the expression back: it holds what no file can hold, such as Python code.
    """
    for text in (str(expr), _Factors().doprint(expr)):
        try:
            if parse_expression(text, names, functions=functions) == expr:
                return text
        except HdsymError:
            continue  # then as a tree
    text = f"{TREE} {_tree(expr, {value: name for name, value in names.items()})}"
    if read_tree(text, names) != expr:
        raise _refusal(f"the expression {_short(expr)} is not given back by its text")
    return text


class _Factors(StrPrinter):  # type: ignore[misc]  # sympy is untyped
    """Products factor by factor: 1/(10*(t + 1)) would be read as 1/(10*t + 10), (1/10)*(t + 1)**(-1) is not."""

    def _print_Mul(self, expr: Expr) -> str:
        return "*".join(self.parenthesize(factor, PRECEDENCE["Mul"]) for factor in expr.args)

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        base, exponent = (self.parenthesize(part, PRECEDENCE["Pow"]) for part in expr.args)
        return f"{base}**{exponent}"


def assumed(symbol: Symbol) -> dict[str, bool]:
    """The assumptions a symbol was made with."""
    return {str(name): bool(value) for name, value in sorted(symbol._assumptions_orig.items()) if value is not None}


def symbol_of(name: str, assumptions: Mapping[str, bool]) -> Symbol:
    """A symbol without a role."""
    return sp.Symbol(name, **assumptions)


def _tree(expr: Expr, known: Mapping[Any, str]) -> str:
    if expr in known:
        return known[expr]
    if expr.is_Integer:
        return str(int(expr))
    if expr.is_Rational:
        return f"Rational({int(expr.p)}, {int(expr.q)})"
    for name, constant in _CONSTANTS.items():
        if expr == constant:
            return name
    if type(expr) is sp.Symbol:
        flags = (repr(name if value else f"!{name}") for name, value in assumed(expr).items())
        return f"Symbol({', '.join([repr(expr.name), *flags])})"
    kind = type(expr)
    if isinstance(expr, sp.Indexed) and isinstance(expr.base, Family):
        return f"Unit({_tree(expr.base, known)}, {_tree(expr.indices[0], known)})"
    name = kind.__name__
    if isinstance(expr, UserFunction):
        raise _refusal(f"the function {name} is Python code (hd.function)")
    if kind is not sp.Pow and _CALLS.get(name) is not kind:
        raise _refusal(f"{kind.__name__} in {_short(expr)} has no text")
    return f"{name}({', '.join(_tree(arg, known) for arg in expr.args)})"


def read_tree(text: str, names: Names) -> Expr:
    """The expression of a ``tree: ...``. Raises :class:`ParseError` for anything that is not one."""
    body = text.removeprefix(TREE).strip()
    if len(body) > MAX_CHARACTERS:
        raise _refusal(f"a tree of {len(body)} characters is too long")
    try:
        return _read(ast.parse(body, mode="eval").body, names, 0)
    except ParseError:
        raise
    except (SyntaxError, ValueError, MemoryError, RecursionError, TypeError, AttributeError) as error:
        raise _refusal(f"the tree {_short(body)} is not one ({error})") from None


def _read(node: ast.expr, names: Names, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _refusal("a tree is nested too deeply")
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _bounded(sp.Integer(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_integer(node.operand)
    if isinstance(node, ast.Name):
        return _named(node.id, names)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.keywords:
        raise _refusal(f"a tree contains {type(node).__name__}, which is not allowed")
    name = node.func.id
    if name == "Symbol":
        return _symbol(node.args)
    if name == "Rational":
        return _bounded(sp.Rational(*(int(_integer(argument)) for argument in node.args)))
    arguments = [_read(argument, names, depth + 1) for argument in node.args]
    if name == "Unit":
        family, index = arguments
        if not isinstance(family, Family):
            raise _refusal(f"a tree takes a unit of {family}, which is no family")
        return family[index]
    if name == "Pow":
        return _power(*arguments)
    if name not in _CALLS:
        raise _refusal(f"a tree calls {name!r}, which is not allowed")
    return _CALLS[name](*arguments)


def _named(name: str, names: Names) -> Any:
    found = names.get(name, _CONSTANTS.get(name))
    if found is None:
        raise _refusal(f"a tree contains the unknown name {name!r}")
    return found


def _integer(node: ast.expr) -> Expr:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_integer(node.operand)
    if not isinstance(node, ast.Constant) or type(node.value) is not int:
        raise _refusal("a tree has something else where a whole number is due")
    return _bounded(sp.Integer(node.value))


def _bounded(number: Expr) -> Expr:
    if max(abs(int(number.p)), int(number.q)).bit_length() > _MAX_BITS:
        raise _refusal("a tree contains a number with too many digits")
    return number


def _symbol(arguments: list[ast.expr]) -> Symbol:
    texts = [argument.value if isinstance(argument, ast.Constant) else None for argument in arguments]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise _refusal("a tree has a symbol without a name")
    name, *flags = map(str, texts)
    return symbol_of(name, {flag.removeprefix("!"): not flag.startswith("!") for flag in flags})


def _power(base: Expr, exponent: Expr) -> Expr:
    """Numbers are computed at once, so that a short text could ask for an astronomically large one."""
    if exponent.is_number and abs(float(exponent)) > _MAX_EXPONENT:
        raise _refusal(f"a tree raises to the power {_short(exponent)}")
    return sp.Pow(base, exponent)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refusal(message: str) -> ParseError:
    return ParseError(message, remedy="give the model and the problem themselves, as Python objects")
