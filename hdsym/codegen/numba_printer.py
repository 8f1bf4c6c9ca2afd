"""Printing expressions for numba: scalar code, of functions that the compiler turns into vector instructions."""

from __future__ import annotations

from typing import ClassVar

from ..cas import Expr, sp
from ..ir.guards import bounded, weighted
from ..special import log_ndtr, offzero, owens_t, sigmoid
from .printer import ATOM, NumpyPrinter

__all__ = ["NumbaPrinter"]


class NumbaPrinter(NumpyPrinter):
    """Text of an expression for one set of numbers; what numba lacks is defined in templates/numba/scalars.j2."""

    TARGET: ClassVar[str] = "numba"
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
        sigmoid: "_sigmoid",
        log_ndtr: "_log_ndtr",
        owens_t: "_owens_t",
    }

    def _softplus(self, expr: Expr) -> tuple[str, int]:
        return f"_softplus({self(expr.args[0])})", ATOM

    def _logsumexp(self, expr: Expr) -> tuple[str, int]:
        text = self(expr.args[0])
        for arg in expr.args[1:]:
            text = f"_logaddexp({text}, {self(arg)})"
        return text, ATOM

    def _inverse_mills(self, expr: Expr) -> tuple[str, int]:
        return f"_inverse_mills({self(expr.args[0])})", ATOM

    def _argument(self, expr: Expr) -> str:
        """Without the brackets that a choice needs inside other expressions alone."""
        text = self(expr)
        return text[1:-1] if isinstance(expr, bounded | offzero | weighted) else text

    @staticmethod
    def _choice(condition: str, first: str, second: str) -> str:
        return f"({first} if {condition} else {second})"
