"""The formulas of a sized model: its kernels, and the sums over units that risk, gradient and Fisher matrix are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...cas import Expr, sp
from ...errors import ExpectationError
from ...expectation.engine import Engine
from ...expectation.expectation import Expectation
from ...expectation.rules.quasi import quasi_integrals
from ...model import Model
from ...progress import Counter, Progress
from .calculus import Block, blocks
from .kernels import Call, Kernel, Kernels

__all__ = ["Quantity", "SizedFormulas", "sized_formulas"]


@dataclass(frozen=True)
class Quantity:
    """One block of a quantity as a sum of kernel calls.

    Attributes
    ----------
    name:
        "risk", "gradient", "fisher", "trained", or the name of a statistic.
    members:
        Whose units rows and columns run over.
    diagonal:
        Whether only entries with equal indices are meant.
    calls:
        The terms, equal ones collected.
    """

    name: str
    members: tuple[Any, ...]
    diagonal: bool
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class SizedFormulas:
    """Everything derived for a sized model."""

    kernels: tuple[Kernel, ...]
    quantities: tuple[Quantity, ...]

    def solver(self) -> SizedFormulas:
        """What the generated solver computes: all but the statistics."""
        return self.only(*_SOLVER)

    def only(self, *names: str) -> SizedFormulas:
        """The quantities of these names."""
        return _trimmed(self.kernels, [q for q in self.quantities if q.name in names])

    def statistic(self, name: str) -> SizedFormulas:
        """The mean of a declared statistic, in the place of the risk."""
        return _trimmed(self.kernels, [replace(q, name="risk") for q in self.quantities if q.name == name])

    def all(self) -> Iterator[tuple[str, Expectation]]:
        """Name and expectation of every kernel: kernel 1, kernel 2, ..."""
        for number, kernel in enumerate(self.kernels, start=1):
            yield f"kernel {number}", kernel.expectation


def sized_formulas(model: Model, policy: str = "auto", progress: Progress | None = None) -> SizedFormulas:
    """Derive the kernels of `model`; raises as :func:`hdsym.derive` does. `progress` is told the blocks."""
    kernels, parts = Kernels(Engine(policy), model.noise), blocks(model)
    counted = Counter(progress, len(parts))
    found = _trimmed(kernels.found, [counted.done(_quantity(block, kernels)) for block in parts])
    for name, entry in found.only("gradient", "fisher", "trained").all():
        if quasi_integrals(entry.expr):
            raise ExpectationError(
                f"{name} of the right-hand side, E[{entry.integrand}], needs more dimensions than quadrature serves",
                remedy="choose the widths (model.at(K=3)), or an activation with a closed form",
            )
    return found


_SOLVER = ("risk", "gradient", "fisher", "trained")


def _trimmed(kernels: Sequence[Kernel], quantities: Sequence[Quantity]) -> SizedFormulas:
    """Without the kernels that nothing calls."""
    used = sorted({call.kernel for q in quantities for call in q.calls if call.kernel is not None})
    number: dict[int | None, int | None] = {old: new for new, old in enumerate(used)} | {None: None}
    return SizedFormulas(
        tuple(kernels[k] for k in used),
        tuple(
            replace(q, calls=tuple(replace(call, kernel=number[call.kernel]) for call in q.calls)) for q in quantities
        ),
    )


def _quantity(block: Block, kernels: Kernels) -> Quantity:
    """Calls that differ in nothing but their coefficient are one; kernels that vanish leave nothing."""
    collected: dict[Call, Expr] = {}
    for term, free, apart in block.terms:
        for call in map(kernels.folded, kernels.calls(term, free, apart)):
            key = replace(call, coefficient=sp.S.One)
            collected[key] = collected.get(key, sp.S.Zero) + call.coefficient
    calls = tuple(replace(key, coefficient=value) for key, value in collected.items() if value != 0)
    return Quantity(block.quantity, block.members, block.diagonal, calls)
