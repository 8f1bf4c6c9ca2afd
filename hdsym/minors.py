"""Determinants of submatrices of a covariance matrix, which keep their digits where the matrix is nearly singular."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

from .cas import Expr, Matrix, sp

__all__ = ["minor", "submatrix_minor"]


class minor(sp.Function):  # type: ignore[misc]  # noqa: N801  # shown as a determinant
    """minor(rows, columns, C11, C12, ..., Cnn): determinant of the rows and columns of the covariance matrix C.

    Rows and columns are numbered from 1 and given as the digits of an integer, both in increasing order; the entries
    are the upper triangle of C, row by row. Conditional covariances are ratios of them: Cov(r_j, r_k | r_i = 0) =
    minor(ij, ik) / minor(i, i), up to sign.

    All minors of one matrix are evaluated from one factorisation M diag(D) M^T, M unit lower triangular, as
    sum_S det M_{rows,S} det M_{columns,S} prod_S D (Cauchy and Binet). So they are those of one positive definite
    matrix within rounding of C, and identities between them hold however close to singular it is; with determinants
    written out, conditional covariances would belong to no law there.
    """

    @classmethod
    def eval(cls, rows: Expr, columns: Expr, *entries: Expr) -> Expr | None:
        if rows > columns:  # C is symmetric
            return cls(columns, rows, *entries)
        if all(entry.is_Rational for entry in entries) and _matrix(entries).det() != 0:
            return _matrix(entries).extract(_digits(rows), _digits(columns)).det()
        return None

    @property
    def rows(self) -> tuple[int, ...]:
        """Numbered from 0."""
        return _digits(self.args[0])

    @property
    def columns(self) -> tuple[int, ...]:
        """Numbered from 0."""
        return _digits(self.args[1])

    @property
    def matrix(self) -> Matrix:
        """The covariance matrix."""
        return _matrix(self.args[2:])

    @property
    def submatrix(self) -> Matrix:
        """Its rows and columns."""
        return self.matrix.extract(list(self.rows), list(self.columns))

    def fdiff(self, argindex: int = 1) -> Expr:
        size = self.matrix.rows
        i, j = list(combinations_with_replacement(range(size), 2))[argindex - 3]
        total = sp.S.Zero
        for a, b in {(i, j), (j, i)}:
            if a in self.rows and b in self.columns:
                rows, columns = (
                    tuple(k for k in kept if k != out) for kept, out in ((self.rows, a), (self.columns, b))
                )
                sign = (-1) ** (self.rows.index(a) + self.columns.index(b))
                total += sign * (submatrix_minor(self.matrix, rows, columns) if rows else sp.S.One)
        return total

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0] == self.args[1] else None

    def _eval_evalf(self, prec: int) -> Expr:
        return self.submatrix.det()._eval_evalf(prec)

    def _sympystr(self, printer: Any) -> str:
        shown = self.submatrix
        if shown.rows == 1:
            return str(printer._print(shown[0, 0]))
        if shown.rows == 2:
            return f"({printer._print(shown.det())})"
        lines = (", ".join(map(printer._print, shown.row(k))) for k in range(shown.rows))
        return f"det[{'; '.join(lines)}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        shown = self.submatrix
        if shown.rows == 1:
            return str(printer._print(shown[0, 0])) + ("" if exp is None else f"^{{{exp}}}")
        lines = r" \\ ".join(" & ".join(map(printer._print, shown.row(k))) for k in range(shown.rows))
        body = rf"\begin{{vmatrix}} {lines} \end{{vmatrix}}"
        return body + ("" if exp is None else f"^{{{exp}}}")


def submatrix_minor(cov: Matrix, rows: Sequence[int], columns: Sequence[int]) -> Expr:
    """The determinant of rows and columns (numbered from 0, in increasing order) of a covariance matrix."""
    entries = [cov[i, j] for i, j in combinations_with_replacement(range(cov.rows), 2)]
    return minor(_joined(rows), _joined(columns), *entries)


def _matrix(entries: Sequence[Expr]) -> Matrix:
    size = int(((8 * len(entries) + 1) ** 0.5 - 1) / 2)
    places = {pair: k for k, pair in enumerate(combinations_with_replacement(range(size), 2))}
    return sp.ImmutableMatrix(size, size, lambda i, j: entries[places[min(int(i), int(j)), max(int(i), int(j))]])


def _digits(number: Expr) -> tuple[int, ...]:
    return tuple(int(digit) - 1 for digit in str(number))


def _joined(numbers: Sequence[int]) -> Expr:
    return sp.Integer("".join(str(number + 1) for number in numbers))
