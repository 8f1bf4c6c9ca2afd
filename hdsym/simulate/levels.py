"""Weights up to rotations within the eigenspaces of K, which change neither statistics nor the law of SGD.

In an eigenspace of multiplicity d_j >= n the teachers take l* coordinates, in which nothing but the student moves; what
the student has outside of them is known up to a rotation by a triangular factor A_j, l x l, of its Gram matrix; d_j - n
coordinates are left, in which all weights vanish. An eigenspace of lower multiplicity keeps its d_j coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .risk import triangular_factor

__all__ = ["Groups", "Levels", "split"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True)
class Groups:
    """Distinct eigenvalues (m,), their multiplicities (m,) and the Gram matrices W^T P_j W (m, n, n) at the start."""

    eigenvalues: Float
    multiplicities: Int
    grams: Float

    def kept(self) -> int:
        """How many coordinates a step has to touch."""
        return int(np.minimum(self.multiplicities, self.grams.shape[-1]).sum())


@dataclass(frozen=True)
class Levels:
    """The coordinates that are kept, in two parts.

    Attributes
    ----------
    eigenvalues, X, S:
        Of single coordinates: (E,), (l, E) and (l*, E).
    shared, freedom, A:
        Of the large groups: eigenvalue and number of coordinates left, (m,), and (m, l + 1, l) upper triangular
        factors, whose last row is zero (work space).
    """

    eigenvalues: Float
    X: Float
    S: Float
    shared: Float
    freedom: Float
    A: Float

    def overlaps(self, X: Float, A: Float) -> tuple[Float, Float]:
        """B = W^T K W and W^T W for current weights."""
        grams = self.grams(A)
        return self.weighted(X, grams, lambda lam: lam), self.weighted(X, grams, np.ones_like)

    @staticmethod
    def grams(A: Float) -> Float:
        """X^T X of the large groups, (m, l, l), outside of what is kept as coordinates."""
        result: Float = np.einsum("mik,mij->mkj", A, A)
        return result

    def weighted(self, X: Float, grams: Float, q: Callable[[Float], Float]) -> Float:
        """W^T q(K) W for current weights; sums in a fixed order, so the same bits on any thread."""
        W, l = np.concatenate([X, self.S]), len(X)
        total: Float = np.einsum("ik,jk,k->ij", W, W, q(self.eigenvalues))
        total[:l, :l] += np.einsum("m,mij->ij", q(self.shared), grams)
        return total


def split(groups: Groups, n_student: int) -> Levels:
    """Coordinates for weights with the Gram matrices of `groups`, student first.

    The factors skip pivots that are zero to rounding, so that X = 0, X = X* and dependent teachers are exact.
    """
    n = groups.grams.shape[-1]
    large = groups.multiplicities >= n
    teachers_first = np.r_[n_student:n, :n_student]
    ordered = groups.grams[large][:, teachers_first][:, :, teachers_first]
    R = triangular_factor(ordered).transpose(0, 2, 1)  # R^T R = G_j, upper triangular
    t = n - n_student
    A = np.zeros((len(R), n_student + 1, n_student))
    A[:, :n_student] = R[:, t:, t:]
    small, owner = _rows(groups.grams[~large], groups.multiplicities[~large])
    W = np.concatenate([R[:, :t][:, :, np.argsort(teachers_first)].reshape(-1, n), small])
    eigenvalues = np.concatenate([np.repeat(groups.eigenvalues[large], t), groups.eigenvalues[~large][owner]])
    return Levels(
        eigenvalues,
        np.array(W[:, :n_student].T, order="C"),
        np.array(W[:, n_student:].T, order="C"),
        np.array(groups.eigenvalues[large]),
        (groups.multiplicities[large] - n).astype(np.float64),
        A,
    )


def _rows(grams: Float, counts: Int) -> tuple[Float, Int]:
    """For every Gram matrix of rank at most `count` that many rows whose Gram matrix it is, and whose rows they are."""
    n = grams.shape[-1]
    values, vectors = np.linalg.eigh(grams)  # ascending: the last `count` carry everything
    rows = np.sqrt(np.maximum(values, 0.0))[:, :, None] * vectors.transpose(0, 2, 1)
    chosen = np.arange(n) >= n - counts[:, None]
    owner = np.repeat(np.arange(len(grams), dtype=np.int64), counts)
    return rows[chosen], owner
