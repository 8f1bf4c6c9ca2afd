"""The latex target: a derivation as an appendix of a paper, with assumptions, propositions and references."""

from __future__ import annotations

import re
from typing import Any

from ..cas import Expr, sp
from ..expectation.compact import named_parts
from ..ir.document import Document, Entry
from ..ir.nodes import RuleNote
from ..labels import RandomLabel
from ..laws import Normal
from ..modellatex import law_latex
from .latex_lines import LINE, Lines, joined
from .latex_printer import escaped, width

__all__ = ["context", "laid_out"]

_BASE = (
    "E. Collins-Woodfin, C. Paquette, E. Paquette, I. Seroussi, Hitting the High-Dimensional Notes: An ODE for SGD "
    "learning dynamics on GLMs and multi-index models, Information and Inference 13(4), 2024, arXiv:2308.08977"
)
_SHORT = 150


def context(document: Document) -> dict[str, Any]:
    """Everything the template templates/latex/appendix.tex.j2 prints."""
    from .. import __version__

    values = [entry.value for entry in document.entries]
    definitions, reduced = ((), values) if document.sized else named_parts(values, short=_SHORT)
    found = dict(zip(document.entries, reduced, strict=True))
    taken = {symbol.name for value in [*values, *(k.value for k in document.kernels)] for symbol in value.free_symbols}
    lines = Lines(taken | {name.name for name, _ in definitions})
    for name, value in definitions:
        lines.define(name, value)
    others = [reference for reference in document.references if "2308.08977" not in reference]
    parts: dict[str, Any] = {
        "model_lines": _model(document, lines),
        "risk": lines("h(B)", found[document.of("risk")[0]]),
        "gradient": _entries(document.of("gradient"), found, lines),
        "fisher": _entries(_upper(document.of("fisher")), found, lines),
        "trained": _entries(document.of("trained"), found, lines),
        "odes": [line for e in document.of("ode") for line in lines(_rate(e, lines), found[e])],
        "statistics": _statistics(document, found, lines),
        "kernels": [line for kernel in document.kernels for line in _kernel(kernel, lines)],
    }
    return {
        **parts,
        "definitions": [line for _, own in lines.definitions() for line in own],
        "name": escaped(document.model.name),
        "version": __version__,
        "sympy_version": sp.__version__,
        "sized": document.sized,
        "exact": document.exact,
        "sphere": document.model.constraint == "sphere",
        "sampled": isinstance(document.model.link, RandomLabel),
        "noise": document.model.noise is not None,
        "n_student": lines.printer.doprint(document.n_student),
        "n_teacher": lines.printer.doprint(document.n_teacher),
        "preactivations": _preactivations(document, lines),
        "rules": [_rule(rule) for rule in document.rules],
        "references": [escaped(text) for text in (_BASE, *others)],
        "cited": ", ".join(f"ref{k}" for k in range(1, len(others) + 1)),
    }


def laid_out(text: str) -> str:
    """The text as it is: lines of LaTeX are broken where the formulas are."""
    return text


def _rule(rule: RuleNote) -> dict[str, Any]:
    return {"name": escaped(rule.name), "identity": _identity(rule.identity), "by": escaped(rule.reference)}


def _identity(text: str) -> list[str]:
    """The identity of a rule, broken after what it states where it is too long."""
    if width(text) <= LINE:
        return [text]
    pieces = re.split(r"(?<=,)\\[;,](?=\\?[ A-Za-z])|(?<=,)\\q?quad", text)
    return joined(pieces, r"\;", LINE)


def _preactivations(document: Document, lines: Lines) -> str:
    if not document.sized:
        return ", ".join(lines.printer.doprint(s) for s in (*document.model.students, *document.model.teachers))
    members = (*document.model.students, *document.model.teachers)
    return ", ".join(_units(member, lines) for member in members)


def _units(member: Any, lines: Lines) -> str:
    if not hasattr(member, "size"):
        return str(lines.printer.doprint(member))
    name = lines.printer.doprint(member.args[0])
    return rf"{name}_1, \dots, {name}_{{{lines.printer.doprint(member.size)}}}"


def _model(document: Document, lines: Lines) -> list[str]:
    """Loss, label and noise."""
    model = document.model
    found = lines(r"\text{loss}\colon\quad f", model.loss)
    label = lines.printer.doprint(model.label) if model.label is not None else ""
    if isinstance(model.link, RandomLabel):
        law = rf"\mathrm{{{type(model.link).__name__}}}"
        inside = [lines.printer.doprint(lines.fitted(e, 16.0)) for e in model.link.expressions]
        rows = [", ".join(inside[k : k + 3]) for k in range(0, len(inside), 3)]
        found.append(rf"\text{{label}}\colon\quad {label} &\sim {law}\bigl({rows[0]}{',' if len(rows) > 1 else ''}")
        found += [rf"&\qquad {row}{',' if k < len(rows) - 2 else ''}" for k, row in enumerate(rows[1:])]
        found[-1] += r"\bigr)"
    elif model.link is not None:
        found += lines(rf"\text{{label}}\colon\quad {label}", model.link)
    if model.noise is not None:
        symbol, own = lines.printer.doprint(model.noise.symbol), model.noise
        law = law_latex(own)
        if isinstance(own, Normal):
            law = rf"\mathcal{{N}}\left({lines.printer.doprint(own.mean)}, {lines.printer.doprint(own.std**2)}\right)"
        found.append(rf"\text{{noise}}\colon\quad {symbol} &\sim {law}")
    return found


def _upper(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The Fisher matrix is symmetric."""
    return tuple(entry for entry in entries if not entry.place or entry.place[0] <= entry.place[1])


def _entries(entries: tuple[Entry, ...], found: dict[Entry, Expr], lines: Lines) -> list[str]:
    made = []
    for entry in entries:
        own = lines(lines.printer.doprint(entry.left), found[entry])
        ranges = ", ".join(
            rf"1 \le {lines.printer.doprint(index)} \le {lines.printer.doprint(size)}"
            for index, size in entry.ranges
            if size != 1
        )
        made += [*own, rf"&\qquad ({ranges})"] if ranges else own
    return made


def _rate(entry: Entry, lines: Lines) -> str:
    return rf"\tfrac{{\mathrm{{d}}}}{{\mathrm{{d}}t}} {lines.printer.doprint(entry.left)}"


def _statistics(document: Document, found: dict[Entry, Expr], lines: Lines) -> list[str]:
    made = []
    for each, entry in zip(document.model.followed, document.of("statistic"), strict=True):
        name = escaped(each.name.replace("_", " "))
        made += lines(rf"\text{{{name}}}", each.formula)
        made += [rf"&\quad {'= ' if k == 0 else ''}{line}" for k, line in enumerate(lines.broken(found[entry], 52.0))]
    return made


def _kernel(kernel: Any, lines: Lines) -> list[str]:
    left = rf"\kappa_{{{kernel.name.removeprefix('K')}}}"
    integrand = lines.printer.doprint(lines.fitted(kernel.integrand, 44.0))
    first = rf"{left} &= \mathbb{{E}}\left[{integrand}\right]"
    body = lines.broken(kernel.value, 54.0)
    return [first, *(rf"&\quad {'= ' if k == 0 else ''}{line}" for k, line in enumerate(body))]
