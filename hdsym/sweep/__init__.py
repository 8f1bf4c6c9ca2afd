"""Sweeps: a grid of problems, solved many at once, on this machine or on a cluster."""

from __future__ import annotations

from . import accessor  # noqa: F401  # which gives datasets their diagram
from .api import sweep

__all__ = ["sweep"]
