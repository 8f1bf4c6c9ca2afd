"""Models with sums over units, derived once for every width: expectations of two, three or four preactivations."""

from __future__ import annotations

from .derivation import SizedDerivation, derive_sized

__all__ = ["SizedDerivation", "derive_sized"]
