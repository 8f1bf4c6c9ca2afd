"""Text of the sums over units: every term as a line of documentation and as statements."""

from __future__ import annotations

from collections.abc import Iterable

from ..cas import Expr
from ..ir.sized import KernelFunction, SizedProgram, SumBlock, SumCall
from .layout import wrapped
from .statements import brackets, expression

__all__ = ["formula_lines", "has_integrals", "statements"]

_LETTERS = "ijkmpqrsgobcdefw"
_TARGETS = {"risk": "h", "gradient": "H", "fisher": "F", "trained": "T"}


def has_integrals(kernel: KernelFunction) -> bool:
    """Whether the kernel integrates numerically."""
    return any(True for _ in kernel.function.integrals()) or kernel.function.has_line_integral


def formula_lines(program: SizedProgram, *quantities: str) -> list[str]:
    """Every term of these quantities, as documentation."""
    names = _indices(program)
    return [_formula(block, call, names) for block, call in _terms(program, quantities)]


def statements(program: SizedProgram, *quantities: str) -> list[str]:
    """Code that adds up every term of these quantities, each under its formula; indices are listed when they change."""
    names = _indices(program)
    bound: dict[str, str] = {}
    lines = []
    for block, call in _terms(program, quantities):
        lines += [f"# {line}" for line in wrapped([_formula(block, call, names)])]
        for targets, text in _listed(call, names):
            if any(bound.get(name) != text for name in targets):
                lines.append(text)
                bound |= dict.fromkeys(targets, text)
        lines += _added(block, call, names, None if call.kernel is None else program.kernels[call.kernel - 1])
    return lines


def _terms(program: SizedProgram, quantities: Iterable[str]) -> list[tuple[SumBlock, SumCall]]:
    return [(block, call) for block in program.blocks if block.quantity in quantities for call in block.calls]


def _indices(program: SizedProgram) -> list[str]:
    """Letters for indices that nothing else in the program has."""
    members = {member.name for member in (*program.arrays, *program.trained)}
    taken = {*program.sizes, *members, *(slot.name for slot in program.parameters)}
    return [letter for letter in _LETTERS if letter not in taken] + [f"i{k}" for k in range(20)]


def _listed(call: SumCall, names: list[str]) -> list[tuple[list[str], str]]:
    """The statements that list the tuples of free and of summed indices, with the names they bind."""
    free, summed = names[: call.free], names[call.free : len(call.sizes)]
    found = []
    if free:
        text = f"{brackets(free)}, _ = _tuples({_sizes(call.sizes[: call.free])}, {call.paired_free})"
        found.append((free, text))
    if summed:
        text = f"{brackets(summed)}, n = _tuples({_sizes(call.sizes[call.free :])}, {call.paired_summed})"
        found.append(([*summed, "n"], text))
    return found


def _added(block: SumBlock, call: SumCall, names: list[str], kernel: KernelFunction | None) -> list[str]:
    """The statements that work out a term and add it to its quantity."""
    many, total = call.free, len(call.sizes)
    outer = [text for k in range(many) for text in _weights(call, k, names)]
    inner = ["n"] * (total > many) + [text for k in range(many, total) for text in _weights(call, k, names)]
    if kernel is not None:
        rows = brackets(f"({offset}, {index})" for offset, index in call.rows)
        arguments = [_callable(kernel), "B", rows, brackets(names[:many]), brackets(names[many:total])]
        arguments.append(" * ".join(inner) or "np.ones(1)")
        if call.extras:
            arguments.append(brackets(f"({name}, {index})" for name, index in call.extras))
        if call.apart:
            arguments.append(f"apart={brackets(map(str, call.apart))}")
        sums = [f"_kernel_sum({', '.join(arguments)})" + "[0]" * (block.quantity == "risk")]
    else:
        sums = [f"np.sum({' * '.join(inner)})"] if inner else []
    value = _product(call.coefficient, [*outer, *sums])
    if block.quantity == "risk":
        return [f"total += {value}"]
    return _stored(block, call, names, value)


def _product(coefficient: Expr, factors: list[str]) -> str:
    if not factors:
        return expression(coefficient)
    if abs(coefficient) == 1:
        return ("" if coefficient == 1 else "-") + " * ".join(factors)
    return " * ".join([expression.factor(coefficient), *factors])


def _callable(kernel: KernelFunction) -> str:
    """The kernel as a function of its block alone."""
    named = [f"{name}={name}" for name in kernel.parameters] + ["refine=refine"] * has_integrals(kernel)
    return f"partial({', '.join([kernel.function.name, *named])})" if named else kernel.function.name


def _stored(block: SumBlock, call: SumCall, names: list[str], value: str) -> list[str]:
    """Added at its place, and by symmetry at its mirror image."""
    name = _TARGETS[block.quantity]
    if block.quantity == "trained":
        return [f"T[{_at(block.offsets[0], names[0])}] += {value}"]
    row, column = block.offsets
    first, second = names[0], names[0 if block.diagonal else 1]
    place, mirror = (
        f"{name}[{_at(row, first)}, {_at(column, second)}]",
        f"{name}[{_at(column, second)}, {_at(row, first)}]",
    )
    if block.diagonal or not (block.mirrored or call.paired_free):
        return [f"{place} += {value}"]
    again = "value" if block.mirrored else f"np.where({first} == {second}, 0.0, value)"
    return [f"value = {value}", f"{place} += value", f"{mirror} += {again}"]


def _at(offset: Expr, index: str) -> str:
    return index if offset == 0 else f"{offset} + {index}"


def _sizes(sizes: tuple[Expr, ...]) -> str:
    return brackets(map(str, sizes))


def _weights(call: SumCall, index: int, names: list[str]) -> list[str]:
    return [
        f"{name}[{names[index]}]" + ("" if power == 1 else f" ** {expression(power).removesuffix('.0')}")
        for name, power in call.weights[index]
    ]


def _formula(block: SumBlock, call: SumCall, names: list[str]) -> str:
    """One term of a quantity, as documentation."""
    target = _TARGETS[block.quantity]
    own = [names[0]] * 2 if block.diagonal else names[: call.free]
    places = [_at(offset, index) for offset, index in zip(block.offsets, own, strict=True)]
    left = f"{target}[{', '.join(places)}]" if own else target
    weights = [
        f"{name}[{names[k]}]" + ("" if power == 1 else f"^{power}")
        for k, weight in enumerate(call.weights)
        for name, power in weight
    ]
    summed = names[call.free : len(call.sizes)]
    rows = ", ".join(_at(offset, names[index]) for offset, index in call.rows)
    extras = "".join(f", {name}[{names[index]}]" for name, index in call.extras)
    kernel = [] if call.kernel is None else [f"kernel_{call.kernel}(B[{rows}]{extras})"]
    sums = [f"sum_{{{','.join(summed)}}}"] if summed else []
    factors = " ".join([*sums, *weights, *kernel])
    differ = ", ".join(f"{names[a]} != {names[b]}" for a, b in call.apart)
    return f"{left} += {_scaled(call.coefficient, factors)}" + (f" where {differ}" if differ else "")


def _scaled(coefficient: Expr, factors: str) -> str:
    if not factors:
        return str(coefficient)
    if abs(coefficient) == 1:
        return factors if coefficient == 1 else f"-{factors}"
    return f"({coefficient}) {factors}" if coefficient.is_Add else f"{coefficient} {factors}"
