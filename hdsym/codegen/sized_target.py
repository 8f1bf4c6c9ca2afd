"""The numpy target for sized models: text of the sums over units, which the templates arrange."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, sp
from ..ir.sized import KernelFunction, SizedProgram, SumBlock, SumCall
from .statements import brackets, core, declared_code, expression, integration, wrapped

__all__ = ["context"]

_SHORT = 60
"""Operations up to which a kernel's formula stands in the header."""


def context(program: SizedProgram) -> dict[str, Any]:
    """Everything templates/numpy/sized_module.py.j2 prints."""
    from .. import __version__

    functions = [kernel.function for kernel in program.kernels]
    kernels = [_kernel(kernel) for kernel in program.kernels]
    body = "\n".join(text for part in kernels for text in [*part["body"], part["returns"]])
    fixed, trained = _fixed(program), _trained(program)
    total = _sum(program.n_student, program.n_teacher)
    return {
        "title": program.name,
        "version": __version__,
        "sympy_version": sp.__version__,
        "declaration": program.declaration,
        "parameter_lines": [f"parameter {text}" for text in fixed[len(program.sizes) :]]
        + [f"trained {text}" for text in trained],
        "preactivations": ", ".join(
            f"{m.name}_1..{m.name}_{_size(m.size)}" if m.family else m.name
            for m in (*program.students, *program.teachers)
        ),
        "formulas": _formulas(program),
        "rules": [f"{rule.name}{f' ({rule.reference})' if rule.reference else ''}" for rule in program.rules],
        "references": program.references or ("none given",),
        "uses_special": "special." in body,
        **integration(*functions),
        **declared_code(*functions),
        "chunk": 8192 if not any(True for f in functions for _ in f.integrals()) else 512,
        "kernels": kernels,
        "n": total,
        "n_student": _size(program.n_student),
        "n_trained": _size(program.n_trained),
        "signature": _signature([*fixed, *trained]),
        "signature_continued": _continued([*fixed, *trained]),
        "fixed_signature_continued": _continued(fixed),
        "size_signature": _signature([f"{name}: int" for name in program.sizes]) if program.sizes else "",
        "passed": _passed(program, [m.name for m in program.trained]),
        "passed_fixed": _passed(program, []),
        "passed_sizes": "".join(f", {name}={name}" for name in program.sizes),
        "passed_with_states": _passed(program, []) + _slices(program),
        "passed_rows": _passed(program, []) + _slices(program),
        "passed_options": _options_passed(program),
        "risk_lines": [*_preamble(program), *_lines(program, "risk")],
        "drift_lines": [*_preamble(program), *_lines(program, "gradient", "fisher", "trained")],
        "starts": [f"np.broadcast_to(np.asarray({m.name}, dtype=float), ({_size(m.size)},))" for m in program.trained],
        "options": _options(program),
        "size_lines": [f"{name} = given.{name}" for name in program.sizes],
    }


def _size(expr: Expr) -> str:
    """An integer expression: sizes are integers in code."""
    return str(expr)


def _sum(*exprs: Expr) -> str:
    return str(sp.Add(*exprs))


def _fixed(program: SizedProgram) -> list[str]:
    """Arguments that do not change in time."""
    arguments = [f"{name}: int" for name in program.sizes]
    arguments += [_argument(m.name, m.default, "ArrayLike") for m in program.arrays]
    return arguments + [_argument(slot.name, slot.default, "float") for slot in program.parameters]


def _trained(program: SizedProgram) -> list[str]:
    return [_argument(m.name, m.default, "ArrayLike") for m in program.trained]


def _argument(name: str, default: float | None, kind: str) -> str:
    return f"{name}: {kind}" if default is None else f"{name}: {kind} = {default!r}"


def _signature(arguments: list[str]) -> str:
    return ", *" + "".join(f", {a}" for a in arguments) if arguments else ", *"


def _continued(arguments: list[str]) -> str:
    return "".join(f",\n    {argument}" for argument in arguments)


def _names(program: SizedProgram) -> list[str]:
    return [*program.sizes, *(m.name for m in program.arrays), *(slot.name for slot in program.parameters)]


def _passed(program: SizedProgram, more: list[str]) -> str:
    return "".join(f", {name}={name}" for name in [*_names(program), *more])


def _slices(program: SizedProgram) -> str:
    """Trained scalars out of the vector theta."""
    return "".join(f", {m.name}=theta[{m.offset} : {sp.Add(m.offset, m.size)}]" for m in program.trained)


def _options(program: SizedProgram) -> list[str]:
    lines = [f'parser.add_argument("--{name}", type=int, default=2, help="width")' for name in program.sizes]
    values = [(m.name, m.default, "each") for m in (*program.arrays, *program.trained)]
    values += [(slot.name, slot.default, "parameter") for slot in program.parameters]
    for name, default, what in values:
        rest = "required=True" if default is None else f"default={default!r}"
        shown = "value of each unit" if what == "each" else "parameter of the model"
        lines.append(f'parser.add_argument("--{name.replace("_", "-")}", type=float, {rest}, help="{shown}")')
    return lines


def _options_passed(program: SizedProgram) -> str:
    return "".join(f", {name}=given.{name}" for name in [*_names(program), *(m.name for m in program.trained)])


def _kernel(kernel: KernelFunction) -> dict[str, Any]:
    text = core(kernel.function, [])
    named = "".join(f", {name}: float" for name in kernel.parameters)
    integrals = any(True for _ in kernel.function.integrals()) or kernel.function.has_line_integral
    options = ", ".join([f"{name}: float" for name in kernel.parameters] + ["refine: int = 1"] * integrals)
    arguments = ", ".join(f"{symbol.name}: Any" for symbol in kernel.function.inputs)
    values = text["returns"].removeprefix("(").removesuffix(")").rstrip().removesuffix(",")
    return {
        "name": kernel.function.name,
        "arguments": arguments,
        "signature": f"{', ' if arguments else ''}*, {options}" if options else "",
        "formula": kernel.function.formulas[0][0],
        "body": text["body"],
        "returns": f"({values})" if "\n" in values else values,
        "named": named,
    }


def _called(kernel: KernelFunction) -> str:
    """The kernel as a function of its block alone."""
    named = [f"{name}={name}" for name in kernel.parameters]
    if any(True for _ in kernel.function.integrals()) or kernel.function.has_line_integral:
        named.append("refine=refine")
    name = kernel.function.name
    return f"lambda *block: {name}(*block, {', '.join(named)})" if named else name


def _preamble(program: SizedProgram) -> list[str]:
    """Arrays of the right length from what was given: one number, or one for each unit."""
    members = (*program.arrays, *program.trained)
    return [f"{m.name} = np.broadcast_to(np.asarray({m.name}, dtype=float), ({_size(m.size)},))" for m in members]


def _lines(program: SizedProgram, *quantities: str) -> list[str]:
    return [
        text
        for block in program.blocks
        if block.quantity in quantities
        for call in block.calls
        for text in [f"# {_formula(block, call)}", *_call(block, call, program.kernels[call.kernel - 1])]
    ]


def _call(block: SumBlock, call: SumCall, kernel: KernelFunction) -> list[str]:
    free = [f"i{k}" for k in range(call.free)]
    summed = [f"i{k}" for k in range(call.free, len(call.sizes))]
    lines = []
    if free:
        lines.append(f"{brackets(free)}, _ = _tuples({_sizes(call.sizes[: call.free])}, {call.paired_free})")
    if summed:
        lines.append(f"{brackets(summed)}, n = _tuples({_sizes(call.sizes[call.free :])}, {call.paired_summed})")
    weights = " * ".join((["n"] if summed else []) + _weights(call, range(call.free, len(call.sizes)))) or "np.ones(1)"
    scale = " * ".join([expression.factor(call.coefficient), *_weights(call, range(call.free))])
    rows = brackets(f"({offset}, {index})" for offset, index in call.rows)
    arguments = [_called(kernel), "B", rows, brackets(free), brackets(summed), weights]
    if call.extras:
        arguments.append(brackets(f"({name}, {index})" for name, index in call.extras))
    if call.apart:
        arguments.append(f"apart={brackets(map(str, call.apart))}")
    lines.append(f"value = {scale} * _kernel_sum({', '.join(arguments)})")
    return lines + _stored(block, call)


def _stored(block: SumBlock, call: SumCall) -> list[str]:
    if block.quantity == "risk":
        return ["total += float(value[0])"]
    if block.quantity == "trained":
        return [f"T[{_at(block.offsets[0], 0)}] += value"]
    name = "H" if block.quantity == "gradient" else "I"
    row, column = block.offsets
    if block.diagonal:
        return [f"{name}[{_at(row, 0)}, {_at(column, 0)}] += value"]
    lines = [f"{name}[{_at(row, 0)}, {_at(column, 1)}] += value"]
    if block.mirrored:
        lines.append(f"{name}[{_at(column, 1)}, {_at(row, 0)}] += value")
    if call.paired_free:
        lines.append(f"{name}[{_at(column, 1)}, {_at(row, 0)}] += np.where(i0 == i1, 0.0, value)")
    return lines


def _at(offset: Expr, index: int) -> str:
    return f"i{index}" if offset == 0 else f"{offset} + i{index}"


def _sizes(sizes: tuple[Expr, ...]) -> str:
    return brackets(map(_size, sizes))


def _weights(call: SumCall, indices: range) -> list[str]:
    return [
        f"{name}[i{k}]" if power == 1 else f"{name}[i{k}] ** {expression(power).removesuffix('.0')}"
        for k in indices
        for name, power in call.weights[k]
    ]


def _formulas(program: SizedProgram) -> list[str]:
    lines = []
    for kernel in program.kernels:
        (shown, expr) = kernel.function.formulas[0]
        value = f" = {expr}" if sp.count_ops(expr) <= _SHORT else ""
        lines.append(f"{kernel.function.name} = E[{shown}]{value}")
    lines += [_formula(block, call) for block in program.blocks for call in block.calls]
    return wrapped(lines)


def _formula(block: SumBlock, call: SumCall) -> str:
    """One term of a quantity, as documentation."""
    target = {"risk": "h", "gradient": "H", "fisher": "I", "trained": "T"}[block.quantity]
    own = ["i0", "i0"] if block.diagonal else [f"i{k}" for k in range(call.free)]
    left = target if not own else f"{target}[{', '.join(_places(block.offsets, own))}]"
    weights = [
        f"{name}[i{k}]" + ("" if power == 1 else f"^{power}")
        for k, weight in enumerate(call.weights)
        for name, power in weight
    ]
    summed = [f"i{k}" for k in range(call.free, len(call.sizes))]
    block_rows = ", ".join(f"{offset} + i{index}" if offset != 0 else f"i{index}" for offset, index in call.rows)
    kernel = f"kernel_{call.kernel}(B[{block_rows}])" if call.rows else f"kernel_{call.kernel}"
    parts = [str(call.coefficient) if not call.coefficient.is_Add else f"({call.coefficient})"]
    parts += [f"sum_{{{','.join(summed)}}}"] if summed else []
    differ = ", ".join(f"i{a} != i{b}" for a, b in call.apart)
    return f"{left} += {' '.join([*parts, *weights, kernel])}" + (f" where {differ}" if differ else "")


def _places(offsets: tuple[Expr, ...], indices: list[str]) -> list[str]:
    return [f"{offset} + {index}" if offset != 0 else index for offset, index in zip(offsets, indices, strict=True)]
