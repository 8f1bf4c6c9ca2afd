"""Expressions of a declaration as scalar Python that numba compiles, by a printer of our own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..cas import Expr, Symbol, sp
from ..errors import SimulationError
from ..special import log_ndtr, logsumexp, sigmoid, softplus
from ..userfunction import UserFunction

__all__ = ["Block", "block", "code"]

_CALLS: dict[type, str] = {
    sp.exp: "math.exp",
    sp.log: "math.log",
    sp.sin: "math.sin",
    sp.cos: "math.cos",
    sp.sinh: "math.sinh",
    sp.cosh: "math.cosh",
    sp.tanh: "math.tanh",
    sp.erf: "math.erf",
    sp.erfc: "math.erfc",
    sp.Abs: "abs",
    sp.floor: "math.floor",
    sp.Max: "max",
    sp.Min: "min",
    sp.sign: "sign",
    sp.Heaviside: "heaviside",
    sp.KroneckerDelta: "kronecker",
    sigmoid: "sigmoid",
    softplus: "softplus",
    log_ndtr: "log_ndtr",
}
"""How each function is called in a kernel; the lower-case ones without ``math.`` are defined in its template."""


@dataclass(frozen=True)
class Block:
    """Code that computes a few values: shared parts first, one assignment a line, then one expression per value."""

    lines: tuple[str, ...]
    results: tuple[str, ...]


def block(exprs: Sequence[Expr], names: Mapping[Symbol, str]) -> Block:
    """Code for several expressions with their common parts computed once.

    Raises
    ------
    SimulationError
        If an expression contains a function or symbol that has no code.
    """
    shared, reduced = sp.cse(list(exprs), symbols=sp.numbered_symbols("c", cls=sp.Dummy), order="canonical")
    known = dict(names)
    lines = []
    for i, (symbol, value) in enumerate(shared):
        lines.append(f"c{i} = {code(value, known)}")
        known[symbol] = f"c{i}"
    return Block(tuple(lines), tuple(code(value, known) for value in reduced))


def code(expr: Expr, names: Mapping[Symbol, str]) -> str:
    """One expression as code. Every number is a float; every sum and product is in parentheses."""
    if expr in names:
        return names[expr]
    if isinstance(expr, sp.Number | sp.NumberSymbol):
        return _number(expr)
    if isinstance(expr, sp.Add):
        return "(" + " + ".join(code(arg, names) for arg in _sorted(expr)) + ")"
    if isinstance(expr, sp.Mul):
        return _product(expr, names)
    if isinstance(expr, sp.Pow):
        return _power(expr.base, expr.exp, names)
    if isinstance(expr, UserFunction):
        return f"{type(expr).__name__}({code(expr.args[0], names)})"
    if isinstance(expr, sp.Piecewise):
        return _piecewise(expr, names)
    if isinstance(expr, logsumexp):
        return _nested("logaddexp", [code(arg, names) for arg in expr.args])
    call = _CALLS.get(expr.func)
    if call is None:
        name = expr.func.__name__
        what = f"the symbol {expr}" if isinstance(expr, sp.Symbol) else f"the function {name!r}, in {expr},"
        known = ", ".join(sorted(kind.__name__ for kind in _CALLS))
        raise SimulationError(f"{what} has no compiled form", remedy=f"write the model with: {known}")
    # Heaviside carries its value at zero as a second argument; the kernels use 1/2
    args = expr.args[:1] if isinstance(expr, sp.Heaviside) else _sorted(expr)
    return f"{call}({', '.join(code(arg, names) for arg in args)})"


def _piecewise(expr: Expr, names: Mapping[Symbol, str]) -> str:
    """Cases in turn; NaN where none holds."""
    text = "math.nan"
    for value, condition in reversed(expr.args):
        if condition == sp.true:
            text = code(value, names)
        elif isinstance(condition, sp.core.relational.Relational):
            test = f"{code(condition.lhs, names)} {condition.rel_op} {code(condition.rhs, names)}"
            text = f"({code(value, names)} if {test} else {text})"
        else:
            raise SimulationError(
                f"the condition {condition} has no compiled form", remedy="write each case with one comparison"
            )
    return text


def _nested(function: str, arguments: list[str]) -> str:
    text = arguments[0]
    for argument in arguments[1:]:
        text = f"{function}({text}, {argument})"
    return text


def _sorted(expr: Expr) -> list[Expr]:
    """Arguments in an order that is the same in every session, so that the text and its hash are."""
    return sorted(expr.args, key=sp.default_sort_key)


def _number(expr: Expr) -> str:
    try:
        value = float(expr)
    except (OverflowError, TypeError):
        value = math.inf
    if not math.isfinite(value):
        raise SimulationError(f"the constant {expr} is not a finite number", remedy="write it with smaller numbers")
    return repr(value) if value >= 0 else f"({value!r})"


def _product(expr: Expr, names: Mapping[Symbol, str]) -> str:
    factors = _sorted(expr)
    negative = sp.S.NegativeOne in factors
    text = " * ".join(code(factor, names) for factor in factors if factor != sp.S.NegativeOne)
    return f"(-{text})" if negative else f"({text})"


def _power(base: Expr, exponent: Expr, names: Mapping[Symbol, str]) -> str:
    if base == sp.E:
        return f"math.exp({code(exponent, names)})"
    if exponent.is_Rational and exponent.is_negative:
        return f"(1.0 / {_power(base, -exponent, names)})"
    text = code(base, names)
    if exponent == sp.S.One:
        return text
    if isinstance(base, sp.Pow):
        text = f"({text})"
    if exponent == sp.S.Half:
        return f"math.sqrt({text})"
    # a literal integer exponent becomes multiplications
    return f"{text}**{exponent}" if exponent.is_Integer else f"{text} ** {code(exponent, names)}"
