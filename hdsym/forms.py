"""W^T q(K) W in expressions of statistics: <X, q(K) X*> is ``overlap(x, s, q)``, and a mean E[g] is ``mean(g)``.

A preactivation x = <X, a> stands for its direction X, a linear combination for that of the directions. q is a rational
function of ``covariance``, the symbol of K: a polynomial, or one with poles away from the spectrum, as the resolvent
(K - z)^-1 has. All of them have deterministic limits (1/d) sum_i q(lam_i) V_i (Collins-Woodfin et al.,
arXiv:2308.08977), so that a smooth function of several is one more statistic.
"""

from __future__ import annotations

from typing import Any

from .cas import PRECEDENCE, Expr, Symbol, exact, free_symbols, latex, sp, to_expr
from .errors import DeclarationError
from .families import StudentFamily, TeacherFamily
from .roles import Parameter, StudentSymbol, TeacherSymbol

__all__ = ["Mean", "ModeSum", "Overlap", "covariance", "mean", "overlap", "resolvent"]


class CovarianceSymbol(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """The data covariance K as a variable: its eigenvalues are put in."""

    __slots__ = ()

    def __new__(cls) -> CovarianceSymbol:
        symbol: CovarianceSymbol = sp.Symbol.__xnew__(cls, "covariance", real=True, nonnegative=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, Any]]:
        return (), {}


covariance: Symbol = CovarianceSymbol()
"""The covariance K in functions of it: ``hd.overlap(x, s, 1 + hd.covariance**3)``."""


class Overlap(sp.Expr):  # type: ignore[misc]  # sympy is untyped
    """<u, q(K) v> with real coefficients, the arguments (u, v, q); made by :func:`overlap`, which checks them."""

    def __new__(cls, u: Expr, v: Expr, q: Expr) -> Overlap:
        first, second = sorted((u, v), key=sp.default_sort_key)
        made: Overlap = sp.Expr.__new__(cls, first, second, q)
        return made

    def _eval_is_real(self) -> bool:
        return True

    def _eval_is_nonnegative(self) -> bool | None:
        u, v, q = self.args
        return True if u == v and q.is_nonnegative else None

    def _sympystr(self, printer: Any) -> str:
        u, v, q = self.args
        return f"overlap({', '.join(map(printer.doprint, (u, v) if q == 1 else (u, v, q)))})"

    def _latex(self, printer: Any) -> str:
        u, v, q = self.args
        index = "" if q == 1 else f"_{{{latex(in_letter(q, sp.Symbol('K')))}}}"
        return rf"\left\langle {printer.doprint(u)}, {printer.doprint(v)}\right\rangle{index}"


class Mean(sp.Expr):  # type: ignore[misc]  # sympy is untyped
    """E[g] over data, noise and label, the argument g; made by :func:`mean`."""

    def _eval_is_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"mean({printer.doprint(self.args[0])})"

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}\left[{printer.doprint(self.args[0])}\right]"


class ModeSum(sp.Expr):  # type: ignore[misc]  # sympy is untyped
    """The sum of an expression in lam and the entries of G over the levels of the spectrum: what an overlap is."""

    def _eval_is_real(self) -> bool:
        return True

    def _sympystr(self, printer: Any) -> str:
        return f"sum_lam({printer.doprint(self.args[0])})"

    def _latex(self, printer: Any) -> str:
        return rf"\sum_{{\lambda}} {printer.parenthesize(self.args[0], PRECEDENCE['Mul'])}"


def in_letter(q: Expr, letter: Symbol) -> Expr:
    """The function q with another symbol for the covariance; by name, as displays make all symbols plain ones."""
    return q.xreplace({symbol: letter for symbol in q.free_symbols if symbol.name == covariance.name})


def overlap(u: Any, v: Any, q: Any = 1) -> Expr:
    """<u, q(K) v>, an entry of W^T q(K) W, for statistics of a model; O(1) in d.

    Parameters
    ----------
    u, v:
        Preactivations, or linear combinations of them with numbers for coefficients: ``x`` stands for X, ``x - s`` for
        X - X*.
    q:
        A rational function of :data:`hdsym.covariance`, with parameters of the model if wanted; 1 by default. Its poles
        have to be outside of the spectrum, which is checked when a problem is solved or simulated.

    Returns
    -------
    sympy.Expr
        Real, and usable in any expression; a + i b for a complex q, of which ``sympy.re``, ``im`` or ``Abs`` can be
        declared.

    Raises
    ------
    DeclarationError
        If u or v is no such combination, or q no such function.

    Examples
    --------
    >>> import hdsym as hd, sympy as sp
    >>> x, s, K = hd.student("x"), hd.teacher("s"), hd.covariance
    >>> model = hd.zoo.phase_retrieval().with_statistics(
    ...     error=sp.sqrt(hd.overlap(x - s, x - s)),
    ...     alignment=hd.overlap(x, s, K**2) / sp.sqrt(hd.overlap(x, x, K**2) * hd.overlap(s, s, K**2)),
    ... )
    >>> hd.derive(model).statistics["error"]
    sqrt(sum_lam(G11 - 2*G12 + G22))
    """
    first, second = _direction(u), _direction(v)
    real, imaginary = _parts(_function_of_covariance(q))
    parts = [Overlap(first, second, part) if part != 0 else sp.S.Zero for part in (real, imaginary)]
    return parts[0] + sp.I * parts[1]


def resolvent(u: Any, v: Any, z: Any) -> Expr:
    """<u, (K - z)^-1 v>, an entry of the resolvent S(z) = W^T (K - z)^-1 W; see :func:`overlap`.

    `z` is a real or complex number, or an expression in parameters of the model. For a complex one declare its real or
    imaginary part: ``sympy.im(hd.resolvent(x, x, 1 + 0.1j))`` is a smoothed density of X over the spectrum, times pi.
    """
    return overlap(u, v, 1 / (covariance - _number(z, "z")))


def mean(g: Any) -> Expr:
    """E[g], to be used in functions of means: ``sympy.sqrt(hd.mean((x - y)**2))``.

    A statistic that is written without it, as ``abs(x - y)``, is the mean of what is written.

    Raises
    ------
    DeclarationError
        If g is no expression, or holds what is no random variable: an overlap, or another mean.
    """
    expr = to_expr(g)
    if expr is None:
        raise DeclarationError(f"the mean of {g!r} is asked for", remedy="give an expression in x, s, y, eps")
    inside = sorted(expr.atoms(Mean, Overlap), key=sp.default_sort_key)
    if inside:
        raise DeclarationError(
            f"the mean of {expr} is asked for, and {inside[0]} in it is no random variable",
            remedy="write it outside of the mean, as a factor or a term",
        )
    return Mean(expr)


_FAMILIES = (StudentFamily, TeacherFamily)


def is_direction(symbol: Expr) -> bool:
    """Whether a symbol stands for a direction: a preactivation, or the unit of a family of them."""
    of_family = isinstance(symbol, sp.Indexed) and isinstance(symbol.base, _FAMILIES)
    return of_family or isinstance(symbol, StudentSymbol | TeacherSymbol)


def _direction(value: Any) -> Expr:
    """A linear combination of preactivations; sums over units are written out, and checked, when widths are known."""
    expr = to_expr(value)
    if expr is None or isinstance(expr, sp.IndexedBase):
        raise DeclarationError(
            f"an overlap is given {value!r}",
            remedy='give preactivations, x = hd.student("x") and s = hd.teacher("s"), or combinations such as x - s',
        )
    if not expr.has(sp.Sum):
        linear_coefficients(expr)
    return expr


def linear_coefficients(expr: Expr) -> dict[Symbol, Expr]:
    """The coefficients, numbers, of a linear combination of preactivations. Raises DeclarationError if it is none."""
    symbols = sorted((e for e in expr.atoms(sp.Symbol, sp.Indexed) if is_direction(e)), key=sp.default_sort_key)
    found = {symbol: sp.diff(expr, symbol) for symbol in symbols}
    rest = sp.expand(expr - sp.Add(*(symbol * value for symbol, value in found.items())))
    if not found or rest != 0 or not all(value.is_number and value.is_real for value in found.values()):
        raise DeclarationError(
            f"an overlap is given {expr}, which is no direction",
            remedy="give preactivations or linear combinations of them with numbers, such as x or x - s; "
            "other factors go outside: a * hd.overlap(x, s)",
        )
    return found


def _number(value: Any, where: str) -> Expr:
    """A real or complex number, or an expression in parameters."""
    if isinstance(value, complex):
        real, imaginary = to_expr(value.real), to_expr(value.imag)
        expr = None if real is None or imaginary is None else real + sp.I * imaginary
    else:
        expr = to_expr(value)
    if expr is None or any(not isinstance(symbol, Parameter) for symbol in expr.free_symbols):
        raise DeclarationError(
            f"{where} is {value!r}", remedy="give a real or complex number, or an expression in hd.parameter(...)"
        )
    return expr


def _function_of_covariance(value: Any) -> Expr:
    expr = _number(value, "q") if isinstance(value, complex) else to_expr(value)
    if expr is None:
        raise DeclarationError(f"q is {value!r}", remedy="give a function of hd.covariance, such as hd.covariance**2")
    strangers = [s for s in free_symbols(expr) if s != covariance and not isinstance(s, Parameter)]
    if strangers:
        raise DeclarationError(
            f"q is {expr}, and {strangers[0]} in it is neither hd.covariance nor a parameter",
            remedy="write it in K = hd.covariance, numbers and hd.parameter(...)",
        )
    if not expr.is_rational_function(covariance) or expr.has(sp.zoo, sp.oo, sp.nan):
        raise DeclarationError(
            f"q is {expr}, which is no polynomial in the covariance, nor a quotient of two",
            remedy="give a polynomial, such as 1 + hd.covariance**3, or a resolvent, hd.resolvent(x, s, z)",
        )
    return exact(expr)


def _parts(q: Expr) -> tuple[Expr, Expr]:
    """Real and imaginary part of a rational function on the real axis, each a real rational function."""
    if not q.has(sp.I):
        return q, sp.S.Zero
    above, below = sp.fraction(sp.together(q))
    real, imaginary = sp.expand(above * sp.conjugate(below)).as_real_imag()
    scale = sp.expand(below * sp.conjugate(below))
    return sp.cancel(real / scale), sp.cancel(imaginary / scale)
