"""The risk of X = X* with the best trained scalars: what the excess risk of a model that trains scalars is above."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .cas import sp
from .model import Model
from .sums import smallest_sizes

__all__ = ["best_scalars", "quadratic"]

Float = NDArray[np.float64]

_ROUNDING = 1e-9


def quadratic(model: Model) -> bool:
    """Whether the loss is at most quadratic in all trained scalars together, for every width.

    Then the risk is so too and its minimum over them is the solution of a linear system: a second layer in a squared
    loss is of this kind, a bias inside an activation is not.
    """
    explicit = model.at(smallest_sizes(model._expressions, model.sizes)) if model.sized else model
    scale = sp.Symbol("scale", real=True)
    loss = explicit.loss.xreplace({theta: scale * theta for theta in explicit.trained})
    return bool(loss.is_polynomial(scale)) and sp.degree(loss, scale) <= 2


def best_scalars(slope: Callable[[Float], Float], count: int) -> Float | None:
    """Where the affine `slope`, E[d_theta f] as a function of theta (count,), vanishes.

    ``None`` if it vanishes nowhere, or its matrix has a negative eigenvalue: there is no minimum then. Where several
    are equally good, the one of smallest norm.
    """
    constant = slope(np.zeros(count))
    matrix = np.stack([slope(unit) - constant for unit in np.eye(count)], axis=-1)
    found, *_ = np.linalg.lstsq(matrix, -constant, rcond=1e-12)
    scale = _ROUNDING * max(float(np.max(np.abs(constant))), float(np.max(np.abs(matrix))))
    lowest = float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
    left = float(np.max(np.abs(matrix @ found + constant)))
    return np.asarray(found, dtype=np.float64) if lowest >= -scale and left <= scale else None
