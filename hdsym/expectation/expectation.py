"""``hd.expect``: the engine on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cas import Expr, Matrix, Symbol, latex, sp, to_expr
from ..errors import ExpectationError
from ..recognise import recognise
from ..symbols import overlap_matrix
from .compact import Compact, compact
from .engine import Engine, Outcome
from .gaussian import Gaussian
from .rule import Step
from .terms import reduce_signs

__all__ = ["Expectation", "expect"]


@dataclass(frozen=True, repr=False)
class Expectation:
    """E[integrand] with the way it was found.

    Attributes
    ----------
    integrand:
        The function that was integrated.
    gaussian:
        The law of its variables.
    expr:
        The value: a closed form in mean and covariance, possibly with :class:`GaussianIntegral` nodes.
    steps:
        The tree of rules applied.
    exact:
        Whether `expr` is free of numerical integration.
    conditions:
        Expressions that must be positive for the expectation to exist.
    """

    integrand: Expr
    gaussian: Gaussian
    expr: Expr
    steps: Step
    exact: bool
    conditions: tuple[Expr, ...] = ()

    @classmethod
    def of(cls, integrand: Expr, gaussian: Gaussian, outcome: Outcome) -> Expectation:
        """The expectation of which the engine has found this."""
        return cls(integrand, gaussian, outcome.value, outcome.step, outcome.exact, outcome.conditions)

    def evaluate(
        self, B: ArrayLike | None = None, *, tol: float | None = None, **constants: float
    ) -> NDArray[np.float64]:
        """Value at covariances `B`, shape (..., n, n), and named constants; the result has shape (...).

        With `tol` the quadrature is refined until doubling its nodes changes no value by more than `tol`, relative to
        the value or to one, whichever is larger; and where terms cancel, so that the rounding of `B` alone would move
        the formula by more, direct integration takes its place. So it does, with or without `tol`, where the terms of
        the formula are singular one by one.

        Raises
        ------
        ExpectationError
            If the shape is wrong, a value is missing or not finite, a condition of existence is violated, or `tol`
            cannot be reached.
        """
        from .evaluation import evaluate, evaluate_to

        return evaluate(self, B, constants) if tol is None else evaluate_to(self, B, constants, tol)

    def error(self, B: ArrayLike | None = None, **constants: float) -> NDArray[np.float64]:
        """Estimated quadrature error at the same arguments: the change when the nodes are doubled; 0 if exact."""
        from .evaluation import evaluate

        coarse = evaluate(self, B, constants)
        return np.abs(coarse - evaluate(self, B, constants, refine=2)) if not self.exact else np.zeros_like(coarse)

    def evalf(self, B: Any = None, digits: int = 30, **constants: Any) -> Expr:
        """Value to `digits` digits by direct nested integration with mpmath, which uses neither rules nor `expr`.

        The error is below 10^-digits of E\\|integrand\\|. One covariance at a time, shape (n, n), of rank up to three;
        floats stand for the decimals they print as, and sympy numbers are welcome. Seconds, not microseconds.

        Raises
        ------
        ExpectationError
            If a value is missing, the integrand contains a delta function or a kink that is not affine, the
            expectation does not exist, or the digits asked for cost too much (three dimensions: about 6).
        """
        from .highprecision import evalf

        return evalf(self, B, digits, constants)

    def diff(self, symbol: Symbol, engine: Engine | None = None) -> Expectation:
        """Derivative in an entry B_ij of the covariance, by Price's theorem, with delta functions at kinks.

        For i != j the symbol is shared by B_ij and B_ji, and the result is E[d_i d_j g]; for i = j it is E[d_i^2 g]/2.
        An `engine` that is given remembers what it has derived.

        Raises
        ------
        ExpectationError
            If `symbol` is not an entry of the covariance.
        """
        size, cov = self.gaussian.size, self.gaussian.cov
        places = [(i, j) for i in range(size) for j in range(i, size) if cov[i, j] == symbol]
        if not places:
            raise ExpectationError(f"{symbol} is not an entry of the covariance", remedy=f"its entries are {cov}")
        integrand = sp.Add(*(_price(self.integrand, i, j, self.gaussian) for i, j in places))
        outcome = (engine or Engine()).expectation(integrand, self.gaussian)
        return Expectation.of(integrand, self.gaussian, outcome)

    @property
    def compact(self) -> Compact:
        """`expr` with its shared parts and its integrals named, where it is long."""
        return compact(self.expr)

    def __repr__(self) -> str:
        how = "closed form" if self.exact else "numerical"
        return f"Expectation(E[{self.integrand}] = {self.expr}, {how})"

    def _repr_html_(self) -> str:
        from ..show import formulas

        return formulas.expectation(self)

    def _repr_latex_(self) -> str:
        value, where = self.compact.latex()
        left = rf"\mathbb{{E}}\left[{latex(self.integrand)}\right]"
        tail = rf",\quad {where}" if where else ""
        return rf"$\displaystyle {left} = {value}{tail}$"


def _price(integrand: Expr, i: int, j: int, gaussian: Gaussian) -> Expr:
    first = reduce_signs(sp.diff(reduce_signs(integrand, gaussian), gaussian.variables[i]), gaussian)
    return sp.diff(first, gaussian.variables[j]) / (2 if i == j else 1)


def expect(
    g: Any,
    variables: Sequence[Symbol],
    cov: Matrix | None = None,
    mean: Any = 0,
    policy: str = "auto",
) -> Expectation:
    """E[g] for jointly Gaussian variables.

    Parameters
    ----------
    g:
        A sympy expression; symbols that are not in `variables` are constants.
    variables:
        The Gaussian variables, all real symbols.
    cov:
        Covariance, a sympy matrix of numbers or expressions; symbols B11, B12, ... if left out.
    mean:
        0, or one value for each variable.
    policy:
        "auto", "exact" (no quadrature; an error where there is no closed form) or "numeric".

    Raises
    ------
    ExpectationError
        If the shapes do not fit, or no permitted rule applies.

    Examples
    --------
    >>> import hdsym as hd
    >>> x, s = hd.student("x"), hd.teacher("s")
    >>> hd.expect(x**2 * s**2, [x, s]).expr
    B11*B22 + 2*B12**2
    """
    expr = to_expr(g)
    if expr is None:
        raise ExpectationError(f"the integrand is {g!r}, not an expression", remedy="build it with sympy")
    names = tuple(variables)
    matrix = overlap_matrix(len(names)) if cov is None else sp.ImmutableMatrix(cov)
    if matrix.shape != (len(names), len(names)):
        raise ExpectationError(
            f"cov has shape {matrix.shape} for {len(names)} variables", remedy="give a square matrix, a row a variable"
        )
    if any(not symbol.is_real for symbol in names):
        raise ExpectationError(
            f"the variables {names} are not all real symbols", remedy='declare them, e.g. sympy.Symbol("x", real=True)'
        )
    means = tuple(mean) if isinstance(mean, Sequence | sp.MatrixBase) else (mean,) * len(names)
    exprs = tuple(to_expr(m) for m in means)
    if len(exprs) != len(names) or any(m is None for m in exprs):
        raise ExpectationError(f"mean is {mean!r} for {len(names)} variables", remedy="give 0 or one value each")
    gaussian = Gaussian(names, exprs, matrix)
    integrand = recognise(expr)
    outcome = Engine(policy).expectation(integrand, gaussian)
    return Expectation.of(integrand, gaussian, outcome)
