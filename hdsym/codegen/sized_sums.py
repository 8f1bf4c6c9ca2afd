"""Statements of the sums over units: what can be worked out by one call of a kernel is, and added at its place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from ..cas import Expr, sp
from ..ir.sized import KernelFunction, SizedProgram, SumBlock, SumCall
from .layout import wrapped
from .printer import NumpyPrinter
from .sized_terms import TARGETS, formula, has_integrals, index_names, place
from .statements import brackets, expression

__all__ = ["Group", "Writer", "groups", "product", "statements"]


def statements(program: SizedProgram, *quantities: str) -> tuple[list[str], list[str]]:
    """Code that adds up every term of these quantities: what does not depend on B, then the terms under their formulas.

    Indices are listed when they change.
    """
    return Writer(program, *quantities).written()


@dataclass(frozen=True)
class Group:
    """Terms of one block that are worked out together: sums of one kernel over the same free tuples."""

    block: SumBlock
    calls: tuple[SumCall, ...]
    kernel: KernelFunction | None

    @property
    def first(self) -> SumCall:
        return self.calls[0]

    @property
    def summed(self) -> bool:
        """Whether there is a sum, beside what is free."""
        return len(self.first.sizes) > self.first.free


def groups(program: SizedProgram, block: SumBlock) -> list[Group]:
    """Kernels that integrate numerically stay alone: their nodes depend on everything they are given."""
    found: dict[object, list[SumCall]] = {}
    for number, call in enumerate(block.calls):
        kernel = None if call.kernel is None else program.kernels[call.kernel - 1]
        summed = call.free == 0 or len(call.sizes) > call.free
        alone = kernel is None or not summed or has_integrals(kernel) or call.extras or call.apart
        rows = tuple((offset, index) if index < call.free else None for offset, index in call.rows)
        free = (call.sizes[: call.free], call.paired_free, call.weights[: call.free])
        found.setdefault(number if alone else (call.kernel, free, rows), []).append(call)
    kernels = [None if calls[0].kernel is None else program.kernels[calls[0].kernel - 1] for calls in found.values()]
    return [Group(block, tuple(calls), kernel) for calls, kernel in zip(found.values(), kernels, strict=True)]


class _Lines:
    """Statements, and which tuples the indices in them stand for."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.lines: list[str] = []
        self.bound: dict[str, str] = {}

    def list_free(self, call: SumCall) -> None:
        if call.free:
            self._list(self.names[: call.free], "_", _free(call))

    def list_summed(self, call: SumCall) -> None:
        if len(call.sizes) > call.free:
            self._list(self.names[call.free : len(call.sizes)], "n", _summed(call))

    def _list(self, names: list[str], counts: str, units: str) -> None:
        """List tuples, unless the names stand for them already."""
        text = f"{brackets(names)}, {counts} = _tuples{units}"
        targets = names if counts == "_" else [*names, counts]
        if any(self.bound.get(name) != text for name in targets):
            self.lines.append(text)
            self.bound |= dict.fromkeys(targets, text)


class Writer:
    """Writes what does not depend on B, numbered c1, c2, ..., and the terms."""

    PRINTER: ClassVar[NumpyPrinter] = expression
    ARRAYS: ClassVar[str] = "np"

    def __init__(self, program: SizedProgram, *quantities: str) -> None:
        blocks = [block for block in program.blocks if block.quantity in quantities]
        self.names = index_names(program)
        self.groups = [group for block in blocks for group in groups(program, block)]
        values = [g for g in self.groups if g.kernel is not None and g.first.free and not g.summed]
        texts = Counter(_call(group.kernel, group.calls, []) for group in values)
        self.shared = {text: f"E{k}" for k, text in enumerate((t for t in texts if texts[t] > 1), start=1)}
        self.known: set[str] = set()
        self.before, self.terms = _Lines(self.names), _Lines(self.names)
        self.constants: dict[tuple[str, ...], str] = {}

    def written(self) -> tuple[list[str], list[str]]:
        """What does not depend on B, and the terms."""
        for block, groups in groupby(self.groups, key=lambda group: group.block):
            for group in groups:
                self._group(group)
            if block.mirrored or any(call.paired_free for call in block.calls):
                self._mirror(block)
        return self.before.lines, self.terms.lines

    def _group(self, group: Group) -> None:
        """The statements that work out terms and add them to their quantity."""
        weights = [weight for weight in (self._weight(group, call) for call in group.calls) if weight]
        if len(weights) > 1:
            weights = [self._constant(f"{self.ARRAYS}.concatenate({brackets(weights)})")]
        factor = self._factor(group, weights)
        for call in group.calls:
            self.terms.lines += [f"# {line}" for line in wrapped([formula(group.block, call, self.names)])]
        self.terms.list_free(group.first)
        self._add(group, factor + self._value(group, weights))

    def _factor(self, group: Group, weights: list[str]) -> str:
        """What stands before the kernel, with what follows it: a constant and a product sign, a sign, nothing."""
        call = group.first
        coefficient = call.coefficient if len(group.calls) == 1 else sp.S.One
        factors = [text for k in range(call.free) for text in self._weights(call, k)]
        if group.kernel is None:
            factors += [f"{self.ARRAYS}.sum({weight})" for weight in weights]
        elif not factors and abs(coefficient) == 1:
            return "" if coefficient == 1 else "-"
        self.before.list_free(call)
        bound = self.before.bound[self.names[0]] if call.free else ""
        name = self._constant(product(coefficient, factors, self.PRINTER), bound)
        return name if group.kernel is None else f"{name} * "

    def _weight(self, group: Group, call: SumCall) -> str:
        """What is summed over beside the kernel: how often a tuple counts, its weights; nothing without a sum."""
        indices = range(call.free, len(call.sizes))
        if not indices:
            return (
                ""
                if len(group.calls) == 1
                else self._constant(f"{self.ARRAYS}.array([{self.PRINTER(call.coefficient)}])")
            )
        self.before.list_summed(call)
        factors = ["n", *(text for k in indices for text in self._weights(call, k))]
        coefficient = sp.S.One if len(group.calls) == 1 else call.coefficient
        return self._constant(product(coefficient, factors, self.PRINTER), self.before.bound["n"])

    def _constant(self, value: str, *bound: str) -> str:
        """The name of a value that does not depend on B; the same value, with indices bound alike, has one name."""
        key = (value, *bound)
        if key not in self.constants:
            self.constants[key] = f"c{len(self.constants) + 1}"
            self.before.lines.append(f"{self.constants[key]} = {value}")
        return self.constants[key]

    def _value(self, group: Group, weights: list[str]) -> str:
        """The sum, or the values of a kernel; what another term has too is worked out once."""
        if group.kernel is None:
            return ""
        text = _call(group.kernel, group.calls, weights)
        name = self.shared.get(text)
        if name is None:
            return text + "[0]" * (group.first.free == 0)
        if name not in self.known:
            self.terms.lines.append(f"{name} = {text}")
            self.known.add(name)
        return name

    def _add(self, group: Group, value: str) -> None:
        call, block = group.first, group.block
        if block.quantity == "risk":
            self.terms.lines.append(f"total += {value}")
        elif block.quantity == "trained":
            self.terms.lines.append(self._plus(f"T[{place(block.offsets[0], self.names[0])}]", value))
        else:
            second = 0 if block.diagonal else call.free - 1
            self.terms.lines.append(self._plus(self._entry(block, 0, second), value))

    def _plus(self, entry: str, value: str) -> str:
        return f"{entry} += {value}"

    def _same(self, entry: str, other: str) -> str:
        return f"{entry} = {other}"

    def _entry(self, block: SumBlock, first: int, second: int, *, turned: bool = False) -> str:
        own = [place(block.offsets[0], self.names[first]), place(block.offsets[1], self.names[second])]
        return f"{TARGETS[block.quantity]}[{', '.join(reversed(own) if turned else own)}]"

    def _mirror(self, block: SumBlock) -> None:
        """By symmetry: the entries below the diagonal, or the block on its other side."""
        self.terms.list_free(next(call for call in block.calls if block.mirrored or call.paired_free))
        own, turned = self._entry(block, 0, 1), self._entry(block, 0, 1, turned=True)
        self.terms.lines.append(f"{self._same(turned, own)}  # by symmetry")

    def _weights(self, call: SumCall, index: int) -> list[str]:
        return [
            f"{name}[{self.names[index]}]" + ("" if power == 1 else f" ** {self.PRINTER(power).removesuffix('.0')}")
            for name, power in call.weights[index]
        ]


def _call(kernel: KernelFunction | None, calls: tuple[SumCall, ...], weights: list[str]) -> str:
    """The call that sums a kernel; nothing without one."""
    if kernel is None:
        return ""
    parts = [f"({brackets(f'({offset}, {k})' for offset, k in call.rows)}, {_summed(call)})" for call in calls]
    arguments = [_callable(kernel), "B", _free(calls[0]), brackets(parts), *weights]
    if calls[0].extras:
        arguments.append(f"extras={brackets(f'({name}, {index})' for name, index in calls[0].extras)}")
    if calls[0].apart:
        arguments.append(f"apart={brackets(map(str, calls[0].apart))}")
    return f"_kernel_sum({', '.join(arguments)})"


def _callable(kernel: KernelFunction) -> str:
    """The kernel as a function of its block alone."""
    named = [f"{name}={name}" for name in kernel.parameters] + ["refine=refine"] * has_integrals(kernel)
    return f"partial({', '.join([kernel.function.name, *named])})" if named else kernel.function.name


def _free(call: SumCall) -> str:
    return _units(call.sizes[: call.free], call.paired_free)


def _summed(call: SumCall) -> str:
    return _units(call.sizes[call.free :], call.paired_summed)


def _units(sizes: tuple[Expr, ...], paired: bool) -> str:
    """How far indices run, and whether the first two are exchangeable."""
    return f"({brackets(map(str, sizes))}, {paired})"


def product(coefficient: Expr, factors: list[str], printer: NumpyPrinter = expression) -> str:
    """A coefficient times factors, as text."""
    if not factors:
        return printer(coefficient)
    if abs(coefficient) == 1:
        return ("" if coefficient == 1 else "-") + " * ".join(factors)
    return " * ".join([printer.factor(coefficient), *factors])
