"""Formulas in the form that keeps its digits: decided here once, for every target."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, sp
from ..special import owens_t

__all__ = ["clipped", "floored", "guarded", "stabilise"]

_ROUNDING = sp.Float("1e-16")
_TINY = sp.Float("1e-300")


class clipped(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as max(u, 0)
    """max(u, 0): a quantity that is non-negative by theory but not always after rounding, such as det B."""

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\left({printer._print(self.args[0])}\right)_+"
        return body if exp is None else f"{body}^{{{exp}}}"


class floored(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as max(u, floor)
    """max(u, floor): a variance that may vanish, kept above the level of its own rounding errors."""

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(self.args[0])
        return rf"\left({body}\right)" + ("" if exp is None else f"^{{{exp}}}")


class guarded(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, see _guard_densities
    """guarded(v, weight): v, or 1 where the weight that is divided by it has underflowed to 0."""

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(self.args[0])
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


def stabilise(expr: Expr) -> Expr:
    """The formula as it is evaluated.

    Arguments of roots are clipped at zero: on rank-one overlaps det B comes out negative in a third of all cases.
    Inside exp, erf and Owen's T, variances in a denominator are kept from vanishing: there 1/0 has a limit (certainty),
    and 0/0, which belongs to a sign without variance at its own kink, becomes 0.
    """
    roots = {power.base for power in expr.atoms(sp.Pow) if _is_root(power)}
    if roots and expr.has(sp.exp, sp.erf, sp.erfc, owens_t):
        expr = expr.replace(lambda e: e.is_Mul and e.has(sp.exp), _guard_densities)
        expr = expr.replace(
            lambda e: isinstance(e, sp.exp | sp.erf | sp.erfc | owens_t),
            lambda e: e.func(*(_floor_variances(arg, roots) for arg in e.args)),
        )
    return expr.replace(_is_root_of_difference, lambda e: sp.Pow(clipped(e.base), e.exp))


def _guard_densities(product: Expr) -> Expr:
    """exp(-m^2 / 2v) / sqrt(v) is 0 at v = 0 unless m = 0 too; as written it would be 0 times infinity."""
    exponentials = [factor for factor in product.args if isinstance(factor, sp.exp)]
    factors = []
    for factor in product.args:
        if isinstance(factor, sp.Pow) and _is_root(factor) and factor.exp < 0 and _may_vanish(factor.base):
            base = factor.base
            weight = next((e for e in exponentials if e.has(1 / base)), None)
            if weight is not None:
                factor = sp.Pow(guarded(clipped(base) if base.is_Add else base, weight), factor.exp)
        factors.append(factor)
    return sp.Mul(*factors)


def _is_root(expr: Expr) -> bool:
    return bool(expr.exp.is_Rational and expr.exp.q == 2)


def _floor_variances(expr: Expr, roots: set[Expr]) -> Expr:
    def is_variance(e: Expr) -> bool:
        below = isinstance(e, sp.Pow) and e.exp.is_Rational and e.exp < 0
        return bool(below and (e.exp.q == 2 or e.base in roots) and _may_vanish(e.base))

    return expr.replace(is_variance, lambda e: sp.Pow(floored(e.base, _floor(e.base)), e.exp))


def _may_vanish(base: Expr) -> bool:
    if base.is_Add:
        return not (base.is_positive and any(term.is_number for term in base.args))
    return not base.is_number and not isinstance(base, floored | guarded)


def _floor(base: Expr) -> Expr:
    """Rounding errors of a sum are of the size of its terms."""
    return _ROUNDING * sp.Add(*map(sp.Abs, base.args)) + _TINY if base.is_Add else _TINY


def _is_root_of_difference(expr: Expr) -> bool:
    return isinstance(expr, sp.Pow) and _is_root(expr) and expr.base.is_Add and not expr.base.is_positive
