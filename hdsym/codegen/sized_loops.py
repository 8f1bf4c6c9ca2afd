"""Sums over units as loops that numba compiles: what :mod:`sized_sums` does with arrays."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import sp
from ..ir.sized import KernelFunction, SizedProgram, SumBlock, SumCall
from .layout import wrapped
from .numba_nodes import scalar, tables
from .sized_sums import Group, groups, product
from .sized_terms import TARGETS, formula, has_integrals, index_names, place
from .statements import brackets

__all__ = ["Pattern", "Sums", "kernel_options"]


def kernel_options(kernel: KernelFunction) -> list[str]:
    """What the compiled function of a kernel is given last: parameters, and what quadrature needs."""
    return [*kernel.parameters, *["refine"] * has_integrals(kernel), *tables(kernel.function)]


@dataclass(frozen=True)
class Pattern:
    """A kernel summed over some of its units: one compiled function each.

    Attributes
    ----------
    free:
        For each variable of the kernel whether its unit is free (else summed over), and which row of the tuples it is.
    extras:
        The same for each extra.
    apart:
        Pairs of indices that must differ: whether free, and which row of the tuples, twice.
    """

    kernel: KernelFunction
    free: tuple[bool, ...]
    extras: tuple[bool, ...]
    apart: tuple[tuple[tuple[bool, int], tuple[bool, int]], ...]


class Sums:
    """Writes the loops of a program's quantities; collects the functions that they call."""

    def __init__(self, program: SizedProgram) -> None:
        self.program = program
        self.names = index_names(program)
        self.patterns: dict[Pattern, str] = {}

    def lines(self, *quantities: str) -> list[str]:
        """The body of a function of B that adds up every term of these quantities."""
        blocks = [block for block in self.program.blocks if block.quantity in quantities]
        body = _Body(self)
        for block in blocks:
            for group in groups(self.program, block):
                body.add(group)
            if block.mirrored or any(call.paired_free for call in block.calls):
                body.mirror(block)
        return [*body.head, *body.terms]

    def function(self, pattern: Pattern) -> str:
        """Name of the function that sums this pattern."""
        if pattern not in self.patterns:
            number = pattern.kernel.function.name.removeprefix("kernel_")
            taken = sum(other.kernel == pattern.kernel for other in self.patterns)
            self.patterns[pattern] = f"_sum_{number}" + ("" if not taken else chr(ord("a") + taken))
        return self.patterns[pattern]


class _Body:
    """Statements: first what does not depend on B, tuples u1, u2, ... and weights c1, c2, ..., then the terms."""

    def __init__(self, sums: Sums) -> None:
        self.sums, self.names = sums, sums.names
        self.head: list[str] = []
        self.terms: list[str] = []
        self.known: dict[str, str] = {}

    def add(self, group: Group) -> None:
        """The statements that work out terms and add them to their quantity."""
        for call in group.calls:
            self.terms += [f"# {line}" for line in wrapped([formula(group.block, call, self.names)])]
        weights = [self._weights(call, joined=len(group.calls) > 1) for call in group.calls if group.summed]
        value = self._value(group, weights)
        call = group.first
        coefficient = call.coefficient if len(group.calls) == 1 else sp.S.One
        if not call.free:
            self.terms.append(f"total += {_times(product(coefficient, []), value)}")
            return
        factors = [text for k in range(call.free) for text in self._powers(call, k, self.names[k])]
        self._loop(call, f"{self._entry(group.block, call)} += {_times(product(coefficient, factors), value)}")

    def mirror(self, block: SumBlock) -> None:
        """By symmetry: the entries below the diagonal, or the block on its other side."""
        call = next(call for call in block.calls if block.mirrored or call.paired_free)
        own, turned = self._entry(block, call), self._entry(block, call, turned=True)
        self._loop(call, f"{turned} = {own}  # by symmetry")

    def _value(self, group: Group, weights: list[str]) -> str:
        """What is added for one free tuple, beside coefficient and weights; nothing where that is all."""
        call, kernel = group.first, group.kernel
        joined = weights[0] if len(weights) == 1 else f"np.concatenate({brackets(weights)})"
        if kernel is None:
            return f"np.sum({joined})" if weights else ""
        if not group.summed:
            return self._direct(kernel, call)
        pattern = _pattern(kernel, call)
        varies = any((*pattern.free, *pattern.extras)) or any(one or other for (one, _), (other, _) in pattern.apart)
        own = self._rows([call], free=True) if varies else "_NONE"
        arguments = ["B", own, self._rows(list(group.calls), free=False), joined]
        if pattern.apart:
            arguments += [self._tuples(call, free=True) if varies else "_NONE", self._tuples(call, free=False)]
        arguments += [self._extra(call, name, index) for name, index in call.extras]
        options = kernel_options(kernel)
        arguments += [brackets(options)] * bool(options)
        name = f"E{sum(line.startswith('E') for line in self.terms) + 1}"
        self.terms.append(f"{name} = {self.sums.function(pattern)}({', '.join(arguments)})")
        return f"{name}[{'n' if varies else 0}]"

    def _direct(self, kernel: KernelFunction, call: SumCall) -> str:
        """The kernel at one free tuple."""
        rows = [place(offset, self.names[index]) for offset, index in call.rows]
        entries = [f"B[{rows[a]}, {rows[b]}]" for a in range(len(rows)) for b in range(a, len(rows))]
        extras = [f"{name}[{self.names[index]}]" for name, index in call.extras]
        options = kernel_options(kernel)
        text = f"{kernel.function.name}({', '.join([*entries, *extras, *options])})"
        tests = " and ".join(f"{self.names[a]} != {self.names[b]}" for a, b in call.apart)
        return f"({text} if {tests} else 0.0)" if tests else text

    def _rows(self, calls: list[SumCall], *, free: bool) -> str:
        """Rows of B of the kernel's free variables, or of the others over all parts, or as many of any kind."""
        texts = []
        for call in calls:
            chosen = [(offset, index) for offset, index in call.rows if (index < call.free) == free]
            chosen = chosen or [(sp.S.Zero, 0 if free else call.free)]
            shift = 0 if free else call.free
            which = brackets(str(index - shift) for _, index in chosen)
            texts.append(f"_rows({self._tuples(call, free=free)}, {which}, {brackets(str(o) for o, _ in chosen)})")
        text = texts[0] if len(texts) == 1 else f"np.concatenate({brackets(texts)}, axis=1)"
        return self._named("r", text)

    def _extra(self, call: SumCall, name: str, index: int) -> str:
        free = index < call.free
        return f"{name}[{self._tuples(call, free=free)}[{index if free else index - call.free}]]"

    def _weights(self, call: SumCall, *, joined: bool) -> str:
        """What is summed over beside the kernel: how often a tuple counts, times its weights."""
        units = self._tuples(call, free=False)
        places = [f"{units}[{k - call.free}]" for k in range(call.free, len(call.sizes))]
        powers = [
            text
            for k, at in zip(range(call.free, len(call.sizes)), places, strict=True)
            for text in self._powers(call, k, at)
        ]
        coefficient = call.coefficient if joined else sp.S.One
        factors = [f"_counts({units}, {call.paired_summed})", *powers]
        return self._named("c", product(coefficient, factors))

    def _powers(self, call: SumCall, index: int, at: str) -> list[str]:
        return [
            f"{name}[{at}]" + ("" if power == 1 else f" ** {scalar(power).removesuffix('.0')}")
            for name, power in call.weights[index]
        ]

    def _tuples(self, call: SumCall, *, free: bool) -> str:
        part = call.sizes[: call.free] if free else call.sizes[call.free :]
        paired = call.paired_free if free else call.paired_summed
        return self._named("u", f"_tuples({brackets(map(str, part))}, {paired})")

    def _named(self, prefix: str, value: str) -> str:
        """The name of a value that does not depend on B; the same value has one name."""
        if value not in self.known:
            count = sum(name.startswith(prefix) for name in self.known.values())
            self.known[value] = f"{prefix}{count + 1}"
            self.head.append(f"{self.known[value]} = {value}")
        return self.known[value]

    def _loop(self, call: SumCall, statement: str) -> None:
        units = self._tuples(call, free=True)
        names = self.names[: call.free]
        self.terms.append(f"for n in range({units}.shape[1]):")
        self.terms.append(f"    {', '.join(names)} = {', '.join(f'{units}[{k}, n]' for k in range(call.free))}")
        self.terms.append(f"    {statement}")

    def _entry(self, block: SumBlock, call: SumCall, *, turned: bool = False) -> str:
        if block.quantity == "trained":
            return f"T[{place(block.offsets[0], self.names[0])}]"
        second = 0 if block.diagonal else call.free - 1
        own = [place(block.offsets[0], self.names[0]), place(block.offsets[1], self.names[second])]
        return f"{TARGETS[block.quantity]}[{', '.join(reversed(own) if turned else own)}]"


def _pattern(kernel: KernelFunction, call: SumCall) -> Pattern:
    def where(index: int) -> tuple[bool, int]:
        return (True, index) if index < call.free else (False, index - call.free)

    return Pattern(
        kernel,
        tuple(index < call.free for _, index in call.rows),
        tuple(index < call.free for _, index in call.extras),
        tuple((where(a), where(b)) for a, b in call.apart),
    )


def _times(factor: str, value: str) -> str:
    """A product in which a factor of one, or of nothing, is left out."""
    if not value:
        return factor
    if factor in ("1.0", "-1.0"):
        return value if factor == "1.0" else f"-{value}"
    return f"({factor}) * {value}" if " + " in factor or " - " in factor else f"{factor} * {value}"
