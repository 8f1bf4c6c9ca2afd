"""Lowering of sized models: kernels to functions, sums over units to calls with offsets and symmetries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..cas import Expr, Symbol, free_symbols, sp
from ..families import Family
from ..model import Model
from .lower import code_names, declaration_lines, lower_function, overlap_symbols, rule_notes
from .nodes import ParameterSlot
from .sized import KernelFunction, Member, SizedProgram, SumBlock, SumCall

if TYPE_CHECKING:
    from ..derive.sized.formulas import Quantity, SizedFormulas
    from ..derive.sized.kernels import Call, Kernel

__all__ = ["lower_sized"]


def lower_sized(model: Model, derived: SizedFormulas) -> SizedProgram:
    """The program of a sized derivation; deterministic."""
    everything: tuple[Any, ...] = (*model.sizes, *model.parameters, *model.trained)
    allowed = frozenset("uvwz") - {p.name for p in model.parameters if not isinstance(p, Family)}
    names = dict(zip(everything, code_names([str(item.name) for item in everything], allowed), strict=True))
    renamed = {item: sp.Symbol(name, real=True) for item, name in names.items() if not isinstance(item, Family)}
    students, n_student = _members(model.students, sp.S.Zero, names, renamed)
    teachers, n = _members(model.teachers, n_student, names, renamed)
    trained, n_trained = _members(model.trained, sp.S.Zero, names, renamed)
    families = tuple(p for p in model.parameters if isinstance(p, Family))
    single = tuple(ParameterSlot(p, names[p], p.default) for p in model.parameters if not isinstance(p, Family))
    arrays, _ = _members(families, sp.S.Zero, names, renamed)
    places = _Places(
        names,
        renamed,
        {
            member: made.offset
            for member, made in zip(
                (*model.students, *model.teachers, *model.trained), (*students, *teachers, *trained), strict=True
            )
        },
    )
    return SizedProgram(
        model.name,
        declaration_lines(model),
        model.references,
        rule_notes(entry for _, entry in derived.all()),
        tuple(names[size] for size in model.sizes),
        students,
        teachers,
        single,
        arrays,
        trained,
        tuple(_kernel(k, kernel, single) for k, kernel in enumerate(derived.kernels, start=1)),
        tuple(_block(quantity, derived, places) for quantity in derived.quantities),
        n_student,
        n - n_student,
        n_trained,
        sphere=model.constraint == "sphere",
    )


@dataclass(frozen=True)
class _Places:
    """Names in code, symbols under these names, and the first row of every member."""

    names: dict[Any, str]
    renamed: dict[Symbol, Symbol]
    offsets: dict[Any, Expr]


def _members(
    found: tuple[Any, ...], start: Expr, names: dict[Any, str], renamed: dict[Symbol, Symbol]
) -> tuple[tuple[Member, ...], Expr]:
    members = []
    for member in found:
        family = isinstance(member, Family)
        size = member.size.xreplace(renamed) if family else sp.S.One
        name = names.get(member, str(member.name))
        members.append(Member(name, size, start, getattr(member, "default", None), family))
        start += size
    return tuple(members), start


def _kernel(number: int, kernel: Kernel, slots: tuple[ParameterSlot, ...]) -> KernelFunction:
    expr = kernel.expectation.expr
    renamed = {slot.symbol: sp.Symbol(slot.name, real=True) for slot in slots}
    inputs = (*overlap_symbols(kernel.size), *kernel.extras)
    name = f"kernel_{number}"
    function = lower_function(name, inputs, [("value", (), [(str(kernel.expectation.integrand), expr)])], renamed)
    used = tuple(slot.name for slot in slots if slot.symbol in free_symbols(expr))
    return KernelFunction(function, kernel.size, used)


def _block(quantity: Quantity, derived: SizedFormulas, places: _Places) -> SumBlock:
    same = len(set(quantity.members)) == 1
    calls = []
    for call in quantity.calls:
        kernel = None if call.kernel is None else derived.kernels[call.kernel]
        several = len(call.sizes) - call.free >= 2
        calls.append(
            SumCall(
                None if call.kernel is None else call.kernel + 1,
                call.coefficient.xreplace(places.renamed),
                tuple(size.xreplace(places.renamed) for size in call.sizes),
                tuple((places.offsets[member], index) for member, index in call.rows),
                tuple(tuple((places.names[member], power) for member, power in weight) for weight in call.weights),
                tuple((places.names[member], index) for member, index in call.extras),
                call.free,
                call.free == 2 and same and _exchangeable(call, kernel, 0, 1),
                several and _exchangeable(call, kernel, call.free, call.free + 1),
                call.apart,
            )
        )
    mirrored = quantity.name == "fisher" and not same
    offsets = tuple(places.offsets[member] for member in quantity.members)
    return SumBlock(quantity.name, offsets, quantity.diagonal, mirrored, tuple(calls))


def _exchangeable(call: Call, kernel: Kernel | None, first: int, second: int) -> bool:
    """Whether the call is the same with two of its indices exchanged, by a symmetry of the kernel."""
    if call.sizes[first] != call.sizes[second] or call.weights[first] != call.weights[second]:
        return False
    if kernel is None:
        return True
    swap: dict[int, int] = {first: second, second: first}
    extras = tuple((member, swap.get(index, index)) for member, index in call.extras)
    rows = tuple((member, swap.get(index, index)) for member, index in call.rows)
    apart = {frozenset(swap.get(index, index) for index in pair) for pair in call.apart}
    if apart != set(map(frozenset, call.apart)):
        return False
    return extras == call.extras and any(tuple(rows[k] for k in s) == call.rows for s in kernel.symmetries)
