"""Long formulas in lines that fit: sums are broken between their terms, and parts that are too wide get a name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from ..cas import Expr, Symbol, sp
from ..expectation.integral import GaussianIntegral, UnitIntegral
from .latex_printer import AppendixPrinter, width

__all__ = ["LINE", "Lines", "joined"]

LINE = 62.0
"""Width of a line, in letters."""


class Lines:
    """Breaks formulas, and keeps what the names in them stand for.

    Parameters
    ----------
    taken:
        Names that formulas use already.
    """

    def __init__(self, taken: set[str]) -> None:
        self.printer = AppendixPrinter()
        self.names: dict[Expr, Symbol] = {}
        self.pending: list[tuple[Symbol, Expr]] = []
        self._parts, self._integrals = _fresh("A", taken), _fresh("E", taken)

    def __call__(self, left: str, value: Expr, relation: str = "=", room: float = LINE) -> list[str]:
        """Lines of an align environment for left = value."""
        indent = min(width(left) + 2.4, LINE / 3)
        body = self.broken(value, room - indent)
        return [f"{left} &{relation} {body[0]}", *(rf"&\quad {line}" for line in body[1:])]

    def broken(self, value: Expr, room: float) -> list[str]:
        """A formula in lines of at most `room`."""
        value = self._integrals_named(value)
        whole = self.printer.doprint(value)
        if width(whole) <= room:
            return [whole]
        return joined(self._terms(value, room - 4.0), " ", room)

    def definitions(self) -> Iterator[tuple[str, list[str]]]:
        """Name and lines of everything that got a name, in the order in which it did; more may get one meanwhile."""
        while self.pending:
            name, value = self.pending.pop(0)
            left = self.printer.doprint(name)
            if isinstance(value, GaussianIntegral):
                yield left, self._integral(left, value)
            elif isinstance(value, UnitIntegral):
                inside = self.fitted(value.integrand, LINE - 18.0)
                variable = self.printer.doprint(value.variable)
                shown = self.printer.doprint(inside)
                yield left, [rf"{left} &= \int_0^1 \left[{shown}\right] \mathrm{{d}}{variable}"]
            else:
                yield left, self(left, value)

    def define(self, name: Symbol, value: Expr) -> None:
        """A name that formulas have already."""
        self.names[value] = name
        self.pending.append((name, value))

    def _integral(self, left: str, value: GaussianIntegral) -> list[str]:
        """An expectation, and the law of its variables below it."""
        inside = self.fitted(value.integrand, LINE - 14.0)
        variables = ", ".join(map(self.printer.doprint, value.variables))
        room = (LINE - 20.0) / (value.dimension + 1)
        mean = [self._entry(entry, room) for entry in value.mean]
        cov = value.cov.applyfunc(lambda entry: self._entry(entry, room))
        if value.dimension == 1:
            law = f"{self.printer.doprint(mean[0])}, {self.printer.doprint(cov[0, 0])}"
        else:
            centre = "0" if all(m == 0 for m in mean) else self.printer.doprint(sp.Matrix(mean))
            law = rf"{centre}, {self.printer.doprint(cov)}"
            variables = f"({variables})"
        body = self.printer.doprint(inside)
        return [
            rf"{left} &= \mathbb{{E}}\left[{body}\right],",
            rf"&\qquad {variables} \sim \mathcal{{N}}\left({law}\right)",
        ]

    def _entry(self, value: Expr, room: float) -> Expr:
        """An entry of a matrix, or a name for it."""
        return self._named(value) if width(self.printer.doprint(value)) > room else value

    def _terms(self, value: Expr, room: float) -> list[str]:
        """The terms of a sum with their signs, each fitted."""
        found = self._factored_out(value).as_ordered_terms()
        wide = [width(self.printer.doprint(term)) > room for term in found]
        split = [self._factored_out(term) if long else term for term, long in zip(found, wide, strict=True)]
        pieces = []
        for k, own in enumerate(inner for term in split for inner in term.as_ordered_terms()):
            shown = self.printer.doprint(self.fitted(own, room))
            signed = shown.lstrip().startswith("-")
            pieces.append(shown if signed or k == 0 else f"+ {shown}")
        return pieces

    def _factored_out(self, value: Expr) -> Expr:
        """A short c times a + b + ... as c a + c b + ..., which breaks."""
        if not value.is_Mul:
            return value
        sums = [factor for factor in value.args if factor.is_Add]
        rest = value / sums[0] if len(sums) == 1 else None
        if rest is None or width(self.printer.doprint(rest)) > 6.0:
            return value
        return sp.Add(*(rest * term for term in sums[0].args))

    def fitted(self, value: Expr, room: float) -> Expr:
        """An expression whose parts are named, widest first, until it fits."""
        value = self._integrals_named(value)
        while width(self.printer.doprint(value)) > room:
            parts = [part for part in _inner(value) if width(self.printer.doprint(part)) > 4.0]
            if not parts:
                return value
            widest = max(parts, key=lambda part: (min(width(self.printer.doprint(part)), room), -_depth(part)))
            value = value.xreplace({widest: self._named(widest)})
        return value

    def _named(self, part: Expr) -> Symbol:
        if part not in self.names:
            integral = isinstance(part, GaussianIntegral | UnitIntegral)
            self.define(next(self._integrals if integral else self._parts), part)
        return self.names[part]

    def _integrals_named(self, value: Expr) -> Expr:
        found = value.atoms(GaussianIntegral, UnitIntegral) - {value}
        outer = [node for node in found if not any(node is not other and other.has(node) for other in found)]
        if isinstance(value, GaussianIntegral | UnitIntegral):
            outer = [value]
        return value.xreplace({node: self._named(node) for node in sorted(outer, key=sp.default_sort_key)})


def joined(pieces: list[str], between: str, room: float) -> list[str]:
    """Pieces in as few lines of at most `room` as they fit into in their order."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = f"{lines[-1]}{between}{piece}"
        if width(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _inner(value: Expr) -> list[Expr]:
    """Parts that a name may stand for: sums, functions, powers; nothing that depends on an index of units."""
    nodes = (node for node in sp.preorder_traversal(value) if isinstance(node, sp.Expr))
    kinds = (sp.Add, sp.Function, sp.Pow, sp.Mul)
    found = [n for n in nodes if n != value and isinstance(n, kinds) and not n.is_number and not n.has(sp.Indexed)]
    return [node for node in found if not any(symbol.is_integer for symbol in node.free_symbols)]


def _depth(value: Expr) -> int:
    return sum(1 for _ in sp.preorder_traversal(value))


def _fresh(letter: str, taken: set[str]) -> Iterator[Symbol]:
    return (sp.Symbol(name, real=True) for name in (f"{letter}{k}" for k in count(1)) if name not in taken)
