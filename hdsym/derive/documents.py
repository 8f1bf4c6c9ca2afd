"""A derivation as a document: its formulas, before they are made into code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cas import Expr, sp
from ..families import Family
from ..ir.document import Document, Entry, KernelEntry
from ..ir.lower import declaration_lines, overlap_symbols, rule_notes
from ..symbols import entry_name
from .sized import display

if TYPE_CHECKING:
    from ..model import Model
    from .derivation import Derivation
    from .sized import SizedDerivation
    from .sized.formulas import Quantity

__all__ = ["document", "sized_document"]


def document(theory: Derivation) -> Document:
    """The formulas of an explicit model."""
    model, found = theory.model, theory.formulas
    entries = [Entry("risk", (), sp.Symbol("h"), theory.risk)]
    for quantity, letter, matrix in (("gradient", "H", theory.gradient), ("fisher", "I", theory.fisher)):
        for i in range(matrix.rows):
            for j in range(matrix.cols):
                entries.append(Entry(quantity, (i + 1, j + 1), _symbol(letter, i + 1, j + 1), matrix[i, j]))
    pairs = zip(found.modes.pairs, found.modes.rates, strict=True)
    entries += [Entry("ode", pair, _symbol("G", *pair), rate) for pair, rate in pairs]
    entries += [Entry("statistic", (), sp.Symbol(name), value) for name, value in theory.statistics.items()]
    return Document(
        model,
        declaration_lines(model),
        model.references,
        rule_notes(entry for _, entry in found.all()),
        tuple(symbol.name for symbol in (*model.students, *model.teachers)),
        sp.Integer(model.n_student),
        sp.Integer(model.n_teacher),
        tuple(entries),
        (),
        theory.exact,
    )


def _symbol(letter: str, row: int, column: int) -> Expr:
    first, second = (row, column) if letter == "H" else sorted((row, column))
    return sp.Symbol(entry_name(letter, first, second), real=True)


def _entry(quantity: Quantity, model: Model) -> Entry:
    left, value = display.sides(quantity, model)
    members = quantity.members[:1] if quantity.diagonal else quantity.members
    ranges = tuple(
        (index, member.size if isinstance(member, Family) else sp.S.One)
        for index, member in zip(display.indices(len(members)), members, strict=True)
    )
    mirrored = quantity.name == "fisher" and len(set(quantity.members)) > 1
    return Entry(quantity.name, (), left, value, ranges, mirrored)


def sized_document(theory: SizedDerivation) -> Document:
    """The formulas of a model with sums over units, or with trained scalars."""
    model, found = theory.model, theory.formulas
    program = theory.program
    solver = [quantity for quantity in found.quantities if quantity.name in ("risk", "gradient", "fisher", "trained")]
    entries = [_entry(quantity, model) for quantity in solver]
    entries += [Entry("statistic", (), sp.Symbol(name), value) for name, value in theory.statistics.items()]
    kernels = tuple(
        KernelEntry(
            f"K{number}",
            (*overlap_symbols(kernel.size), *kernel.extras),
            kernel.size,
            kernel.expectation.integrand,
            kernel.expectation.expr,
        )
        for number, kernel in enumerate(found.kernels, start=1)
    )
    units = [f"{m.name}_1..{m.name}_{m.size}" if m.family else m.name for m in (*program.students, *program.teachers)]
    return Document(
        model,
        declaration_lines(model),
        model.references,
        rule_notes(entry for _, entry in found.all()),
        tuple(units),
        program.n_student,
        program.n_teacher,
        tuple(entries),
        kernels,
        theory.exact,
    )
