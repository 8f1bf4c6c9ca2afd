"""Sweeps: a grid of problems, solved many at once, on this machine or on a cluster."""

from __future__ import annotations

from .api import sweep

__all__ = ["sweep"]
