"""The numpy target: text fragments of a program, which its templates arrange."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from ..cas import Expr, Symbol, free_symbols, sp
from ..ir.nodes import Assign, Feature, Function, Integral, LineIntegral, ModeEquation, Program, Statement
from ..userfunction import sources
from .printer import NumpyPrinter

__all__ = ["context", "function_context"]

_print = NumpyPrinter()
_WIDTH = 104
"""Longest right-hand side on one line, so that indented lines stay below 120 characters."""
_WRAP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def context(program: Program) -> dict[str, Any]:
    """Everything the templates in templates/numpy/ print."""
    from .. import __version__

    names = [slot.name for slot in program.parameters]
    calls = "".join(f", {name}={name}" for name in names)
    cores = [_core(function, names) for function in program.functions]
    body = "\n".join(line for core in cores for line in [*core["body"], core["returns"]])
    return {
        "title": program.name,
        "version": __version__,
        "sympy_version": sp.__version__,
        "declaration": program.declaration,
        "parameter_lines": [_parameter_line(slot.name, slot.default) for slot in program.parameters],
        "preactivations": ", ".join(program.preactivations),
        "n": program.size,
        "n_student": program.n_student,
        "n_teacher": program.n_teacher,
        "pairs": _tuple(f"({e.row}, {e.column})" for e in program.equations),
        "formulas": _formula_lines(program),
        "rules": [f"{rule.name}{f' ({rule.reference})' if rule.reference else ''}" for rule in program.rules],
        "references": program.references or ("none given",),
        "uses_special": "special." in body,
        **_integration(*program.functions),
        **_declared_code(*program.functions),
        "cores": cores,
        "conditions": [str(c) for _, c in program.conditions.formulas] if program.conditions else [],
        "signature": ", *" + "".join(f", {_argument(s.name, s.default)}" for s in program.parameters),
        "signature_alone": ", *" * bool(names)
        + "".join(f", {_argument(s.name, s.default)}" for s in program.parameters),
        "signature_continued": "".join(f",\n    {_argument(s.name, s.default)}" for s in program.parameters),
        "passed": calls,
        "passed_continued": calls,
        "passed_options": "".join(f", {name}=given.{name}" for name in names),
        "options": [_option(slot.name, slot.default) for slot in program.parameters],
        "equation_lines": _wrapped(f"dG{e.row}{e.column}/dt = {e.rate}" for e in program.equations),
        "constant_lines": _constant_lines(program),
        "rhs_lines": _rhs_lines(program, calls),
    }


def function_context(function: Function) -> dict[str, Any]:
    """What templates/numpy/function.py.j2 prints: one function of its inputs, with the quadrature it needs."""
    core = _core(function, [])
    return {
        "core": core,
        "uses_special": "special." in "\n".join([*core["body"], core["returns"]]),
        **_integration(function),
        **_declared_code(function),
    }


def _declared_code(*functions: Function) -> dict[str, Any]:
    """Source of the functions that a user declared by their code."""
    texts = sources(*(expr for function in functions for _, expr in function.formulas))
    return {"declared_code": texts, "uses_math": any("math." in text for text in texts)}


def _integration(*functions: Function) -> dict[str, Any]:
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


def _tuple(items: Any) -> str:
    text = ", ".join(items)
    return f"({text},)" if "), (" not in text else f"({text})"


def _argument(name: str, default: float | None) -> str:
    return f"{name}: float" if default is None else f"{name}: float = {default!r}"


def _parameter_line(name: str, default: float | None) -> str:
    return f"parameter {name}" + ("" if default is None else f", default {default!r}")


def _option(name: str, default: float | None) -> str:
    rest = "required=True" if default is None else f"default={default!r}"
    return f'parser.add_argument("--{name.replace("_", "-")}", type=float, {rest}, help="parameter of the model")'


def _wrapped(lines: Any) -> list[str]:
    return [line for text in lines for line in textwrap.wrap(text, 110, subsequent_indent="    ", **_WRAP)]


def _formula_lines(program: Program) -> list[str]:
    formulas = [*program.risk.formulas, *program.drift.formulas]
    return _wrapped(f"{left} = {expr}" for left, expr in formulas)


def _core(function: Function, parameters: list[str]) -> dict[str, Any]:
    values = [_print(entry) for output in function.outputs for entry in output.entries]
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
        return _line(target, _print(statement.value))
    if isinstance(statement, LineIntegral):
        return _call(
            f"{target} = unit_integral", [f"lambda {statement.variable.name}: {_print(statement.integrand)}", "refine"]
        )
    return _integral(statement)


def _integral(plan: Integral) -> str:
    """The call of a quadrature rule."""
    last = "refine=refine"
    if plan.arguments:
        last = f"args={_brackets(map(_print, plan.values))}, {last}"
    forms = "".join(f"{_form(feature)}, " for feature in plan.features).rstrip(" ")
    mean, cov = [_print(m) for m in plan.mean], [_print(c) for c in plan.cov]
    named = [("growth", plan.growth), ("frequency", plan.frequency)]
    options = [f"{key}={_slopes(values)}" for key, values in named if any(values)]
    upper = _brackets(cov[i * len(mean) + j] for i in range(len(mean)) for j in range(i, len(mean)))
    law = f"{mean[0]}, {cov[0]}" if plan.dimension == 1 else f"{_brackets(mean)}, {upper}"
    if plan.rule == "separable":
        p = plan.sizes[0]
        parts = [_lambda(plan.factors[0], plan.variables[:p], plan), _lambda(plan.factors[1], plan.variables[p:], plan)]
        law = f"({_brackets(mean[:p])}, {_brackets(mean[p:])}), {upper}"
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
    return f"lambda {names}: {_print(body)}"


def _brackets(items: Iterable[str]) -> str:
    """A tuple in Python."""
    texts = list(items)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _slopes(values: tuple[Expr, ...]) -> str:
    text = ", ".join(map(_print, values))
    return text if len(values) == 1 else f"({text})"


def _form(feature: Feature) -> str:
    numbers = [_print(c) for c in (*feature.coefficients, feature.constant)]
    return f"({', '.join([*numbers, '0.0' if feature.sharp else '1.0'])})"


def _line(target: str, value: str) -> str:
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


def _symbols_of(equations: tuple[ModeEquation, ...], prefix: str) -> list[Symbol]:
    found = {symbol for equation in equations for symbol in free_symbols(equation.rate)}
    return sorted((s for s in found if s.name.startswith(prefix) and s.name[1:].isdigit()), key=lambda s: str(s.name))


def _constant_lines(program: Program) -> list[str]:
    """The teacher block of G and of B, which never changes."""
    lines = []
    for i in range(program.n_student + 1, program.size + 1):
        for j in range(i, program.size + 1):
            lines.append(f"G{i}{j} = G0[:, {i - 1}, {j - 1}]")
            lines.append(f"B{i}{j} = float(lam @ G{i}{j})")
    return lines


def _rhs_lines(program: Program, calls: str) -> list[str]:
    """Overlaps from the state, the expectations, the rate of every entry."""
    rows = [f"G{e.row}{e.column}" for e in program.equations]
    lines = [
        f"{', '.join(rows)}{',' if len(rows) == 1 else ''} = y.reshape({len(rows)}, modes)",
        *(f"B{row[1:]} = lam @ {row}" for row in rows),
    ]
    values = [left for left, _ in program.drift.formulas]
    inputs = ", ".join(symbol.name for symbol in program.drift.inputs)
    lines.append(f"{', '.join(values)} = _drift({inputs}{calls})")
    lines.append(f"dy = np.empty(({len(rows)}, modes))")
    for k, equation in enumerate(program.equations):
        lines += _line(f"dy[{k}]", _print(equation.rate)).splitlines()
    return lines
