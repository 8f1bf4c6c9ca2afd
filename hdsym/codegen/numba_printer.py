"""Printing expressions for numba: scalar code, of functions that the compiler turns into vector instructions."""

from __future__ import annotations

from typing import ClassVar

from ..cas import Expr, sp
from .printer import ATOM, PRODUCT, NumpyPrinter

__all__ = ["NumbaPrinter"]

_VECTORS = frozenset({"_softplus", "_logsumexp", "_user", "_inverse_mills"})
"""Methods whose text is for arrays alone."""


class NumbaPrinter(NumpyPrinter):
    """Text of an expression for one set of numbers; what numba lacks is defined in templates/numba/scalars.j2."""

    TARGET: ClassVar[str] = "numba"
    REMEDY: ClassVar[str] = "use target='numpy', which prints every model"
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

    def _clipped(self, expr: Expr) -> tuple[str, int]:
        return f"_larger({self(expr.args[0])}, 0.0)", ATOM

    def _floored(self, expr: Expr) -> tuple[str, int]:
        return f"_larger({self(expr.args[0])}, {self(expr.args[1])})", ATOM

    def _residual(self, expr: Expr) -> tuple[str, int]:
        variance, taken = expr.args
        return f"_larger({self(variance - taken)}, 1e-18 * {self._bracket(variance, PRODUCT + 1)})", ATOM

    def _weighted(self, expr: Expr) -> tuple[str, int]:
        weight, value = expr.args
        shown = self(weight)
        return f"(0.0 if {shown} == 0.0 else {shown} * {self._bracket(value, PRODUCT + 1)})", ATOM

    def _bounded(self, expr: Expr) -> tuple[str, int]:
        value, floor, *covariances = map(self, expr.args)
        condition = " or ".join(f"({c})**2 <= {floor}" for c in covariances)
        return f"(_larger({value}, {floor}) if {condition} else {value})", ATOM

    def _offzero(self, expr: Expr) -> tuple[str, int]:
        value = self(expr.args[0])
        return f"(1e-150 if {value} == 0.0 else {value})", ATOM

    METHODS: ClassVar[dict[type, str]] = {
        kind: method for kind, method in NumpyPrinter.METHODS.items() if method not in _VECTORS
    }
