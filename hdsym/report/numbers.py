"""Numbers as a reader wants them: few digits, powers of ten in print, never NaN or infinity."""

from __future__ import annotations

import math

__all__ = ["MISSING", "number", "signed"]

MISSING = "\N{EM DASH}"
"""Stands for what has no value; a report never shows NaN."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """`value` to `digits` significant digits; large and small ones as 1.2 × 10⁻⁵.

    Examples
    --------
    >>> number(0.25), number(1.2e-5), number(2000), number(float("nan"))
    ('0.25', '1.2 × 10⁻⁵', '2000', '—')
    """
    value = float(value)
    if not math.isfinite(value):
        return MISSING
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        shown = f"{value:.0f}" if value == int(value) else f"{value:.{digits}g}"
        return _printed(shown if "e" not in shown else f"{value:.0f}")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPT)
    return _printed(power if mantissa == "1" else f"{mantissa} × {power}")


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, for gaps and scores."""
    text = number(value, digits)
    return f"+{text}" if math.isfinite(value) and value > 0 else text


def _printed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
