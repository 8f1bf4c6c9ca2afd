"""Kinks and jumps in terms of sgn of affine forms, and products of signs brought to lowest terms."""

from __future__ import annotations

from ..cas import Expr, sp
from ..errors import ExpectationError
from ..recognise import as_signs
from .gaussian import Gaussian

__all__ = ["reduce_signs", "rewrite_kinks"]


def rewrite_kinks(expr: Expr, gaussian: Gaussian) -> Expr:
    """\\|u\\|, Heaviside, Max, Min and Piecewise in terms of sgn of affine forms, never inside another function."""
    variables = gaussian.variables
    if expr.has(sp.Piecewise):
        expr = expr.replace(lambda e: isinstance(e, sp.Piecewise) and e.has(*variables), as_signs)
    if expr.has(sp.Max, sp.Min, sp.Heaviside):
        expr = expr.replace(sp.Max, lambda *args: _extreme(args, 1)).replace(sp.Min, lambda *args: _extreme(args, -1))
        expr = expr.replace(sp.Heaviside, lambda u, *_: (1 + sp.sign(u)) / 2)
    if expr.has(sp.Abs):
        expr = expr.replace(
            lambda e: isinstance(e, sp.Abs) and e.has(*variables), lambda e: e.args[0] * sp.sign(e.args[0])
        )
    expr = _split_cases(expr, gaussian)
    if expr.has(sp.sign):
        expr = expr.replace(lambda e: isinstance(e, sp.sign) and e.has(*variables), lambda e: _split_sign(e, gaussian))
    return expr


def _extreme(args: tuple[Expr, ...], sign: int) -> Expr:
    """max(a, b) = (a + b + \\|a - b\\|) / 2, and so on."""
    first, *rest = args
    for other in rest:
        first = (first + other + sign * sp.Abs(first - other)) / 2
    return first


def _split_cases(expr: Expr, gaussian: Gaussian) -> Expr:
    """g(sgn u) = (1 + sgn u)/2 g(1) + (1 - sgn u)/2 g(-1), for a sign inside the argument of another function."""
    while True:
        inner = {
            sign
            for function in expr.atoms(sp.Function)
            for arg in function.args
            for sign in arg.atoms(sp.sign)
            if sign.has(*gaussian.variables) and not sign.args[0].has(sp.sign)
        }
        if not inner:
            return expr
        sign = min(inner, key=sp.default_sort_key)
        positive, negative = (expr.xreplace({sign: sp.Integer(value)}) for value in (1, -1))
        expr = (1 + sign) / 2 * positive + (1 - sign) / 2 * negative


def _split_sign(expr: Expr, gaussian: Gaussian) -> Expr:
    """The sign of a product of affine forms as the product of their signs."""
    argument = expr.args[0]
    if gaussian.form(argument) is not None:
        return expr
    try:
        content, factors = sp.factor_list(argument, *gaussian.variables)
    except sp.PolynomialError:
        content, factors = sp.S.One, [(argument, 1)]
    signs = [sp.sign(content)]
    for factor, multiplicity in factors:
        if multiplicity % 2 == 0:
            continue
        if gaussian.form(factor) is None:
            names = ", ".join(map(str, gaussian.variables))
            raise ExpectationError(
                f"{expr} has its kink at {factor} = 0, which is not affine in {names}",
                remedy="write kinked functions (abs, sign, relu, max) of affine arguments or products of them",
            )
        signs.append(sp.sign(factor))
    return sp.Mul(*signs)


def reduce_signs(expr: Expr, gaussian: Gaussian) -> Expr:
    """The same function with every sgn at most to the first power, the rest left as it was written.

    To be called before differentiating in the sense of distributions.
    """
    expr = rewrite_kinks(expr, gaussian)
    if expr.has(sp.sign):
        parts = _sign_parts(expr)
        expr = sp.Add(*(value * sp.Mul(*(sp.sign(a) for a in signs)) for signs, value in parts.items()))
    return _settle_deltas(expr, gaussian)


def _settle_deltas(expr: Expr, gaussian: Gaussian) -> Expr:
    """g(r) delta(u) = g(r at u = 0) delta(u); in particular u delta(u) = 0, as the derivative of u sgn(u) needs."""
    for delta in sorted(expr.atoms(sp.DiracDelta), key=sp.default_sort_key):
        form = gaussian.form(delta.args[0])
        if form is None or len(delta.args) > 1:
            continue
        mark = sp.Dummy()
        marked = expr.xreplace({delta: mark})
        index = next(i for i, c in enumerate(form.coefficients) if c != 0)
        variable = gaussian.variables[index]
        zero = variable - form.expr(gaussian.variables) / form.coefficients[index]
        factor = marked.diff(mark).xreplace({variable: sp.expand(zero)})
        expr = marked.xreplace({mark: sp.S.Zero}) + factor * delta
    return expr


def _sign_parts(expr: Expr) -> dict[frozenset[Expr], Expr]:
    """`expr` as a polynomial in its signs, exponents modulo two."""
    if isinstance(expr, sp.sign):
        return {frozenset((expr.args[0],)): sp.S.One}
    if not expr.has(sp.sign) or not (expr.is_Add or expr.is_Mul or (expr.is_Pow and expr.exp.is_Integer)):
        return {frozenset(): expr}
    if expr.is_Add:
        total: dict[frozenset[Expr], Expr] = {}
        for arg in expr.args:
            for signs, value in _sign_parts(arg).items():
                total[signs] = total.get(signs, sp.S.Zero) + value
        return total
    if expr.is_Pow and expr.exp < 0:
        return {frozenset(): expr}
    factors = expr.args if expr.is_Mul else (expr.base,) * int(expr.exp)
    product: dict[frozenset[Expr], Expr] = {frozenset(): sp.S.One}
    for factor in factors:
        grown: dict[frozenset[Expr], Expr] = {}
        for (s1, v1), (s2, v2) in ((a, b) for a in product.items() for b in _sign_parts(factor).items()):
            grown[s1 ^ s2] = grown.get(s1 ^ s2, sp.S.Zero) + v1 * v2
        product = grown
    return product
