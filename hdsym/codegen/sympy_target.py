"""The sympy target: a derivation's formulas as a module of expressions, built by constructors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..cas import Expr, Symbol, sp
from ..expectation.compact import named_parts
from ..expectation.integral import GaussianIntegral, UnitIntegral
from ..families import Family
from ..forms import ModeSum
from ..ir.document import Document, Entry
from ..ir.lower import code_names
from ..symbols import entry_name
from .layout import wrapped
from .statements import brackets, line
from .sympy_printer import FUNCTIONS, SympyPrinter

__all__ = ["context"]

expression = SympyPrinter()
_SILENT = "  # noqa: E741"
_TOGETHER = 9
"""Symbols that are declared in one line."""
_SHORT = 400
"""Operations in all formulas together up to which nothing is named."""


def context(document: Document) -> dict[str, Any]:
    """Everything the template templates/sympy/module.py.j2 prints.

    Raises
    ------
    CodegenError
        For a function that sympy does not have, such as one that a user declared by its code.
    """
    from .. import __version__

    document = _in_code_names(document)
    values = [entry.value for entry in document.entries] + [kernel.value for kernel in document.kernels]
    definitions, reduced = ((), values) if document.sized else named_parts(values, short=_SHORT)
    count = len(document.entries)
    found = dict(zip(document.entries, reduced[:count], strict=True))
    shown = [*values, *(value for _, value in definitions)]
    indices = {index for entry in document.entries for index, _ in entry.ranges}
    return {
        "title": f"{document.model.name}: risk, gradient, Fisher matrix and ODEs of one-pass SGD, in formulas.",
        "version": __version__,
        "sympy_version": sp.__version__,
        "declaration": wrapped(document.declaration, 116),
        "preactivations": ", ".join(document.preactivations),
        "rules": wrapped([f"{r.name}{f' ({r.reference})' if r.reference else ''}" for r in document.rules], 116),
        "references": wrapped(document.references or ("none given",), 116),
        "sized": document.sized,
        "symbols": _symbols(shown, document, indices, {name.name for name, _ in definitions}),
        "functions": sorted(name for kind, name in FUNCTIONS.items() if any(value.has(kind) for value in shown)),
        "gaussian": any(value.has(GaussianIntegral) for value in shown),
        "integrals": any(value.has(GaussianIntegral, UnitIntegral) for value in shown),
        "modes": any(value.has(ModeSum) for value in shown),
        "definitions": [_assigned(name.name, value) for name, value in definitions],
        "risk": _assigned("risk", *(found[entry] for entry in document.of("risk"))),
        "matrices": [] if document.sized else _matrices(document, found),
        "terms": _terms(document, found) if document.sized else [],
        "odes": [(entry.left.name, _text(found[entry])) for entry in document.of("ode")],
        "statistics": [(entry.left.name, _text(found[entry])) for entry in document.of("statistic")],
        "kernels": [_kernel(k.name, k.inputs, v) for k, v in zip(document.kernels, reduced[count:], strict=True)],
        "kernel_names": [kernel.name for kernel in document.kernels],
        "overlaps": [] if document.sized else _overlaps(int(document.n_student + document.n_teacher)),
        "n": str(document.n_student + document.n_teacher),
        "n_student": str(document.n_student),
        "sphere": document.model.constraint == "sphere",
    }


def _in_code_names(document: Document) -> Document:
    """Sizes, parameters and trained scalars under names that the module does not use itself."""
    model = document.model
    members: tuple[Any, ...] = (*model.sizes, *model.parameters, *model.trained)
    allowed = frozenset("uvwz") if document.sized else frozenset()
    names = code_names([str(member.name) for member in members], allowed)
    renamed = {
        label: sp.Symbol(name, **{key: value for key, value in label._assumptions_orig.items() if value is not None})
        for label, name in zip((m.args[0] if isinstance(m, Family) else m for m in members), names, strict=True)
        if label.name != name
    }
    if not renamed:
        return document

    def moved(expr: Expr) -> Expr:
        tables = {base: sp.IndexedBase(renamed[base.args[0]]) for base in expr.atoms(Family) if base.args[0] in renamed}
        return expr.xreplace(tables).xreplace(renamed)

    entries = tuple(replace(entry, left=moved(entry.left), value=moved(entry.value)) for entry in document.entries)
    kernels = tuple(replace(kernel, value=moved(kernel.value)) for kernel in document.kernels)
    return replace(document, entries=entries, kernels=kernels)


def _assigned(name: str, value: Expr) -> str:
    return line(name, _text(value))


def _text(value: Expr) -> str:
    """An expression, a number among them."""
    return f"sp.S({value})" if value.is_Integer else expression(value)


def _matrices(document: Document, found: dict[Entry, Expr]) -> list[dict[str, str]]:
    made = []
    for quantity, rows in (("gradient", document.n_student + document.n_teacher), ("fisher", document.n_student)):
        entries = [_text(found[entry]) for entry in document.of(quantity)]
        width = int(document.n_student)
        grid = brackets(brackets(entries[width * k : width * (k + 1)]) for k in range(int(rows)))
        made.append({"name": quantity, "value": f"{quantity} = sp.ImmutableMatrix({grid})"})
    return made


def _terms(document: Document, found: dict[Entry, Expr]) -> list[dict[str, Any]]:
    made = []
    for quantity in ("gradient", "fisher", "trained"):
        entries = [
            {
                "left": expression(entry.left),
                "value": _text(found[entry]),
                "ranges": "".join(f", ({index.name}, {size})" for index, size in entry.ranges),
                "mirrored": entry.mirrored,
            }
            for entry in document.of(quantity)
        ]
        made += [{"name": quantity, "entries": entries}] if entries else []
    return made


def _kernel(name: str, inputs: tuple[Symbol, ...], value: Expr) -> str:
    names = brackets(symbol.name for symbol in inputs)
    return line(f'"{name}"', f"sp.Lambda({names}, {_text(value)})").replace(" = ", ": ", 1) + ","


def _overlaps(size: int) -> list[str]:
    return [entry_name("B", i, j) for i in range(1, size + 1) for j in range(i, size + 1)]


def _symbols(shown: list[Expr], document: Document, indices: set[Symbol], defined: set[str]) -> list[str]:
    """Every symbol and family that is not `defined`, by sets of assumptions."""
    families = {base for value in shown for base in value.atoms(sp.IndexedBase) if str(base.label) != "B"}
    lefts = [entry.left for entry in document.entries if isinstance(entry.left, sp.Indexed)]
    bases = {left.base.label.name for left in lefts}
    labels = {family.args[0] for family in families}
    names: dict[str, dict[str, bool | None]] = {}
    every = {symbol for value in shown for symbol in value.atoms(sp.Symbol)} | indices
    every |= {limit[0] for value in shown for total in value.atoms(sp.Sum) for limit in total.limits}
    every |= {symbol for kernel in document.kernels for symbol in kernel.inputs}
    every |= {symbol for left in lefts for symbol in left.free_symbols if isinstance(symbol, sp.Symbol)}
    for symbol in sorted(every - labels, key=lambda s: str(s.name)):
        if symbol.name not in defined and not (document.sized and symbol.name in bases | {"B"}):
            names.setdefault(symbol.name, dict(symbol._assumptions_orig))
    if not document.sized:
        for name in _overlaps(int(document.n_student + document.n_teacher)):
            names.setdefault(name, {"real": True})
    groups: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for name, assumed in names.items():
        groups.setdefault(tuple(sorted((k, v) for k, v in assumed.items() if v is not None)), []).append(name)
    lines = [
        _minted(some, dict(assumed))
        for assumed, found in sorted(groups.items(), key=str)
        for some in (found[k : k + _TOGETHER] for k in range(0, len(found), _TOGETHER))
    ]
    if document.sized:
        tables = sorted({"B", *bases, *(str(label) for label in labels)})
        lines += [f'{name} = sp.IndexedBase("{name}", real=True){_SILENT * (name in "lIO")}' for name in tables]
    return lines


def _minted(names: list[str], assumed: dict[str, bool]) -> str:
    options = "".join(f", {key}={value}" for key, value in assumed.items())
    silent = _SILENT if {"l", "I", "O"} & set(names) else ""
    if len(names) == 1:
        return f'{names[0]} = sp.Symbol("{names[0]}"{options}){silent}'
    return f'{", ".join(names)} = sp.symbols("{" ".join(names)}"{options}){silent}'
