"""The numpy target for sized models: text fragments of a program, which its templates arrange."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, sp
from ..ir.sized import KernelFunction, Member, SizedProgram
from .layout import WIDTH, docstring, wrapped
from .printer import NumpyPrinter
from .sized_sums import statements
from .sized_terms import formula_lines, has_integrals
from .statements import core, declared_code, expression, integration, option_name

__all__ = ["context", "kernel", "meaning", "part"]

_SHORT = 60
"""Operations up to which a kernel's formula stands in the header."""


def context(program: SizedProgram) -> dict[str, Any]:
    """Everything templates/numpy/sized_module.py.j2 prints."""
    functions = [kernel.function for kernel in program.kernels]
    kernels = [kernel(each) for each in program.kernels]
    body = "\n".join(text for part in kernels for text in [*part["body"], part["returns"]])
    risk, drift = statements(program, "risk"), statements(program, "gradient", "fisher", "trained")
    return {
        **_header(program),
        "target": "numpy",
        "needs": "numpy and scipy",
        "uses_special": "special." in body,
        "imported": ", ".join(["lru_cache", *["partial"] * any("partial(" in line for line in [*risk[1], *drift[1]])]),
        **integration(*functions),
        **declared_code(*functions),
        "chunk": 512 if any(map(has_integrals, program.kernels)) else 8192,
        "kernels": kernels,
        "n": str(program.n_student + program.n_teacher),
        "n_student": str(program.n_student),
        "n_trained": str(program.n_trained),
        "trained": bool(program.trained),
        "sphere": program.sphere,
        "sized": True,
        "risk_before": [*_preamble(program), *risk[0]],
        "risk_lines": risk[1],
        "drift_before": [*_preamble(program), *drift[0]],
        "drift_lines": drift[1],
        **_arguments(program),
        "starts": ", ".join(f"_units({m.name}, {m.size})" for m in program.trained),
        "fixed_units": [f"{m.name} = _units({m.name}, {m.size})" for m in program.arrays] if program.trained else [],
        "options": _options(program),
        "preamble_lines": _preamble(program),
    }


def _header(program: SizedProgram) -> dict[str, Any]:
    """The module's own documentation."""
    from .. import __version__

    widths = ", for every width" if program.sizes else ""
    title = f"{program.name}: risk, gradient, Fisher matrix and ODEs of one-pass SGD in high dimension{widths}."
    members = [*program.arrays, *program.parameters]
    lines = [*program.declaration, *(_documented("parameter", m) for m in members)]
    units = ", ".join(f"{m.name}_1..{m.name}_{m.size}" if m.family else m.name for m in _preactivations(program))
    rules = [f"{rule.name}{f' ({rule.reference})' if rule.reference else ''}" for rule in program.rules]
    return {
        "title": title,
        "version": __version__,
        "sympy_version": sp.__version__,
        "declaration": wrapped([*lines, *(_documented("trained", m) for m in program.trained)], 116),
        "preactivations": units,
        "formulas": _formulas(program),
        "rules": wrapped(rules, 116),
        "references": wrapped(program.references or ("none given",), 116),
    }


def _preactivations(program: SizedProgram) -> tuple[Member, ...]:
    return (*program.students, *program.teachers)


def _documented(kind: str, member: Any) -> str:
    """A parameter or a trained scalar, one or as many as there are units."""
    units = f"[1..{member.size}]" if getattr(member, "family", False) else ""
    what = "start" if kind == "trained" else "default"
    return f"{kind} {member.name}{units}" + ("" if member.default is None else f", {what} {member.default!r}")


def _arguments(program: SizedProgram) -> dict[str, str]:
    """Sizes, parameters and trained scalars as arguments: declared, and passed on."""
    sizes = [f"{name}: int" for name in program.sizes]
    fixed = [*sizes, *(_argument(m.name, m.default, "ArrayLike") for m in program.arrays)]
    fixed += [_argument(slot.name, slot.default, "float") for slot in program.parameters]
    trained = [_argument(m.name, m.default, "ArrayLike") for m in program.trained]
    names = [*program.sizes, *(m.name for m in program.arrays), *(slot.name for slot in program.parameters)]
    states = [m.name for m in program.trained]
    return {
        "signature": _starred([*fixed, *trained]),
        "signature_alone": _starred([*fixed, *trained]).removeprefix(", "),
        "signature_continued": "".join(f",\n    {argument}" for argument in [*fixed, *trained]),
        "fixed_signature_continued": "".join(f",\n    {argument}" for argument in fixed),
        "size_signature": ", *" * bool(sizes) + "".join(f", {argument}" for argument in sizes),
        "passed": _passed([*names, *states]),
        "passed_alone": _passed([*names, *states]).removeprefix(", "),
        "passed_fixed": _passed(names),
        "passed_sizes": _passed(list(program.sizes)),
        "passed_with_states": (
            _passed(names) + "".join(f", {m.name}=theta[{part(m)}]" for m in program.trained)
        ).removeprefix(", "),
        "passed_options": "".join(f", {name}=given.{option_name(name)}" for name in [*names, *states]),
        "given_student": _given(program.n_student, program),
        "given_n": _given(program.n_student + program.n_teacher, program),
    }


def _argument(name: str, default: float | None, kind: str) -> str:
    return f"{name}: {kind}" if default is None else f"{name}: {kind} = {default!r}"


def _starred(arguments: list[str]) -> str:
    return ", *" + "".join(f", {argument}" for argument in arguments)


def _passed(names: list[str]) -> str:
    return "".join(f", {name}={name}" for name in names)


def part(member: Member) -> str:
    """Where a member stands among the trained scalars."""
    start = "" if member.offset == 0 else f"{member.offset} "
    end = str(sp.Add(member.offset, member.size))
    return f"{start}: {end}" if start else f":{end}"


def _given(expr: Expr, program: SizedProgram) -> str:
    """A number of units in terms of the command line's options."""
    return str(
        expr.xreplace({sp.Symbol(name, real=True): sp.Symbol(f"given.{option_name(name)}") for name in program.sizes})
    )


def _options(program: SizedProgram) -> list[str]:
    lines = [
        f'parser.add_argument("--{option_name(name)}", type=int, default=2, help="width")' for name in program.sizes
    ]
    units = "value of each unit"
    values: list[tuple[Any, str]] = [(m, units if m.family else "parameter of the model") for m in program.arrays]
    values += [(slot, "parameter of the model") for slot in program.parameters]
    values += [(m, f"start of {'each unit' if m.family else 'this scalar'}, trained") for m in program.trained]
    for member, what in values:
        rest = "required=True" if member.default is None else f"default={member.default!r}"
        option = f'"--{option_name(member.name).replace("_", "-")}"'
        lines.append(f'parser.add_argument({option}, type=float, {rest}, help="{what}")')
    return lines


def kernel(kernel: KernelFunction, printer: NumpyPrinter = expression, number: str = "float") -> dict[str, Any]:
    """A kernel as a function, its parameters annotated as `number`."""
    function = kernel.function
    options = ", ".join(
        [f"{name}: {number}" for name in kernel.parameters] + ["refine: int = 1"] * has_integrals(kernel)
    )
    arguments = ", ".join(f"{symbol.name}: Any" for symbol in function.inputs)
    value = printer(function.outputs[0].entries[0])
    return {
        "name": function.name,
        "arguments": arguments,
        "signature": f"{', ' if arguments else ''}*, {options}" if options else "",
        "docstring": docstring(meaning(kernel)),
        "body": core(function, printer)["body"],
        "returns": value if len(value) <= WIDTH - 16 else f"({value})",
    }


def meaning(kernel: KernelFunction) -> str:
    """What a kernel is, as documentation."""
    variables = ", ".join(f"r{k}" for k in range(1, kernel.size + 1))
    law = f" for {variables if kernel.size == 1 else f'({variables})'} ~ N(0, B)" if kernel.size else ""
    extras = [symbol.name for symbol in kernel.function.inputs if symbol.name.startswith("q")]
    units = f", with {', '.join(extras)} of the units" if extras else ""
    return f"E[{kernel.function.formulas[0][0]}]{law}{units}."


def _preamble(program: SizedProgram) -> list[str]:
    """Arrays of the right length from what was given: one number, or one for each unit."""
    members = (*program.arrays, *program.trained)
    return [f"{m.name} = _units({m.name}, {m.size})" for m in members]


def _formulas(program: SizedProgram) -> list[str]:
    lines = []
    for kernel in program.kernels:
        (shown, expr) = kernel.function.formulas[0]
        value = f" = {expr}" if sp.count_ops(expr) <= _SHORT else ""
        lines.append(f"{kernel.function.name} = E[{shown}]{value}")
    return wrapped([*lines, *formula_lines(program, "risk", "gradient", "fisher", "trained")])
