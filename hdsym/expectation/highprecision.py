"""``Expectation.evalf``: direct integration of the raw integrand by mpmath, to any number of digits.

It shares nothing with the rules or with generated code, so that agreement between the two means something. mpmath's
exponents are unbounded: exp(1000) is no overflow here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from mpmath import mp

from ..cas import Expr, Symbol, sp, to_expr
from ..errors import ExpectationError
from .mpfunctions import real_function
from .nested import Feature, Real, normal_mean

if TYPE_CHECKING:
    from .expectation import Expectation

__all__ = ["evalf"]

_KINKED = (sp.sign, sp.Abs, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
_MAX_DIMENSION = 3
_GUARD = 15


def evalf(expectation: Expectation, B: Any, digits: int, constants: Mapping[str, Any]) -> Expr:
    """See :meth:`Expectation.evalf`."""
    if not 1 <= digits <= 60:
        raise ExpectationError(f"digits is {digits!r}", remedy="give a number of digits from 1 to 60")
    values = _values(expectation, B, constants)
    integrand, gaussian = expectation.integrand.xreplace(values), expectation.gaussian
    names = gaussian.variables
    mean = [m.xreplace(values) for m in gaussian.mean]
    cov = gaussian.cov.xreplace(values)
    _check(integrand, names, [*mean, *cov])
    with mp.workdps(digits + _GUARD):
        offset, factor = [_real(m) for m in mean], _factor(_matrix(cov))
        if len(factor[0]) > _MAX_DIMENSION:
            raise ExpectationError(
                f"the covariance has rank {len(factor[0])}",
                remedy=f"nested integration serves ranks up to {_MAX_DIMENSION}",
            )
        features, vanishing = _features(integrand, names, offset, factor)
        factor = _inner_axis_along_features(factor, features)
        features, _ = _features(integrand, names, offset, factor)
        integrand = integrand.replace(lambda e: e in vanishing, lambda e: sp.S.Zero) if vanishing else integrand
        function = real_function(integrand, names, offset, factor)
        frequency = _frequency(integrand, names, factor)
        value, _ = normal_mean(function, features, len(factor[0]), digits, frequency)
        return sp.Float(mp.nstr(value, digits + 5), digits)


def _frequency(integrand: Expr, variables: tuple[Symbol, ...], factor: list[list[Real]]) -> float:
    """The largest slope of the argument of a sine or cosine in the standard normals."""
    largest = 0.0
    for wave in integrand.atoms(sp.sin, sp.cos):
        form = _affine(wave.args[0], variables)
        for k in range(len(factor[0]) if form else 0):
            slope = sum((w * row[k] for w, row in zip(form[0], factor, strict=True)), mp.zero) if form else mp.zero
            largest = max(largest, float(abs(slope)))
    return largest


def _values(expectation: Expectation, B: Any, constants: Mapping[str, Any]) -> dict[Symbol, Expr]:
    """What every free symbol stands for, as exact numbers: the float 0.1 means 1/10."""
    gaussian, given = expectation.gaussian, dict(constants)
    if B is not None:
        rows = np.asarray(B, dtype=object)
        if rows.shape != (gaussian.size, gaussian.size):
            raise ExpectationError(
                f"B has shape {rows.shape}", remedy=f"give one matrix of shape ({gaussian.size}, {gaussian.size})"
            )
        for i, j in itertools.combinations_with_replacement(range(gaussian.size), 2):
            if gaussian.cov[i, j].is_Symbol:
                given[gaussian.cov[i, j].name] = rows[i, j]
    free = expectation.integrand.free_symbols.union(gaussian.cov.free_symbols, *(m.free_symbols for m in gaussian.mean))
    values = {}
    for symbol in sorted(free - set(gaussian.variables), key=str):
        value = to_expr(given.get(symbol.name))
        if value is None or not value.is_number or not value.is_finite:
            raise ExpectationError(f"no finite value for {symbol.name}", remedy="give B, and constants by name")
        values[symbol] = value
    return values


def _check(integrand: Expr, variables: tuple[Symbol, ...], entries: list[Expr]) -> None:
    if integrand.has(sp.DiracDelta):
        raise ExpectationError(
            f"{integrand} contains a delta function, which nested integration cannot see",
            remedy="use evaluate(), whose rules integrate delta functions, or compare differences of the expectation",
        )
    if any(not entry.is_number or entry.is_real is False for entry in entries):
        raise ExpectationError(f"mean and covariance are {entries}, not numbers", remedy="give a value for each symbol")
    if not variables:
        raise ExpectationError("there is no Gaussian variable", remedy="give at least one")


def _real(expr: Expr) -> Real:
    return mp.mpf(expr.p) / expr.q if expr.is_Rational else mp.mpf(str(sp.N(expr, mp.dps + 5)))


def _matrix(cov: Expr) -> list[list[Real]]:
    return [[_real(cov[i, j]) for j in range(cov.shape[1])] for i in range(cov.shape[0])]


def _factor(cov: list[list[Real]]) -> list[list[Real]]:
    """L (n, rank) with L L^T = cov by Cholesky with pivoting; what rounding in double precision leaves is no rank."""
    size = len(cov)
    residual = [row[:] for row in cov]
    columns: list[list[Real]] = []
    for _ in range(size):
        pivot = max(range(size), key=lambda i: residual[i][i])
        value = residual[pivot][pivot]
        if value <= mp.mpf(10) ** (8 - mp.dps) * cov[pivot][pivot]:
            break
        column = [residual[i][pivot] / mp.sqrt(value) for i in range(size)]
        columns.append(column)
        for i, j in itertools.product(range(size), repeat=2):
            residual[i][j] = mp.zero if pivot in (i, j) else residual[i][j] - column[i] * column[j]
    for i, j in itertools.product(range(size), repeat=2):
        if abs(residual[i][j]) > mp.mpf("1e-12") * mp.sqrt(abs(cov[i][i] * cov[j][j])):
            raise ExpectationError("the covariance is not positive semi-definite", remedy="check its entries")
    return [[column[i] for column in columns] for i in range(size)]


def _inner_axis_along_features(factor: list[list[Real]], features: list[Feature]) -> list[list[Real]]:
    """The factor with axes turned so that the innermost one follows the common direction of the features.

    Nearly parallel kinks are then a split of the inner axis, and leave the outer function smooth. Two axes only.
    """
    if not features or len(factor[0]) != 2:
        return factor
    a = b = c = mp.zero
    for feature in features:
        x, y = feature.coefficients
        square = x * x + y * y
        weight = 1 / square if feature.sharp else 1 / (1 + square)
        a, b, c = a + weight * x * x, b + weight * x * y, c + weight * y * y
    angle = mp.atan2(2 * b, a - c) / 2 if (b != 0 or a != c) else mp.zero
    cosine, sine = mp.cos(angle), mp.sin(angle)
    return [[-sine * x + cosine * y, cosine * x + sine * y] for x, y in factor]


def _features(
    integrand: Expr, variables: tuple[Symbol, ...], mean: list[Real], factor: list[list[Real]]
) -> tuple[list[Feature], set[Expr]]:
    """Kinks and narrow parts of the integrand as forms of the standard normals, and kinked arguments that vanish."""
    found: dict[tuple[str, ...], Feature] = {}
    vanishing = set()
    for argument, slope in _arguments(integrand, variables):
        form = _affine(argument, variables)
        if form is None:
            continue
        weights, constant = form
        coefficients = tuple(
            sum((w * row[k] for w, row in zip(weights, factor, strict=True)), mp.zero) for k in range(len(factor[0]))
        )
        size = sum((abs(w) * mp.norm(row) for w, row in zip(weights, factor, strict=True) if row), mp.zero)
        constant += sum((w * m for w, m in zip(weights, mean, strict=True)), mp.zero)
        if max([abs(c) for c in coefficients] or [mp.zero]) <= mp.mpf(10) ** (10 - mp.dps) * size:
            if slope is None and abs(constant) <= mp.mpf(10) ** (10 - mp.dps) * size:
                vanishing.add(argument)
            continue
        factor_out = mp.one if slope is None else mp.mpf(slope)
        feature = Feature(tuple(c * factor_out for c in coefficients), constant * factor_out, slope is None)
        found[tuple(mp.nstr(c, 12) for c in (*feature.coefficients, feature.constant))] = feature
    return list(found.values()), vanishing


def _arguments(integrand: Expr, variables: tuple[Symbol, ...]) -> Iterator[tuple[Expr, float | None]]:
    """(argument, ``None``) of everything kinked, (argument, slope) of functions that are merely steep or narrow."""
    for node in sorted(integrand.atoms(*_KINKED), key=sp.default_sort_key):
        for switch in _switches(node):
            for branch in _branches(switch):
                for piece in _affine_pieces(branch, variables):
                    yield piece, None
    composed = integrand.has(sp.log) or any(p.exp.is_negative for p in integrand.atoms(sp.Pow) if p.base != sp.E)
    for node in sorted(integrand.atoms(sp.Function, sp.exp), key=sp.default_sort_key):
        if isinstance(node, (*_KINKED, sp.sin, sp.cos)) or not node.has(*variables):
            continue
        if isinstance(node, sp.exp):
            yield from ((form, 1.0) for form in _narrow(node.args[0], variables))
        if isinstance(node, sp.exp | sp.sinh | sp.cosh) and not composed:
            continue  # entire and smooth; inside a logarithm or a denominator it makes poles
        single = len(node.args) == 1  # of several logits only the differences matter
        for argument in node.args if single else _differences(node.args):
            yield argument, 2.0 if isinstance(node, sp.tanh | sp.sinh | sp.cosh) else 1.0


def _switches(node: Expr) -> list[Expr]:
    """Expressions at whose zero the node has its kink."""
    if isinstance(node, sp.Max | sp.Min):
        return _differences(node.args)
    if isinstance(node, sp.Piecewise):
        relations = {r for _, condition in node.args for r in condition.atoms(sp.core.relational.Relational)}
        return [r.lhs - r.rhs for r in sorted(relations, key=sp.default_sort_key)]
    return [node.args[0]]


def _differences(args: tuple[Expr, ...]) -> list[Expr]:
    return [a - b for a, b in itertools.combinations(args, 2)]


def _branches(expr: Expr) -> list[Expr]:
    """All smooth expressions that `expr` may equal, for kinks inside kinks."""
    inner = next(iter(sorted(expr.atoms(*_KINKED), key=lambda e: (sp.count_ops(e), str(e)))), None)
    if inner is None:
        return [expr]
    if isinstance(inner, sp.Abs):
        choices = [inner.args[0], -inner.args[0]]
    elif isinstance(inner, sp.Max | sp.Min):
        choices = list(inner.args)
    elif isinstance(inner, sp.Piecewise):
        choices = [value for value, _ in inner.args]
    else:
        choices = [sp.S.One, sp.S.NegativeOne if isinstance(inner, sp.sign) else sp.S.Zero]
    return [branch for choice in choices for branch in _branches(expr.xreplace({inner: choice}))]


def _affine_pieces(expr: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """Affine factors of a kinked argument.

    Raises
    ------
    ExpectationError
        If a factor is neither affine nor free of the variables.
    """
    expr = sp.expand(expr)
    if not expr.has(*variables):
        return []
    if _affine(expr, variables) is not None:
        return [expr]
    factors = sp.factor_list(expr, *variables)[1] if expr.is_polynomial(*variables) else [(expr, 1)]
    for factor, _ in factors:
        if _affine(factor, variables) is None:
            raise ExpectationError(
                f"the integrand has a kink at {factor} = 0, which is not affine in {', '.join(map(str, variables))}",
                remedy="nested integration splits at kinks of affine arguments and products of them",
            )
    return [factor for factor, _ in factors]


def _affine(expr: Expr, variables: tuple[Symbol, ...]) -> tuple[list[Real], Real] | None:
    """Coefficients and constant, or ``None``."""
    if expr.atoms(*_KINKED) or not expr.is_polynomial(*variables):
        return None
    polynomial = sp.Poly(expr, *variables)
    if polynomial.total_degree() > 1:
        return None
    units = [tuple(int(k == i) for k in range(len(variables))) for i in range(len(variables))]
    zero = (0,) * len(variables)
    return [_real(polynomial.coeff_monomial(unit)) for unit in units], _real(polynomial.coeff_monomial(zero))


def _narrow(exponent: Expr, variables: tuple[Symbol, ...]) -> list[Expr]:
    """For a quadratic exponent the forms q in exp(-sum q^2 / 2 + ...) that may make it narrow."""
    if not exponent.is_polynomial(*variables) or sp.Poly(exponent, *variables).total_degree() != 2:
        return []
    hessian = sp.hessian(exponent, variables)
    gradient = sp.Matrix([exponent.diff(v) for v in variables]).xreplace(dict.fromkeys(variables, sp.S.Zero))
    values, vectors = np.linalg.eigh(np.array(hessian.evalf(), dtype=float))
    forms = []
    for value, vector in zip(values, vectors.T, strict=True):
        if abs(value) > 1e-12:
            direction = [sp.Float(float(c), 20) for c in vector]
            place = -sum(c * g for c, g in zip(direction, gradient, strict=True)) / sp.Float(float(value), 20)
            root = sp.Float(abs(float(value)) ** 0.5, 20)
            forms.append(root * (sum(c * v for c, v in zip(direction, variables, strict=True)) - place))
    return forms
