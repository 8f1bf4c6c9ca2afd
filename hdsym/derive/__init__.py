"""From a declared model to risk, gradient, Fisher matrix and mode equations. :mod:`.pipeline` is the map."""

from __future__ import annotations

from .derivation import Derivation, derive

__all__ = ["Derivation", "derive"]
