"""Functions sympy has no stable form of, as sympy functions: sigmoid, softplus, log-sum-exp, log Phi, Owen's T.

Every target prints them so that they neither overflow nor lose digits for large arguments.
"""

from __future__ import annotations

from typing import Any

from .cas import Expr, sp

__all__ = [
    "log_ndtr",
    "logsumexp",
    "offzero",
    "owens_t",
    "residual",
    "sigmoid",
    "softplus",
]


class sigmoid(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like sympy's own functions
    """The logistic function 1 / (1 + exp(-u)), evaluated without overflow in every target."""

    @classmethod
    def eval(cls, u: Expr) -> Expr | None:
        return sp.Rational(1, 2) if u.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        u = self.args[0]
        return sigmoid(u) * sigmoid(-u)

    def _eval_is_real(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None

    def _eval_is_positive(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None

    def _eval_evalf(self, prec: int) -> Expr:
        return (1 / (1 + sp.exp(-self.args[0])))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, u: Expr, **_: Any) -> Expr:
        return 1 / (1 + sp.exp(-u))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\sigma{_power(exp)}\left({printer._print(self.args[0])}\right)"


class softplus(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like sympy's own functions
    """log(1 + exp(u)), evaluated without overflow in every target."""

    @classmethod
    def eval(cls, u: Expr) -> Expr | None:
        return sp.log(2) if u.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])

    def _eval_is_real(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None

    def _eval_evalf(self, prec: int) -> Expr:
        return sp.log(1 + sp.exp(self.args[0]))._eval_evalf(prec)

    def _eval_rewrite_as_exp(self, u: Expr, **_: Any) -> Expr:
        return sp.log(1 + sp.exp(u))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"\operatorname{{softplus}}{_power(exp)}\left({printer._print(self.args[0])}\right)"


class logsumexp(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like sympy's own functions
    """log(exp(u_1) + ... + exp(u_n)), written relative to one argument: a shift of all arguments factors out.

    logsumexp(a, b, c) becomes c + logsumexp(a - c, b - c, 0), a function of one variable less; with two arguments it is
    a softplus.
    """

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:
        if len(args) == 1:
            return args[0]
        reference = sp.S.Zero if sp.S.Zero in args else max(args, key=sp.default_sort_key)
        rest = list(args)
        rest.remove(reference)
        if len(rest) == 1:
            return reference + softplus(rest[0] - reference)
        wanted = (*sorted((arg - reference for arg in rest), key=sp.default_sort_key), sp.S.Zero)
        return None if wanted == tuple(args) else reference + cls(*wanted)

    def fdiff(self, argindex: int = 1) -> Expr:
        return sp.exp(self.args[argindex - 1] - self)

    def _eval_is_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _eval_evalf(self, prec: int) -> Expr:
        return sp.log(sp.Add(*map(sp.exp, self.args)))._eval_evalf(prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        inside = ", ".join(printer._print(arg) for arg in self.args)
        return rf"\operatorname{{logsumexp}}{_power(exp)}\left({inside}\right)"


class log_ndtr(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like scipy.special's function
    """log Phi(u), the logarithm of the normal distribution function; finite for every u."""

    def fdiff(self, argindex: int = 1) -> Expr:
        u = self.args[0]
        return sp.exp(-(u**2) / 2 - log_ndtr(u)) / sp.sqrt(2 * sp.pi)

    def _eval_is_real(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None

    def _eval_evalf(self, prec: int) -> Expr:
        return sp.log(sp.erfc(-self.args[0] / sp.sqrt(2)) / 2)._eval_evalf(prec)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return rf"(\log\Phi){_power(exp)}\left({printer._print(self.args[0])}\right)"


class owens_t(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like sympy's own functions
    """Owen's T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1 + x^2) / 2) / (1 + x^2) dx; appears in results only."""

    def fdiff(self, argindex: int = 1) -> Expr:
        h, a = self.args
        if argindex == 1:
            return -sp.exp(-(h**2) / 2) * sp.erf(a * h / sp.sqrt(2)) / sp.sqrt(8 * sp.pi)
        return sp.exp(-(h**2) * (1 + a**2) / 2) / (2 * sp.pi * (1 + a**2))

    def _eval_is_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        h, a = (printer._print(arg) for arg in self.args)
        return rf"T{_power(exp)}\left({h}, {a}\right)"


class offzero(sp.Function):  # type: ignore[misc]  # noqa: N801  # shown as its argument
    """u itself, but 1e-150 where u = 0: for formulas that have a limit at zero, the same from both sides, and a 0/0."""

    @classmethod
    def eval(cls, u: Expr) -> Expr | None:
        return u if u.is_number and u.is_nonzero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        return sp.S.One

    def _eval_is_real(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None

    def _eval_is_nonzero(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        u = self.args[0]
        alone = u.is_Atom or (isinstance(u, sp.Pow) and u.exp == sp.Rational(1, 2))
        return printer._print(u) if alone else f"({printer._print(u)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\left({printer._print(self.args[0])}\right)"
        return body if exp is None else f"{body}^{{{exp}}}"


class residual(sp.Function):  # type: ignore[misc]  # noqa: N801  # shown as a difference
    """residual(v, c) = v - c, what conditioning leaves of a variance v; kept at 1e-18 v where rounding would pass zero.

    An angle between two forms, one of which has no variance left, is then zero and not an angle between two rounding
    errors.
    """

    def fdiff(self, argindex: int = 1) -> Expr:
        return sp.Integer(1 if argindex == 1 else -1)

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _eval_evalf(self, prec: int) -> Expr:
        return (self.args[0] - self.args[1])._eval_evalf(prec)

    def _sympystr(self, printer: Any) -> str:
        return f"({printer._print(self.args[0] - self.args[1])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\left({printer._print(self.args[0] - self.args[1])}\right)"
        return body if exp is None else f"{body}^{{{exp}}}"


def _power(exp: str | None) -> str:
    """The exponent of a function in LaTeX, which stands before its argument."""
    return "" if exp is None else f"^{{{exp}}}"
