"""Signs of oblique forms, such as sgn(x - s): make the forms the variables."""

from __future__ import annotations

from ...cas import Expr, Matrix, sp
from ..gaussian import Form, Gaussian, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term, terms_of
from .span import Direction, independent, spanned

__all__ = ["VARIABLES"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[p(r)] = E[p(M u)] with u = L r, L's first rows the forms inside the signs.

    Mean and covariance of u get symbols of their own, positive on the diagonal: roots of variances then combine as they
    should, v / sqrt(v) becomes sqrt(v), and nothing singular is left where a form vanishes (X = X*).
    """
    if term.deltas or term.exponent != 0 or term.opaque != 1 or not any(_oblique(form) for form in term.signs):
        return None
    plain = [form.coefficients for form in term.signs if not _oblique(form)]
    if all(spanned(form.coefficients, plain) for form in term.signs):
        return None  # sgn(x) sgn(z) sgn(2x + z): the forms cannot all be variables
    directions = _basis(term, gaussian)
    active = [i for i in range(gaussian.size) if any(d[i] != 0 for d in directions)]
    matrix = sp.Matrix([[d[i] for i in active] for d in directions])
    back = matrix.inv()
    size = len(active)
    names = tuple(sp.Symbol(f"u{k + 1}", real=True) for k in range(size))
    lifted = {
        gaussian.variables[i]: sp.Add(*(back[row, k] * names[k] for k in range(size))) for row, i in enumerate(active)
    }
    law, meaning = _law(directions, gaussian, names)
    integrand = sp.expand(term.expr(gaussian.variables).xreplace(lifted))
    parts = tuple(Part(sp.S.One, part, law, meaning) for part in terms_of(integrand, law))
    return Reduction(parts=parts)


def _oblique(form: Form) -> bool:
    return len([c for c in form.coefficients if c != 0]) > 1


def _basis(term: Term, gaussian: Gaussian) -> list[Direction]:
    """Directions of the signs, completed by the variables in play to a basis of their span.

    The highest powers come first: E[s^3 sgn(x + s)] then needs no s = u - x, whose digits cancel where x is large.
    First powers keep their order, so that E[x sgn(x - s)] - E[s sgn(x - s)] stays one root.
    """
    forms = sorted(term.signs, key=str)
    present = [i for i in range(gaussian.size) if term.powers[i] or any(form.coefficients[i] != 0 for form in forms)]
    present.sort(key=lambda i: -max(term.powers[i], 1))
    units = [tuple(sp.Integer(int(k == i)) for k in range(gaussian.size)) for i in present]
    return independent([*(form.coefficients for form in forms), *units])


def _law(
    directions: list[Direction], gaussian: Gaussian, names: tuple[Expr, ...]
) -> tuple[Gaussian, tuple[tuple[Expr, Expr], ...]]:
    """The law of the new variables in symbols, and what the symbols stand for."""
    size = len(directions)
    forms = [Form(direction, sp.S.Zero) for direction in directions]
    values = {(i, j): tidy(gaussian.cov_of(forms[i], forms[j])) for i in range(size) for j in range(i, size)}
    symbols = {
        (i, j): value if value.is_Rational else sp.Symbol(f"C{i + 1}{j + 1}_", real=True, positive=(i == j) or None)
        for (i, j), value in values.items()
    }
    cov: Matrix = sp.ImmutableMatrix(size, size, lambda i, j: symbols[min(i, j), max(i, j)])
    means = [tidy(gaussian.mean_of(form)) for form in forms]
    centres = [m if m.is_Rational else sp.Symbol(f"M{i + 1}_", real=True) for i, m in enumerate(means)]
    pairs = [*((symbols[key], value) for key, value in values.items()), *zip(centres, means, strict=True)]
    meaning = tuple((symbol, value) for symbol, value in pairs if symbol != value)
    return Gaussian(names, tuple(centres), cov), meaning


VARIABLES = Rule(
    "change of variables",
    r"\mathbb{E}[p(r)] = \mathbb{E}[p(L^{-1}u)],\quad u = L r \sim \mathcal{N}(L m,\, L B L^\top)",
    "linearity of the Gaussian",
    "reduction",
    _apply,
)
