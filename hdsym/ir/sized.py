"""Programs of sized models: kernels as functions, and the sums over units that call them."""

from __future__ import annotations

from dataclasses import dataclass

from ..cas import Expr
from .nodes import Function, ParameterSlot, RuleNote

__all__ = ["KernelFunction", "Member", "SizedProgram", "SumBlock", "SumCall"]


@dataclass(frozen=True)
class Member:
    """A family of preactivations or scalars, or a single one.

    Attributes
    ----------
    name:
        In formulas and in code.
    size:
        How many units it has: a size, or one.
    offset:
        Its first row in B, or its first entry among the trained scalars.
    default:
        Value of each unit if none is given, for parameters and trained scalars.
    family:
        Whether it has units at all.
    """

    name: str
    size: Expr
    offset: Expr
    default: float | None
    family: bool


@dataclass(frozen=True)
class KernelFunction:
    """A kernel: a function of the upper triangle of a block of B, and of extras that vary from unit to unit."""

    function: Function
    size: int
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class SumCall:
    """coefficient * sum over indices of weights * kernel(block of B); indices are numbered, the free ones first.

    Attributes
    ----------
    kernel:
        Its number, from 1; ``None`` for the constant one.
    coefficient:
        In sizes and single parameters.
    sizes:
        How far each index runs.
    rows:
        For each variable of the kernel the first row of its member and its index.
    weights:
        For each index the names of arrays and the powers they enter with.
    extras:
        For each extra of the kernel, the name of the array and the index.
    free:
        How many indices are free.
    paired_free, paired_summed:
        Whether exchanging the first two free (summed) indices changes nothing, so that i <= j suffices.
    apart:
        Pairs of indices that must differ.
    """

    kernel: int | None
    coefficient: Expr
    sizes: tuple[Expr, ...]
    rows: tuple[tuple[Expr, int], ...]
    weights: tuple[tuple[tuple[str, Expr], ...], ...]
    extras: tuple[tuple[str, int], ...]
    free: int
    paired_free: bool
    paired_summed: bool
    apart: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class SumBlock:
    """Part of a quantity: `offsets` are the first row and column it fills."""

    quantity: str
    offsets: tuple[Expr, ...]
    diagonal: bool
    mirrored: bool
    calls: tuple[SumCall, ...]


@dataclass(frozen=True)
class SizedProgram:
    """Everything a target needs to print a solver for every width of one model."""

    name: str
    declaration: tuple[str, ...]
    references: tuple[str, ...]
    rules: tuple[RuleNote, ...]
    sizes: tuple[str, ...]
    students: tuple[Member, ...]
    teachers: tuple[Member, ...]
    parameters: tuple[ParameterSlot, ...]
    arrays: tuple[Member, ...]
    trained: tuple[Member, ...]
    kernels: tuple[KernelFunction, ...]
    blocks: tuple[SumBlock, ...]
    n_student: Expr
    n_teacher: Expr
    n_trained: Expr
    conditions: None = None
    sphere: bool = False

    @property
    def dimensions(self) -> frozenset[int]:
        """Dimensions in which the program integrates numerically."""
        return frozenset(i.dimension for kernel in self.kernels for i in kernel.function.integrals())
