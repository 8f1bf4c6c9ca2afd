"""The canonical form of an integrand: sums of terms, each a product of parts the rules know how to treat.

A term is  coefficient * monomial * prod sgn(form) * prod delta(form) * exp(quadratic) * opaque,  with affine forms of
the Gaussian vector. Everything kinked becomes signs: \\|u\\| = u sgn(u), Heaviside(u) = (1 + sgn(u)) / 2. Signs are
kept as a set, so that sgn^2 = 1 holds before any differentiation (a delta function times sgn^2 is otherwise wrong).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

from ..cas import Expr, Symbol, sp
from ..errors import ExpectationError
from .gaussian import Form, Gaussian
from .kinks import reduce_signs, rewrite_kinks

__all__ = ["Term", "canonical", "reduce_signs", "rewrite_kinks", "single_signs", "terms_of"]


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

    def active(self, variables: tuple[Symbol, ...]) -> frozenset[int]:
        """Indices of the variables the term depends on."""
        forms = [*self.signs, *(form for form, _ in self.deltas)]
        symbols = self.exponent.free_symbols | self.opaque.free_symbols
        return frozenset(
            i
            for i, variable in enumerate(variables)
            if self.powers[i] or variable in symbols or any(form.coefficients[i] != 0 for form in forms)
        )

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
            parts = _times(replace(self, opaque=sp.S.One), factor, variables)
            if self.exponent == 0 and any(sum(part.powers) > sum(self.powers) for part in parts):
                # such as (log Phi)'' = -u f - f^2 with f = (log Phi)': multiplied out, Stein's lemma would never end
                parts = [replace(self, opaque=factor)]
            result.extend(parts)
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
    walked = _walk(rewrite_kinks(expr, gaussian), one, gaussian)
    for term in itertools.chain.from_iterable(map(single_signs, walked)):
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


def single_signs(term: Term) -> list[Term]:
    """sgn(u - a) sgn(u - b) = 1 - sgn(b - a) (sgn(u - a) - sgn(u - b)): at most one sign for each direction is left."""
    for first, second in itertools.combinations(sorted(term.signs, key=str), 2):
        if first.coefficients != second.coefficients:
            continue
        order = sp.sign(first.constant - second.constant)
        bare = replace(term, signs=term.signs - {first, second})
        parts = (bare, replace(bare, coefficient=-order * bare.coefficient).times_sign(first))
        others = (*parts, replace(bare, coefficient=order * bare.coefficient).times_sign(second))
        return [single for other in others if other.coefficient != 0 for single in single_signs(other)]
    return [term]


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
