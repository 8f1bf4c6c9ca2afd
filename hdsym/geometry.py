"""Lengths and angles of the weights, from W^T W alone. The one place where they are computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXTRA_AXES", "geometry"]

Float = NDArray[np.float64]

EXTRA_AXES = {"cosines": ("student", "teacher")}
"""Axes of what is not one number."""


def geometry(gram: Float, n_student: int) -> dict[str, Float]:
    """Norms, cosines, specialisation, and for l = l* distances, from gram = W^T W of shape (..., n, n).

    All are O(1) in d. Rounding never takes a squared length below zero or a cosine beyond one; NaN in `gram` stays NaN.

    norm, teacher_norm
        ||X|| and ||X*||, Frobenius; shape (...).
    cosines
        (..., l, l*): <x_k, s_j> / (||x_k|| ||s_j||), zero where one of them is zero.
    specialisation
        Mean of |cosines| over pairs of a student and a teacher, matched so that it is largest; min(l, l*) pairs.
    distance, aligned_distance
        ||X - X*||^2 = sum_i (Q - 2 M + T)_ii, and its smallest value over all orders of the students. For l = l*.
    cosine
        <X, X*> / (||X|| ||X*||), Frobenius; zero where X or X* is zero. For l = l*.
    """
    diagonal = np.maximum(np.diagonal(gram, axis1=-2, axis2=-1), 0.0)
    student, teacher = diagonal[..., :n_student].sum(axis=-1), diagonal[..., n_student:].sum(axis=-1)
    result = {"norm": np.sqrt(student), "teacher_norm": np.sqrt(teacher)}
    shared = gram[..., :n_student, n_student:]
    lengths = np.sqrt(diagonal)
    size = lengths[..., :n_student, None] * lengths[..., None, n_student:]
    result["cosines"] = _ratio(shared, size)
    pairs = min(shared.shape[-2:])
    result["specialisation"] = _best_total(np.abs(result["cosines"])) / pairs
    if shared.shape[-2] == shared.shape[-1]:
        own = np.trace(shared, axis1=-2, axis2=-1)
        result["distance"] = np.maximum(student - 2 * own + teacher, 0.0)
        result["aligned_distance"] = np.maximum(student - 2 * _best_total(shared) + teacher, 0.0)
        result["cosine"] = _ratio(own, result["norm"] * result["teacher_norm"])
    return result


def _ratio(shared: Float, size: Float) -> Float:
    quotient = np.divide(shared, size, out=np.zeros_like(shared), where=size != 0)
    return np.asarray(np.clip(quotient, -1.0, 1.0), dtype=np.float64)


def _best_total(values: Float) -> Float:
    """Largest sum of entries, shape (...), no two from one row or column, as many as there can be."""
    if min(values.shape[-2:]) == 1:
        return np.asarray(values.max(axis=(-2, -1)), dtype=np.float64)  # no choice but the largest
    from scipy.optimize import linear_sum_assignment

    flat = values.reshape(-1, *values.shape[-2:])
    totals = np.full(len(flat), np.nan)
    for k in np.flatnonzero(np.isfinite(flat).all(axis=(1, 2))):
        totals[k] = flat[k][linear_sum_assignment(flat[k], maximize=True)].sum()
    return totals.reshape(values.shape[:-2])
