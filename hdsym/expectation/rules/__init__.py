"""The rules in the order they are tried. Adding a rule means adding one file and one line here.

Reductions come first, since they leave smaller problems; then the families that have a closed form; last the only
rule that always applies, numerical integration.
"""

from __future__ import annotations

from ..rule import Rule
from .certain import CERTAIN
from .conditional import CONDITIONAL
from .delta import DELTA
from .moments import MOMENTS
from .numerical import NUMERICAL
from .parity import PARITY
from .plackett import PLACKETT
from .quasi import QUASI
from .signs import SIGNS
from .stein import STEIN
from .tilt import TILT
from .trigonometric import TRIGONOMETRIC
from .variables import VARIABLES

EXACT: tuple[Rule, ...] = (DELTA, TILT, CERTAIN, PARITY, MOMENTS, TRIGONOMETRIC, SIGNS, VARIABLES, STEIN)
"""Exact rules in order. The error-function rule is applied by the engine, which must look ahead for it."""

INTEGRALS: tuple[Rule, ...] = (PLACKETT, CONDITIONAL, NUMERICAL, QUASI)
"""Rules that leave an integral, the special ones first; the last always applies."""

__all__ = ["EXACT", "INTEGRALS", "NUMERICAL", "QUASI"]
