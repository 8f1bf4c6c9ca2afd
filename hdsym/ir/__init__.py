"""The intermediate representation between formulas and text: frozen, typed nodes. Decisions are made here."""

from __future__ import annotations

from .lower import lower
from .nodes import Assign, Function, Integral, Output, Program

__all__ = ["Assign", "Function", "Integral", "Output", "Program", "lower"]
