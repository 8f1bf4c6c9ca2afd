"""The functions a model may use, and what the engine must know about each of them.

Some are our own (:mod:`hdsym.special`) because sympy has no stable form of them. Written out by hand, as
``1 / (1 + exp(-u))`` or ``log(1 + exp(u))``, they are recognised by :func:`hdsym.recognise.recognise`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from .cas import Expr, sp
from .errors import DeclarationError
from .special import log_ndtr, logsumexp, owens_t, sigmoid, softplus
from .userfunction import UserFunction

__all__ = [
    "KNOWN",
    "check_functions",
    "log_ndtr",
    "logsumexp",
    "owens_t",
    "relu",
    "sigmoid",
    "softplus",
]


def relu(u: Expr) -> Expr:
    """max(u, 0), written as (u + \\|u\\|) / 2 so that one rule serves every kinked function."""
    return (u + sp.Abs(u)) / 2


KNOWN: dict[str, Any] = {
    "exp": sp.exp,
    "erf": sp.erf,
    "erfc": sp.erfc,
    "sin": sp.sin,
    "cos": sp.cos,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "logsumexp": logsumexp,
    "log_ndtr": log_ndtr,
    "log": sp.log,
    "Abs": sp.Abs,
    "sign": sp.sign,
    "Heaviside": sp.Heaviside,
    "DiracDelta": sp.DiracDelta,
    "KroneckerDelta": sp.KroneckerDelta,
    "Max": sp.Max,
    "Min": sp.Min,
}
"""Every function a model may contain: its sympy class by name."""


ANGLES: dict[str, Any] = {"acos": sp.acos, "asin": sp.asin, "atan": sp.atan}
"""What functions of means and overlaps may contain besides."""


def check_functions(expr: Expr, where: str, besides: Mapping[str, Any] | None = None) -> None:
    """Raise for a function that no rule and no target knows, naming the nearest that is known."""
    known = {**KNOWN, **(besides or {})}
    for function in sorted(expr.atoms(sp.Function, sp.Max, sp.Min), key=sp.default_sort_key):
        name = type(function).__name__
        if isinstance(function, UserFunction) or type(function) is known.get(name):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
        raise DeclarationError(
            f"the {where} uses the function {name!r}, in {function}, which hdsym does not know",
            remedy=f"write it with known functions ({', '.join(sorted(known))}); the nearest name is {near[0]!r}; or "
            "declare it by its code with hd.function(...)",
        )
