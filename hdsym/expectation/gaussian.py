"""The Gaussian vector r ~ N(m, B) an expectation is taken over, with symbolic mean and covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..cas import Expr, Matrix, Symbol, free_symbols, sp
from ..minors import submatrix_minor

__all__ = ["Entry", "Form", "Gaussian", "Origin", "root", "tidy"]


class Entry(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A name for an entry of a conditional covariance, until the value it stands in is known."""

    __slots__ = ()


@dataclass(frozen=True)
class Form:
    """An affine form sum_i coefficients[i] * r_i + constant of a Gaussian vector's entries."""

    coefficients: tuple[Expr, ...]
    constant: Expr

    @property
    def is_constant(self) -> bool:
        return all(c == 0 for c in self.coefficients)

    @property
    def variables(self) -> tuple[int, ...]:
        """Numbers of the variables that occur."""
        return tuple(i for i, c in enumerate(self.coefficients) if c != 0)

    def expr(self, variables: tuple[Symbol, ...]) -> Expr:
        """The form written in `variables`."""
        pairs = zip(self.coefficients, variables, strict=True)
        return sp.Add(self.constant, *(c * v for c, v in pairs))

    def scaled(self, factor: Expr) -> Form:
        return Form(tuple(c * factor for c in self.coefficients), self.constant * factor)

    def extended(self, size: int) -> Form:
        """The same form over a vector that has grown to `size` entries."""
        return Form((*self.coefficients, *(sp.S.Zero,) * (size - len(self.coefficients))), self.constant)


@dataclass(frozen=True)
class Origin:
    """Where a conditional law comes from: r_i = 0 for the `conditions`, in a centred law with covariance `cov`.

    `rows` are the variables that matter, the conditions among them.
    """

    cov: Matrix
    rows: tuple[int, ...]
    conditions: tuple[int, ...]

    def covariance(self, j: int, k: int) -> Expr:
        """Cov(r_j, r_k) under the conditions, as a ratio of minors."""
        return self.bordered(j, k) / self.determinant

    def angle(self, j: int, k: int) -> Expr:
        """The arcsine of the correlation of r_j and r_k under the conditions, j and k different.

        With D the determinants: D(ij, ij) D(ik, ik) - D(ij, ik)^2 = D(i, i) D(ijk, ijk) (Jacobi).
        """
        both = sorted((*self.conditions, j, k))
        return sp.atan2(self.bordered(j, k), sp.sqrt(self.determinant * self._minor(both, both)))

    @property
    def determinant(self) -> Expr:
        """Of the covariance matrix of the conditions."""
        return self._minor(self.conditions, self.conditions)

    def bordered(self, j: int, k: int) -> Expr:
        """The minor of the conditions and row j, the conditions and column k, in this order."""
        first, second = sorted((*self.conditions, j)), sorted((*self.conditions, k))
        moved = sum(i > j for i in self.conditions) + sum(i > k for i in self.conditions)
        return (-1) ** moved * self._minor(first, second)

    def _minor(self, rows: Sequence[int], columns: Sequence[int]) -> Expr:
        places = {row: place for place, row in enumerate(self.rows)}
        own = self.cov.extract(list(self.rows), list(self.rows))
        return submatrix_minor(own, [places[i] for i in rows], [places[i] for i in columns])


@dataclass(frozen=True)
class Gaussian:
    """A Gaussian vector: names, mean and covariance (sympy expressions; the covariance may be singular).

    `origin` is set where the covariance was obtained by conditions on single variables.
    """

    variables: tuple[Symbol, ...]
    mean: tuple[Expr, ...]
    cov: Matrix
    origin: Origin | None = None

    @property
    def size(self) -> int:
        return len(self.variables)

    @property
    def centred(self) -> bool:
        return all(m == 0 for m in self.mean)

    def form(self, expr: Expr) -> Form | None:
        """`expr` as an affine form of the variables, or ``None`` if it is not affine."""
        if not expr.is_polynomial(*self.variables):
            return None  # decided without differentiating: a declared function may have no derivative
        coefficients = []
        for variable in self.variables:
            slope = expr.diff(variable)
            if slope.has(*self.variables):
                return None
            coefficients.append(slope)
        constant = expr.xreplace(dict.fromkeys(self.variables, sp.S.Zero))
        return Form(tuple(coefficients), constant)

    def cov_with(self, form: Form) -> tuple[Expr, ...]:
        """Cov(r_i, form) for every i."""
        return tuple(
            sp.Add(*(self.cov[i, j] * c for j, c in enumerate(form.coefficients) if c != 0)) for i in range(self.size)
        )

    def cov_of(self, first: Form, second: Form) -> Expr:
        """Cov(first, second)."""
        return _dot(first.coefficients, self.cov_with(second))

    def mean_of(self, form: Form) -> Expr:
        """E form."""
        return _dot(form.coefficients, self.mean) + form.constant

    def appended(self, variable: Symbol) -> Gaussian:
        """With one more standard normal variable, independent of the others."""
        size = self.size
        cov = sp.Matrix(
            size + 1, size + 1, lambda i, j: self.cov[i, j] if i < size and j < size else sp.Integer(int(i == j))
        )
        return Gaussian((*self.variables, variable), (*self.mean, sp.S.Zero), sp.ImmutableMatrix(cov))

    def rank_one(self, direction: tuple[Expr, ...], scale: Expr, shift: Expr, active: frozenset[int]) -> Gaussian:
        """Covariance B - scale * v v^T and mean m + shift * v: what conditioning does.

        Only the entries of `active` variables are worked out; the others are set to zero, for nothing asks for them.
        """
        size = self.size

        def entry(i: int, j: int) -> Expr:
            if not {i, j} <= active:
                return sp.S.Zero
            return tidy(self.cov[i, j] - scale * direction[i] * direction[j])

        mean = tuple(
            tidy(m + shift * v) if i in active else sp.S.Zero
            for i, (m, v) in enumerate(zip(self.mean, direction, strict=True))
        )
        cov = sp.Matrix(size, size, lambda i, j: entry(min(int(i), int(j)), max(int(i), int(j))))
        return Gaussian(self.variables, mean, sp.ImmutableMatrix(cov))


def _dot(first: tuple[Expr, ...], second: tuple[Expr, ...]) -> Expr:
    return sp.Add(*(a * b for a, b in zip(first, second, strict=True) if a != 0 and b != 0))


def tidy(expr: Expr) -> Expr:
    """One fraction in lowest terms, for rational expressions in a few symbols: exact zeros become zero.

    Without it a conditional variance such as B11 B22 - B12^2 over B11 keeps the cancelling singular terms that
    evaluate to NaN at rank-one overlaps.
    """
    if expr.is_Atom:
        return expr
    return _cancelled(expr)


def root(variance: Expr) -> Expr:
    """The square root of a conditional variance n / d as sqrt(n) / sqrt(d).

    Then n / sqrt(n) becomes sqrt(n), which has a value where the variance vanishes; n / sqrt(n / d) has none.
    """
    numerator, denominator = sp.fraction(variance)
    if denominator.is_number:
        return sp.sqrt(variance)
    symbols = denominator.free_symbols
    sample = denominator.xreplace({s: sp.Integer(int(bool(s.is_positive))) for s in symbols})
    if sample.is_negative:
        numerator, denominator = -numerator, -denominator
    return sp.sqrt(numerator) / sp.sqrt(denominator) if sample.is_nonzero else sp.sqrt(variance)


@lru_cache(maxsize=20_000)
def _cancelled(expr: Expr) -> Expr:
    """Remembered: conditioning on one form after another meets the same entries again and again."""
    if not expr.is_rational_function():
        return expr
    symbols = free_symbols(expr)
    try:
        fraction = sp.polys.fields.FracField(symbols, sp.QQ).from_expr(expr)
    except ValueError:  # coefficients such as sqrt(2)
        return sp.cancel(expr)
    return fraction.as_expr()  # what sympy's cancel gives, in a third of its time
