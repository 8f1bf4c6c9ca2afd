"""The numba target for explicit models: the numpy module's interface, its expectations and mode equations compiled."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

from ..cas import Expr, free_symbols, sp
from ..ir.nodes import Function, Output, Program
from ..symbols import entry_name
from . import numpy_target
from .layout import WIDTH, docstring
from .numba_nodes import scalar, tables
from .numba_statements import Body, scalars
from .statements import brackets, integration, line

__all__ = ["context", "shared"]

_ARRAYS = {
    "gradient": "H",
    "fisher": "F",
    "conditions": "values",
    "H": "dH",
    "I": "dI",
    "M2": "G2",
    "M3": "G3",
    "M4": "G4",
}
"""Names of outputs in code, which no constant of a model has."""


def context(program: Program) -> dict[str, Any]:
    """Everything templates/numpy/module.py.j2 prints, with the parts that templates/numba/ replaces.

    Raises
    ------
    CodegenError
        For a function that has no compiled form.
    """
    names = [slot.name for slot in program.parameters]
    integrands: list[dict[str, Any]] = []
    cores = {function.name: _core(function, names, integrands) for function in program.functions}
    arguments = [numpy_target.argument(slot.name, slot.default) for slot in program.parameters]
    return {
        **numpy_target.context(program),
        **shared(program.functions, integrands, [text for core in cores.values() for text in core]),
        "cores": cores,
        "signature_of": "".join(f"{argument}, " for argument in arguments),
        "passed_of": "".join(f"{name}={name}, " for name in names),
        "floats": "".join(f", float({name})" for name in names),
        "bare_passed": "".join(f", {name}" for name in names),
        "drift_lines": _drift_lines(program),
        "rate_lines": _rate_lines(program),
    }


def shared(
    functions: Sequence[Function], integrands: list[dict[str, Any]], code: Sequence[str], *, trained: bool = False
) -> dict[str, Any]:
    """What modules of explicit models and of sums over units have in common; `code` is that of their functions."""
    inside = [text for each in integrands for text in [*each["body"], each["value"]]]
    looked_up, needed = tables(*functions), integration(*functions)
    return {
        **needed,
        "target": "numba",
        "needs": "numpy, scipy and numba",
        "imported": ", ".join(["lru_cache"] * needed["quasi"] + ["partial"] * trained),
        "combinations": "",
        "uses_special": False,
        "uses_math": True,
        "integrands": [{**each, "docstring": docstring(f"For {', '.join(each['of'])}.")} for each in integrands],
        "scalars": scalars("\n".join([*inside, *code])),
        "tables": list(looked_up),
        "table_values": list(looked_up.values()),
        "tables_of_refine": ", *_tables(refine)" if looked_up else "",
        "passed_tables": ", *_tables(1)" if looked_up else "",
        "bare_tables": "".join(f", {name}" for name in looked_up),
    }


def _core(function: Function, parameters: list[str], integrands: list[dict[str, Any]]) -> list[str]:
    """The body of a function of one matrix of overlaps B."""
    body = Body(f"_{function.name}", parameters, integrands).lines(function.body)
    arrays = [output for output in function.outputs if output.shape]
    values = [text for output in arrays for text in _stored(output)]
    last = ", ".join(_ARRAYS[output.name] for output in arrays) or scalar(function.outputs[0].entries[0])
    size = math.isqrt(2 * len(function.inputs))
    places = {entry_name("B", i + 1, j + 1): f"B[{i}, {j}]" for i in range(size) for j in range(i, size)}
    whole = last if len(last) <= WIDTH - 16 else f"({last})"
    return [*_named(places, " ".join([*body, *values, last])), *body, *values, f"return {whole}"]


def _stored(output: Output) -> list[str]:
    """An output as an array: its entries, one by one."""
    name = _ARRAYS[output.name]
    shape = brackets(map(str, output.shape))
    lines = [f"{name} = np.empty({shape})"]
    for entry, index in zip(output.entries, itertools.product(*map(range, output.shape)), strict=True):
        lines.append(line(f"{name}[{', '.join(map(str, index))}]", scalar(entry)))
    return lines


def _named(places: dict[str, str], code: str) -> list[str]:
    """Names for entries of arrays that this code uses."""
    used = [name for name in places if re.search(rf"\b{name}\b", code)]
    parts = [used[start : start + 6] for start in range(0, len(used), 6)]
    return [f"{', '.join(part)} = {', '.join(places[name] for name in part)}" for part in parts]


def _rate_lines(program: Program) -> list[str]:
    """dG/dt of one mode m from its entries of G."""
    n, students = program.size, program.n_student
    rows = {entry_name("G", e.row, e.column): f"rows[{k}, m]" for k, e in enumerate(program.equations)}
    pairs = [(i, j) for i in range(students + 1, n + 1) for j in range(i, n + 1)]
    rows |= {entry_name("G", i, j): f"G0[m, {i - 1}, {j - 1}]" for i, j in pairs}
    rates = [scalar(_with_names(e.rate, {"lam": "lam[m]", "rho": "rho[m]"})) for e in program.equations]
    lines = [line(f"dy[{k}, m]", rate) for k, rate in enumerate(rates)]
    return [*_named(rows, " ".join(rates)), *lines]


def _with_names(expr: Expr, own: dict[str, str]) -> Expr:
    return expr.xreplace({s: sp.Symbol(own[s.name], real=True) for s in free_symbols(expr) if s.name in own})


def _drift_lines(program: Program) -> list[str]:
    """Names of the entries of H and F that the rates need."""
    n, students = range(1, program.size + 1), range(1, program.n_student + 1)
    places = {entry_name("H", i, j): f"H[{i - 1}, {j - 1}]" for i in n for j in students}
    places |= {entry_name("I", i, j): f"F[{i - 1}, {j - 1}]" for i in students for j in students}
    return _named(places, " ".join(scalar(e.rate) for e in program.equations))
