"""Families of symbols, one for each unit: x_1, ..., x_K with K an integer or a size that is fixed later."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, ClassVar

from .cas import Expr, Symbol, sp
from .errors import DeclarationError
from .roles import (
    Parameter,
    Size,
    StudentSymbol,
    TeacherSymbol,
    TrainedSymbol,
    element_name,
    natural_key,
)

__all__ = ["Family", "ParameterFamily", "StudentFamily", "TeacherFamily", "TrainedFamily", "as_size"]


def as_size(value: Any) -> Expr:
    """An integer, a :class:`Size`, a name or a positive integer symbol as an Integer or a Size.

    Raises
    ------
    DeclarationError
        If it is none of these.
    """
    if isinstance(value, Size):
        return value
    if isinstance(value, str):
        return Size(value)
    if isinstance(value, sp.Symbol) and value.is_integer and value.is_positive:
        return Size(value.name)
    try:
        if isinstance(value, bool) or operator.index(value) < 1:
            raise TypeError
    except TypeError:
        raise DeclarationError(
            f"the size {value!r} is not a number of units", remedy='give a positive integer, a name, or hd.size("K")'
        ) from None
    return sp.Integer(operator.index(value))


class Family(sp.IndexedBase):  # type: ignore[misc]  # sympy is untyped
    """Base of the families. ``x[i]`` is a sympy Indexed for a symbolic index, i from 1 to the size.

    With an integer size, ``x[2]`` is the second element itself, and the family iterates over its elements.

    Attributes
    ----------
    size:
        A :class:`Size`, or a sympy Integer.
    role:
        The class of its elements.
    """

    role: ClassVar[type]

    def __new__(cls, name: Any, size: Any, *, default: float | None = None, **assumptions: bool) -> Family:
        if isinstance(name, cls.role):
            label: Any = name  # how sympy rebuilds it
        else:
            valued = issubclass(cls.role, Parameter | TrainedSymbol)
            label = cls.role(name, default, **assumptions) if valued else cls.role(name)
        family: Family = sp.Expr.__new__(cls, label, as_size(size))
        family._shape, family._offset, family._strides = None, sp.S.Zero, None
        family._name = label.name
        sp.IndexedBase._set_assumptions(family, dict(label._assumptions_orig))  # sympy shares and changes them
        return family

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self.args)

    @property
    def size(self) -> Expr:
        return self.args[1]

    @property
    def explicit(self) -> bool:
        """Whether the size is an integer."""
        return bool(self.size.is_Integer)

    @property
    def default(self) -> float | None:
        """Value of each element when a problem gives none (parameters and trained scalars)."""
        return getattr(self.args[0], "default", None)

    @property
    def sort_key_in_rows(self) -> tuple[str, int, str]:
        """Where its elements stand among others."""
        return natural_key(element_name(self.name, 1))

    def element(self, index: int) -> Symbol:
        """The symbol of one unit, counted from one.

        Raises
        ------
        DeclarationError
            If `index` is below one, or above the size where that is an integer.
        """
        k = operator.index(index)
        if k < 1 or (self.explicit and k > self.size):
            raise DeclarationError(f"{self.name}[{k}] is outside 1, ..., {self.size}", remedy="units count from 1")
        return self.args[0].renamed(element_name(self.name, k))

    def __getitem__(self, index: Any, **_: Any) -> Expr:
        if isinstance(index, tuple | list | sp.Tuple):
            if len(index) != 1:
                raise DeclarationError(f"{self.name} is given the indices {index}", remedy="give one index")
            index = index[0]
        if isinstance(index, slice | str | float):
            raise DeclarationError(f"{self.name} is given the index {index!r}", remedy="give an integer or a symbol")
        index = sp.sympify(index, strict=True)
        if not index.is_integer:
            raise DeclarationError(
                f"{self.name} is given the index {index}, which is not an integer",
                remedy='declare it: i = sympy.Symbol("i", integer=True)',
            )
        if index.is_Integer:
            element = self.element(int(index))
            if self.explicit:
                return element
        indexed = sp.Expr.__new__(sp.Indexed, self, index)
        sp.IndexedBase._set_assumptions(indexed, dict(self.assumptions0))
        return indexed

    def __iter__(self) -> Iterator[Symbol]:
        return iter([self.element(k) for k in range(1, len(self) + 1)])

    def __len__(self) -> int:
        if not self.explicit:
            raise DeclarationError(
                f"{self.name} has the size {self.size}, which is not known yet",
                remedy=f"sum over {self.name}[i] with sympy.Sum, or give an integer size",
            )
        return int(self.size)

    def __bool__(self) -> bool:
        return True


class StudentFamily(Family):
    """Preactivations of the trained directions of one layer."""

    role = StudentSymbol


class TeacherFamily(Family):
    """Preactivations of target directions."""

    role = TeacherSymbol


class ParameterFamily(Family):
    """One named constant for each unit."""

    role = Parameter


class TrainedFamily(Family):
    """One trained scalar for each unit."""

    role = TrainedSymbol
