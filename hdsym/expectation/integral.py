"""A Gaussian expectation that stays an integral: a node that formulas carry and every target evaluates numerically."""

from __future__ import annotations

from typing import Any

from ..cas import Expr, Matrix, Symbol, sp
from ..errors import ExpectationError

__all__ = ["GaussianIntegral", "UnitIntegral", "integration_variables"]

_NAMES = "uvwz"


def integration_variables(count: int) -> tuple[Symbol, ...]:
    """The bound variables of an integral over `count` Gaussian variables; the same in every session."""
    names = _NAMES[:count] if count <= len(_NAMES) else [f"u{k}" for k in range(1, count + 1)]
    return tuple(sp.Symbol(name, real=True) for name in names)


class GaussianIntegral(sp.Expr):  # type: ignore[misc]  # sympy is untyped
    """E[integrand(u)] for u ~ N(mean, cov), to be evaluated by quadrature.

    Arguments (all sympy): integrand, Tuple of bound variables, Tuple of means, covariance matrix. Its free symbols are
    those of mean and covariance, and of the integrand apart from the bound variables.
    """

    def __new__(cls, integrand: Expr, variables: Any, mean: Any, cov: Matrix) -> GaussianIntegral:
        node: GaussianIntegral = sp.Expr.__new__(
            cls, integrand, sp.Tuple(*variables), sp.Tuple(*mean), sp.ImmutableDenseMatrix(cov)
        )
        return node

    is_commutative = True

    @property
    def integrand(self) -> Expr:
        return self.args[0]

    @property
    def variables(self) -> tuple[Symbol, ...]:
        return tuple(self.args[1])

    @property
    def mean(self) -> tuple[Expr, ...]:
        return tuple(self.args[2])

    @property
    def cov(self) -> Matrix:
        return self.args[3]

    @property
    def dimension(self) -> int:
        return len(self.args[1])

    @property
    def free_symbols(self) -> set[Symbol]:
        outside = set(self.args[2].free_symbols) | set(self.args[3].free_symbols)
        return outside | (set(self.args[0].free_symbols) - set(self.variables))

    @property
    def bound_symbols(self) -> list[Symbol]:
        return list(self.variables)

    def _eval_is_real(self) -> bool:
        return True

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        return self if old in self.variables else None

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        """Price's theorem: through the integrand, the mean (first derivatives), the covariance (half second ones)."""
        if symbol in self.variables:
            return sp.S.Zero
        integrand, names = self.integrand, self.variables
        total = integrand.diff(symbol)
        for i, u in enumerate(names):
            total += self.mean[i].diff(symbol) * integrand.diff(u)
            for j, v in enumerate(names):
                total += self.cov[i, j].diff(symbol) * integrand.diff(u, v) / 2
        if total == 0:
            return sp.S.Zero
        if total.has(sp.DiracDelta):
            raise ExpectationError(
                f"the integrand of {self} has a kink, so that its derivative in {symbol} contains delta functions",
                remedy="differentiate the expectation itself (Expectation.diff), which integrates them exactly",
            )
        return GaussianIntegral(total, names, self.mean, self.cov)

    def _law(self, convert: Any) -> str:
        if self.dimension == 1:
            return rf"{convert(self.mean[0])},\, {convert(self.cov[0, 0])}"
        mean = "0" if all(m == 0 for m in self.mean) else convert(sp.Matrix(self.mean))
        return rf"{mean},\, {convert(sp.Matrix(self.cov))}"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        names = ",".join(printer._print(v) for v in self.variables)
        law = self._law(printer._print)
        left = rf"({names})" if self.dimension > 1 else names
        body = rf"\mathbb{{E}}_{{{left} \sim \mathcal{{N}}({law})}}\left[{printer._print(self.integrand)}\right]"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        names = ", ".join(printer._print(v) for v in self.variables)
        if self.dimension == 1:
            law = f"{printer._print(self.mean[0])}, {printer._print(self.cov[0, 0])}"
        else:
            law = f"{printer._print(list(self.mean))}, {printer._print(self.cov.tolist())}"
        return f"E[{printer._print(self.integrand)}; {names} ~ N({law})]"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        return prettyForm(self._sympystr(sp.StrPrinter()))


class UnitIntegral(sp.Expr):  # type: ignore[misc]  # sympy is untyped
    """int_0^1 integrand(s) ds, to be evaluated by Gauss rules that resolve roots at zero and just below.

    Arguments: the integrand, its variable, and a Tuple of gaps: how far below zero the roots are. Everything but the
    variable is free.
    """

    def __new__(cls, integrand: Expr, variable: Symbol, gaps: Any = ()) -> UnitIntegral:
        node: UnitIntegral = sp.Expr.__new__(cls, integrand, variable, sp.Tuple(*gaps))
        return node

    is_commutative = True

    @property
    def integrand(self) -> Expr:
        return self.args[0]

    @property
    def variable(self) -> Symbol:
        return self.args[1]

    @property
    def gaps(self) -> tuple[Expr, ...]:
        return tuple(self.args[2])

    @property
    def free_symbols(self) -> set[Symbol]:
        return (set(self.args[0].free_symbols) | set(self.args[2].free_symbols)) - {self.args[1]}

    @property
    def bound_symbols(self) -> list[Symbol]:
        return [self.args[1]]

    def _eval_is_real(self) -> bool:
        return True

    def _eval_subs(self, old: Expr, new: Expr) -> Expr | None:
        return self if old == self.variable else None

    def _eval_derivative(self, symbol: Symbol) -> Expr:
        if symbol not in self.free_symbols:
            return sp.S.Zero
        return UnitIntegral(self.integrand.diff(symbol), self.variable, self.gaps)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = printer._print(self.variable)
        body = rf"\int_0^1 {printer._print(self.integrand)}\, \mathrm{{d}}{name}"
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"

    def _sympystr(self, printer: Any) -> str:
        return f"integral({printer._print(self.integrand)}; {printer._print(self.variable)} = 0..1)"

    def _pretty(self, printer: Any) -> Any:
        from sympy.printing.pretty.stringpict import prettyForm

        return prettyForm(self._sympystr(sp.StrPrinter()))
