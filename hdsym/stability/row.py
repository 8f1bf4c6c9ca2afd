"""One threshold: what kind of statement it is, its value, its formula, what it assumes, where it comes from."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape

__all__ = ["HL", "HN", "Row", "html_rows", "text_rows"]

HN = "E. Collins-Woodfin, C. Paquette, E. Paquette, I. Seroussi, Hitting the High-Dimensional Notes, arXiv:2308.08977"
HL = "E. Collins-Woodfin et al., The High Line, arXiv:2405.19585"

_WIDTH = 110


@dataclass(frozen=True)
class Row:
    """A threshold of the learning rate, or why there is none.

    Attributes
    ----------
    kind:
        "descent", "linear", "guaranteed" or "least squares".
    name:
        Which one of its kind.
    value:
        The number; ``None`` if there is none, and `notes` say why.
    formula, latex:
        How it comes about, as text and as LaTeX.
    assumptions, notes:
        What must hold, and what else was found.
    references:
        Where it comes from.
    """

    kind: str
    name: str
    value: float | None
    formula: str
    latex: str
    assumptions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The value as text."""
        return "none" if self.value is None else f"{self.value:.6g}"


def text_rows(title: str, rows: tuple[Row, ...]) -> str:
    """All rows for a terminal: value and name in columns, and what they mean underneath."""
    kinds = max(len(row.kind) for row in rows)
    values = max(len(row.shown) for row in rows)
    lines = [title]
    sources = _sources(rows)
    for row in rows:
        lines.append(f"{row.kind:<{kinds}}  {row.shown:>{values}}  {row.name}")
        indent = " " * (kinds + values + 4)
        for label, said in _said(row, sources):
            wrapped = textwrap.wrap(said, _WIDTH - len(indent) - 9)
            lines += [f"{indent}{label if k == 0 else '':<9}{line}" for k, line in enumerate(wrapped)]
    return "\n".join([*lines, *(f"[{k}] {source}" for k, source in enumerate(sources, start=1))])


def html_rows(title: str, rows: tuple[Row, ...]) -> str:
    """The same as an HTML table; formulas are MathML."""
    from ..show.models import typeset

    head = "".join(f'<th style="text-align:left">{name}</th>' for name in ("kind", "value", "", "what it says"))
    body, sources = [], _sources(rows)
    for row in rows:
        parts = [typeset(row.latex) if row.latex else escape(row.formula)]
        parts += [f"<em>{label}</em> {escape(said)}" for label, said in _said(row, sources) if label != "formula"]
        cells = (escape(row.kind), f"<strong>{row.shown}</strong>", escape(row.name), "<br>".join(parts))
        body.append("<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>")
    notes = "".join(f"<p>[{k}] {escape(source)}</p>" for k, source in enumerate(sources, start=1))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return f"<p><strong>{escape(title)}</strong></p>{table}{notes}"


def _sources(rows: tuple[Row, ...]) -> list[str]:
    """Every reference once, in the order of the rows."""
    return list(dict.fromkeys(source for row in rows for source in row.references))


def _said(row: Row, sources: list[str]) -> list[tuple[str, str]]:
    labelled = [("formula", row.formula), ("assumes", "; ".join(row.assumptions))]
    labelled += [("note", note) for note in row.notes]
    labelled += [("from", " ".join(f"[{sources.index(source) + 1}]" for source in row.references))]
    return [(label, said) for label, said in labelled if said]
