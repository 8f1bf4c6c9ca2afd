"""The functions a model may use, and what the engine must know about each of them.

Two are our own because sympy has no stable form of them: ``sigmoid(u) = 1 / (1 + exp(-u))`` and
``softplus(u) = log(1 + exp(u))``. Written out by hand they are recognised by :func:`recognise`.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any

from .cas import Expr, sp
from .errors import DeclarationError

__all__ = ["KNOWN", "FunctionInfo", "check_functions", "owens_t", "recognise", "relu", "sigmoid", "softplus"]


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
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\sigma{power}\left({printer._print(self.args[0])}\right)"


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
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\operatorname{{softplus}}{power}\left({printer._print(self.args[0])}\right)"


class owens_t(sp.Function):  # type: ignore[misc]  # noqa: N801  # named like sympy's own functions
    """Owen's T(h, a) = (1/2 pi) int_0^a exp(-h^2 (1 + x^2) / 2) / (1 + x^2) dx; appears in results only."""

    def _eval_is_real(self) -> bool | None:
        return all(arg.is_extended_real for arg in self.args) or None

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        h, a = (printer._print(arg) for arg in self.args)
        return rf"T\left({h}, {a}\right)" + ("" if exp is None else f"^{{{exp}}}")


def relu(u: Expr) -> Expr:
    """max(u, 0), written as (u + \\|u\\|) / 2 so that one rule serves every kinked function."""
    return (u + sp.Abs(u)) / 2


@dataclass(frozen=True)
class FunctionInfo:
    """What the engine knows about a function of one real argument.

    Attributes
    ----------
    cls:
        The sympy class.
    strip:
        Half-width of the strip around the real axis in which it is analytic; ``inf`` for an entire function,
        zero for one with a kink or a jump. It decides how many quadrature nodes are needed.
    kink:
        Where it has a kink or jump, if it has one.
    """

    cls: Any
    strip: float
    kink: float | None = None


KNOWN: dict[str, FunctionInfo] = {
    "exp": FunctionInfo(sp.exp, math.inf),
    "erf": FunctionInfo(sp.erf, math.inf),
    "erfc": FunctionInfo(sp.erfc, math.inf),
    "sin": FunctionInfo(sp.sin, math.inf),
    "cos": FunctionInfo(sp.cos, math.inf),
    "sinh": FunctionInfo(sp.sinh, math.inf),
    "cosh": FunctionInfo(sp.cosh, math.inf),
    "tanh": FunctionInfo(sp.tanh, math.pi / 2),
    "sigmoid": FunctionInfo(sigmoid, math.pi),
    "softplus": FunctionInfo(softplus, math.pi),
    "log": FunctionInfo(sp.log, 0.0),
    "Abs": FunctionInfo(sp.Abs, 0.0, 0.0),
    "sign": FunctionInfo(sp.sign, 0.0, 0.0),
    "Heaviside": FunctionInfo(sp.Heaviside, 0.0, 0.0),
    "DiracDelta": FunctionInfo(sp.DiracDelta, 0.0, 0.0),
    "Max": FunctionInfo(sp.Max, 0.0, 0.0),
    "Min": FunctionInfo(sp.Min, 0.0, 0.0),
}
"""Every function a model may contain, by its sympy name."""


def check_functions(expr: Expr, where: str) -> None:
    """Raise for a function that no rule and no target knows, naming the nearest that is known."""
    for function in sorted(expr.atoms(sp.Function, sp.Max, sp.Min), key=sp.default_sort_key):
        name = type(function).__name__
        if name in KNOWN and type(function) is KNOWN[name].cls:
            continue
        near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.0)
        raise DeclarationError(
            f"the {where} uses the function {name!r}, in {function}, which hdsym does not know",
            remedy=f"write it with known functions ({', '.join(sorted(KNOWN))}); the nearest name is {near[0]!r}",
        )


def recognise(expr: Expr) -> Expr:
    """Rewrite hand-written logistic functions, log(1 + exp(u)) and ReLU into their stable or canonical form."""
    return (
        expr.replace(_is_log_cosh, _to_log_cosh)
        .replace(_is_softplus, _to_softplus)
        .replace(_is_sigmoid, _to_sigmoid)
        .replace(lambda e: isinstance(e, sp.Max | sp.Min) and len(e.args) == 2, _to_abs)
    )


def _one_plus_exp(expr: Expr) -> Expr | None:
    """The u of 1 + exp(u), or None."""
    if isinstance(expr, sp.Add) and len(expr.args) == 2 and sp.S.One in expr.args:
        other = expr - 1
        if isinstance(other, sp.exp):
            return other.args[0]
    return None


def _is_softplus(expr: Expr) -> bool:
    return isinstance(expr, sp.log) and _one_plus_exp(expr.args[0]) is not None


def _to_softplus(expr: Expr) -> Expr:
    return softplus(_one_plus_exp(expr.args[0]))


def _is_log_cosh(expr: Expr) -> bool:
    return isinstance(expr, sp.log) and isinstance(expr.args[0], sp.cosh)


def _to_log_cosh(expr: Expr) -> Expr:
    """Log cosh u = softplus(2u) - u - log 2, which does not overflow."""
    u = expr.args[0].args[0]
    return softplus(2 * u) - u - sp.log(2)


def _is_sigmoid(expr: Expr) -> bool:
    return isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp < 0 and _one_plus_exp(expr.base) is not None


def _to_sigmoid(expr: Expr) -> Expr:
    u = _one_plus_exp(expr.base)
    return expr if u is None else sigmoid(-u) ** (-expr.exp)


def _to_abs(expr: Expr) -> Expr:
    first, second = expr.args
    sign = 1 if isinstance(expr, sp.Max) else -1
    return (first + second + sign * sp.Abs(first - second)) / 2
