"""The canonical form of an integrand: sums of terms, each a product of parts the rules know how to treat.

A term is  coefficient * monomial * prod sgn(form) * prod delta(form) * exp(quadratic) * opaque,  with affine forms of
the Gaussian vector. Everything kinked becomes signs: \\|u\\| = u sgn(u), Heaviside(u) = (1 + sgn(u)) / 2. Signs are
kept as a set, so that sgn^2 = 1 holds before any differentiation (a delta function times sgn^2 is otherwise wrong).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..cas import Expr, Symbol, sp
from ..errors import ExpectationError
from .gaussian import Form, Gaussian

__all__ = ["Term", "canonical", "reduce_signs", "rewrite_kinks", "terms_of"]


@dataclass(frozen=True)
class Term:
    """One product of the canonical form.

    Attributes
    ----------
    coefficient:
        Free of the Gaussian variables.
    powers:
        Exponent of each variable.
    signs:
        Forms inside sgn, each at most once.
    deltas:
        (form, order) of delta functions and their derivatives.
    exponent:
        A polynomial of degree at most two in the variables; the factor is exp(exponent).
    opaque:
        Everything no exact rule knows.
    """

    coefficient: Expr
    powers: tuple[int, ...]
    signs: frozenset[Form] = frozenset()
    deltas: tuple[tuple[Form, int], ...] = ()
    exponent: Expr = sp.S.Zero
    opaque: Expr = sp.S.One

    def expr(self, variables: tuple[Symbol, ...]) -> Expr:
        """The term as a sympy expression in `variables`."""
        factors = [v**p for v, p in zip(variables, self.powers, strict=True) if p]
        factors += sorted((sp.sign(form.expr(variables)) for form in self.signs), key=sp.default_sort_key)
        for form, order in self.deltas:
            argument = form.expr(variables)
            factors.append(sp.DiracDelta(argument, order) if order else sp.DiracDelta(argument))
        return sp.Mul(self.coefficient, *factors, sp.exp(self.exponent), self.opaque)

    def extended(self, size: int) -> Term:
        """The same term over a vector that has grown to `size` entries."""
        return replace(
            self,
            powers=(*self.powers, *(0,) * (size - len(self.powers))),
            signs=frozenset(form.extended(size) for form in self.signs),
            deltas=tuple((form.extended(size), order) for form, order in self.deltas),
        )

    def times_sign(self, form: Form) -> Term:
        """Multiplied by sgn(form); signs of constants are evaluated, parallel forms merged."""
        scaled, sign = canonical(form)
        if scaled.is_constant:
            return replace(self, coefficient=self.coefficient * sign * sp.sign(scaled.constant))
        return replace(self, coefficient=self.coefficient * sign, signs=self.signs ^ {scaled})

    def diff(self, index: int, variables: tuple[Symbol, ...]) -> list[Term]:
        """Derivative in one variable, as terms. Delta functions must be gone before (:mod:`.rules.delta`)."""
        variable, power = variables[index], self.powers[index]
        result: list[Term] = []
        if power:
            lowered = tuple(p - (k == index) for k, p in enumerate(self.powers))
            result.append(replace(self, coefficient=self.coefficient * power, powers=lowered))
        for form in sorted(self.signs, key=str):
            slope = form.coefficients[index]
            if slope != 0:
                result.append(
                    replace(
                        self,
                        coefficient=2 * slope * self.coefficient,
                        signs=self.signs - {form},
                        deltas=(*self.deltas, (form, 0)),
                    )
                )
        factor = self.exponent.diff(variable) * self.opaque + self.opaque.diff(variable)
        if factor != 0:
            result.extend(_times(replace(self, opaque=sp.S.One), factor, variables))
        return result


def canonical(form: Form) -> tuple[Form, Expr]:
    """A positive multiple of the form or its negative, and the sign taken out."""
    leading = next((c for c in form.coefficients if c != 0), None)
    if leading is None:
        return form, sp.S.One
    if leading.is_positive:
        return form.scaled(1 / leading), sp.S.One
    if leading.is_negative:
        return form.scaled(1 / leading), sp.S.NegativeOne
    return form, sp.S.One


def _times(term: Term, factor: Expr, variables: tuple[Symbol, ...]) -> list[Term]:
    size = len(variables)
    plain = Gaussian(variables, (sp.S.Zero,) * size, sp.ImmutableMatrix.eye(size))
    return [_product(term, other) for other in terms_of(factor, plain)]


def _product(first: Term, second: Term) -> Term:
    result = Term(
        first.coefficient * second.coefficient,
        tuple(p + q for p, q in zip(first.powers, second.powers, strict=True)),
        first.signs,
        (*first.deltas, *second.deltas),
        first.exponent + second.exponent,
        first.opaque * second.opaque,
    )
    for form in second.signs:
        result = result.times_sign(form)
    return result


def terms_of(expr: Expr, gaussian: Gaussian) -> list[Term]:
    """The canonical form of an integrand.

    Raises
    ------
    ExpectationError
        If a kinked function has an argument that does not factor into affine forms.
    """
    variables = gaussian.variables
    one = Term(sp.S.One, (0,) * gaussian.size)
    collected: dict[tuple[object, ...], Term] = {}
    for term in _walk(rewrite_kinks(expr, gaussian), one, gaussian):
        key = (term.powers, term.signs, term.deltas, term.exponent, term.opaque)
        known = collected.get(key)
        collected[key] = term if known is None else replace(term, coefficient=known.coefficient + term.coefficient)
    result = [term for term in collected.values() if term.coefficient != 0]
    return sorted(result, key=lambda term: sp.default_sort_key(term.expr(variables)))


def _walk(expr: Expr, one: Term, gaussian: Gaussian) -> list[Term]:
    """Distribute products over sums, meeting functions as single factors."""
    if not expr.has(*gaussian.variables):
        return [replace(one, coefficient=expr)]
    if expr.is_Add:
        return [term for arg in expr.args for term in _walk(arg, one, gaussian)]
    if expr.is_Mul:
        products = [one]
        for arg in expr.args:
            factors = _walk(arg, one, gaussian)
            products = _merge([_product(p, f) for p in products for f in factors])
        return products
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0 and not expr.is_Symbol:
        if expr.base.is_Symbol:
            index = gaussian.variables.index(expr.base)
            return [replace(one, powers=tuple(int(expr.exp) * (k == index) for k in range(gaussian.size)))]
        base = _walk(expr.base, one, gaussian)
        if len(base) == 1 and base[0].opaque != 1 and not base[0].signs and not any(base[0].powers):
            only = base[0]
            return [replace(one, coefficient=only.coefficient**expr.exp, opaque=only.opaque**expr.exp)]
        products = [one]
        for _ in range(int(expr.exp)):
            products = _merge([_product(p, b) for p in products for b in base])
        return products
    if isinstance(expr, sp.sinh | sp.cosh) and gaussian.form(expr.args[0]) is not None:
        return _walk(expr.rewrite(sp.exp), one, gaussian)
    return [_factor(expr, one, gaussian)]


def _merge(terms: list[Term]) -> list[Term]:
    """Collect equal terms, so that powers of sums do not explode."""
    collected: dict[Term, Expr] = {}
    for term in terms:
        key = replace(term, coefficient=sp.S.One)
        collected[key] = collected.get(key, sp.S.Zero) + term.coefficient
    return [replace(key, coefficient=value) for key, value in collected.items() if value != 0]


def _factor(expr: Expr, one: Term, gaussian: Gaussian) -> Term:
    variables = gaussian.variables
    if expr in variables:
        return replace(one, powers=tuple(int(v == expr) for v in variables))
    if isinstance(expr, sp.sign):
        form = gaussian.form(expr.args[0])
        if form is not None:
            return one.times_sign(form)
    if isinstance(expr, sp.DiracDelta):
        form = gaussian.form(expr.args[0])
        if form is None:
            raise ExpectationError(
                f"the argument of {expr} is not affine in the Gaussian variables",
                remedy="hdsym integrates delta functions of affine arguments",
            )
        order = int(expr.args[1]) if len(expr.args) > 1 else 0
        return replace(one, deltas=((form, order),))
    if isinstance(expr, sp.exp):
        exponent = sp.expand(expr.args[0])
        if exponent.is_polynomial(*variables) and sp.Poly(exponent, *variables).total_degree() <= 2:
            return replace(one, exponent=exponent)
    return replace(one, opaque=expr)


def rewrite_kinks(expr: Expr, gaussian: Gaussian) -> Expr:
    """\\|u\\|, Heaviside, Max and Min in terms of sgn of affine forms, never inside another function."""
    variables = gaussian.variables
    if expr.has(sp.Max, sp.Min, sp.Heaviside):
        expr = expr.rewrite(sp.Abs).replace(sp.Heaviside, lambda u, *_: (1 + sp.sign(u)) / 2)
    if expr.has(sp.Abs):
        expr = expr.replace(
            lambda e: isinstance(e, sp.Abs) and e.has(*variables), lambda e: e.args[0] * sp.sign(e.args[0])
        )
    expr = _split_cases(expr, gaussian)
    if expr.has(sp.sign):
        expr = expr.replace(lambda e: isinstance(e, sp.sign) and e.has(*variables), lambda e: _split_sign(e, gaussian))
    return expr


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
