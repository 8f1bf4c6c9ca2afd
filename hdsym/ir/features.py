"""Where an integrand has kinks or changes quickly, as affine forms of its variables: data for quadrature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..cas import Expr, Symbol, sp
from ..special import logsumexp, owens_t, sigmoid, softplus
from .nodes import Feature

__all__ = ["features", "frequency", "growth", "steepness"]


def features(integrand: Expr, variables: tuple[Symbol, ...]) -> tuple[Feature, ...]:
    """Forms at whose zero the integrand has a kink or jump (sharp), or changes on the scale 1 / slope.

    Empty where the trapezoidal rule of :mod:`templates` serves without being told: no kink, every function centred at
    zero of one axis with a slope of at most two, nothing that grows.
    """
    found: dict[tuple[Any, ...], Feature] = {}
    for node in sorted(integrand.atoms(sp.Function, sp.exp), key=sp.default_sort_key):
        sharp = isinstance(node, sp.sign | sp.Abs)
        for argument in _switches(node, variables):
            form = _form(argument, variables, sharp)
            if form is None:
                continue
            key = (*form.coefficients, form.constant, sharp)  # a kink may have a smooth function change beside it
            mirrored = (*(-c for c in key[:-1]), sharp)
            if key not in found and mirrored not in found:
                found[key] = form
    forms = tuple(found.values())
    if len(variables) > 2:
        return forms  # the number of nodes follows them
    moderate = not any((*growth(integrand, variables), *frequency(integrand, variables)))
    return () if moderate and all(_plain(form) for form in forms) else forms


_GENTLE = (sigmoid, softplus, logsumexp, sp.exp, sp.sign, sp.Abs)


def steepness(integrand: Expr) -> float:
    """1 if no function has poles nearer than pi to the zeros of its argument, as the logistic one has; else 2.

    The error function has no poles, but grows like exp(u^2) off the real axis: as exp(-w^2 / 2) with w = sqrt(2) u.
    """
    functions = integrand.atoms(sp.Function, sp.exp)
    slopes = (1.0 if isinstance(f, _GENTLE) else 1.5 if isinstance(f, sp.erf | sp.erfc) else 2.0 for f in functions)
    return max(slopes, default=1.0)


def _plain(form: Feature) -> bool:
    slopes = all(c.is_number and abs(c) <= 2 for c in form.coefficients)
    along_an_axis = sum(c != 0 for c in form.coefficients) == 1  # else its zero on one axis depends on the other
    return not form.sharp and form.constant == 0 and slopes and along_an_axis


def _switches(node: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """Expressions whose zero is the place where the function changes."""
    if isinstance(node, sp.sin | sp.cos):
        return []  # the same everywhere
    if isinstance(node, sp.exp):
        return _widths(node.args[0], variables)
    if isinstance(node, owens_t):  # T(h, a) as orthants have it: h and h a are affine
        return [node.args[0], node.args[0] * node.args[1]]
    if len(node.args) == 1:
        return [node.args[0]]
    return [a - b for i, a in enumerate(node.args) for b in node.args[i + 1 :]]  # of several logits, differences


def _widths(exponent: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """For exp(-k w^2) with an affine w the form sqrt(2k) w; for exp(-k (u - c)^2 + ...) one for every variable in turn.

    The second would be 0/0 where w does not move with the variable.
    """
    if not exponent.is_polynomial(*variables) or sp.Poly(exponent, *variables).total_degree() != 2:
        return [exponent]
    squares = [_square(term, variables) for term in sp.Add.make_args(exponent)]
    if all(squares):
        return [sp.sqrt(2 * sp.Abs(k)) * w for pair in squares for k, w in pair]
    pairs = [(exponent.diff(v), exponent.diff(v, 2)) for v in variables]
    return [sp.expand(slope / sp.sqrt(sp.Abs(curvature))) for slope, curvature in pairs if curvature != 0]


def _square(term: Expr, variables: tuple[Symbol, ...]) -> list[tuple[Expr, Expr]]:
    """[(k, w)] of a term k w^2 with an affine w, else nothing."""
    factor, rest = term.as_independent(*variables, as_Add=False)
    base, power = rest.as_base_exp()
    return [(factor, base)] if power == 2 and _form(base, variables, False) is not None else []


def _form(argument: Expr, variables: tuple[Symbol, ...], sharp: bool) -> Feature | None:
    argument = sp.expand(argument)
    if not argument.has(*variables):
        return None
    slopes = tuple(argument.diff(v) for v in variables)
    if any(slope.has(*variables) for slope in slopes):
        return None
    constant = argument.xreplace(dict.fromkeys(variables, sp.S.Zero))
    return Feature(slopes, constant, sharp)


def growth(integrand: Expr, variables: tuple[Symbol, ...]) -> tuple[Expr, ...]:
    """Slopes b_i such that the integrand grows no faster than a polynomial times exp(sum b_i \\|u_i\\|)."""
    return _slopes(integrand, variables, sp.exp | sp.sinh | sp.cosh)


def frequency(
    integrand: Expr, variables: tuple[Symbol, ...], mean: Sequence[Expr] = (), variance: Sequence[Expr] = ()
) -> tuple[Expr, ...]:
    """Slopes a_i such that the integrand has no faster waves than sin(sum a_i u_i), u of a `mean` and `variance`.

    A function whose argument is a polynomial, as with noise that is not Gaussian, changes along a curve: nothing marks
    the place, and panels as for a wave four times as steep as the argument resolve it everywhere. How steep it is
    depends on the place, and that at 2.5 standard deviations is taken (the mass beyond is small, and so is the share of
    the integral that is resolved less well); slopes of `_STEEPEST` and more a standard deviation would cost too much.
    """
    size = len(variables)
    waves = _slopes(integrand, variables, sp.sin | sp.cos)
    curved = [argument for node in integrand.atoms(sp.Function) for argument in _switches(node, variables)]
    curved = [argument for argument in curved if argument.has(*variables) and _form(argument, variables, False) is None]
    if not curved:
        return waves
    stds = [sp.sqrt(sp.Abs(entry)) for entry in variance or (sp.S.One,) * size]  # by rounding it may be below zero
    far = {
        v: sp.Abs(m) + sp.Rational(5, 2) * std for v, m, std in zip(variables, mean or (0,) * size, stds, strict=True)
    }
    result = []
    for v, std, wave in zip(variables, stds, waves, strict=True):
        slopes = {argument.diff(v) for argument in curved}
        if size > 2:  # a grid serves unless told otherwise, and panels on every axis are dear
            slopes = {slope for slope in slopes if not slope.has(*variables)}
        steep = 4 * sp.Add(*(_bound(slope, far) for slope in slopes))
        result.append(wave + (steep / (1 + steep * std / _STEEPEST) if steep != 0 else steep))
    return tuple(result)


_STEEPEST = 100


def _bound(slope: Expr, far: dict[Symbol, Expr]) -> Expr:
    """The size of a slope where the variables are `far` out, or zero where it is no polynomial."""
    if not slope.is_polynomial(*far):
        return sp.S.Zero
    terms = sp.Poly(slope, *far).terms()
    return sp.Add(*(sp.Abs(c) * sp.Mul(*(x**k for x, k in zip(far.values(), p, strict=True))) for p, c in terms))


def _slopes(integrand: Expr, variables: tuple[Symbol, ...], kind: Any) -> tuple[Expr, ...]:
    """Slopes in all functions of a kind, added up over the factors; of a sum the largest would do."""
    if integrand.is_Add or integrand.is_Mul:
        parts = [_slopes(arg, variables, kind) for arg in integrand.args]
        return tuple(sp.Add(*column) for column in zip(*parts, strict=True))
    if isinstance(integrand, kind):
        argument = integrand.args[0]
        origin = dict.fromkeys(variables, sp.S.Zero)
        if argument.is_polynomial(*variables):
            return tuple(sp.Abs(argument.diff(v).xreplace(origin)) for v in variables)
    if isinstance(integrand, sp.Pow) and integrand.exp.is_Integer and integrand.exp > 0:
        return tuple(integrand.exp * slope for slope in _slopes(integrand.base, variables, kind))
    return (sp.S.Zero,) * len(variables)
