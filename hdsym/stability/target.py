"""Where training should end: X = X* C, which equivalent minimiser is meant, and the state next to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from .. import checks
from ..errors import DeclarationError
from .flow import Flow

__all__ = ["overlaps_at", "target_matrix"]

Float = NDArray[np.float64]

_SAME = 1e-9


def target_matrix(flow: Flow, given: ArrayLike | None) -> Float:
    """C of shape (l*, l) such that training heads for X = X* C.

    By default, for l = l*: the signed permutation under which X* C is nearest to the start, among those with the risk
    of X = X*; phase retrieval cannot tell X* from -X*.

    Raises
    ------
    DeclarationError
        For l != l* without a matrix, or one of another shape.
    """
    teachers = flow.n - flow.students
    if given is not None:
        C = checks.real_array(given, "target")
        if C.shape != (teachers, flow.students):
            raise DeclarationError(
                f"target has shape {C.shape}",
                remedy=f"give C of shape {(teachers, flow.students)}: training heads for X = X* C",
            )
        return C
    if teachers != flow.students:
        raise DeclarationError(
            f"{flow.model.name} has {flow.students} student and {teachers} teacher directions: X = X* has no meaning",
            remedy="say where training heads for: target=C of shape (l*, l) stands for X = X* C",
        )
    return _nearest(flow)


def _nearest(flow: Flow) -> Float:
    B, gram = flow.overlaps(flow.start)
    wanted = _risk(flow, B, np.eye(flow.students))
    best = np.eye(flow.students)
    shared = gram[: flow.students, flow.students :]
    for C in _candidates(shared):
        closer = np.sum(shared.T * C) > np.sum(shared.T * best) + _SAME
        if closer and abs(_risk(flow, B, C) - wanted) <= _SAME * max(1.0, abs(wanted)):
            best = C
    return best


def _candidates(shared: Float) -> Iterator[Float]:
    """Signed permutations that may bring X* near X, from M = X^T X* (l, l): best matches, with signs and without."""
    l = len(shared)
    yield np.diag(np.where(np.diagonal(shared) < 0, -1.0, 1.0))
    for size, signs in itertools.product((shared, np.abs(shared)), (False, True)):
        rows, columns = linear_sum_assignment(size, maximize=True)
        C = np.zeros((l, l))
        C[columns, rows] = np.where(shared[rows, columns] < 0, -1.0, 1.0) if signs else 1.0
        yield C


def overlaps_at(B: Float, C: Float) -> Float:
    """The overlaps of X = X* C, from those of any X with the same teachers."""
    students = C.shape[1]
    frame = np.concatenate([C, np.eye(C.shape[0])], axis=1)
    return np.asarray(frame.T @ B[students:, students:] @ frame, dtype=np.float64)


def _risk(flow: Flow, B: Float, C: Float) -> float:
    trained = flow.run._split(flow.start)[1]
    return float(flow.run._risk(overlaps_at(B, C), trained))
