"""The jax target: the formulas and the quadrature of a program as functions that jax transforms."""

from __future__ import annotations

from typing import Any

from ..cas import free_symbols
from ..ir.nodes import Function, Program
from ..symbols import entry_name
from . import numpy_target
from .jax_printer import HELPERS, JaxPrinter, check
from .statements import brackets, core, integration

__all__ = ["WHOLE", "argument", "context", "needs", "quadrature"]

expression = JaxPrinter()


def context(program: Program) -> dict[str, Any]:
    """Everything the templates in templates/jax/ print.

    Raises
    ------
    CodegenError
        For a function or an integral that jax cannot express, named.
    """
    check(program.name, *program.functions)
    functions = [program.risk, program.drift, *([program.conditions] if program.conditions else [])]
    cores = [core(function, expression) for function in functions]
    names = [slot.name for slot in program.parameters]
    arguments = [argument(slot.name, slot.default) for slot in program.parameters]
    shared = numpy_target.context(program)
    kept = ("title", "version", "sympy_version", "declaration", "parameter_lines", "preactivations", "pairs")
    more = ("formulas", "rules", "references", "conditions", "options", "equation_lines", "passed_options", "sphere")
    rules = quadrature(*functions)
    equations = [f"    {expression(equation.rate)}," for equation in program.equations]
    return {
        **{key: shared[key] for key in (*kept, *more)},
        "sized": False,
        "target": "jax",
        "needs": "jax and diffrax",
        "uses_math": False,
        "n": program.size,
        "n_student": program.n_student,
        "n_teacher": program.n_teacher,
        "given_student": str(program.n_student),
        "given_n": str(program.size),
        **rules,
        **needs(cores, equations, rules),
        "cores": cores,
        "signature": ", *" + "".join(f", {text}" for text in arguments),
        "signature_alone": ", *" * bool(names) + "".join(f", {text}" for text in arguments),
        "signature_continued": "".join(f",\n    {text}" for text in arguments),
        "signature_continued_bare": "".join(f",\n    {name}: ArrayLike" for name in names),
        "passed": "".join(f", {name}={name}" for name in names),
        "passed_positional": "".join(f", {name}" for name in names),
        "constant_lines": _constant_lines(shared["constant_lines"]),
        "rhs_lines": _rhs_lines(program, names),
        "whole": brackets(map(repr, WHOLE)),
        "option_axes": "{}",
    }


WHOLE = ("rtol", "atol", "method", "max_steps", "adjoint", "refine")
"""Options of `solve` that problems side by side share."""


def quadrature(*functions: Function) -> dict[str, Any]:
    """Which quadrature rules the module needs: a grid over two variables needs no panels, its nodes being fixed."""
    rules = integration(*functions)
    split_2d = any(plan.rule == "panels" and plan.dimension == 2 for f in functions for plan in f.integrals())
    return {**rules, "split_2d": split_2d, "combinations": "combinations" if split_2d else ""}


def argument(name: str, default: float | None) -> str:
    """A constant of the model as an argument: an array, since it may be traced."""
    return f"{name}: ArrayLike" if default is None else f"{name}: ArrayLike = {default!r}"


def needs(cores: list[dict[str, Any]], more: list[str], rules: dict[str, Any]) -> dict[str, Any]:
    """Which helpers and imports printed code needs."""
    text = "\n".join([*(line for part in cores for line in [*part["body"], part["returns"]]), *more])
    helpers = [name for name in HELPERS if f"{name}(" in text]
    tails = {"_inverse_mills", "_log_ndtr"} & set(helpers)
    integrals = [rules[key] for key in ("quadrature", "quadrature_2d", "split", "split_2d", "hermite")]
    return {
        "helpers": helpers,
        "uses_special": "special." in text or bool(tails) or "_owens_t" in helpers,
        "uses_lax": "_ratio" in helpers or bool(tails) or any(integrals),
        "cached": rules["hermite"] or rules["quasi"],
        "approximate": any([*integrals, rules["quasi"], rules["unit_integral"]]),
    }


def _constant_lines(lines: list[str]) -> list[str]:
    """The teacher block of G and of B, as arrays."""
    return [line.replace("float(lam @ ", "(lam @ ") for line in lines]


def _rhs_lines(program: Program, names: list[str]) -> list[str]:
    """Overlaps from the state, the expectations, the rate of every entry."""
    rows = [entry_name("G", e.row, e.column) for e in program.equations]
    needed = {symbol.name for equation in program.equations for symbol in free_symbols(equation.rate)}
    targets = [left if left in needed else "_" for left, _ in program.drift.formulas]
    inputs = ", ".join(symbol.name for symbol in program.drift.inputs)
    passed = "".join(f", {name}={name}" for name in names)
    return [
        f"{brackets(rows) if len(rows) > 1 else f'{rows[0]},'} = y.reshape({len(rows)}, lam.size)",
        *(f"B{row[1:]} = lam @ {row}" for row in rows),
        f"values = _drift({inputs}{passed}, refine=refine)",
        f"{brackets(targets)} = values",
        f"dy = jnp.stack({brackets(expression(equation.rate) for equation in program.equations)})",
    ]
