"""Printing expressions as the sympy constructors that make them."""

from __future__ import annotations

from typing import Any, ClassVar

from ..cas import Expr, sp
from ..expectation.integral import GaussianIntegral, UnitIntegral
from ..families import Family
from ..forms import ModeSum
from ..minors import minor
from ..special import log_ndtr, logsumexp, offzero, owens_t, residual, sigmoid, softplus
from .printer import ATOM, POWER, UNARY, NumpyPrinter
from .statements import brackets

__all__ = ["FUNCTIONS", "SympyPrinter"]

FUNCTIONS: dict[Any, str] = {
    sigmoid: "sigmoid",
    softplus: "softplus",
    logsumexp: "logsumexp",
    log_ndtr: "log_ndtr",
    owens_t: "owens_t",
}
"""Functions that sympy does not have, which a module defines."""


class SympyPrinter(NumpyPrinter):
    """Python text that builds an expression again; symbols stand under their names."""

    TARGET: ClassVar[str] = "sympy"
    REMEDY: ClassVar[str] = "use target='numpy', which prints every model"
    ROOT: ClassVar[str] = "sp.sqrt"
    CALLS: ClassVar[dict[object, str]] = {
        **{
            getattr(sp, name): f"sp.{name}"
            for name in ("exp", "log", "sin", "cos", "tanh", "sinh", "cosh", "atan", "atan2", "asin", "sign", "Abs")
        },
        sp.erf: "sp.erf",
        sp.erfc: "sp.erfc",
        sp.KroneckerDelta: "sp.KroneckerDelta",
        sp.im: "sp.im",
        sp.re: "sp.re",
        **FUNCTIONS,
    }

    def _rational(self, expr: Expr) -> tuple[str, int]:
        if expr.q == 1:
            return str(expr.p), ATOM if expr.p >= 0 else UNARY
        return f"sp.Rational({expr.p}, {expr.q})", ATOM

    def _float(self, expr: Expr) -> tuple[str, int]:
        return f"sp.Float({float(expr)!r})", ATOM

    def _pi(self, expr: Expr) -> tuple[str, int]:
        return "sp.pi", ATOM

    def _e(self, expr: Expr) -> tuple[str, int]:
        return "sp.E", ATOM

    def _i(self, expr: Expr) -> tuple[str, int]:
        return "sp.I", ATOM

    def _quotient(self, numerator: str, below: list[Expr]) -> tuple[str, int]:
        return super()._quotient("1" if numerator == "1.0" else numerator, below)

    def _pow(self, expr: Expr) -> tuple[str, int]:
        base, exponent = expr.as_base_exp()
        if (exponent.is_Rational and exponent < 0) or exponent == sp.Rational(1, 2):
            return super()._pow(expr)
        shown = f"sp.Integer({base})" if base.is_Integer else self._bracket(base, ATOM)
        return f"{shown}**{self._bracket(exponent, ATOM)}", POWER

    def _same(self, expr: Expr) -> tuple[str, int]:
        return self._print(expr.args[0])

    def _residual(self, expr: Expr) -> tuple[str, int]:
        return self._print(expr.args[0] - expr.args[1])

    def _minor(self, expr: Expr) -> tuple[str, int]:
        return self._print(expr.submatrix.det())

    def _gaussian(self, expr: Expr) -> tuple[str, int]:
        names, mean = brackets(map(self, expr.variables)), brackets(map(self, expr.mean))
        rows = brackets(brackets(map(self, expr.cov.row(k))) for k in range(expr.cov.rows))
        return f"gaussian_mean({self(expr.integrand)}, {names}, {mean}, {rows})", ATOM

    def _unit(self, expr: Expr) -> tuple[str, int]:
        return f"sp.Integral({self(expr.integrand)}, ({self(expr.variable)}, 0, 1))", ATOM

    def _sum(self, expr: Expr) -> tuple[str, int]:
        limits = ", ".join(brackets(map(self, limit)) for limit in expr.limits)
        return f"sp.Sum({self(expr.function)}, {limits})", ATOM

    def _indexed(self, expr: Expr) -> tuple[str, int]:
        return f"{self._name(expr.base)}[{', '.join(map(self, expr.indices))}]", ATOM

    @staticmethod
    def _name(base: Expr) -> str:
        return str(base.name if isinstance(base, Family) else base.label)

    def _applied(self, expr: Expr) -> tuple[str, int]:
        return f"{expr.func.__name__}({', '.join(map(self, expr.args))})", ATOM

    def _modes(self, expr: Expr) -> tuple[str, int]:
        return f"sum_lam({self(expr.args[0])})", ATOM

    METHODS: ClassVar[dict[type, str]] = {
        **{
            kind: method
            for kind, method in NumpyPrinter.METHODS.items()
            if method in ("_symbol", "_rational", "_float", "_pi", "_e", "_add", "_mul", "_exp", "_pow", "_residual")
        },
        type(sp.I): "_i",
        sp.Indexed: "_indexed",
        sp.Sum: "_sum",
        GaussianIntegral: "_gaussian",
        UnitIntegral: "_unit",
        minor: "_minor",
        offzero: "_same",
        residual: "_residual",
        ModeSum: "_modes",
        sp.core.function.AppliedUndef: "_applied",
    }
