"""Printing expressions for numba: scalar code, of functions that the compiler turns into vector instructions."""

from __future__ import annotations

from typing import ClassVar

from ..cas import sp
from .printer import NumpyPrinter

__all__ = ["NumbaPrinter"]

_VECTORS = frozenset({"_softplus", "_logsumexp", "_user", "_inverse_mills"})
"""Methods whose text is for arrays alone."""


class NumbaPrinter(NumpyPrinter):
    """Text of an expression for one set of numbers; what numba lacks is defined in templates/numba/sized_sums.j2."""

    TARGET: ClassVar[str] = "numba"
    REMEDY: ClassVar[str] = "use target='numpy', which prints every model"
    LARGER: ClassVar[str] = "_larger"
    CALLS: ClassVar[dict[object, str]] = {
        sp.exp: "math.exp",
        sp.log: "math.log",
        sp.sin: "math.sin",
        sp.cos: "math.cos",
        sp.tanh: "math.tanh",
        sp.sinh: "math.sinh",
        sp.cosh: "math.cosh",
        sp.asin: "math.asin",
        sp.sign: "np.sign",
        sp.Abs: "abs",
        sp.erf: "math.erf",
        sp.erfc: "math.erfc",
        sp.atan: "_arctan",
        sp.atan2: "_arctan2",
    }

    @staticmethod
    def _choice(condition: str, first: str, second: str) -> str:
        return f"({first} if {condition} else {second})"

    METHODS: ClassVar[dict[type, str]] = {
        kind: method for kind, method in NumpyPrinter.METHODS.items() if method not in _VECTORS
    }
