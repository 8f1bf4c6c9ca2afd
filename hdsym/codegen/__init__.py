"""Programs as text: one module a target, chosen from the registry; rendering and loading."""

from __future__ import annotations

from .load import load_module
from .render import TARGETS, known, render, render_function

__all__ = ["TARGETS", "known", "load_module", "render", "render_function"]
