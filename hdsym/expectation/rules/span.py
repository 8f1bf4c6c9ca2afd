"""Which directions of the Gaussian vector an opaque factor depends on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from ...cas import Expr, Matrix, sp
from ..gaussian import Form, Gaussian

__all__ = ["independent", "opaque_forms", "spanned"]

Direction = tuple[Expr, ...]


def opaque_forms(expr: Expr, gaussian: Gaussian) -> list[Direction]:
    """Directions of the arguments of the functions in `expr`, independent ones only.

    A function of one affine argument depends on one direction; anything else on each variable it contains.
    """
    found: list[Direction] = []
    _collect(expr, gaussian, found)
    return independent(found)


def _collect(expr: Expr, gaussian: Gaussian, found: list[Direction]) -> None:
    if not expr.has(*gaussian.variables):
        return
    if expr.is_Add and gaussian.form(expr) is None:
        for terms in _connected(expr.args, gaussian):
            # the affine terms of a sum are one argument: exp(a - c - f(a - c)) depends on a - c alone
            affine = [arg for arg in terms if gaussian.form(arg) is not None]
            _collect(sp.Add(*affine), gaussian, found)
            for arg in terms:
                if arg not in affine:
                    _collect(arg, gaussian, found)
        return
    if expr.is_Mul and gaussian.form(expr) is None:
        for arg in expr.args:
            _collect(arg, gaussian, found)
        return
    if isinstance(expr, sp.Pow) and not expr.exp.has(*gaussian.variables):
        _collect(expr.base, gaussian, found)
        return
    if isinstance(expr, sp.Function | sp.exp):
        for arg in expr.args:
            _collect(arg, gaussian, found)
        return
    form = gaussian.form(expr)
    if form is not None:
        found.append(form.coefficients)
        return
    found.extend(_unit(gaussian, v) for v in gaussian.variables if expr.has(v))


def _connected(terms: Sequence[Expr], gaussian: Gaussian) -> list[list[Expr]]:
    """The terms in groups that have no variable in common: exp(f(x) + g(s)) is a function of x times one of s."""
    groups: list[list[Expr]] = []
    for term in terms:
        own = term.free_symbols & set(gaussian.variables)
        touched = [group for group in groups if any(own & other.free_symbols for other in group)]
        merged = [other for group in touched for other in group]
        groups = [*(group for group in groups if group not in touched), [*merged, term]]
    return groups


def _unit(gaussian: Gaussian, variable: Expr) -> Direction:
    return tuple(sp.Integer(int(v == variable)) for v in gaussian.variables)


def independent(directions: Sequence[Direction]) -> list[Direction]:
    """The first linearly independent ones, in order."""
    kept: list[Direction] = []
    for direction in directions:
        if any(c != 0 for c in direction) and not spanned(direction, kept):
            kept.append(direction)
    return kept


def spanned(direction: Direction, others: Sequence[Direction]) -> bool:
    """Whether `direction` is a linear combination of `others` (identically in the parameters)."""
    if not others:
        return all(c == 0 for c in direction)
    return bool(_rank((*others, direction)) == _rank(tuple(others)))


@lru_cache(maxsize=4096)
def _rank(directions: tuple[Direction, ...]) -> int:
    matrix: Matrix = sp.Matrix([list(d) for d in directions])
    if all(c.is_Rational for d in directions for c in d):
        return int(sp.polys.matrices.DomainMatrix.from_Matrix(matrix).rank())  # fast: no search for zeros
    return int(matrix.rank(simplify=sp.cancel))


def coordinates(form: Form, basis: Sequence[Direction]) -> list[Expr]:
    """Coefficients of the form's direction in `basis`, which must span it."""
    matrix = sp.Matrix([list(d) for d in basis]).T
    target = sp.Matrix(list(form.coefficients))
    gram = matrix.T * matrix
    return [sp.cancel(c) for c in gram.LUsolve(matrix.T * target)]
