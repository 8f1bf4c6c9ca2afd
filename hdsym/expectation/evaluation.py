"""Numerical values of an expectation, through the same generated code that solvers run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cas import Expr, Symbol, free_symbols
from ..errors import ExpectationError

if TYPE_CHECKING:
    from .expectation import Expectation

__all__ = ["evaluate", "evaluate_to"]

_REFINEMENTS = (2, 4, 8)
"""Multiples of the nodes that are tried to reach a tolerance."""


def evaluate(
    expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, ArrayLike], refine: int = 1
) -> NDArray[np.float64]:
    """Values at covariances `B` (..., n, n) and named constants; see :meth:`Expectation.evaluate`.

    Without `B` its entries are among the constants, which are arrays then.
    """
    expr, conditions = expectation.expr, expectation.conditions
    symbols = tuple(dict.fromkeys(s for e in (expr, *conditions) for s in free_symbols(e)))
    values = _values(expectation, B, parameters)
    missing = [symbol.name for symbol in symbols if symbol.name not in values]
    if missing:
        raise ExpectationError(f"no value for {', '.join(missing)}", remedy="give B, and constants by name")
    arrays = np.broadcast_arrays(*(np.asarray(values[s.name], dtype=np.float64) for s in symbols), np.zeros(()))[:-1]
    if not all(np.all(np.isfinite(array)) for array in arrays):
        raise ExpectationError("a value is NaN or infinite", remedy="give finite covariances and constants")
    with np.errstate(all="ignore"):
        try:
            result, *bounds = _module(symbols, (expr, *conditions)).value(*arrays, refine=refine)
        except ValueError as error:
            raise ExpectationError(str(error), remedy="give a smaller covariance, or fewer waves") from None
    _check_conditions(conditions, bounds)
    shape = np.broadcast_shapes(arrays[0].shape if arrays else (), np.shape(B)[:-2] if B is not None else ())
    full: NDArray[np.float64] = np.broadcast_to(np.asarray(result, dtype=np.float64), shape)
    if not np.all(np.isfinite(full)):
        where = tuple(np.argwhere(~np.isfinite(full))[0])
        point = ", ".join(f"{s.name} = {a[where]:g}" for s, a in zip(symbols, arrays, strict=True))
        shown = f"E[{expectation.integrand}]"
        raise ExpectationError(f"{shown} is not finite at {point}", remedy="the formula is singular there")
    return full


def evaluate_to(
    expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, float], tol: float
) -> NDArray[np.float64]:
    """Values whose estimated error is at most tol * max(1, abs(value)), by doubling the nodes."""
    if not 0 < tol < 1:
        raise ExpectationError(f"tol is {tol}", remedy="give a number between 1e-13 and 1")
    coarse = evaluate(expectation, B, parameters)
    for refine in _REFINEMENTS:
        fine = evaluate(expectation, B, parameters, refine)
        error = np.abs(fine - coarse) / np.maximum(1.0, np.abs(fine))
        if np.all(error <= tol):
            return fine
        coarse = fine
    raise ExpectationError(
        f"quadrature of {expectation.expr} reaches {float(np.max(error)):.1e}, not tol = {tol:g}",
        remedy="ask for less, or split the integrand so that the rules find its closed parts",
    )


def _values(expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
    values: dict[str, ArrayLike] = dict(parameters)
    if B is None:
        return values
    size = expectation.gaussian.size
    matrix = np.asarray(B, dtype=np.float64)
    if matrix.shape[-2:] != (size, size):
        raise ExpectationError(f"B has shape {matrix.shape}", remedy=f"give shape (..., {size}, {size})")
    for i in range(size):
        for j in range(i, size):
            entry: Expr = expectation.gaussian.cov[i, j]
            if entry.is_Symbol:
                values[entry.name] = matrix[..., i, j]
    return values


def _check_conditions(conditions: tuple[Expr, ...], bounds: list[ArrayLike]) -> None:
    for condition, bound in zip(conditions, bounds, strict=True):
        if not np.all(np.asarray(bound) > 0):
            raise ExpectationError(
                f"the expectation does not exist: {condition} is not positive",
                remedy=f"it exists only where {condition} > 0",
            )


@lru_cache(maxsize=256)
def _module(symbols: tuple[Symbol, ...], exprs: tuple[Expr, ...]) -> ModuleType:
    from ..codegen import load_module, render_function
    from ..ir.lower import lower_function

    pairs = [(f"value {k}", expr) for k, expr in enumerate(exprs)]
    return load_module(render_function(lower_function("value", symbols, [("value", (len(pairs),), pairs)], {})))
