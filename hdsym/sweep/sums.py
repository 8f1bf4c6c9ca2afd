"""Sums over units for many problems at once: the program of a sized model, carried out on arrays of problems.

The generated module of a sized model takes one matrix of overlaps at a time; its kernels take arrays. Here they are
called for all tuples of units and all problems together, the problems on the last axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cas import Expr, numeric_function
from ..ir.sized import SizedProgram, SumBlock, SumCall

__all__ = ["UnitSums"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_TOGETHER = 32_768
"""Kernel values worked out at once: few enough to stay in the processor's cache."""
_LANES = 16

Values = Mapping[str, Any]
"""Parameters and trained scalars by name: numbers, or arrays whose last axis is that of the problems."""


@dataclass(frozen=True)
class _Sum:
    """A term for given sizes.

    Attributes
    ----------
    call:
        The term.
    free, summed:
        What each free and each summed index is in every tuple.
    times:
        How often a summed tuple counts.
    """

    call: SumCall
    free: tuple[Int, ...]
    summed: tuple[Int, ...]
    times: Float
    coefficient: Callable[[Values], Any]
    offsets: tuple[int, ...]

    def index(self, k: int) -> Int:
        """An index over the free tuples, (count, 1, 1), or over the summed ones, (1, many, 1)."""
        free = len(self.free)
        return self.free[k][:, None, None] if k < free else self.summed[k - free][None, :, None]

    def weight(self, k: int, values: Values) -> Any:
        """The product of the arrays that an index chooses from: (count, 1, problems or 1), or (1, many, ...)."""
        total: Any = 1.0
        for name, power in self.call.weights[k]:
            chosen = _chosen(values[name], self.index(k))
            total = total * (chosen if power == 1 else chosen ** float(power))
        return total


class UnitSums:
    """Risk, gradient, Fisher matrix and slopes of trained scalars of a sized model, for given sizes.

    Parameters
    ----------
    program:
        The terms.
    module:
        The generated module, for its kernels.
    sizes:
        By name.
    """

    def __init__(self, program: SizedProgram, module: Any, sizes: Mapping[str, int]) -> None:
        self.program, self.module, self.sizes = program, module, dict(sizes)
        self.n_student, self.n_teacher, self.n_trained = (
            self._number(size) for size in (program.n_student, program.n_teacher, program.n_trained)
        )

    def _number(self, expr: Expr) -> int:
        return int(expr.xreplace({symbol: self.sizes[symbol.name] for symbol in expr.free_symbols}))

    @cached_property
    def _blocks(self) -> list[tuple[SumBlock, tuple[int, ...], list[_Sum]]]:
        return [
            (block, tuple(map(self._number, block.offsets)), [self._sum(call) for call in block.calls])
            for block in self.program.blocks
        ]

    def _sum(self, call: SumCall) -> _Sum:
        lengths = [self._number(size) for size in call.sizes]
        free, _ = self.module._tuples(tuple(lengths[: call.free]), call.paired_free)
        summed, times = self.module._tuples(tuple(lengths[call.free :]), call.paired_summed)
        if not summed:
            times = np.ones(1)
        symbols = sorted(call.coefficient.free_symbols, key=str)
        function = numeric_function(symbols, call.coefficient)

        def coefficient(values: Values) -> Any:
            return function(*(values[s.name] if s.name in values else self.sizes[s.name] for s in symbols))

        return _Sum(call, free, summed, times, coefficient, tuple(self._number(offset) for offset, _ in call.rows))

    def risk(self, B: Float, values: Values) -> Float:
        """h(B), shape (problems,), for B (n, n, problems)."""
        total = np.zeros(B.shape[-1])
        for block, _, sums in self._blocks:
            if block.quantity == "risk":
                for one in sums:
                    total = total + self._value(one, B, values)[0]
        return total

    def drift(self, B: Float, values: Values) -> tuple[Float, Float, Float]:
        """H (n, l, problems), I (l, l, problems) and T (scalars, problems) for B (n, n, problems)."""
        l, n, problems = self.n_student, self.n_student + self.n_teacher, B.shape[-1]
        targets = {"gradient": np.zeros((n, l, problems)), "fisher": np.zeros((l, l, problems))}
        targets["trained"] = np.zeros((self.n_trained, problems))
        for block, offsets, sums in self._blocks:
            if block.quantity == "risk":
                continue
            for one in sums:
                targets[block.quantity][self._place(block, offsets, one)] += self._value(one, B, values)
            if block.mirrored or any(one.call.paired_free for one in sums):
                one = next(one for one in sums if block.mirrored or one.call.paired_free)
                own = offsets[0] + one.free[0], offsets[1] + one.free[1]
                targets[block.quantity][own[::-1]] = targets[block.quantity][own]
        return targets["gradient"], targets["fisher"], targets["trained"]

    @staticmethod
    def _place(block: SumBlock, offsets: tuple[int, ...], one: _Sum) -> Any:
        first = offsets[0] + one.free[0]
        if block.quantity == "trained":
            return first
        return first, offsets[1] + one.free[0 if block.diagonal else one.call.free - 1]

    def _value(self, one: _Sum, B: Float, values: Values) -> Float:
        """A term for each free tuple, (count, problems); as many problems at a time as fit."""
        count, many = (one.free[0].size if one.free else 1), one.times.size
        step = max(_LANES, _TOGETHER // (count * many) // _LANES * _LANES)
        problems = B.shape[-1]
        if problems <= step:
            return self._portion(one, B, values)
        parts = []
        for k in range(0, problems, step):
            own = {name: value[..., k : k + step] if _varies(value) else value for name, value in values.items()}
            parts.append(self._portion(one, np.ascontiguousarray(B[..., k : k + step]), own))
        return np.concatenate(parts, axis=-1)

    def _portion(self, one: _Sum, B: Float, values: Values) -> Float:
        call, free = one.call, len(one.free)
        kernel: Any = 1.0 if call.kernel is None else self._kernel(one, B, values)
        weight: Any = one.times[None, :, None]
        for k in range(free, len(call.sizes)):
            weight = weight * one.weight(k, values)
        factor = one.coefficient(values)
        for k in range(free):
            factor = factor * one.weight(k, values)
        shape = (one.free[0].size if one.free else 1, one.times.size, B.shape[-1])
        terms = np.broadcast_to(kernel * weight, shape)
        summed = terms[:, 0] if shape[1] == 1 else np.add.reduce(np.ascontiguousarray(terms), axis=1)
        factor = factor[:, 0] if np.ndim(factor) == 3 else factor
        return np.asarray(np.broadcast_to(factor * summed, (shape[0], shape[2])))

    def _kernel(self, one: _Sum, B: Float, values: Values) -> Any:
        """Values of the kernel, which broadcast to (count, many, problems)."""
        call = one.call
        assert call.kernel is not None  # the caller has looked
        described = self.program.kernels[call.kernel - 1]
        function = getattr(self.module, described.function.name)
        rows = [offset + one.index(k) for offset, (_, k) in zip(one.offsets, call.rows, strict=True)]
        pairs = [(a, b) for a in range(len(rows)) for b in range(a, len(rows))]
        entries = [B[rows[a][..., 0], rows[b][..., 0]] for a, b in pairs]
        extras = [_chosen(values[name], one.index(k)) for name, k in call.extras]
        given = {name: values[name] for name in described.parameters}
        if not call.apart:
            return function(*entries, *extras, **given)
        kept = np.logical_and.reduce(np.broadcast_arrays(*(one.index(a) != one.index(b) for a, b in call.apart)))
        regular = [np.where(kept, entry, float(a == b)) for entry, (a, b) in zip(entries, pairs, strict=True)]
        return np.where(kept, function(*regular, *extras, **given), 0.0)


def _varies(value: Any) -> bool:
    """Whether the last axis is that of the problems; arrays of one number for each unit have a length of one there."""
    return np.ndim(value) > 0 and np.shape(value)[-1] > 1


def _chosen(values: Any, index: Int) -> Any:
    """Entries of an array (units, problems or 1): shape of the index, with the problems on its last axis."""
    return np.asarray(values)[index[..., 0]]
