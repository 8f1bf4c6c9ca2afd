"""The numpy target: text fragments of a program, which its templates arrange."""

from __future__ import annotations

from typing import Any

from ..cas import Symbol, free_symbols, sp
from ..ir.nodes import Function, ModeEquation, Program
from ..symbols import entry_name
from .layout import WIDTH, wrapped
from .statements import core, declared_code, expression, integration, line, option_name

__all__ = ["argument", "context", "function_context"]


def context(program: Program) -> dict[str, Any]:
    """Everything the templates in templates/numpy/ print."""
    from .. import __version__

    names = [slot.name for slot in program.parameters]
    calls = "".join(f", {name}={name}" for name in names)
    cores = [core(function) for function in program.functions]
    body = "\n".join(text for part in cores for text in [*part["body"], part["returns"]])
    needed = integration(*program.functions)
    return {
        "target": "numpy",
        "needs": "numpy and scipy",
        "imported": "lru_cache" if needed["hermite"] or needed["quasi"] else "",
        "title": f"{program.name}: risk, gradient, Fisher matrix and ODEs of one-pass SGD in high dimension.",
        "version": __version__,
        "sympy_version": sp.__version__,
        "declaration": wrapped(program.declaration, 116),
        "parameter_lines": [_parameter_line(slot.name, slot.default) for slot in program.parameters],
        "preactivations": ", ".join(program.preactivations),
        "n": program.size,
        "n_student": program.n_student,
        "n_teacher": program.n_teacher,
        "pairs": _tuple(f"({e.row}, {e.column})" for e in program.equations),
        "formulas": _formula_lines(program),
        "rules": [f"{rule.name}{f' ({rule.reference})' if rule.reference else ''}" for rule in program.rules],
        "references": wrapped(program.references or ("none given",), 116),
        "uses_special": "special." in body,
        **needed,
        **declared_code(*program.functions),
        "cores": cores,
        "conditions": [str(c) for _, c in program.conditions.formulas] if program.conditions else [],
        "signature": ", *" + "".join(f", {argument(s.name, s.default)}" for s in program.parameters),
        "signature_alone": ", *" * bool(names)
        + "".join(f", {argument(s.name, s.default)}" for s in program.parameters),
        "signature_continued": "".join(f",\n    {argument(s.name, s.default)}" for s in program.parameters),
        "passed": calls,
        "passed_continued": calls,
        "passed_options": "".join(f", {name}=given.{option_name(name)}" for name in names),
        "options": [_option(slot.name, slot.default) for slot in program.parameters],
        "equation_lines": wrapped(
            [
                *(f"dG{e.row}{e.column}/dt = {e.rate}" for e in program.equations),
                *["less G C + C G, C diagonal, so that every trained direction keeps its length"] * program.sphere,
            ]
        ),
        "constant_lines": _constant_lines(program),
        "rhs_lines": _rhs_lines(program, calls),
        "slopes": program.slopes is not None,
        "noise": program.noise is not None,
        "sphere": program.sphere,
        "sized": False,
        "trained": False,
        "passed_with_states": calls.removeprefix(", "),
    }


def function_context(function: Function) -> dict[str, Any]:
    """What templates/numpy/function.py.j2 prints: one function of its inputs, with the quadrature it needs."""
    text = core(function)
    return {
        "core": text,
        "uses_special": "special." in "\n".join([*text["body"], text["returns"]]),
        **integration(function),
        **declared_code(function),
    }


def _tuple(items: Any) -> str:
    text = ", ".join(items)
    return f"({text},)" if "), (" not in text else f"({text})"


def argument(name: str, default: float | None) -> str:
    """A parameter of the model as an argument of a generated function."""
    return f"{name}: float" if default is None else f"{name}: float = {default!r}"


def _parameter_line(name: str, default: float | None) -> str:
    return f"parameter {name}" + ("" if default is None else f", default {default!r}")


def _option(name: str, default: float | None) -> str:
    rest = "required=True" if default is None else f"default={default!r}"
    flag = option_name(name).replace("_", "-")
    return f'parser.add_argument("--{flag}", type=float, {rest}, help="parameter of the model")'


def _formula_lines(program: Program) -> list[str]:
    formulas = dict([*program.risk.formulas, *program.drift.formulas])
    if program.slopes is not None:
        formulas |= {f"d{name.replace('_B', '/dB')}": expr for name, expr in program.slopes.formulas}
    if program.noise is not None:
        formulas |= dict(program.noise.formulas)
    return wrapped(f"{left} = {expr}" for left, expr in formulas.items())


def _symbols_of(equations: tuple[ModeEquation, ...], prefix: str) -> list[Symbol]:
    found = {symbol for equation in equations for symbol in free_symbols(equation.rate)}
    return sorted((s for s in found if s.name.startswith(prefix) and s.name[1:].isdigit()), key=lambda s: str(s.name))


def _constant_lines(program: Program) -> list[str]:
    """The teacher block of G and of B, which never changes."""
    lines = []
    for i in range(program.n_student + 1, program.size + 1):
        for j in range(i, program.size + 1):
            lines.append(f"{entry_name('G', i, j)} = G0[:, {i - 1}, {j - 1}]")
            lines.append(f"{entry_name('B', i, j)} = float(lam @ {entry_name('G', i, j)})")
    return lines


def _rhs_lines(program: Program, calls: str) -> list[str]:
    """Overlaps from the state, the expectations, the rate of every entry."""
    rows = [entry_name("G", e.row, e.column) for e in program.equations]
    lines = [
        f"{_targets(rows)} = y.reshape({len(rows)}, modes)",
        *(f"B{row[1:]} = lam @ {row}" for row in rows),
    ]
    lines += _drift_lines(program, calls)
    lines.append(f"dy = np.empty(({len(rows)}, modes))")
    for k, equation in enumerate(program.equations):
        lines.append(line(f"dy[{k}]", expression(equation.rate)))
    return lines


def _targets(names: list[str]) -> str:
    """Names on the left of an assignment, in brackets where the layout will have to break them."""
    text = ", ".join(names)
    if len(names) == 1:
        return f"{text},"
    return text if len(text) <= WIDTH - 40 else f"({text})"


def _drift_lines(program: Program, calls: str) -> list[str]:
    """The call of the drift; entries that no rate needs, by symmetry, are not named."""
    needed = {symbol.name for equation in program.equations for symbol in free_symbols(equation.rate)}
    names = [left if left in needed else "_" for left, _ in program.drift.formulas]
    inputs = ", ".join(symbol.name for symbol in program.drift.inputs)
    targets, call = ", ".join(names), f"_drift({inputs}{calls})"
    if len(targets) + len(call) <= WIDTH - 16:
        return [f"{targets} = {call}"]
    return [f"values = {call}", f"({targets}) = values"]
