"""Lengths and angles of the weights, from W^T W alone. The one place where they are computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["geometry"]

Float = NDArray[np.float64]


def geometry(gram: Float, n_student: int) -> dict[str, Float]:
    """Norms, and for l = l* also distance and cosine, of shape (...,), from gram = W^T W of shape (..., n, n).

    ``norm`` is ||X||, ``teacher_norm`` is ||X*||, ``distance`` is ||X - X*||^2 = sum_i (Q - 2 M + T)_ii and ``cosine``
    is <X, X*> / (||X|| ||X*||), all Frobenius. They are O(1) in d. The cosine is zero where X or X* is zero, and
    rounding never takes a squared length below zero or a cosine beyond one; NaN in `gram` stays NaN.
    """
    diagonal = np.diagonal(gram, axis1=-2, axis2=-1)
    student = np.maximum(diagonal[..., :n_student].sum(axis=-1), 0.0)
    teacher = np.maximum(diagonal[..., n_student:].sum(axis=-1), 0.0)
    result = {"norm": np.sqrt(student), "teacher_norm": np.sqrt(teacher)}
    if 2 * n_student == gram.shape[-1]:
        shared = np.trace(gram[..., :n_student, n_student:], axis1=-2, axis2=-1)
        result["distance"] = np.maximum(student - 2 * shared + teacher, 0.0)
        size = result["norm"] * result["teacher_norm"]
        cosine = np.divide(shared, size, out=np.zeros_like(shared), where=size != 0)
        result["cosine"] = np.clip(cosine, -1.0, 1.0)
    return result
