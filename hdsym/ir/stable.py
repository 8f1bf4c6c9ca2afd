"""Formulas in the form that keeps its digits: decided here once, for every target."""

from __future__ import annotations

import itertools

from ..cas import Expr, Symbol, sp
from ..special import log_ndtr, owens_t
from .factorised import factorised
from .guards import bounded, clipped, floored, inverse_mills, weighted

__all__ = ["stabilise", "stabilise_law", "with_inverse_mills"]

_ROUNDING = sp.Float("1e-16")
_TINY = sp.Float("1e-80")  # far below any variance, and its powers up to 7 / 2 are still numbers


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


def stabilise(expr: Expr, variables: frozenset[Symbol] = frozenset()) -> Expr:
    """The formula as it is evaluated, in the integrand of an integral over `variables` if there are any.

    Arguments of roots are clipped at zero: on rank-one overlaps det B comes out negative in a third of all cases.
    Inside exp, erf and Owen's T, variances in a denominator are kept from vanishing: there 1/0 has a limit (certainty),
    and 0/0, which belongs to a sign without variance at its own kink, becomes 0. Minors are evaluated from one
    factorisation of their matrix.
    """
    if any(map(_is_root, expr.atoms(sp.Pow))):
        expr = expr.replace(lambda e: e.is_Mul, _distribute)
    roots = {power.base for power in expr.atoms(sp.Pow) if _is_root(power)}
    if roots and expr.has(sp.exp, sp.erf, sp.erfc, owens_t):
        expr = expr.replace(lambda e: e.is_Mul and e.has(sp.exp), _weigh)
        expr = expr.replace(
            lambda e: isinstance(e, sp.exp | sp.erf | sp.erfc | owens_t),
            lambda e: e.func(*(_floor_variances(arg, roots) for arg in e.args)),
        )
    if roots:
        expr = expr.replace(lambda e: e.is_Mul, lambda e: _bound(e, variables))
    return factorised(expr.replace(_is_root_of_difference, lambda e: sp.Pow(clipped(e.base), e.exp)))


def stabilise_law(entry: Expr) -> Expr:
    """The same for a conditional mean or (co)variance: B12 / B11 is 0 where B11 and B12 are.

    What stands there is conditioned on a variable without variance; the density in front decides (0, or infinite).
    """
    below = {e for e in entry.atoms(sp.Pow) if e.exp.is_negative and _is_variance(e.base)}
    return stabilise(_floored(entry, below))


def _weigh(product: Expr) -> Expr:
    """exp(-m^2 / 2v) / sqrt(v) is 0 at v = 0 unless m = 0 too; as written it would be 0 times infinity."""
    for factor in product.args:
        if isinstance(factor, sp.exp) and any(
            power.exp.is_negative and _may_vanish(power.base) for power in factor.args[0].atoms(sp.Pow)
        ):
            return weighted(factor, product / factor)
    return product


def _distribute(product: Expr) -> Expr:
    """As c sqrt(v) + ... where v (c / sqrt(v) + ...) stands: a factor that vanishes meets the roots that do."""
    for total in product.args:
        if not total.is_Add:
            continue
        below = {base for term in total.args for base, e in _powers(term) if e.is_negative and _is_variance(base)}
        others = [f for f in product.args if f is not total]
        meeting = [f for f in others if any(_meets(f, base) for base in below)]
        if meeting:
            rest = sp.Mul(*(f for f in others if f not in meeting))
            return rest * sp.Add(*(sp.Mul(*meeting, term) for term in total.args))
    return product


def _powers(product: Expr) -> list[tuple[Expr, Expr]]:
    return [factor.as_base_exp() for factor in sp.Mul.make_args(product)]


def _is_variance(base: Expr) -> bool:
    return _may_vanish(base) and not any(term.is_number for term in sp.Add.make_args(base))


def _meets(factor: Expr, variance: Expr) -> bool:
    """Whether a factor is a power of a variance, or a polynomial that may be a covariance of the same variable."""
    base, exponent = factor.as_base_exp()
    if base.is_number or not exponent.is_positive:
        return False
    return bool(base == variance or all(map(_is_monomial, sp.Add.make_args(base))))


def _bound(product: Expr, variables: frozenset[Symbol]) -> Expr:
    """c^k / v^q with k > 2q vanishes with v if c is a covariance of that variable, since c^2 <= v v'.

    c / sqrt(v) is taken for 0 there too, as E[w sgn(u)] is with sgn(0) = 0. Whether c is a covariance shows at v = 0,
    where it then is 0; if not, the formula is singular and stays so. Variables of integration are no covariances.
    """
    powers = _powers(product)
    outside = [(base, exponent) for base, exponent in powers if not base.free_symbols & variables]
    factors = []
    for base, exponent in powers:
        if exponent.is_Rational and exponent < 0 and _is_variance(base):
            vanishing = _vanishing(outside, base, -2 * exponent)
            base = bounded(base, _floor(base), *vanishing) if vanishing else base
        factors.append(sp.Pow(base, exponent))
    return sp.Mul(*factors)


def _vanishing(powers: list[tuple[Expr, Expr]], variance: Expr, order: Expr) -> list[Expr]:
    """Factors, or else sums of two, each of which may vanish with the variance to the order asked for.

    An even order must be exceeded: c^2 / v has no value at v = 0.
    """
    least = order + (1 - order % 2) / 2
    orders = [(b, e * _order(b, variance)) for b, e in powers if e.is_Rational and e > 0 and not b.is_number]
    single = [b for b, own in orders if own >= least]
    pairs = itertools.combinations(orders, 2)
    return single or [sp.Abs(b) + sp.Abs(c) for (b, first), (c, second) in pairs if first + second >= least]


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
    return all(base.is_number or (base.is_Symbol and e.is_positive) for base, e in _powers(expr))


def _is_root(expr: Expr) -> bool:
    return bool(expr.exp.is_Rational and expr.exp.q == 2)


def _floor_variances(expr: Expr, roots: set[Expr]) -> Expr:
    def is_variance(e: Expr) -> bool:
        below = isinstance(e, sp.Pow) and e.exp.is_Rational and e.exp < 0
        rooted = below and (e.exp.q == 2 or e.base in roots) and _may_vanish(e.base)
        return bool(rooted or (below and _is_variance(e.base) and (e.base.is_Add or e.base.is_positive)))

    # from the outside in: a variance may have others in its denominators
    return _floored(expr, {e for e in expr.atoms(sp.Pow) if is_variance(e)})


def _floored(expr: Expr, powers: set[Expr]) -> Expr:
    return expr.xreplace({e: sp.Pow(floored(e.base, _floor(e.base)), e.exp) for e in powers})


def _may_vanish(base: Expr) -> bool:
    if base.is_Add:
        return not (base.is_positive and any(term.is_number for term in base.args))
    return not base.is_number and not isinstance(base, floored | bounded)


def _floor(base: Expr) -> Expr:
    """Rounding errors of a sum are of the size of its terms."""
    return _ROUNDING * sp.Add(*map(sp.Abs, base.args)) + _TINY if base.is_Add else _TINY


def _is_root_of_difference(expr: Expr) -> bool:
    return isinstance(expr, sp.Pow) and _is_root(expr) and expr.base.is_Add and not expr.base.is_positive
