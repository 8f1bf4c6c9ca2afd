"""Checks of user input shared by spectra, starts and problems: each names the offender and the remedy."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DeclarationError

__all__ = ["data_matrix", "dimension", "eigenvalue_vector", "entropy", "finite", "frozen", "orthogonal", "real_array"]

Float = NDArray[np.float64]

_ORTHOGONALITY = 1e-8
"""Largest accepted deviation of a basis from orthogonality on a standard normal vector; rounding leaves 1e-13."""


def data_matrix(A: ArrayLike, name: str) -> Float:
    """A as a finite float matrix with samples as rows, else :class:`DeclarationError`; A itself if it is one."""
    data = real_array(A, name, copy=False)
    if data.ndim != 2 or data.size == 0:
        raise DeclarationError(f"{name} has shape {data.shape}", remedy="give samples as rows, shape (N, d)")
    return data


def eigenvalue_vector(values: ArrayLike, name: str) -> Float:
    """A finite, non-negative vector with a positive entry; negative entries within rounding become zero."""
    vector = real_array(values, name)
    if vector.ndim != 1 or vector.size == 0:
        raise DeclarationError(f"{name} have shape {vector.shape}", remedy="give a non-empty one-dimensional array")
    smallest, largest = float(vector.min()), float(vector.max())
    if smallest < -len(vector) * 4 * np.finfo(np.float64).eps * max(largest, -smallest):
        raise DeclarationError(
            f"{name} must be >= 0, the smallest is {smallest:.6g}",
            remedy="a covariance is positive semi-definite: check its sign, or clip what is estimation error",
        )
    if largest <= 0:
        raise DeclarationError(f"{name} are all zero", remedy="give at least one positive eigenvalue")
    return np.maximum(vector, 0.0)


def real_array(values: Any, name: str, copy: bool = True) -> Float:
    """A new array of finite real numbers, else :class:`DeclarationError`; without `copy` it may be `values`."""
    array = np.asarray(values)
    if array.dtype.kind not in "iufb":
        raise DeclarationError(
            f"{name}: entries of type {array.dtype} are not real numbers", remedy="give real numbers"
        )
    array = array.astype(np.float64, copy=copy)
    if not np.all(np.isfinite(array)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise DeclarationError(f"{name}: entry {where} is {array[where]}", remedy="give finite numbers")
    return array


def orthogonal(basis: Any, d: int) -> Float:
    """Check orthogonality on a few random vectors: d^2 work where the full check takes d^3."""
    matrix = real_array(basis, "basis of the spectrum")
    if matrix.shape != (d, d):
        raise DeclarationError(f"basis of the spectrum has shape {matrix.shape}", remedy=f"give shape ({d}, {d})")
    probes = np.random.default_rng(0).standard_normal((d, 4))
    error = float(np.abs(matrix.T @ (matrix @ probes) - probes).max())
    if error > _ORTHOGONALITY:
        raise DeclarationError(
            f"basis of the spectrum is not orthogonal (error {error:.2g})", remedy="give orthonormal columns"
        )
    return matrix


def dimension(d: Any, name: str = "d") -> int:
    """A positive integer, else :class:`DeclarationError`."""
    try:
        if isinstance(d, bool) or operator.index(d) < 1:
            raise TypeError
    except TypeError:
        raise DeclarationError(f"{name} is {d!r}", remedy="give a positive integer") from None
    return operator.index(d)


def finite(value: Any, name: str) -> float:
    """A finite number as a float, else :class:`DeclarationError`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DeclarationError(f"{name} is {value!r}", remedy="give a finite number")
    return number


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only copy: records do not change after they are made."""
    if array.flags.writeable:
        array = np.array(array)
        array.setflags(write=False)
    return array


def entropy(rng: Any) -> int:
    """The integer that fixes a random stream: `rng` itself, one drawn from a Generator, or fresh (SPEC 7)."""
    if rng is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    try:
        if isinstance(rng, bool) or operator.index(rng) < 0:
            raise TypeError
    except TypeError:
        raise DeclarationError(
            f"rng is {rng!r}", remedy="give a non-negative integer, a numpy Generator, or None"
        ) from None
    return operator.index(rng)
