"""Pieces of what a notebook shows: a card with a title, rows of formulas or numbers, parts that unfold."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

__all__ = ["MOST", "bare", "card", "fold", "note", "rows", "side_by_side"]

MOST = 150_000
"""Characters of one display: a notebook keeps them all."""

# Classes, no lists of terms and no headings: notebooks have rules of their own for those.

_STYLE = Markup(
    "<style>"
    ".hdsym{margin:.3em 0;max-width:70em}"
    ".hdsym .title{margin:.2em 0 .4em;font-weight:bold}"
    ".hdsym .rows{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2em 1.1em;align-items:baseline}"
    ".hdsym .name{opacity:.7;grid-column:1}"
    ".hdsym .value{grid-column:2;line-height:1.9;overflow-x:auto;overflow-y:hidden}"
    ".hdsym details{margin:.2em 0}.hdsym summary{cursor:pointer;opacity:.8}"
    ".hdsym ul{list-style:none;margin:0 0 0 .3em;padding:0 0 0 1em;border-left:1px solid rgba(128,128,128,.4)}"
    ".hdsym p{margin:.3em 0}"
    ".hdsym .side{display:flex;flex-wrap:wrap;gap:1.2em;align-items:flex-start}"
    "</style>"
)


def card(title: str, *parts: Markup) -> str:
    """What ``_repr_html_`` returns: the parts under a title."""
    return bare(Markup('<div class="title">{}</div>').format(title), *parts)


def bare(*parts: Markup) -> str:
    """The same without a title."""
    return str(Markup('<div class="hdsym">{}{}</div>').format(_STYLE, Markup("").join(parts)))


def rows(pairs: Iterable[tuple[str, object]]) -> Markup:
    """What things are called, and what they are; a name that comes again is not repeated."""
    lines, before = [], None
    for name, value in pairs:
        term = Markup("") if name == before else Markup('<div class="name">{}</div>').format(name)
        lines.append(term + Markup('<div class="value">{}</div>').format(value))
        before = name
    return Markup('<div class="rows">{}</div>').format(Markup("").join(lines))


def fold(summary: object, inside: Markup) -> Markup:
    """A part that unfolds at a click."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, inside)


def note(text: object) -> Markup:
    """A line of words."""
    return Markup("<p>{}</p>").format(text)


def side_by_side(*parts: Markup) -> Markup:
    """Parts next to each other where there is room."""
    inside = Markup("").join(Markup("<div>{}</div>").format(part) for part in parts)
    return Markup('<div class="side">{}</div>').format(inside)
