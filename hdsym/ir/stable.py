"""Formulas in the form that keeps its digits: decided here once, for every target."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, sp

__all__ = ["clipped", "stabilise"]


class clipped(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as max(u, 0)
    """max(u, 0): a quantity that is non-negative by theory but not always after rounding, such as det B."""

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\left({printer._print(self.args[0])}\right)_+"
        return body if exp is None else f"{body}^{{{exp}}}"


def stabilise(expr: Expr) -> Expr:
    """Clip the arguments of roots at zero: on rank-one overlaps det B comes out negative in a third of all cases."""
    return expr.replace(_is_root_of_difference, lambda e: sp.Pow(clipped(e.base), e.exp))


def _is_root_of_difference(expr: Expr) -> bool:
    return (
        isinstance(expr, sp.Pow)
        and expr.exp.is_Rational
        and expr.exp.q == 2
        and expr.base.is_Add
        and not expr.base.is_positive
    )
