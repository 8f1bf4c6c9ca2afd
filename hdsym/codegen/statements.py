"""Text of functions and statements in numpy: what every numpy module is made of."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from ..cas import Expr, Symbol
from ..ir.nodes import Assign, Feature, Function, Integral, LineIntegral, Statement
from ..userfunction import sources
from .printer import NumpyPrinter

__all__ = ["brackets", "core", "declared_code", "expression", "integration", "line", "wrapped"]

expression = NumpyPrinter()
_WIDTH = 104
"""Longest right-hand side on one line, so that indented lines stay below 120 characters."""
_WRAP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def wrapped(lines: Iterable[str]) -> list[str]:
    """Lines of at most 110 characters."""
    return [line for text in lines for line in textwrap.wrap(text, 110, subsequent_indent="    ", **_WRAP)]


def declared_code(*functions: Function) -> dict[str, Any]:
    """Source of the functions that a user declared by their code."""
    texts = sources(*(expr for function in functions for _, expr in function.formulas))
    return {"declared_code": texts, "uses_math": any("math." in text for text in texts)}


def integration(*functions: Function) -> dict[str, Any]:
    """Which quadrature rules the module needs."""
    plans = {(plan.rule, plan.dimension) for function in functions for plan in function.integrals()}
    rules = {rule for rule, _ in plans}
    panels_2d, beyond = ("panels", 2) in plans or "nested" in rules, bool(rules - {"trapezoid", "panels"})
    needed = [name for name, used in (("combinations", panels_2d), ("combinations_with_replacement", beyond)) if used]
    return {
        "combinations": ", ".join(needed),
        "beyond": beyond,
        "grid": bool(rules & {"tensor", "separable"}),
        "quadrature": ("trapezoid", 1) in plans,
        "quadrature_2d": ("trapezoid", 2) in plans,
        "split": ("panels", 1) in plans,
        "split_2d": ("panels", 2) in plans,
        "tensor": "tensor" in rules,
        "separable": "separable" in rules,
        "nested": "nested" in rules,
        "unit_integral": any(function.has_line_integral for function in functions),
    }


def core(function: Function, parameters: list[str]) -> dict[str, Any]:
    """A function's name, arguments, docstring, body and what it returns, as text."""
    values = [expression(entry) for output in function.outputs for entry in output.entries]
    names = ", ".join(left for left, _ in function.formulas)
    return {
        "name": function.name,
        "arguments": ", ".join(f"{symbol.name}: Any" for symbol in function.inputs),
        "summary": f"({names}) from the entries of B, each an array or a number.",
        "body": [line for statement in function.body for line in _statement(statement).splitlines()],
        "returns": textwrap.indent(_returned(values), "    ").lstrip(),
    }


def _statement(statement: Statement) -> str:
    target = statement.target.name
    if isinstance(statement, Assign):
        return line(target, expression(statement.value))
    if isinstance(statement, LineIntegral):
        names = ", ".join(symbol.name for symbol in (statement.variable, *statement.arguments))
        values, gaps = brackets(map(expression, statement.values)), brackets(map(expression, statement.gaps))
        integrand = f"lambda {names}: {expression(statement.integrand)}"
        return _call(f"{target} = unit_integral", [integrand, values, gaps, "refine"])
    return _integral(statement)


def _integral(plan: Integral) -> str:
    """The call of a quadrature rule."""
    last = "refine=refine"
    if plan.arguments:
        last = f"args={brackets(map(expression, plan.values))}, {last}"
    forms = "".join(f"{_form(feature)}, " for feature in plan.features).rstrip(" ")
    mean, cov = [expression(m) for m in plan.mean], [expression(c) for c in plan.cov]
    named = [("growth", plan.growth), ("frequency", plan.frequency)]
    options = [f"{key}={_slopes(values)}" for key, values in named if any(values)]
    upper = brackets(cov[i * len(mean) + j] for i in range(len(mean)) for j in range(i, len(mean)))
    law = f"{mean[0]}, {cov[0]}" if plan.dimension == 1 else f"{brackets(mean)}, {upper}"
    if plan.rule == "separable":
        p = plan.sizes[0]
        parts = [_lambda(plan.factors[0], plan.variables[:p], plan), _lambda(plan.factors[1], plan.variables[p:], plan)]
        law = f"({brackets(mean[:p])}, {brackets(mean[p:])}), {upper}"
    else:
        parts = [_lambda(plan.integrand, plan.variables, plan)]
    if plan.rule in ("separable", "tensor"):
        options = [f"{plan.steepness}.0"]
    name = _RULES[plan.rule] if plan.dimension > 2 else f"{_RULES[plan.rule]}{'_2d' if plan.dimension == 2 else ''}"
    splitting = [] if plan.rule == "trapezoid" else [f"({forms})", *options]
    return _call(f"{plan.target.name} = {name}", [*parts, law, *splitting, last])


_RULES = {
    "trapezoid": "gaussian_mean",
    "panels": "split_mean",
    "tensor": "tensor_mean",
    "separable": "separable_mean",
    "nested": "nested_mean",
}


def _lambda(body: Expr, variables: tuple[Symbol, ...], plan: Integral) -> str:
    names = ", ".join(variable.name for variable in (*variables, *plan.arguments))
    return f"lambda {names}: {expression(body)}"


def brackets(items: Iterable[str]) -> str:
    """A tuple in Python."""
    texts = list(items)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _slopes(values: tuple[Expr, ...]) -> str:
    text = ", ".join(map(expression, values))
    return text if len(values) == 1 else f"({text})"


def _form(feature: Feature) -> str:
    numbers = [expression(c) for c in (*feature.coefficients, feature.constant)]
    return f"({', '.join([*numbers, '0.0' if feature.sharp else '1.0'])})"


def line(target: str, value: str) -> str:
    """An assignment, in brackets over several lines where one is too long."""
    if len(target) + len(value) <= _WIDTH:
        return f"{target} = {value}"
    return "\n".join([f"{target} = (", *(f"    {part}" for part in _folded(value)), ")"])


def _call(function: str, arguments: list[str]) -> str:
    """A call, one argument group a line where it is too long for one line."""
    text = f"{function}({', '.join(arguments)})"
    if len(text) <= _WIDTH:
        return text
    lines = [f"    {line}" for argument in arguments for line in textwrap.wrap(f"{argument},", _WIDTH, **_WRAP)]
    return "\n".join([f"{function}(", *lines, ")"])


def _folded(text: str) -> list[str]:
    """One term of the outermost sum a line; a term that is still too long is wrapped at spaces."""
    pieces = _split(text, (" + ", " - "))
    return [line for piece in pieces for line in (textwrap.wrap(piece, _WIDTH - 4, **_WRAP) or [""])]


def _split(text: str, separators: tuple[str, ...]) -> list[str]:
    """Cut before each separator that stands outside all brackets; the separator's sign leads the next piece."""
    pieces, depth, start = [], 0, 0
    for k, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and k > start and text.startswith(separators, k):
            pieces.append(text[start:k])
            start = k + 1
    return [*pieces, text[start:]]


def _returned(values: list[str]) -> str:
    """The tuple a core function returns."""
    text = f"({values[0]},)" if len(values) == 1 else f"({', '.join(values)})"
    if len(text) <= _WIDTH:
        return text
    lines = []
    for value in values:
        folded = _folded(value) if len(value) > _WIDTH - 4 else [value]
        lines += [*folded[:-1], f"{folded[-1]},"]
    return "\n".join(["(", *(f"    {line}" for line in lines), ")"])
