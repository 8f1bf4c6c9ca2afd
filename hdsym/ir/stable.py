"""Formulas in the form that keeps its digits: decided here once, for every target."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, sp
from ..special import log_ndtr, owens_t

__all__ = ["bounded", "clipped", "floored", "inverse_mills", "stabilise", "weighted", "with_inverse_mills"]

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


class weighted(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """weighted(w, u): w * u, but 0 where the weight w has underflowed to 0, whatever u is there."""

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(sp.Mul(*self.args))
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class bounded(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """bounded(v, floor, c): max(v, floor) where \\|c\\| <= sqrt(floor), else v."""

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(self.args[0])
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class inverse_mills(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """phi(u) / Phi(u) = (log Phi)'(u): in the tail, where it is close to -u, to all digits."""

    def _eval_is_real(self) -> bool:
        return True


def with_inverse_mills(expr: Expr) -> Expr:
    """exp(-n u^2 / 2 - n log Phi(u)) in terms of phi / Phi: as written, a small difference of large exponents."""
    return expr.replace(sp.exp, _to_inverse_mills) if expr.has(log_ndtr) else expr


def _to_inverse_mills(exponent: Expr) -> Expr:
    factors = []
    for term in sp.Add.make_args(exponent):
        coefficient, rest = term.as_coeff_Mul()
        if isinstance(rest, log_ndtr) and coefficient.is_Integer and coefficient < 0:
            u = rest.args[0]
            left = sp.expand(exponent - term - coefficient * u**2 / 2)
            if len(sp.Add.make_args(left)) < len(sp.Add.make_args(sp.expand(exponent))):
                exponent = left
                factors.append((sp.sqrt(2 * sp.pi) * inverse_mills(u)) ** -coefficient)
    return sp.Mul(sp.exp(exponent), *factors)


def stabilise(expr: Expr) -> Expr:
    """The formula as it is evaluated.

    Arguments of roots are clipped at zero: on rank-one overlaps det B comes out negative in a third of all cases.
    Inside exp, erf and Owen's T, variances in a denominator are kept from vanishing: there 1/0 has a limit (certainty),
    and 0/0, which belongs to a sign without variance at its own kink, becomes 0.
    """
    roots = {power.base for power in expr.atoms(sp.Pow) if _is_root(power)}
    if roots and expr.has(sp.exp, sp.erf, sp.erfc, owens_t):
        expr = expr.replace(lambda e: e.is_Mul and e.has(sp.exp), _weigh)
        expr = expr.replace(
            lambda e: isinstance(e, sp.exp | sp.erf | sp.erfc | owens_t),
            lambda e: e.func(*(_floor_variances(arg, roots) for arg in e.args)),
        )
    expr = expr.replace(lambda e: bool(roots) and e.is_Mul, _bound)
    return expr.replace(_is_root_of_difference, lambda e: sp.Pow(clipped(e.base), e.exp))


def _weigh(product: Expr) -> Expr:
    """exp(-m^2 / 2v) / sqrt(v) is 0 at v = 0 unless m = 0 too; as written it would be 0 times infinity."""
    for factor in product.args:
        if isinstance(factor, sp.exp) and any(
            power.exp.is_negative and _may_vanish(power.base) for power in factor.args[0].atoms(sp.Pow)
        ):
            return weighted(factor, product / factor)
    return product


def _bound(product: Expr) -> Expr:
    """c^k / v^q with k > 2q vanishes with v if c is a covariance of that variable, since c^2 <= v v'.

    Whether c is one shows at v = 0, where it then is 0 too; if not, the formula is singular and stays so. With k = 2q
    it is bounded, and 0 where c and v are both 0: terms of that kind cancel there.
    """
    powers = [factor.as_base_exp() for factor in product.args]
    factors = []
    for base, exponent in powers:
        if exponent.is_Rational and exponent.q == 2 and exponent < 0 and _may_vanish(base):
            least = -2 * exponent + int(any(term.is_number for term in sp.Add.make_args(base)))
            strong = (b for b, e in powers if e.is_Integer and e * _order(b, base) >= least)
            covariance = next(strong, None)
            base = base if covariance is None else bounded(base, _floor(base), covariance)
        factors.append(sp.Pow(base, exponent))
    return sp.Mul(*factors)


def _order(factor: Expr, variance: Expr) -> int:
    """How a factor may vanish with a variance v: 1 like a covariance c <= sqrt(v v'), 2 like v v' - c^2, 0 never."""
    if factor.is_number:
        return 0
    if _not_above(factor, variance):
        return 2
    terms = sp.Add.make_args(factor)
    known = any(variance in sp.Mul.make_args(term) for term in terms)
    rest = (f for term in terms if variance not in sp.Mul.make_args(term) for f in sp.Mul.make_args(term))
    squares = all(f.is_number or (isinstance(f, sp.Pow) and f.exp.is_even) for f in rest)
    return 2 if known and squares else 1


def _not_above(factor: Expr, variance: Expr) -> bool:
    """Whether 0 <= factor <= variance (up to a number), as for B11 B22 - B12^2 and B11 B22 - B12^2 + B11."""
    if not all(map(_is_monomial, (*sp.Add.make_args(factor), *sp.Add.make_args(variance)))):
        return False  # nothing is expanded here: formulas can be large
    squares, others = ([t for t in sp.Add.make_args(e) if not t.is_nonnegative] for e in (factor, variance))
    if len(squares) != 1 or len(others) != 1 or not (-squares[0]).is_nonnegative:
        return False
    ratio = others[0] / squares[0]
    if not (ratio.is_number and ratio.is_positive):
        return False
    excess = sp.Add(variance, *(-ratio * term for term in sp.Add.make_args(factor)))
    return all(term.is_nonnegative for term in sp.Add.make_args(excess))


def _is_monomial(expr: Expr) -> bool:
    return all(f.is_number or f.as_base_exp()[0].is_Symbol for f in sp.Mul.make_args(expr))


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
    return not base.is_number and not isinstance(base, floored | bounded)


def _floor(base: Expr) -> Expr:
    """Rounding errors of a sum are of the size of its terms."""
    return _ROUNDING * sp.Add(*map(sp.Abs, base.args)) + _TINY if base.is_Add else _TINY


def _is_root_of_difference(expr: Expr) -> bool:
    return isinstance(expr, sp.Pow) and _is_root(expr) and expr.base.is_Add and not expr.base.is_positive
