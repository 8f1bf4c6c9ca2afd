"""Printing expressions for jax: as for numpy, but with derivatives that stay numbers where a formula is singular."""

from __future__ import annotations

from typing import ClassVar

from ..cas import Expr, sp
from ..errors import CodegenError
from ..ir.guards import floored
from ..ir.nodes import Function
from ..special import log_ndtr, owens_t, sigmoid
from .printer import ATOM, NumpyPrinter

__all__ = ["HELPERS", "JaxPrinter", "check"]

HELPERS = ("_sqrt", "_power", "_ratio", "_weighted", "_arctan2", "_arcsin", "_inverse_mills", "_log_ndtr", "_owens_t")
"""Functions of templates/jax/safe.j2 that printed expressions call; a module has those that it needs."""


class JaxPrinter(NumpyPrinter):
    """Text of an expression in jax.numpy; roots, quotients and angles by functions that are safe to differentiate."""

    TARGET: ClassVar[str] = "jax"
    REMEDY: ClassVar[str] = "use target='numpy', which prints every model"
    LARGER: ClassVar[str] = "jnp.maximum"
    ROOT: ClassVar[str] = "_sqrt"
    LOGADD: ClassVar[str] = "jnp.logaddexp"
    CALLS: ClassVar[dict[object, str]] = {
        sp.exp: "jnp.exp",
        sp.log: "jnp.log",
        sp.sin: "jnp.sin",
        sp.cos: "jnp.cos",
        sp.tanh: "jnp.tanh",
        sp.sinh: "jnp.sinh",
        sp.cosh: "jnp.cosh",
        sp.atan: "jnp.arctan",
        sp.atan2: "_arctan2",
        sp.asin: "_arcsin",
        sp.sign: "jnp.sign",
        sp.Abs: "jnp.abs",
        sp.erf: "special.erf",
        sp.erfc: "special.erfc",
        sigmoid: "special.expit",
        owens_t: "_owens_t",
        log_ndtr: "_log_ndtr",
    }

    def _quotient(self, numerator: str, below: list[Expr]) -> tuple[str, int]:
        """With a guard if the denominator may vanish: behind a `where` its derivative would be NaN all the same."""
        if not any(map(_may_vanish, below)):
            return super()._quotient(numerator, below)
        return f"_ratio({numerator}, {self(sp.Mul(*below, evaluate=False))})", ATOM

    def _pow(self, expr: Expr) -> tuple[str, int]:
        base, exponent = expr.as_base_exp()
        fraction = exponent.is_Rational and not exponent.is_Integer and exponent > 0
        if not fraction or exponent == sp.Rational(1, 2):
            return super()._pow(expr)
        return f"_power({self(base)}, {self(exponent)})", ATOM

    def _weighted(self, expr: Expr) -> tuple[str, int]:
        weight, value = expr.args
        return f"_weighted({self(weight)}, {self(value)})", ATOM

    def _inverse_mills(self, expr: Expr) -> tuple[str, int]:
        return f"_inverse_mills({self(expr.args[0])})", ATOM

    def _user(self, expr: Expr) -> tuple[str, int]:
        raise CodegenError(
            f"{type(expr).__name__} is declared by its Python code, which the {self.TARGET} target cannot trace",
            remedy=self.REMEDY,
        )

    @staticmethod
    def _choice(condition: str, first: str, second: str) -> str:
        return f"jnp.where({condition}, {first}, {second})"


def _may_vanish(expr: Expr) -> bool:
    """Whether a denominator may be zero at some overlaps, such as a variance; not so numbers, and those plus one."""
    base = expr.as_base_exp()[0]
    if base.is_number or isinstance(base, floored | sp.exp):
        return False
    return not (base.is_Add and base.is_positive and any(term.is_number for term in base.args))


def check(name: str, *functions: Function) -> None:
    """Raise :class:`CodegenError` for an integral that the jax target lacks."""
    for function in functions:
        for plan in function.integrals():
            if plan.rule == "nested":
                raise CodegenError(
                    f"{function.name} of {name} has an integral with kinks in {plan.dimension} dimensions, whose nodes "
                    "depend on the overlaps, which the jax target cannot express",
                    remedy=JaxPrinter.REMEDY,
                )
