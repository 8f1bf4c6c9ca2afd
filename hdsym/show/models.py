"""Models and laws as formulas; what shows a model needs no derivation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..report.declaration import declaration, references
from ..report.entries import Entry
from ..report.typeset import formula, mathml, words
from . import parts

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["folded", "law", "model", "typeset"]

_LONG = 5_000
"""Characters of MathML from which a formula is folded away."""

_LINES = 8
"""Lines of one title that stand in the open."""

_ROOM = 100_000
"""Characters of formulas that a display takes."""


def typeset(text: str) -> Markup:
    """LaTeX as MathML."""
    return mathml(text, display=True)


def model(declared: Model) -> str:
    """The declaration."""
    entries = declaration(declared)
    for each in declared.followed:
        entries.append(Entry("followed along", formula(words(each.name), each.formula)))
    pairs: list[tuple[str, Any]] = [(entry.title, entry.math) for entry in entries]
    sizes = ", ".join(size.name for size in declared.sizes)
    named = ", ".join(_default(member) for member in declared.parameters)
    trained = ", ".join(_default(member) for member in declared.trained)
    pairs += [(name, text) for name, text in (("sizes", sizes), ("parameters", named), ("trained", trained)) if text]
    pairs += [("constraint", declared.constraint)] if declared.constraint else []
    pairs += [("source", source) for source in references(declared)]
    return parts.card(f"Model: {declared.name}", parts.rows(folded(pairs)))


def _default(member: Any) -> str:
    return member.name if member.default is None else f"{member.name} (default {member.default:g})"


def law(title: str, text: str) -> str:
    """A law of labels or noise, from its LaTeX."""
    return parts.card(title, parts.note(typeset(text.strip("$"))))


def folded(pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Lines by title: long ones, and those after the first few, unfold at a click; some are left to ``print``."""
    groups = [(title, [Markup.escape(math) for _, math in lines]) for title, lines in groupby(pairs, lambda p: p[0])]
    room = _ROOM - sum(size for _, lines in groups if (size := sum(map(len, lines))) <= _LONG)
    for title, lines in groups:
        if sum(map(len, lines)) <= _LONG and len(lines) <= _LINES:
            yield from ((title, line) for line in lines)
            continue
        kept = []
        for line in lines:
            if len(line) <= room:
                kept.append(line)
                room -= len(line)
        opened, more = kept[:_LINES], kept[_LINES:]
        yield from ((title, _unfolding(line)) for line in opened)
        if more:
            yield title, parts.fold(f"{len(more)} more", Markup("").join(map(parts.note, more)))
        if len(kept) < len(lines):
            yield title, f"{len(lines) - len(kept)} long formulas are left out here: print them"


def _unfolding(line: Markup) -> Markup:
    """A long formula behind its left side."""
    if len(line) <= _LONG:
        return line
    left, _, right = line.partition("<wbr>")
    return parts.fold(Markup(f"{left} ..."), Markup(right))  # both are MathML
