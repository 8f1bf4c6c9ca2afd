"""Means of declared statistics at given overlaps, through the same generated code as every expectation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DeclarationError
from ..expectation.evaluation import evaluate
from ..expectation.expectation import Expectation
from ..symbols import overlap_matrix

__all__ = ["mean_at"]


def mean_at(
    entry: Expectation, B: ArrayLike, size: int, parameters: Mapping[str, float], refine: int = 1
) -> NDArray[np.float64]:
    """E[g] at overlaps of shape (..., size, size), noise not among them; the result has shape (...).

    Raises
    ------
    DeclarationError
        For overlaps of another shape.
    ExpectationError
        Where the mean does not exist or its formula is singular.
    """
    overlaps = np.asarray(B, dtype=np.float64)
    if overlaps.shape[-2:] != (size, size):
        raise DeclarationError(
            f"B has shape {overlaps.shape}", remedy=f"give overlaps of shape (..., {size}, {size}), student first"
        )
    names = overlap_matrix(size)
    entries = {names[i, j].name: overlaps[..., i, j] for i in range(size) for j in range(i, size)}
    values = evaluate(entry, None, {**parameters, **entries}, refine)
    return np.array(np.broadcast_to(values, overlaps.shape[:-2]))
