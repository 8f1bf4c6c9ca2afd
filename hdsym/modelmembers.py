"""What a model is made of: its sizes, preactivations, parameters and trained scalars, each in a fixed order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import sums
from .cas import Expr, Symbol
from .errors import DeclarationError
from .families import Family, ParameterFamily, StudentFamily, TeacherFamily, TrainedFamily
from .roles import LabelSymbol, Parameter, Size, StudentSymbol, TeacherSymbol, TrainedSymbol, natural_key

if TYPE_CHECKING:
    from .laws import NoiseLaw

__all__ = ["Members"]


class Members:
    """The symbols of a declaration, found in its expressions."""

    name: str
    noise: NoiseLaw | None

    @property
    def _expressions(self) -> tuple[Expr, ...]:
        """Loss, label and constants of the noise: what has to be known to train."""
        raise NotImplementedError

    def _symbols(self, kind: type) -> tuple[Symbol, ...]:
        found = {symbol for symbol in self._free if isinstance(symbol, kind)}
        return tuple(sorted(found, key=lambda symbol: natural_key(symbol.name)))

    @cached_property
    def _free(self) -> frozenset[Symbol]:
        return frozenset[Symbol]().union(*(sums.symbols_in(expr) for expr in self._expressions))

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """Sizes that are still symbols, sorted by name."""
        return self._symbols(Size)

    @property
    def sized(self) -> bool:
        """Whether the model has symbolic sizes: :meth:`at` makes it explicit."""
        return bool(self.sizes)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Families of symbolic size: students, teachers, parameters, trained scalars, each sorted by name."""
        kinds = (StudentFamily, TeacherFamily, ParameterFamily, TrainedFamily)
        found = sums.families_in(self._expressions)
        return tuple(family for kind in kinds for family in found if isinstance(family, kind))

    def _members(self, kind: type, family: type) -> tuple[Any, ...]:
        """Symbols of a kind and families of it, in the order of the rows of their elements."""
        ranked = [(natural_key(symbol.name), symbol) for symbol in self._symbols(kind)]
        ranked += [(found.sort_key_in_rows, found) for found in self.families if isinstance(found, family)]
        return tuple(member for _, member in sorted(ranked, key=lambda pair: pair[0]))

    @cached_property
    def students(self) -> tuple[Symbol, ...]:
        """Student preactivations, in the order of the rows of B: by name, x2 before x10; families if sized."""
        return self._members(StudentSymbol, StudentFamily)

    @cached_property
    def teachers(self) -> tuple[Symbol, ...]:
        """Teacher preactivations, in the order of the rows of B after the students; families if sized."""
        return self._members(TeacherSymbol, TeacherFamily)

    @property
    def n_student(self) -> int:
        """Number l of trained directions. Raises :class:`DeclarationError` for a sized model."""
        self._require_sizes()
        return len(self.students)

    @property
    def n_teacher(self) -> int:
        """Number l* of target directions. Raises :class:`DeclarationError` for a sized model."""
        self._require_sizes()
        return len(self.teachers)

    def _require_sizes(self) -> None:
        if self.sized:
            names = [size.name for size in self.sizes]
            raise DeclarationError(
                f"{self.name} has sizes that are not known yet: {', '.join(names)}",
                remedy=f"make it explicit: model.at({', '.join(f'{name}=3' for name in names)}), or "
                "problem.explicit(model)",
            )

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Named constants, sorted by name; families if sized."""
        return self._members(Parameter, ParameterFamily)

    @cached_property
    def trained(self) -> tuple[TrainedSymbol, ...]:
        """Scalars that are trained along with X, sorted by name; families if sized. They are no parameters."""
        return self._members(TrainedSymbol, TrainedFamily)

    @cached_property
    def label(self) -> Symbol | None:
        """The label's symbol, or ``None`` when the outer function was declared directly."""
        labels = self._symbols(LabelSymbol)
        return labels[0] if labels else None

    @property
    def noise_symbol(self) -> Symbol | None:
        """The symbol of the label noise, or ``None``."""
        return self.noise.symbol if self.noise is not None else None
