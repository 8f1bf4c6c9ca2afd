"""Text of functions and statements in numpy: what every numpy module is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cas import Expr, Symbol
from ..ir.nodes import Assign, Feature, Function, Integral, LineIntegral, Statement
from ..userfunction import sources
from .layout import docstring
from .printer import NumpyPrinter

__all__ = ["POINTS", "brackets", "core", "declared_code", "expression", "integration", "line", "option_name"]

expression = NumpyPrinter()
_SHORT = 104
"""Longest assignment that is left without brackets: with its indentation it fits into a line."""


def declared_code(*functions: Function) -> dict[str, Any]:
    """Source of the functions that a user declared by their code."""
    texts = sources(*(expr for function in functions for _, expr in function.formulas))
    return {"declared_code": texts, "uses_math": any("math." in text for text in texts)}


def integration(*functions: Function) -> dict[str, Any]:
    """Which quadrature rules the module needs."""
    plans = {(plan.rule, plan.dimension) for function in functions for plan in function.integrals()}
    rules = {rule for rule, _ in plans}
    split_2d, beyond = ("panels", 2) in plans or "plane" in rules, bool(rules - {"trapezoid", "panels"})
    panels_2d = split_2d or "nested" in rules
    needed = [name for name, used in (("combinations", panels_2d), ("combinations_with_replacement", beyond)) if used]
    return {
        "combinations": ", ".join(needed),
        "beyond": beyond,
        "grid": bool(rules & {"tensor", "separable"}),
        "quadrature": ("trapezoid", 1) in plans,
        "quadrature_2d": ("trapezoid", 2) in plans,
        "split": ("panels", 1) in plans,
        "split_2d": split_2d,
        "hermite": bool(rules & {"tensor", "separable", "plane"}),
        "plane": "plane" in rules,
        "tensor": "tensor" in rules,
        "separable": "separable" in rules,
        "nested": "nested" in rules,
        "quasi": "quasi" in rules,
        "unit_integral": any(function.has_line_integral for function in functions),
    }


def core(function: Function, printer: NumpyPrinter = expression) -> dict[str, Any]:
    """A function's name, arguments, docstring, body and what it returns, as text."""
    values = [printer(entry) for output in function.outputs for entry in output.entries]
    names = ", ".join(left for left, _ in function.formulas)
    return {
        "name": function.name,
        "arguments": ", ".join(f"{symbol.name}: Any" for symbol in function.inputs),
        "docstring": docstring(f"({names}) from the entries of B, each an array or a number."),
        "body": [_statement(statement, printer) for statement in function.body],
        "returns": brackets(values),
    }


def _statement(statement: Statement, printer: NumpyPrinter) -> str:
    target = statement.target.name
    if isinstance(statement, Assign):
        return line(target, printer(statement.value))
    if isinstance(statement, LineIntegral):
        names = ", ".join(symbol.name for symbol in (statement.variable, *statement.arguments))
        values, gaps = brackets(map(printer, statement.values)), brackets(map(printer, statement.gaps))
        integrand = f"lambda {names}: {printer(statement.integrand)}"
        return _call(f"{target} = unit_integral", [integrand, values, gaps, "refine"])
    return _integral(statement, printer)


def _integral(plan: Integral, printer: NumpyPrinter) -> str:
    """The call of a quadrature rule."""
    last = "refine=refine"
    if plan.arguments:
        last = f"args={brackets(map(printer, plan.values))}, {last}"
    forms = "".join(f"{_form(feature, printer)}, " for feature in plan.features).rstrip(" ")
    mean, cov = [printer(m) for m in plan.mean], [printer(c) for c in plan.cov]
    named = [("growth", plan.growth), ("frequency", plan.frequency)]
    options = [f"{key}={_slopes(values, printer)}" for key, values in named if any(values)]
    upper = brackets(cov[i * len(mean) + j] for i in range(len(mean)) for j in range(i, len(mean)))
    law = f"{mean[0]}, {cov[0]}" if plan.dimension == 1 else f"{brackets(mean)}, {upper}"
    if plan.rule == "separable":
        p = plan.sizes[0]
        groups = (plan.variables[:p], plan.variables[p:])
        parts = [_lambda(f, own, plan, printer) for f, own in zip(plan.factors, groups, strict=True)]
        law = f"({brackets(mean[:p])}, {brackets(mean[p:])}), {upper}"
    else:
        parts = [_lambda(plan.integrand, plan.variables, plan, printer)]
    if plan.rule in ("separable", "tensor", "plane"):
        options = [str(plan.steepness)]
    elif plan.rule == "quasi":
        return _call(f"{plan.target.name} = quasi_mean", [*parts, law, POINTS[plan.sharp], last])
    plain = plan.dimension == 2 and plan.rule != "plane"
    name = f"{_RULES[plan.rule]}_2d" if plain else _RULES[plan.rule]
    splitting = [] if plan.rule == "trapezoid" else [f"({forms})", *options]
    return _call(f"{plan.target.name} = {name}", [*parts, law, *splitting, last])


POINTS = {False: "12", True: "15"}
"""Binary logarithm of the number of quasi-random pairs of points, without and with kinks."""

_RULES = {
    "trapezoid": "gaussian_mean",
    "panels": "split_mean",
    "plane": "plane_mean",
    "tensor": "tensor_mean",
    "separable": "separable_mean",
    "nested": "nested_mean",
}


def _lambda(body: Expr, variables: tuple[Symbol, ...], plan: Integral, printer: NumpyPrinter) -> str:
    names = ", ".join(variable.name for variable in (*variables, *plan.arguments))
    return f"lambda {names}: {printer(body)}"


def brackets(items: Iterable[str]) -> str:
    """A tuple in Python."""
    texts = list(items)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _slopes(values: tuple[Expr, ...], printer: NumpyPrinter) -> str:
    text = ", ".join(map(printer, values))
    return text if len(values) == 1 else f"({text})"


def _form(feature: Feature, printer: NumpyPrinter) -> str:
    numbers = [printer(c) for c in (*feature.coefficients, feature.constant)]
    return f"({', '.join([*numbers, '0.0' if feature.sharp else '1.0'])})"


def line(target: str, value: str) -> str:
    """An assignment on one line, in brackets where the layout will have to break it."""
    return f"{target} = {value}" if len(target) + len(value) <= _SHORT else f"{target} = ({value})"


def _call(function: str, arguments: list[str]) -> str:
    return f"{function}({', '.join(arguments)})"


_OPTIONS = frozenset({"alpha", "cosine", "learning_rate", "norm", "time", "tol", "trained_rate"})
"""Options that the script of every module has."""


def option_name(name: str) -> str:
    """What a constant of the model is called on the script's command line: by its name, unless that is taken."""
    return f"model_{name}" if name in _OPTIONS else name
