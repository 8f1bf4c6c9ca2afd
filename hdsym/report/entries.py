"""A line of a list of formulas."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

__all__ = ["Entry"]


@dataclass(frozen=True)
class Entry:
    """A line of a list of formulas: what it is, in words, and the formula."""

    title: str
    math: Markup
