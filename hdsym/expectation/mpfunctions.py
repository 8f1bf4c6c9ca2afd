"""Integrands as functions of multiple-precision numbers, overflow-safe and independent of every generated form."""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp

from ..cas import Expr, Symbol, sp
from ..errors import ExpectationError
from .nested import Real

__all__ = ["real_function"]


def real_function(
    integrand: Expr, variables: tuple[Symbol, ...], mean: list[Real], factor: list[list[Real]]
) -> Callable[..., Real]:
    """The integrand as a function of the standard normals."""
    unknown = {type(f).__name__ for f in integrand.atoms(sp.Function)} - _NAMES.keys() - _MPMATH
    if unknown:
        raise ExpectationError(
            f"the high-precision route does not know {', '.join(sorted(unknown))}",
            remedy=f"it knows {', '.join(sorted(_NAMES.keys() | _MPMATH))}",
        )
    compiled = sp.lambdify(variables, integrand, modules=[_NAMES, "mpmath"], cse=True)

    def function(*z: Real) -> Real:
        point = [
            m + sum((c * x for c, x in zip(row, z, strict=True)), mp.zero) for m, row in zip(mean, factor, strict=True)
        ]
        value = mp.mpmathify(compiled(*point))
        if isinstance(value, mp.mpc) or not mp.isfinite(value):
            place = ", ".join(f"{v} = {mp.nstr(p, 5)}" for v, p in zip(variables, point, strict=True))
            raise ExpectationError(f"{integrand} is not a finite real number at {place}", remedy="check its domain")
        return value

    return function


def _sigmoid(u: Real) -> Real:
    return 1 / (1 + mp.exp(-u))


def _softplus(u: Real) -> Real:
    return max(u, mp.zero) + mp.log1p(mp.exp(-abs(u)))


def _log_ndtr(u: Real) -> Real:
    tail = mp.erfc(abs(u) / mp.sqrt(2)) / 2
    return mp.log1p(-tail) if u > 0 else mp.log(tail)


def _logsumexp(*values: Real) -> Real:
    top = max(values)
    return top + mp.log(sum((mp.exp(value - top) for value in values), mp.zero))


_NAMES: dict[str, Callable[..., Real]] = {
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "logsumexp": _logsumexp,
    "log_ndtr": _log_ndtr,
    "sign": mp.sign,
    "Abs": abs,
    "Heaviside": lambda u, middle=0.5: mp.one if u > 0 else (mp.zero if u < 0 else mp.mpf(middle)),
    "Max": max,
    "Min": min,
}
_MPMATH = frozenset(
    {"exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc", "atan", "asinh", "Piecewise"}
)
