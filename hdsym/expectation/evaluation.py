"""Numerical values of an expectation, through the same generated code that solvers run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cas import Expr, Symbol, free_symbols
from ..errors import ExpectationError
from .engine import Engine, Outcome
from .gaussian import Gaussian

if TYPE_CHECKING:
    from .expectation import Expectation

__all__ = ["evaluate", "evaluate_to"]

Float = NDArray[np.float64]

_REFINEMENTS = (2, 4, 8)
"""Multiples of the nodes that are tried to reach a tolerance."""

_ULP = 2.0**-52


def evaluate(
    expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, ArrayLike], refine: int = 1
) -> Float:
    """Values at covariances `B` (..., n, n) and named constants; see :meth:`Expectation.evaluate`.

    Without `B` its entries are among the constants, which are arrays then. Where the formula is not finite, as a sum of
    terms each of which is singular, the expectation is integrated directly.
    """
    arguments = _arguments(expectation, B, parameters)
    value = _formula(expectation, arguments, refine)
    bad = ~np.isfinite(value)
    if np.any(bad) and (direct := _direct(expectation, arguments)) is not None:
        inside = {name: array[bad] for name, array in arguments.items()}
        value[bad] = _formula(direct, inside, refine)
        bad = ~np.isfinite(value)
    if np.any(bad):
        where = tuple(np.argwhere(bad)[0])
        point = ", ".join(f"{name} = {a[where]:g}" for name, a in arguments.items())
        shown = f"E[{expectation.integrand}]"
        raise ExpectationError(f"{shown} is not finite at {point}", remedy="the formula is singular there")
    return value


def evaluate_to(expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, float], tol: float) -> Float:
    """Values whose estimated error is at most tol * max(1, abs(value)): of quadrature, and of rounding.

    The nodes are doubled until that changes little enough. Where terms cancel, the rounding of the covariance moves the
    formula by more; then the expectation is integrated directly too, and has to agree or to be the steadier of the two.
    """
    if not 0 < tol < 1:
        raise ExpectationError(f"tol is {tol}", remedy="give a number between 1e-13 and 1")
    value, error = _refined(expectation, B, parameters, tol)
    arguments = _arguments(expectation, B, parameters)
    direct = None if np.all(error <= tol) else _direct(expectation, arguments)
    if direct is not None:
        other, other_error = _refined(direct, B, parameters, tol)
        apart = np.abs(other - value) / np.maximum(1.0, np.abs(value))
        value = np.where(other_error < error, other, value)
        error = np.minimum(np.minimum(error, other_error), apart)
    if not np.all(error <= tol):
        raise ExpectationError(
            f"E[{expectation.integrand}] is known to {float(np.max(error)):.1e}, by quadrature and the rounding of the "
            f"covariance, not to tol = {tol:g}",
            remedy="ask for less, or split the integrand so that the rules find its closed parts",
        )
    return value


def _refined(
    expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, float], tol: float
) -> tuple[Float, Float]:
    """Values and their estimated errors, relative to one or the value, with as many nodes as `tol` needs."""
    value = evaluate(expectation, B, parameters)
    error = np.zeros_like(value)
    for refine in () if expectation.exact else _REFINEMENTS:
        coarse, value = value, evaluate(expectation, B, parameters, refine)
        error = np.abs(value - coarse)
        if np.all(error <= tol * np.maximum(1.0, np.abs(value))):
            break
    return value, (error + _rounding(expectation, B, parameters, value)) / np.maximum(1.0, np.abs(value))


def _rounding(
    expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, ArrayLike], value: Float
) -> Float:
    """How far the values move when entries of the covariance move by a unit in their last place.

    Variances grow and covariances shrink: at perfect correlation the other way would be no covariance.
    """
    arguments, cov = _arguments(expectation, B, parameters), expectation.gaussian.cov
    diagonal = {cov[i, i] for i in range(expectation.gaussian.size)}
    factors = {entry.name: 1 + _ULP if entry in diagonal else 1 - _ULP for entry in cov if entry.is_Symbol}
    nudged = [{**arguments, name: arguments[name] * f} for name, f in factors.items() if name in arguments]
    changes = [np.abs(_formula(expectation, given, 1) - value) for given in nudged]
    return sum((np.where(np.isfinite(change), change, 0.0) for change in changes), np.zeros_like(value))


def _direct(expectation: Expectation, known: Collection[str]) -> Expectation | None:
    """The same expectation without formulas in between, if it has one that needs no more than the `known` symbols."""
    from .expectation import Expectation

    outcome = _numerical(expectation.integrand, expectation.gaussian)
    if outcome is None or outcome.value == expectation.expr:
        return None
    direct = Expectation.of(expectation.integrand, expectation.gaussian, outcome)
    return direct if all(symbol.name in known for symbol in _symbols(direct)) else None


@lru_cache(maxsize=64)
def _numerical(integrand: Expr, gaussian: Gaussian) -> Outcome | None:
    try:
        return Engine("numeric").expectation(integrand, gaussian)
    except ExpectationError:
        return None


def _symbols(expectation: Expectation) -> tuple[Symbol, ...]:
    exprs = (expectation.expr, *expectation.conditions)
    return tuple(dict.fromkeys(symbol for expr in exprs for symbol in free_symbols(expr)))


def _formula(expectation: Expectation, arguments: Mapping[str, Float], refine: int) -> Float:
    """The generated code at arrays of one shape, NaN and all; raises where the expectation does not exist."""
    symbols = _symbols(expectation)
    with np.errstate(all="ignore"):
        try:
            module = _module(symbols, (expectation.expr, *expectation.conditions))
            result, *bounds = module.value(*(arguments[symbol.name] for symbol in symbols), refine=refine)
        except ValueError as error:
            raise ExpectationError(str(error), remedy="give a smaller covariance, or fewer waves") from None
    _check_conditions(expectation.conditions, bounds)
    shape = next(iter(arguments.values())).shape if arguments else ()
    return np.array(np.broadcast_to(np.asarray(result, dtype=np.float64), shape))


def _arguments(expectation: Expectation, B: ArrayLike | None, parameters: Mapping[str, ArrayLike]) -> dict[str, Float]:
    """Values by name, as arrays of one shape."""
    values = _values(expectation, B, parameters)
    missing = [symbol.name for symbol in _symbols(expectation) if symbol.name not in values]
    if missing:
        raise ExpectationError(f"no value for {', '.join(missing)}", remedy="give B, and constants by name")
    shape = np.zeros(np.shape(B)[:-2] if B is not None else ())
    arrays = np.broadcast_arrays(shape, *(np.asarray(value, dtype=np.float64) for value in values.values()))[1:]
    if not all(np.all(np.isfinite(array)) for array in arrays):
        raise ExpectationError("a value is NaN or infinite", remedy="give finite covariances and constants")
    return dict(zip(values, arrays, strict=True))


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
