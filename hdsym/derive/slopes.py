"""How the gradient matrix and the Fisher matrix change with the overlaps: Price's theorem once more.

The Jacobian of the mode equations needs dH_ij/dB_kl and dI_ij/dB_kl for the entries B_kl that evolve, those with k
among the students. As everywhere, B_kl and B_lk are one symbol here: off the diagonal both change together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import DeclarationError, ExpectationError
from ..expectation.engine import Engine
from ..expectation.expectation import Expectation
from ..expectation.rules.quasi import quasi_integrals
from ..symbols import entry_name, overlap, slope_name

if TYPE_CHECKING:
    from .pipeline import Formulas

__all__ = ["MANY", "slopes", "symbolic_slopes"]

Slopes = tuple[tuple[str, Expectation], ...]

MANY = 48
"""Solvers take differences where there are more derivatives than this: deriving them takes longer than solving.

Polynomials are always differentiated.
"""


def slopes(formulas: Formulas) -> Slopes:
    """Derivatives of H_ij (i >= j) and I_ij (i <= j), which are symmetric, in every entry of B that evolves.

    Raises
    ------
    ExpectationError
        If one of them does not exist, or no rule computes it.
    DeclarationError
        If it needs a derivative of a function of the user's that was not declared.
    """
    engine = Engine()
    return tuple(
        (slope_name(name, pair), entry.diff(overlap(*pair), engine))
        for name, entry in _entries(formulas)
        for pair in formulas.modes.pairs
    )


def symbolic_slopes(formulas: Formulas) -> tuple[Slopes, str]:
    """The derivatives a solver evaluates, or none of them and the reason for taking differences instead."""
    entries = [entry.expr for _, entry in _entries(formulas)]
    count = len(entries) * len(formulas.modes.pairs)
    if count > MANY and not all(expr.is_polynomial(*expr.free_symbols) for expr in entries):
        return (), f"there are {count} derivatives to be derived"
    try:
        found = slopes(formulas)
    except (ExpectationError, DeclarationError) as error:  # the latter: a declared function's derivative is unknown
        return (), f"not all derivatives have a formula: {error.message}"
    if any(quasi_integrals(entry.expr) for _, entry in found):
        return (), "some derivatives are integrals in too many dimensions"
    return found, ""


def _entries(formulas: Formulas) -> Iterator[tuple[str, Expectation]]:
    students = range(len(formulas.fisher))
    for i, row in enumerate(formulas.gradient):
        yield from ((entry_name("H", i + 1, j + 1), row[j]) for j in students if j <= i)
    for i in students:
        yield from ((entry_name("I", i + 1, j + 1), formulas.fisher[i][j]) for j in students if j >= i)
