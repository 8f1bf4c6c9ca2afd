"""Minors of covariance matrices in terms of one factorisation of each matrix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

from ..cas import Expr, Matrix, sp
from ..minors import minor
from .guards import difference, floored

__all__ = ["factorised"]

_ROUNDING = sp.Float("4e-16")
"""Relative to a variance, a bound on the rounding error of what elimination leaves of it."""
_TINY = sp.Float("1e-300")


def factorised(expr: Expr) -> Expr:
    """The expression with its minors in terms of the factorisation, for code."""
    found = sorted(expr.atoms(minor), key=sp.default_sort_key)
    while found:  # the entries of a matrix may be minors themselves
        inner = [node for node in found if not any(arg.has(minor) for arg in node.args)]
        expr = expr.xreplace({node: _expanded(node) for node in inner})
        found = sorted(expr.atoms(minor), key=sp.default_sort_key)
    return expr


def _expanded(node: Expr) -> Expr:
    rows, columns, full = node.rows, node.columns, node.matrix
    principal = rows == columns
    if len(rows) == 1:
        own = full[rows[0], columns[0]]
        return floored(own, _TINY) if principal else own
    M, D = _factors(full)
    terms = []
    for chosen in combinations(range(min(rows[-1], columns[-1]) + 1), len(rows)):
        first, second = _determinant(M, rows, chosen), _determinant(M, columns, chosen)
        terms.append(sp.Mul(first, second, *(D[k] for k in chosen)))
    return sp.Add(*terms, *([_TINY] if principal else []))


def _determinant(M: Matrix, rows: Sequence[int], columns: Sequence[int]) -> Expr:
    """By the last row, where a triangular matrix has its zeros last."""
    if not rows:
        return sp.S.One
    last, above, size = rows[-1], rows[:-1], len(columns)
    return sp.Add(
        *(
            (-1) ** (size - 1 - k) * M[last, column] * _determinant(M, above, (*columns[:k], *columns[k + 1 :]))
            for k, column in enumerate(columns)
            if M[last, column] != 0
        )
    )


@lru_cache(maxsize=1000)
def _factors(full: Matrix) -> tuple[Matrix, tuple[Expr, ...]]:
    """Unit lower triangular M and D with C = M diag(D) M^T, by elimination.

    Differences are worked out one by one: equal rows of C give equal rows of M, to the last bit. A bound on the
    rounding error is added to every pivot: one that has come out too small would take more from the others than they
    have, and in what is left nothing would be right.
    """
    left = full.as_mutable()
    size = left.rows
    M = sp.eye(size)
    D = []
    for k in range(size):
        D.append(floored(left[k, k], sp.S.Zero) + _ROUNDING * full[k, k] + _TINY if k else floored(left[k, k], _TINY))
        for i in range(k + 1, size):
            M[i, k] = left[k, i] / D[k]
        for i in range(k + 1, size):
            for j in range(k + 1, i + 1):
                taken = M[i, k] * left[k, j]
                if taken != 0:
                    left[j, i] = difference(left[j, i], taken)
    return sp.ImmutableMatrix(M), tuple(D)
