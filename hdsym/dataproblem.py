"""Least squares on real rows: spectrum, teacher and noise level of the Gaussian problem with the same moments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, spectrum
from .errors import DeclarationError
from .rows import Data
from .start import arrays

__all__ = ["least_squares"]


def least_squares(
    features: ArrayLike, labels: ArrayLike, start: ArrayLike | None, *, center: bool, scale: bool
) -> dict[str, Any]:
    """Spectrum, start, parameters and data, as keywords of :class:`hdsym.Problem`; see ``Problem.from_data``."""
    A = checks.data_matrix(features, "the features")
    N, d = A.shape
    y = checks.real_array(labels, "the labels")
    if y.shape != (N,):
        raise DeclarationError(
            f"the labels have shape {y.shape}, the features have {N} rows", remedy=f"give labels of shape ({N},)"
        )
    A = A - A.mean(axis=0) if center else A
    size = float(np.sqrt(np.mean(A**2)))
    if size == 0:
        raise DeclarationError("the features are all zero", remedy="give features that vary")
    divisor = size if scale else 1.0
    A = A / divisor
    covariance = spectrum.from_data(A)
    teacher = _minimum_norm(A, y, covariance)
    X0 = np.zeros(d) if start is None else checks.real_array(start, "start").reshape(-1)
    if X0.shape != (d,):
        raise DeclarationError(f"start has {X0.size} entries, the features have d = {d}", remedy=f"give shape ({d},)")
    return {
        "spectrum": covariance,
        "start": arrays(X0, teacher, basis="original"),
        "parameters": {"noise_std": float(np.sqrt(np.mean((y - A @ teacher) ** 2)))},
        "data": Data(checks.frozen(A), checks.frozen(y), divisor),
    }


def _minimum_norm(A: NDArray[np.float64], y: NDArray[np.float64], covariance: spectrum.Spectrum) -> NDArray[np.float64]:
    """Least-squares solution, shape (d,), with no part where the spectrum says that the data do not vary.

    Solved in the eigenbasis with columns scaled to unit size: nearly orthonormal, so that small eigenvalues cost no
    digits.
    """
    assert covariance.basis is not None  # from_data always gives one
    values = covariance.eigenvalues()
    kept = values > 0
    basis, scales = covariance.basis[:, kept], np.sqrt(values[kept] * len(A))
    solution, *_ = np.linalg.lstsq((A @ basis) / scales, y, rcond=None)
    return np.asarray(basis @ (solution / scales), dtype=np.float64)
