"""Small tables of numbers and words, as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["html", "rows_to_show", "text"]


def rows_to_show(count: int, rows: int = 7) -> list[int]:
    """At most `rows` indices out of `count`, first and last among them, evenly spread."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(rows, count)).tolist()})


def text(title: str, columns: Mapping[str, ArrayLike], notes: Sequence[str] = ()) -> str:
    """A table with right-aligned columns under a title; notes below it."""
    cells = _cells(columns)
    widths = [max(len(entry) for entry in column) for column in cells]
    lines = [
        "  ".join(entry.rjust(w) for entry, w in zip(row, widths, strict=True)) for row in zip(*cells, strict=True)
    ]
    return "\n".join([title, *lines, *notes])


def html(title: str, columns: Mapping[str, ArrayLike], notes: Sequence[str] = ()) -> str:
    """The same as HTML that stands in any page: no style sheet, no script."""
    head, *body = zip(*_cells(columns), strict=True)
    parts = [f"<p><strong>{escape(title)}</strong></p><table><thead><tr>"]
    parts += [f'<th style="text-align:right">{escape(entry)}</th>' for entry in head]
    parts.append("</tr></thead><tbody>")
    for row in body:
        parts.append("<tr>" + "".join(f'<td style="text-align:right">{escape(entry)}</td>' for entry in row) + "</tr>")
    parts.append("</tbody></table>")
    parts += [f"<p>{escape(note)}</p>" for note in notes]
    return "".join(parts)


def _cells(columns: Mapping[str, ArrayLike]) -> list[list[str]]:
    return [[name, *map(_cell, np.asarray(values).tolist())] for name, values in columns.items()]


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"
