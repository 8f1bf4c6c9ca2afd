"""Units that are equal: where a body has kinks, terms are split by which of their indices coincide.

A product of three or four signs has a closed form that is singular where two of its preactivations are one and the
same, though its value there is simple: sgn(x_i) sgn(x_j) is one for i = j. So equal indices get terms of their own, in
which they are one index, and the term itself runs over indices that differ.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ...cas import sp
from .terms import Index, Units, UnitTerm

__all__ = ["Apart", "split"]

Apart = tuple[tuple[Index, Index], ...]
"""Pairs of indices that differ."""
_FROM = 3
"""Preactivations from which a kinked body is split: in two, the formulas hold at equal units."""


def split(units: Units, term: UnitTerm, free: tuple[Index, ...]) -> Iterator[tuple[UnitTerm, tuple[Index, ...], Apart]]:
    """(term, free indices, pairs that differ) for every way in which indices may coincide; just one if it is smooth."""
    gaussian = [slot for slot in term.slots if slot.gaussian and term.body.has(slot.symbol)]
    groups = _groups(term)
    if len(gaussian) < _FROM or not groups or not term.body.has(sp.sign, sp.DiracDelta):
        yield term, free, ()
        return
    for choice in itertools.product(*(_partitions(group) for group in groups)):
        mapping: dict[Index, Index] = {}
        apart: list[tuple[Index, Index]] = []
        for partition in choice:
            heads = [
                min(block, key=lambda index: free.index(index) if index in free else len(free)) for block in partition
            ]
            mapping.update({index: head for block, head in zip(partition, heads, strict=True) for index in block})
            apart += itertools.combinations(heads, 2)
        merged = units.identified(term, mapping)
        kept = tuple(dict.fromkeys(mapping.get(index, index) for index in free))
        yield merged, kept, tuple(apart)


def _groups(term: UnitTerm) -> list[list[Index]]:
    """Running indices that number units of the same family of preactivations, where there are two or more."""
    by_member: dict[object, dict[Index, None]] = {}
    for slot in term.slots:
        if slot.gaussian and slot.index.fixed is None and term.body.has(slot.symbol):
            by_member.setdefault(slot.member, {})[slot.index] = None
    return [list(indices) for indices in by_member.values() if len(indices) > 1]


def _partitions(items: list[Index]) -> list[list[list[Index]]]:
    """All ways to put items into blocks."""
    if not items:
        return [[]]
    first, rest = items[0], items[1:]
    result = []
    for partition in _partitions(rest):
        result.append([[first], *partition])
        for k, block in enumerate(partition):
            result.append([*partition[:k], [first, *block], *partition[k + 1 :]])
    return result
