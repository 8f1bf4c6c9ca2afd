"""Long formulas in readable pieces: what occurs more than once, and every integral, gets a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from ..cas import Expr, Symbol, latex, sp
from .integral import GaussianIntegral, UnitIntegral

__all__ = ["Compact", "compact", "named_parts"]

_SHORT = 40
"""Operations up to which a formula is shown as it is."""
_WORTH = 7
"""Operations from which a piece deserves a name."""


Definitions = tuple[tuple[Symbol, Expr], ...]
"""(name, what it stands for), each in terms of symbols and of earlier names."""


@dataclass(frozen=True)
class Compact:
    """A formula in pieces.

    Attributes
    ----------
    definitions:
        What the names in `expr` stand for.
    expr:
        The formula in terms of symbols and names.
    """

    definitions: Definitions
    expr: Expr

    @property
    def full(self) -> Expr:
        """The formula with every name resolved."""
        expr = self.expr
        for name, value in reversed(self.definitions):
            expr = expr.xreplace({name: value})
        return expr

    @property
    def operations(self) -> int:
        """Number of operations, each named piece counted once."""
        return sum(int(sp.count_ops(e)) for e in (self.expr, *(value for _, value in self.definitions)))

    def __str__(self) -> str:
        return "\n".join([*(f"{name} = {value}" for name, value in self.definitions), str(self.expr)])

    def latex(self) -> tuple[str, str]:
        """(the formula, "where ..." with the definitions, empty if there are none), in LaTeX."""
        where = r",\quad ".join(f"{latex(name)} = {latex(value)}" for name, value in self.definitions)
        return latex(self.expr), where


def compact(expr: Expr, *, short: int = _SHORT) -> Compact:
    """`expr` with its shared parts named c1, c2, ... and its integrals E1, E2, ...; short formulas stay as they are."""
    definitions, (reduced,) = named_parts([expr], short=short)
    return Compact(definitions, reduced)


def named_parts(exprs: Sequence[Expr], *, short: int = _SHORT) -> tuple[Definitions, list[Expr]]:
    """The same for several formulas or matrices at once, which then share their names.

    Integrals are named as wholes and read as they were derived: nothing is taken out of them.
    """
    if sum(map(sp.count_ops, exprs)) <= short:
        return (), list(exprs)
    taken = {symbol.name for expr in exprs for symbol in expr.free_symbols}
    integrals = sorted(
        {node for expr in exprs for node in expr.atoms(GaussianIntegral, UnitIntegral)}, key=sp.default_sort_key
    )
    names = dict(zip(integrals, _fresh("E", taken), strict=False)) if len(integrals) > 1 else {}
    found, reduced = sp.cse([expr.xreplace(names) for expr in exprs], order="canonical")
    shared, resolved = _worth_naming(found, _fresh("c", taken))
    definitions = (*((name, integral) for integral, name in names.items()), *shared)
    return definitions, [expr.xreplace(resolved) for expr in reduced]


def _worth_naming(
    found: Sequence[tuple[Symbol, Expr]], names: Iterator[Symbol]
) -> tuple[list[tuple[Symbol, Expr]], dict[Symbol, Expr]]:
    """Pieces of some size under new names; smaller ones, such as 2 B11 + 1, are put back where they came from."""
    kept: list[tuple[Symbol, Expr]] = []
    resolved: dict[Symbol, Expr] = {}
    for symbol, value in found:
        value = value.xreplace(resolved)
        if sp.count_ops(value) >= _WORTH:
            name = next(names)
            kept.append((name, value))
            resolved[symbol] = name
        else:
            resolved[symbol] = value
    return kept, resolved


def _fresh(letter: str, taken: set[str]) -> Iterator[Symbol]:
    numbered = (f"{letter}{k}" for k in count(1))
    return (sp.Symbol(name, real=True) for name in numbered if name not in taken)
