"""Numerical integration over the directions the integrand depends on: the only rule that always applies."""

from __future__ import annotations

from functools import lru_cache

from ...cas import Expr, Symbol, sp
from ..gaussian import Form, Gaussian, tidy
from ..integral import GaussianIntegral, integration_variables
from ..rule import Reduction, Rule
from ..separate import separated
from ..terms import Term
from .span import Direction, independent, opaque_forms

__all__ = ["NUMERICAL", "integral_of", "within"]

MAX_DIMENSION, MAX_KINKED = 4, 3
"""Beyond, an integrand must separate into two factors of up to three variables each (Mehler's formula).

What is left goes to quasi-Monte Carlo (:mod:`.quasi`).
"""


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """An integral over as few Gaussian variables as the signs and opaque factors need."""
    value = integral_of(term, gaussian)
    if not all(within(node.integrand, node.variables) for node in value.atoms(GaussianIntegral)):
        return None
    return Reduction(value=term.coefficient * value, exact=False)


@lru_cache(maxsize=256)
def integral_of(term: Term, gaussian: Gaussian) -> Expr:
    """The term, apart from its coefficient, as a :class:`GaussianIntegral`, in whatever dimension it needs."""
    kinks = _kinks(term, gaussian)
    axes = _axes(term, gaussian, kinks)
    dimension = len(axes)
    body = Term(sp.S.One, term.powers, term.signs, (), term.exponent, term.opaque).expr(gaussian.variables)
    if dimension == 0:  # constant, though it need not look so: sigmoid(s) + sigmoid(-s)
        return body.xreplace(dict.fromkeys(gaussian.variables, sp.S.Zero))
    variables = integration_variables(dimension)
    matrix = sp.Matrix([list(axis) for axis in axes])
    lift = matrix.T * (matrix * matrix.T).inv()
    replacement = {
        r: sp.Add(*(tidy(lift[i, k]) * variables[k] for k in range(dimension)))
        for i, r in enumerate(gaussian.variables)
    }
    integrand = body.xreplace(replacement)
    forms = [Form(axis, sp.S.Zero) for axis in axes]
    cov = sp.Matrix(dimension, dimension, lambda i, j: tidy(gaussian.cov_of(forms[i], forms[j])))
    return GaussianIntegral(integrand, variables, [gaussian.mean_of(form) for form in forms], cov)


def within(integrand: Expr, variables: tuple[Symbol, ...]) -> bool:
    """Whether quadrature serves: three dimensions, four without kinks, six where the integrand separates."""
    dimension = len(variables)
    if dimension <= MAX_KINKED:
        return True
    if integrand.has(sp.sign, sp.Abs):
        return False
    return dimension <= MAX_DIMENSION or bool(separated(integrand, variables))


def _kinks(term: Term, gaussian: Gaussian) -> list[Form]:
    """Forms at whose zero the integrand has a kink or a jump, in a fixed order."""
    forms = set(term.signs)
    for atom in term.opaque.atoms(sp.sign, sp.Abs):
        form = gaussian.form(atom.args[0])
        if form is not None and not form.is_constant:
            forms.add(form)
    return sorted(forms, key=str)


def _axes(term: Term, gaussian: Gaussian, kinks: list[Form]) -> list[Direction]:
    """Directions to integrate over: the variables themselves where that costs nothing."""
    units = [tuple(sp.Integer(int(k == i)) for k in range(gaussian.size)) for i in range(gaussian.size)]
    powers = [units[i] for i, power in enumerate(term.powers) if power]
    directions = independent([*(k.coefficients for k in kinks), *opaque_forms(term.opaque, gaussian), *powers])
    active = [i for i in range(gaussian.size) if any(direction[i] != 0 for direction in directions)]
    if len(active) == len(directions):
        return [units[i] for i in active]
    return directions


NUMERICAL = Rule(
    "quadrature",
    r"\mathbb{E}[p(r)] = \int p\, \mathrm{d}\mathcal{N}(m, B), \text{ split at the kinks and scales of } p",
    "Trefethen and Weideman, SIAM Rev. 56 (2014)",
    "numerical",
    _apply,
)
