"""Schedules with finitely many parameters: piecewise constant, or piecewise linear between knots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..cas import Expr
from ..errors import DeclarationError
from ..schedules import piecewise

__all__ = ["Pieces"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Pieces:
    """Edges 0 = t_0 < ... < t_k, and how the rate runs between them.

    Attributes
    ----------
    edges:
        (k + 1,).
    kind:
        "constant": k rates, one for each piece. "linear": k + 1 rates at the edges, interpolated.
    """

    edges: Float
    kind: str

    @classmethod
    def of(cls, horizon: float, knots: int | ArrayLike, kind: str) -> Pieces:
        """From a number of equal pieces, or the edges themselves.

        Raises
        ------
        DeclarationError
            For edges that do not run from 0 to the horizon, or another kind.
        """
        if kind not in ("constant", "linear"):
            raise DeclarationError(f"kind is {kind!r}", remedy='it is "constant" or "linear"')
        if np.ndim(knots) == 0:
            return cls(np.linspace(0.0, horizon, checks.dimension(knots, "knots") + 1), kind)
        edges = checks.real_array(knots, "knots")
        if edges.ndim != 1 or edges.size < 2 or edges[0] != 0 or edges[-1] != horizon or np.any(np.diff(edges) <= 0):
            raise DeclarationError(
                f"knots are {np.array2string(edges, threshold=6)}",
                remedy=f"give a number of pieces, or increasing times from 0 to the horizon {horizon:g}",
            )
        return cls(edges, kind)

    @property
    def count(self) -> int:
        """Number of parameters."""
        return self.edges.size - (self.kind == "constant")

    def weights(self, piece: int, t: float) -> Float:
        """D gamma(t) / d parameters within a piece, (count,): gamma(t) is their product with the parameters."""
        found = np.zeros(self.count)
        if self.kind == "constant":
            found[piece] = 1.0
            return found
        start, end = self.edges[piece : piece + 2]
        share = (t - start) / (end - start)
        found[piece], found[piece + 1] = 1.0 - share, share
        return found

    def fitted(self, times: Float, rates: Float) -> Float:
        """Parameters that follow a rate known at `times`: means over pieces, or values at the edges."""
        fine = np.linspace(0.0, 1.0, 33)
        if self.kind == "linear":
            return np.asarray(np.interp(self.edges, times, rates))
        inside = self.edges[:-1, None] + np.diff(self.edges)[:, None] * fine
        return np.asarray(np.interp(inside, times, rates).mean(axis=1))

    def expression(self, rates: Float) -> Expr:
        """gamma(t) in hd.t."""
        linear = self.kind == "linear"
        return piecewise((self.edges if linear else self.edges[:-1]).tolist(), rates.tolist(), linear=linear)
