"""In which orders the variables of a kernel are worth trying: those that an invariant of the function leaves open."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from ...cas import Expr, Symbol, sp

__all__ = ["Orders"]


class Orders:
    """Orders of a function's variables, and its symmetries.

    Variables are sorted into classes by how the function looks with all others made alike; only orders within a class
    are tried. Where any two of a class may be exchanged, one order stands for all.

    Parameters
    ----------
    function:
        In `variables` and `extras`.
    variables, extras:
        Preactivations, and scalars that vary from unit to unit. With extras no symmetry is used.
    """

    def __init__(self, function: Expr, variables: list[Symbol], extras: list[Symbol]) -> None:
        self._function = function
        self._classes = _classes(function, variables, extras)
        self._extras = _classes(function, extras, variables)
        self._alike = [not extras and self._exchangeable([variables[k] for k in members]) for members in self._classes]

    def candidates(self) -> Iterator[tuple[int, ...]]:
        """Numbers of the variables in the orders to try."""
        return _orders(
            [members] if alike else itertools.permutations(members)
            for members, alike in zip(self._classes, self._alike, strict=True)
        )

    def candidates_of_extras(self) -> Iterator[tuple[int, ...]]:
        """The same for the extras."""
        return _orders(itertools.permutations(members) for members in self._extras)

    def symmetries(self, order: tuple[int, ...], same: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
        """Permutations of the places in `order`, given those of the candidates under which the function is the same."""
        inverse = {k: place for place, k in enumerate(order)}
        swaps = list(
            _orders(
                itertools.permutations(members) if alike else [members]
                for members, alike in zip(self._classes, self._alike, strict=True)
            )
        )
        start = tuple(k for members in self._classes for k in members)
        found: dict[tuple[int, ...], None] = {}
        for other in same:
            for swapped in swaps:
                exchanged = dict(zip(start, swapped, strict=True))
                found[tuple(inverse[exchanged[k]] for k in other)] = None
        return tuple(sorted(found))

    def _exchangeable(self, symbols: list[Symbol]) -> bool:
        return all(
            self._function.xreplace({symbols[0]: other, other: symbols[0]}) == self._function for other in symbols[1:]
        )


def _classes(function: Expr, variables: list[Symbol], others: list[Symbol]) -> list[tuple[int, ...]]:
    """Numbers of the variables by class, classes in the order of their invariants."""
    this, rest, other = sp.symbols("this rest other", real=True)
    alike = dict.fromkeys(others, other)
    keys: dict[object, list[int]] = {}
    for k, symbol in enumerate(variables):
        seen = function.xreplace({**alike, **dict.fromkeys(variables, rest), symbol: this})
        keys.setdefault(sp.default_sort_key(seen), []).append(k)
    return [tuple(keys[key]) for key in sorted(keys)]  # type: ignore[type-var]  # sympy's keys compare


def _orders(choices: Iterable[Iterable[tuple[int, ...]]]) -> Iterator[tuple[int, ...]]:
    for parts in itertools.product(*choices):
        yield tuple(itertools.chain.from_iterable(parts))
