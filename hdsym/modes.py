"""The modes that a time integration follows: all levels of a spectrum, or a few nodes that stand for them.

The Gram matrix of a mode at time t is an analytic function of its eigenvalue, linear in its share rho_j and in its
start G_j(0). So integrals over the spectrum, B = sum_j lam_j G_j among them, are integrals of analytic functions
against the measures with weights rho_j and G_j(0), and interpolation at nodes gives them with the weights

    rho_k = sum_j ell_k(lam_j) rho_j,      G_k(0) = sum_j ell_k(lam_j) G_j(0),

ell_k the Lagrange basis; put through the same equations. Those weights may be negative, and a G_k then is no Gram
matrix: only sums over all nodes have a meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .nodes import Piece

if TYPE_CHECKING:
    from .model import Model
    from .problem import Problem

__all__ = ["Modes", "all_modes"]

Float = NDArray[np.float64]

_CHUNK = 2_000_000
"""Values of the Lagrange basis held at a time: 16 MB."""

_HIT = 1e-150
"""Distance put where an eigenvalue is a node: its own basis function is one there, all others vanish."""


@dataclass(frozen=True)
class Modes:
    """What the equations run over.

    Attributes
    ----------
    lam, rho:
        (m,) eigenvalues, or nodes, and their shares of the d coordinates; the shares sum to one.
    grams:
        (m, n, n) Gram matrices at t = 0, O(1) when summed.
    levels:
        Number of distinct eigenvalues of the spectrum.
    pieces:
        How the nodes were chosen; empty for all levels.
    bounded:
        Whether W^T W is finite. Where it is not, on densities, lam G is interpolated in place of G: B and the risk are
        finite all the same.
    """

    lam: Float
    rho: Float
    grams: Float
    levels: int
    pieces: tuple[Piece, ...] = ()
    bounded: bool = True

    @property
    def compressed(self) -> bool:
        """Whether nodes stand for several eigenvalues: rho and grams are weights then, of either sign."""
        return any(piece.kind != "exact" for piece in self.pieces)

    def described(self) -> dict[str, Any]:
        """For results: how many modes, of how many levels, and how they were chosen."""
        kinds = {kind: sum(p.count for p in self.pieces if p.kind == kind) for kind in ("exact", "linear", "log")}
        shown = {kind: count for kind, count in kinds.items() if count} if self.compressed else {}
        return {"count": len(self.lam), "levels": self.levels, "compressed": self.compressed, **shown}

    def at(self, pieces: tuple[Piece, ...]) -> Modes:
        """These modes, all of them and ascending, interpolated at the nodes of `pieces`; O(levels nodes) work."""
        n = self.grams.shape[-1]
        rows, columns = np.triu_indices(n)
        values = np.column_stack([self.rho, self._scale(self.lam) * self.grams[:, rows, columns]])
        parts = [(piece.nodes(self.lam), _weights(piece, self.lam, values)) for piece in pieces]
        nodes, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        weights[:, 1:] /= self._scale(nodes)
        grams = np.empty((len(nodes), n, n))
        grams[:, rows, columns] = grams[:, columns, rows] = weights[:, 1:]
        return Modes(nodes, weights[:, 0].copy(), grams, self.levels, pieces, self.bounded)

    def _scale(self, lam: Float) -> Float:
        """What Gram matrices are multiplied by before interpolation, (m, 1); zero eigenvalues are kept as they are."""
        return np.where((lam > 0) & (not self.bounded), lam, 1.0)[:, None]

    def ascending(self) -> Modes:
        """The same modes with their eigenvalues in ascending order."""
        order = np.argsort(self.lam, kind="stable")
        return Modes(self.lam[order], self.rho[order], self.grams[order], self.levels, bounded=self.bounded)


def all_modes(problem: Problem, model: Model) -> Modes:
    """Every level of the spectrum, in its order; `model` is explicit."""
    spectrum = problem.spectrum
    grams = np.asarray(problem.grams(model), dtype=np.float64)
    bounded = spectrum.resolves(np.trace(grams, axis1=1, axis2=2))
    return Modes(spectrum.levels, spectrum.fractions, grams, len(spectrum.levels), bounded=bounded)


def _weights(piece: Piece, levels: Float, values: Float) -> Float:
    """sum_j ell_k(lam_j) values_j over the piece, (nodes, columns); barycentric formula, in chunks."""
    own, inside = levels[piece.first : piece.last], values[piece.first : piece.last]
    if piece.kind == "exact":
        return inside
    points, at = piece.coordinate(piece.nodes(levels)), piece.coordinate(own)
    angles = np.pi * (2 * np.arange(piece.count) + 1) / (2 * piece.count)
    barycentric = (-1.0) ** np.arange(piece.count) * np.sin(angles)
    result = np.zeros((piece.count, values.shape[1]))
    step = max(1, _CHUNK // piece.count)
    for begin in range(0, len(own), step):
        gap = at[begin : begin + step, None] - points
        gap[gap == 0] = _HIT
        np.divide(barycentric, gap, out=gap)
        result += (gap / gap.sum(axis=1, keepdims=True)).T @ inside[begin : begin + step]
    return result
