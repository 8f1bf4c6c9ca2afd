"""Text of the sums over units: every term as a line of documentation."""

from __future__ import annotations

from collections.abc import Iterable

from ..cas import Expr
from ..ir.sized import KernelFunction, SizedProgram, SumBlock, SumCall

__all__ = ["TARGETS", "formula", "formula_lines", "has_integrals", "index_names", "place"]

_LETTERS = "ijkmpqrsgobcdefw"
TARGETS = {"risk": "h", "gradient": "H", "fisher": "F", "trained": "T"}


def has_integrals(kernel: KernelFunction) -> bool:
    """Whether the kernel integrates numerically."""
    return any(True for _ in kernel.function.integrals()) or kernel.function.has_line_integral


def formula_lines(program: SizedProgram, *quantities: str) -> list[str]:
    """Every term of these quantities, as documentation."""
    names = index_names(program)
    return [formula(block, call, names) for block, call in _terms(program, quantities)]


def _terms(program: SizedProgram, quantities: Iterable[str]) -> list[tuple[SumBlock, SumCall]]:
    return [(block, call) for block in program.blocks if block.quantity in quantities for call in block.calls]


def index_names(program: SizedProgram) -> list[str]:
    """Letters for indices that nothing else in the program has."""
    members = {member.name for member in (*program.arrays, *program.trained)}
    taken = {*program.sizes, *members, *(slot.name for slot in program.parameters)}
    return [letter for letter in _LETTERS if letter not in taken] + [f"i{k}" for k in range(20)]


def place(offset: Expr, index: str) -> str:
    """A row of B, as text."""
    return index if offset == 0 else f"{offset} + {index}"


def formula(block: SumBlock, call: SumCall, names: list[str]) -> str:
    """One term of a quantity, as documentation."""
    target = TARGETS[block.quantity]
    own = [names[0]] * 2 if block.diagonal else names[: call.free]
    places = [place(offset, index) for offset, index in zip(block.offsets, own, strict=True)]
    left = f"{target}[{', '.join(places)}]" if own else target
    weights = [
        f"{name}[{names[k]}]" + ("" if power == 1 else f"^{power}")
        for k, weight in enumerate(call.weights)
        for name, power in weight
    ]
    summed = names[call.free : len(call.sizes)]
    rows = ", ".join(place(offset, names[index]) for offset, index in call.rows)
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
