"""Short fingerprints of texts."""

from __future__ import annotations

import hashlib

__all__ = ["digest"]


def digest(text: str) -> str:
    """Twelve hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
