"""What an eigenvector of the mode equations says: norms grow, students turn away from teachers, students differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .flow import Flow

__all__ = ["Direction", "meaning"]

Float = NDArray[np.float64]

_WORDS = {
    "norm": "the overlaps with the teachers grow or shrink in proportion: a change of norm",
    "misalignment": "the part of X outside the span of X* grows",
    "rotation": "students turn within the span of X*",
    "alignment": "students gain overlap with teachers, which they had none of",
    "specialisation": "students, alike so far, become different",
    "trained scalars": "the trained scalars move",
}

_ALIKE = 1e-6


@dataclass(frozen=True)
class Direction:
    """A direction in which the overlaps leave a fixed point.

    Attributes
    ----------
    kind:
        The largest of `shares`.
    shares:
        "norm", "misalignment", "rotation", "alignment", "specialisation", "trained scalars": how much of it is which,
        summing to one.
    gram:
        Change of W^T W, (n, n), of largest entry one.
    """

    kind: str
    shares: dict[str, float]
    gram: Float

    @property
    def words(self) -> str:
        """What grows, in words."""
        return _WORDS[self.kind]

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {share:.0%}" for name, share in self.shares.items() if share > 0.005)
        return f"{self.words} ({parts})"


def meaning(flow: Flow, gram: Float, vector: Float) -> Direction:
    """The meaning of a packed `vector` at a point with W^T W = `gram` (n, n).

    With A = T^+ M' the part of X inside the span of X* is X* A; P = Q - M T^+ M' belongs to the rest. A change dM is
    split into its component along M, the difference between students, and what is left.
    """
    l = flow.students
    rows, scalars = _rows(flow, vector)
    change = np.zeros((flow.n, flow.n))
    change[:l] = rows
    change[l:, :l] = rows[:, l:].T
    M, T = gram[:l, l:], gram[l:, l:]
    inverse = np.linalg.pinv(T, hermitian=True)
    dM = rows[:, l:]
    turned = dM @ inverse @ M.T
    dP = rows[:, :l] - turned - turned.T
    shares = dict.fromkeys(_WORDS, 0.0)
    shares["trained scalars"] = float(np.linalg.norm(scalars))
    shares["misalignment"] = float(np.linalg.norm(dP))
    _split(shares, dM, M, gram)
    total = sum(shares.values()) or 1.0
    shares = {name: share / total for name, share in shares.items()}
    kind = max(shares, key=lambda name: shares[name])
    return Direction(kind, shares, change / (np.max(np.abs(change)) or 1.0))


def _rows(flow: Flow, vector: Float) -> tuple[Float, Float]:
    """Change of the rows of students, (l, n), summed over modes, and of the trained scalars."""
    every = flow.run.layout.to_rows(vector)
    size = flow.run.lam.size * flow.students * flow.n
    return every[:size].reshape(-1, flow.students, flow.n).sum(axis=0), every[size:]


def _split(shares: dict[str, float], dM: Float, M: Float, gram: Float) -> None:
    """Twice |dM|, as it enters squared lengths, by what it does."""
    scale = float(np.sqrt(np.trace(gram)))
    size = float(np.linalg.norm(M))
    if size <= _ALIKE * scale**2:
        mean = dM.mean(axis=0, keepdims=True)
        shares["alignment"] = 2.0 * float(np.linalg.norm(np.broadcast_to(mean, dM.shape)))
        shares["specialisation"] = 2.0 * float(np.linalg.norm(dM - mean))
        return
    along = float(np.sum(dM * M)) / size
    rest = dM - along * M / size
    shares["norm"] = 2.0 * abs(along)
    alike = len(M) > 1 and np.linalg.norm(M - M.mean(axis=0)) <= _ALIKE * size
    shares["specialisation" if alike else "rotation"] = 2.0 * float(np.linalg.norm(rest))
