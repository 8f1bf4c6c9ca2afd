"""Formulas to be read, not run: what targets print that are made of expressions rather than of statements."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr, Symbol
from ..model import Model
from .nodes import RuleNote

__all__ = ["Document", "Entry", "KernelEntry"]


@dataclass(frozen=True)
class Entry:
    """left = value: one entry of a quantity.

    Attributes
    ----------
    quantity:
        "risk", "gradient", "fisher", "trained", "ode" or "statistic".
    place:
        Row and column of a matrix, from one; empty otherwise, and where `left` has indices that run over units.
    left:
        What it is called; of a sized model h, H[i, j], ...
    value:
        In the entries of B, of G for statistics of the weights, of G, H and I for an ODE.
    ranges:
        Indices of `left` and how far they run, from one. Entries of one quantity whose places meet add up.
    mirrored:
        Whether the transposed entry is the same and is not listed.
    """

    quantity: str
    place: tuple[int, ...]
    left: Expr
    value: Expr
    ranges: tuple[tuple[Symbol, Expr], ...] = ()
    mirrored: bool = False


@dataclass(frozen=True)
class KernelEntry:
    """An expectation that sums over units call: K1(B11, B12, ...) = E[integrand] = value."""

    name: str
    inputs: tuple[Symbol, ...]
    size: int
    integrand: Expr
    value: Expr


@dataclass(frozen=True)
class Document:
    """The formulas of a derivation.

    Attributes
    ----------
    model, declaration, references, rules:
        What it was derived from, as it is and as text, and how.
    preactivations:
        Names, student first.
    n_student, n_teacher:
        How many, numbers or expressions in sizes.
    entries:
        Every formula; for models with sums over units, in terms of `kernels`.
    kernels:
        Empty for explicit models.
    exact:
        Whether no expectation is an integral.
    """

    model: Model
    declaration: tuple[str, ...]
    references: tuple[str, ...]
    rules: tuple[RuleNote, ...]
    preactivations: tuple[str, ...]
    n_student: Expr
    n_teacher: Expr
    entries: tuple[Entry, ...]
    kernels: tuple[KernelEntry, ...]
    exact: bool

    def of(self, quantity: str) -> tuple[Entry, ...]:
        """The entries of a quantity."""
        return tuple(entry for entry in self.entries if entry.quantity == quantity)

    @property
    def sized(self) -> bool:
        """Whether there are sums over units."""
        return bool(self.kernels) or any(entry.quantity == "trained" for entry in self.entries)
