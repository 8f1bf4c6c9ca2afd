"""The report: what was declared, derived, solved and simulated, on one page that can be read, printed and checked."""

from __future__ import annotations

from .page import render

__all__ = ["render"]
