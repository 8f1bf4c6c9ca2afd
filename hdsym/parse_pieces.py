"""The arithmetic of the parser: sympy expressions that carry bounds on what they could cost.

Three bounds travel with every piece: its polynomial degree, the number of monomials it would expand to, and the
value of a piece without names. They are computed from the parts before sympy builds the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .cas import Expr, sp
from .errors import DeclarationError
from .forms import mean, overlap, resolvent
from .functions import ANGLES, KNOWN, relu

__all__ = [
    "FUNCTIONS",
    "MAX_EXPONENT",
    "STATISTICS",
    "Function",
    "Piece",
    "Refusal",
    "build",
    "constant",
    "power",
    "product",
    "quotient",
    "total",
]

MAX_EXPONENT = 64
MAX_TERMS = 2000
MAX_BITS = 1100
MAX_VALUE = 1e300


class Refusal(Exception):  # noqa: N818  # it becomes a ParseError with a place
    """A piece that is not allowed; the reader adds where it stands."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True)
class Piece:
    """An expression and what is known about its cost.

    Attributes
    ----------
    expr:
        The expression.
    degree, terms:
        Bounds on its polynomial degree and on its number of monomials when expanded.
    value:
        Its approximate value when it contains no name, else ``None``.
    """

    expr: Expr
    degree: int
    terms: int
    value: float | None


def constant(value: Any) -> Piece:
    """A rational number."""
    number = sp.Rational(value)
    return Piece(number, degree=0, terms=1, value=float(number))


def total(left: Piece, right: Piece) -> Piece:
    """The sum."""
    degree, terms = max(left.degree, right.degree), left.terms + right.terms
    value = None if left.value is None or right.value is None else left.value + right.value
    return build(lambda: left.expr + right.expr, degree, terms, value)


def product(left: Piece, right: Piece) -> Piece:
    """The product."""
    value = None if left.value is None or right.value is None else left.value * right.value
    return build(lambda: left.expr * right.expr, left.degree + right.degree, left.terms * right.terms, value)


def quotient(left: Piece, right: Piece) -> Piece:
    """The quotient; dividing by zero is refused."""
    if right.expr.is_zero:
        raise Refusal("divides by zero", "check the denominator")
    value = None
    if left.value is not None and right.value is not None:
        value = _guarded(lambda a, b: a / b, left.value, right.value)
    return build(lambda: left.expr / right.expr, left.degree + right.degree, left.terms * right.terms, value)


def power(base: Piece, exponent: Piece) -> Piece:
    """The power; a numerical exponent is at most 64 in size, nested powers multiply."""
    if exponent.value is None:
        return build(lambda: base.expr**exponent.expr, base.degree + exponent.degree, base.terms, None)
    size = abs(exponent.value)
    if size > MAX_EXPONENT:
        raise Refusal(
            f"raises to the power {_short(exponent.expr)}", f"keep exponents between -{MAX_EXPONENT} and {MAX_EXPONENT}"
        )
    if base.expr.is_zero and exponent.value < 0:
        raise Refusal("divides by zero", "check the denominator")
    value = None if base.value is None else _guarded(math.pow, base.value, exponent.value)
    degree = math.ceil(base.degree * size)
    terms = math.comb(base.terms + int(size) - 1, int(size)) if size == int(size) and size >= 1 else base.terms
    return build(lambda: base.expr**exponent.expr, degree, terms, value)


@dataclass(frozen=True)
class Function:
    """A function an expression may call: how it is built, its value on floats, how many arguments (0: one or more)."""

    build: Callable[..., Expr]
    number: Callable[..., float]
    arity: int = 1
    optional: int = 0

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many arguments."""
        return self.arity <= count <= self.arity + self.optional if self.arity else count > 0

    def apply(self, arguments: Sequence[Piece]) -> Piece:
        """The function of the given pieces."""
        values = [argument.value for argument in arguments]
        value = None
        if all(argument is not None for argument in values):
            value = _guarded(self.number, *(float(argument or 0.0) for argument in values))
        terms = sum(argument.terms for argument in arguments) * len(arguments)
        degree = max(argument.degree for argument in arguments)
        return build(lambda: self.build(*(argument.expr for argument in arguments)), degree, terms, value)


def _guarded(function: Callable[..., float], *values: float) -> float:
    try:
        result = function(*values)
    except OverflowError:
        return math.inf
    except (ValueError, ZeroDivisionError):
        raise Refusal("has no real value", "check the arguments of sqrt, log, / and **") from None
    if isinstance(result, complex):
        raise Refusal("has no real value", "check the arguments of sqrt, log, / and **")
    return result


def build(make: Callable[[], Expr], degree: int, terms: int, value: float | None) -> Piece:
    """Check the bounds, build the expression, check what came out."""
    if degree > MAX_EXPONENT:
        raise Refusal(f"has degree {_short(degree)}, more than {MAX_EXPONENT}", "lower the powers")
    if terms > MAX_TERMS:
        raise Refusal(f"would expand to more than {MAX_TERMS} terms", "simplify the expression")
    if value is not None and not abs(value) <= MAX_VALUE:
        raise Refusal("contains a number that is too large", "keep numbers between 1e-300 and 1e300")
    try:
        expr = make()
    except DeclarationError as error:
        raise Refusal(error.message, error.remedy or "") from None
    if expr.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise Refusal("has no finite value", "check for a division by zero or log(0)")
    if expr.has(sp.I):
        raise Refusal("is not real", "check the arguments of sqrt, log and **")
    if any(max(abs(number.p), number.q).bit_length() > MAX_BITS for number in expr.atoms(sp.Rational)):
        raise Refusal("contains a number with too many digits", "use fewer digits or smaller powers")
    return Piece(expr, degree, terms, value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 20 else text[:17] + "..."


def _softplus(u: float) -> float:
    return max(u, 0.0) + math.log1p(math.exp(-abs(u)))


def _log_ndtr(u: float) -> float:
    if u > -30:
        return math.log(0.5 * math.erfc(-u / math.sqrt(2)))
    return -u * u / 2 - math.log(-u * math.sqrt(2 * math.pi))  # to relative accuracy 1e-5, which a bound may have


def _logsumexp(*values: float) -> float:
    largest = max(values)
    return largest + math.log(sum(math.exp(value - largest) for value in values))


def _sign(u: float) -> float:
    return math.copysign(1.0, u) if u else 0.0


def _maximum(first: Expr, second: Expr) -> Expr:
    return (first + second + sp.Abs(first - second)) / 2


def _minimum(first: Expr, second: Expr) -> Expr:
    return (first + second - sp.Abs(first - second)) / 2


def _half_step(u: Expr) -> Expr:
    return sp.Heaviside(u, sp.Rational(1, 2))


_NUMBERS: dict[str, Callable[..., float]] = {
    "Abs": abs,
    "Heaviside": lambda u: (1.0 + _sign(u)) / 2,
    "log_ndtr": _log_ndtr,
    "sigmoid": lambda u: 0.5 * (1.0 + math.tanh(0.5 * u)),
    "sign": _sign,
    "softplus": _softplus,
    **{name: getattr(math, name) for name in ("cos", "cosh", "erf", "erfc", "exp", "log", "sin", "sinh", "tanh")},
}

FUNCTIONS: dict[str, Function] = {
    **{name: Function(KNOWN[name], number) for name, number in _NUMBERS.items() if name in KNOWN},
    "Heaviside": Function(_half_step, _NUMBERS["Heaviside"]),
    "KroneckerDelta": Function(sp.KroneckerDelta, lambda u, v: float(u == v), arity=2),
    "Max": Function(_maximum, max, arity=2),
    "Min": Function(_minimum, min, arity=2),
    "abs": Function(sp.Abs, abs),
    "logsumexp": Function(KNOWN["logsumexp"], _logsumexp, arity=0),
    "max": Function(_maximum, max, arity=2),
    "min": Function(_minimum, min, arity=2),
    "relu": Function(relu, lambda u: max(u, 0.0)),
    "sqrt": Function(sp.sqrt, math.sqrt),
}
"""Everything an expression may call. A maximum of two is written with an absolute value, as the engine wants it."""

_NOT_A_NUMBER: Callable[..., float] = lambda *_: 0.0  # noqa: E731  # of numbers alone none of them is built

STATISTICS: dict[str, Function] = {
    **{name: Function(ANGLES[name], getattr(math, name)) for name in ANGLES},
    "mean": Function(mean, _NOT_A_NUMBER),
    "overlap": Function(overlap, _NOT_A_NUMBER, arity=2, optional=1),
    "resolvent": Function(resolvent, _NOT_A_NUMBER, arity=3),
}
"""What a statistic may call besides."""
