"""Functions of sums over units as sums of products: every index on its own, the sums themselves never written out.

(sum_i v_i g(x_i) - y)^2 becomes sum_ij v_i v_j g(x_i) g(x_j) - 2 sum_i v_i g(x_i) y + y^2, each a :class:`UnitTerm`.
Indices of a term run independently, also over equal values: a body is valid there as it stands.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...cas import Expr, Symbol, sp
from ...errors import DeclarationError
from ...families import Family
from ...roles import StudentSymbol, TeacherSymbol, TrainedSymbol

__all__ = ["Index", "Slot", "UnitTerm", "Units"]


@dataclass(frozen=True, eq=False)
class Index:
    """A running number of units. Two indices are the same only if they are the same object.

    Attributes
    ----------
    size:
        How far it runs: a Size or an integer; 1 for the unit of a plain symbol.
    fixed:
        The plain symbol it belongs to: such an index is one and the same in every term.
    """

    size: Expr
    fixed: Symbol | None = None


@dataclass(frozen=True)
class Slot:
    """A symbol of a body: an element of a family at an index, or a plain preactivation or trained scalar."""

    symbol: Symbol
    member: Any
    index: Index

    @property
    def gaussian(self) -> bool:
        """Whether it is a preactivation."""
        return issubclass(_role(self.member), StudentSymbol | TeacherSymbol)


def _role(member: Any) -> type:
    return member.role if isinstance(member, Family) else type(member)


@dataclass(frozen=True)
class UnitTerm:
    """coefficient * sum over all indices of body.

    Attributes
    ----------
    coefficient:
        Free of slots; sizes and constants.
    body:
        In the symbols of `slots`, plain parameters, noise and label.
    slots:
        What the symbols stand for.
    """

    coefficient: Expr
    body: Expr
    slots: tuple[Slot, ...]

    @property
    def indices(self) -> tuple[Index, ...]:
        return tuple(dict.fromkeys(slot.index for slot in self.slots))

    def at(self, index: Index) -> list[Slot]:
        return [slot for slot in self.slots if slot.index is index]

    def derivatives(self, member: Any) -> list[tuple[UnitTerm, Index]]:
        """The terms of the derivative in one unit of `member`; the index given with each is that unit's and free."""
        result = []
        for slot in self.slots:
            if slot.member == member:
                body = sp.diff(self.body, slot.symbol)
                if body != 0:
                    result.append((replace(self, body=body), slot.index))
        return result


@dataclass
class Units:
    """Makes terms, and the symbols in them: the same element at the same index is the same symbol."""

    _symbols: dict[tuple[Any, Index], Symbol] = field(default_factory=dict)
    _fixed: dict[Symbol, Index] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _where: str = "loss"

    def terms(self, expr: Expr, where: str = "loss") -> list[UnitTerm]:
        """`expr`, the loss or what `where` says, as a list of terms.

        Raises
        ------
        DeclarationError
            If a sum over units stands inside a function, where no expansion exists.
        """
        self._where = where
        return self._expand(expr, {})

    def within(self, term: UnitTerm, body: Expr) -> list[UnitTerm]:
        """`term` with another body, in which new sums over units may stand."""
        parts = self.terms(body)
        kept = UnitTerm(term.coefficient, sp.S.One, term.slots)
        return [self.joined(kept, part) for part in parts]

    def renewed(self, term: UnitTerm, mapping: dict[Index, Index]) -> UnitTerm:
        """The same term with indices of its own; `mapping` says what some become, and is filled with the others."""
        for index in term.indices:
            if index.fixed is None:
                mapping.setdefault(index, Index(index.size))
        return self.identified(term, mapping)

    def identified(self, term: UnitTerm, mapping: Mapping[Index, Index]) -> UnitTerm:
        """The term where indices are equal as `mapping` says: elements of a family there become one symbol."""
        slots, names = [], {}
        for slot in term.slots:
            new = self._slot(slot.member, mapping.get(slot.index, slot.index))
            names[slot.symbol] = new.symbol
            slots.append(new)
        return UnitTerm(term.coefficient, term.body.xreplace(names), tuple(dict.fromkeys(slots)))

    def _expand(self, expr: Expr, scope: Mapping[Symbol, Index]) -> list[UnitTerm]:
        if not expr.has(sp.Sum):
            return [self._leaf(expr, scope)]
        if expr.is_Add:
            return [term for arg in expr.args for term in self._expand(arg, scope)]
        if expr.is_Mul:
            return self._product(expr.args, scope)
        if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
            return self._power(expr.base, int(expr.exp), scope)
        if isinstance(expr, sp.Sum):
            return self._sum(expr, scope)
        raise DeclarationError(
            f"the sum over units in {expr}, in the {self._where}, stands inside a function that is no polynomial",
            remedy="hdsym derives polynomials of sums over units, such as (y - Sum(...))**2 / 2, for every width; for "
            "others choose the widths: model.at(K=3)",
        )

    def _product(self, factors: Sequence[Expr], scope: Mapping[Symbol, Index]) -> list[UnitTerm]:
        plain = sp.Mul(*(f for f in factors if not f.has(sp.Sum)))
        result = [self._leaf(plain, scope)]
        for factor in factors:
            if factor.has(sp.Sum):
                others = self._expand(factor, scope)
                result = [self.joined(first, second) for first in result for second in others]
        return result

    def _power(self, base: Expr, exponent: int, scope: Mapping[Symbol, Index]) -> list[UnitTerm]:
        """By the multinomial theorem: equal products, which differ in nothing but their indices, are counted once."""
        terms = self._expand(base, scope)
        result = []
        for chosen in itertools.combinations_with_replacement(terms, exponent):
            counts = [sp.factorial(len(list(equal))) for _, equal in itertools.groupby(chosen, key=id)]
            product = chosen[0]
            for factor in chosen[1:]:
                product = self.joined(product, self.renewed(factor, {index: index for index in scope.values()}))
            result.append(replace(product, coefficient=product.coefficient * sp.factorial(exponent) / sp.Mul(*counts)))
        return result

    @staticmethod
    def joined(first: UnitTerm, second: UnitTerm) -> UnitTerm:
        """The product, with the indices they have: equal ones are shared."""
        slots = tuple(dict.fromkeys((*first.slots, *second.slots)))
        return UnitTerm(first.coefficient * second.coefficient, first.body * second.body, slots)

    def _sum(self, expr: Expr, scope: Mapping[Symbol, Index]) -> list[UnitTerm]:
        inner = dict(scope)
        own = []
        for limit in expr.limits:
            inner[limit[0]] = Index(limit[2])
            own.append(inner[limit[0]])
        terms = self._expand(expr.function, inner)
        counted = []
        for term in terms:
            unused = sp.Mul(*(index.size for index in own if index not in term.indices))
            counted.append(replace(term, coefficient=term.coefficient * unused))
        return counted

    def _leaf(self, expr: Expr, scope: Mapping[Symbol, Index]) -> UnitTerm:
        slots: dict[Expr, Slot] = {}
        for element in sorted(expr.atoms(sp.Indexed), key=sp.default_sort_key):
            index = scope.get(element.indices[0])
            if index is None:
                raise DeclarationError(
                    f"{element} stands outside the sums over its index",
                    remedy="sum over units with sympy.Sum, or choose the widths: model.at(K=3)",
                )
            slots[element] = self._slot(element.base, index)
        body = expr.xreplace({element: slot.symbol for element, slot in slots.items()})
        for symbol in sorted(body.free_symbols, key=sp.default_sort_key):
            if isinstance(symbol, StudentSymbol | TeacherSymbol | TrainedSymbol):
                index = self._fixed.setdefault(symbol, Index(sp.S.One, symbol))
                slots[symbol] = Slot(symbol, symbol, index)
        return UnitTerm(sp.S.One, body, tuple(slots.values()))

    def _slot(self, member: Any, index: Index) -> Slot:
        if index.fixed is not None and member == index.fixed:
            return Slot(member, member, index)
        key = (member, index)
        if key not in self._symbols:
            assumptions = {"real": True, "positive": member.args[0].is_positive or None}
            self._symbols[key] = sp.Symbol(f"{member.name}_{next(self._numbers)}", **assumptions)
        return Slot(self._symbols[key], member, index)
