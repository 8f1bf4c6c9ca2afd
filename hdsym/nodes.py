"""Which few nodes stand for a spectrum: pieces of it, each interpolated in lam or in log lam, or kept as it is.

Along a solution a mode depends on its eigenvalue through exponentials exp(-s lam) and their products with polynomials,
with 0 <= s <= tau, tau a bound on what the time integral of the rates of decay divided by lam comes to. On a piece
[a, b] of the spectrum, interpolation at m Chebyshev points is off by at most

    4 exp(-x) I_m(x), x <= tau (b - a) / 2,      in lam (its Chebyshev coefficients are Bessel functions), and
    4 rho^-m / (rho - 1), rho = y + sqrt(1 + y^2), y = pi / log(b / a),      in log lam,

since exp(-s e^u) is bounded by one where |Im u| <= pi/2 (L. N. Trefethen, Approximation Theory and Approximation
Practice, SIAM 2013, theorems 8.2 and 3.1). A piece with no more eigenvalues than nodes keeps them, which is exact:
zeros, spikes, and spectra of a few levels come out that way. The pieces are those with the fewest nodes in total.

Statistics multiply those exponentials by a q(lam). If one is a polynomial of m nodes but for an error e, and the other
one of m' nodes but for e', then the product is one of m + m' nodes but for their sum. q has as many as its degree says,
and for a pole z the bound with rho, where rho is the sum of the half axes of the ellipse around the piece through z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factor", "Piece", "choose", "choose_count"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_GRID, _GAPS = 72, 24
"""Places where the spectrum may be cut: a grid in log lam, and the largest gaps."""

_MOST = 400
"""Nodes of one piece, at most."""

_PER_PIECE = 1e-3
"""Of two choices with equally many nodes, the one with fewer pieces."""


@dataclass(frozen=True)
class Piece:
    """Eigenvalues first, ..., last - 1 in ascending order, and how they are represented.

    Attributes
    ----------
    kind:
        "exact": as they are; "linear" or "log": interpolated in lam, or in log lam.
    count:
        Number of nodes.
    """

    first: int
    last: int
    kind: str
    count: int

    def coordinate(self, levels: Float) -> Float:
        """Interpolation variable at eigenvalues: lam or log lam."""
        return np.log(levels) if self.kind == "log" else levels

    def nodes(self, levels: Float) -> Float:
        """Chebyshev points of the first kind between the ends of the piece, ascending, as eigenvalues; (count,)."""
        if self.kind == "exact":
            return levels[self.first : self.last]
        low, high = self.coordinate(levels[[self.first, self.last - 1]])
        points = -np.cos(np.pi * (2 * np.arange(self.count) + 1) / (2 * self.count))
        placed = (low + high) / 2 + (high - low) / 2 * points
        return np.asarray(np.exp(placed) if self.kind == "log" else placed, dtype=np.float64)


@dataclass(frozen=True)
class Factor:
    """What multiplies the exponentials: polynomials up to a degree, and resolvents with these poles."""

    degree: int = 0
    poles: tuple[complex, ...] = ()


def choose(levels: Float, tau: float, accuracy: float, factor: Factor = Factor()) -> tuple[Piece, ...]:
    """Pieces and nodes for exponentials with s <= `tau` to an absolute `accuracy`; `levels` (m,) ascending, >= 0."""
    return _choose(levels, _cuts(levels), tau, accuracy, factor)


def _choose(levels: Float, cuts: Int, tau: float, accuracy: float, factor: Factor) -> tuple[Piece, ...]:
    zeros = int(cuts[0])
    head = (Piece(0, zeros, "exact", zeros),) if zeros else ()
    counts, kinds = _costs(levels, cuts, tau, accuracy, factor)
    chosen = ((int(cuts[p]), int(cuts[q]), str(kinds[p, q]), int(counts[p, q])) for p, q in _cheapest(counts))
    return head + tuple(Piece(*piece) for piece in chosen)


def choose_count(levels: Float, tau: float, count: int, factor: Factor = Factor()) -> tuple[Piece, ...]:
    """As :func:`choose`, with the best accuracy that at most `count` nodes give; no fewer than one for each piece."""
    low, high, cuts = -15.5, 2.0, _cuts(levels)
    best = _choose(levels, cuts, tau, 10.0**high, factor)
    for _ in range(16):
        middle = (low + high) / 2
        found = _choose(levels, cuts, tau, 10.0**middle, factor)
        total = sum(piece.count for piece in found)
        if total <= count:
            best, high = found, middle
        else:
            low = middle
        if total == count:
            break
    return best


def _cuts(levels: Float) -> Int:
    """Positions where pieces may begin or end: the first positive level, all if they are few, and the end."""
    zeros, m = int(np.searchsorted(levels, 0.0, side="right")), len(levels)
    if m - zeros <= _GRID + _GAPS:
        return np.arange(zeros, m + 1)
    positive = levels[zeros:]
    logs = np.log(positive)
    grid = np.searchsorted(logs, np.linspace(logs[0], logs[-1], _GRID))
    gaps = [np.argpartition(np.diff(values), -_GAPS)[-_GAPS:] + 1 for values in (positive, logs)]
    return np.unique(np.concatenate([[zeros, m], zeros + np.concatenate([grid, *gaps])]))


def _costs(levels: Float, cuts: Int, tau: float, accuracy: float, factor: Factor) -> tuple[Float, NDArray[np.str_]]:
    """Number of nodes, and kind, of the piece between any two cuts; infinite where there is none."""
    ends = np.arange(len(cuts))
    forward = ends[:, None] < ends
    a = np.where(forward, levels[np.minimum(cuts, len(levels) - 1)][:, None], 1.0)
    b = np.where(forward, levels[np.maximum(cuts - 1, 0)], 1.0)
    with np.errstate(all="ignore"):  # one level is a piece of no length
        linear = _linear(tau * (b - a) / 2, accuracy) + factor.degree + _resolvents(a, b, factor.poles, accuracy)
        logs = [complex(np.log(pole + 0j)) for pole in factor.poles if pole != 0]
        logarithmic = _logarithmic(np.log(b / a), accuracy) + _resolvents(np.log(a), np.log(b), logs, accuracy)
    exact = np.broadcast_to(np.subtract.outer(-cuts, -cuts), a.shape)
    found = np.array([exact, linear, logarithmic], dtype=np.float64)
    which = np.argmin(found, axis=0)
    counts = np.where(forward, np.take_along_axis(found, which[None], axis=0)[0], np.inf)
    return counts, np.array(["exact", "linear", "log"])[which]


def _cheapest(counts: Float) -> list[tuple[int, int]]:
    """The pieces (from cut, to cut) with the fewest nodes in total, by dynamic programming."""
    last = len(counts) - 1
    total, before = np.full(last + 1, np.inf), np.zeros(last + 1, dtype=int)
    total[0] = 0.0
    for q in range(1, last + 1):
        options = total[:q] + counts[:q, q] + _PER_PIECE
        before[q] = int(np.argmin(options))
        total[q] = options[before[q]]
    pieces: list[tuple[int, int]] = []
    while last:
        pieces.append((int(before[last]), last))
        last = int(before[last])
    return pieces[::-1]


def _resolvents(a: Float, b: Float, poles: Sequence[complex], accuracy: float) -> Float:
    """Nodes needed between a and b for the worst of these poles, relative to the largest value of 1 / (lam - z)."""
    worst = np.zeros_like(a)
    for pole in poles:
        w = (2 * pole - a - b) / (b - a)
        root = np.sqrt(w - 1) * np.sqrt(w + 1)
        rho = np.maximum(np.abs(w + root), 1.0)
        count = np.ceil(np.log(4 / (accuracy * (rho - 1))) / np.log(rho))
        worst = np.maximum(worst, np.where(np.isfinite(rho), np.nan_to_num(count, nan=np.inf, posinf=np.inf), 0.0))
    return np.maximum(worst, 0.0)


def _logarithmic(lengths: Float, accuracy: float) -> Float:
    """Nodes needed in log lam on intervals of these `lengths`."""
    y = np.pi / np.maximum(lengths, 1e-12)
    rho = y + np.sqrt(1 + y**2)
    return np.maximum(1.0, np.ceil(np.log(4 / (accuracy * (rho - 1))) / np.log(rho)))


def _linear(x: Float, accuracy: float) -> Float:
    """Nodes needed in lam where tau (b - a) / 2 = `x`."""
    grid, errors = _bessel_errors()
    largest = np.array([grid[k - 1] if k else 0.0 for k in np.sum(errors <= accuracy, axis=1)])
    counts = np.searchsorted(largest, x) + 1.0
    return np.where(counts > _MOST, np.inf, counts)


@cache
def _bessel_errors() -> tuple[Float, Float]:
    """A grid of x, and for m = 1, ... the largest 4 exp(-y) I_m(y) over y <= x."""
    from scipy.special import ive

    grid = np.geomspace(1e-8, 1e5, 400)
    values = 4 * ive(np.arange(1, _MOST + 1)[:, None], grid)
    return grid, np.maximum.accumulate(values, axis=1)
