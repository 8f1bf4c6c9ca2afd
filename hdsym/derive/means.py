"""Declared statistics of derivations: their formulas, and means through the generated code of every expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..cas import Expr, sp
from ..composition import Composition
from ..errors import DeclarationError
from ..expectation.evaluation import evaluate
from ..expectation.expectation import Expectation
from ..followed import Followed
from ..forms import ModeSum, Overlap, covariance, in_letter, linear_coefficients
from ..model import Model
from ..spectrumbase import Spectrum
from ..symbols import overlap_matrix
from .odes import ModeSystem

__all__ = ["at_overlaps", "mean_at", "over_modes"]


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


def at_overlaps(
    own: Followed,
    model: Model,
    means: Mapping[str, NDArray[np.float64]],
    B: NDArray[np.float64],
    parameters: Mapping[str, float],
    trained: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """A statistic from its means (...) and from B (..., n, n), which has to be all that it depends on.

    Raises
    ------
    DeclarationError
        If it holds an overlap <u, q(K) v> with another q than K.
    """
    other = [atom for atom in own.overlaps if atom.args[2] != covariance]
    if other:
        raise DeclarationError(
            f"the statistic {own.name!r} holds {other[0]}, which B = W^T K W does not tell",
            remedy="it is in the solution: theory.solve(problem).variable(...)",
        )
    anywhere = Spectrum(np.ones(1), np.ones(1))  # q = K has no poles
    composed = Composition(model, (own,), parameters, anywhere)
    return composed.values(means, composed.forms(lambda _: B, B.shape[:-2]), trained)[own.name]


def over_modes(expr: Expr, rows: Sequence[Expr], modes: ModeSystem) -> Expr:
    """Every overlap <u, q(K) v> as the sum of q(lam) u^T G v over the modes; `rows` are the preactivations."""
    return expr.xreplace({atom: _over_modes(atom, rows, modes) for atom in expr.atoms(Overlap)})


def _over_modes(atom: Overlap, rows: Sequence[Expr], modes: ModeSystem) -> Expr:
    u, v, q = atom.args
    first, second = linear_coefficients(u), linear_coefficients(v)
    place = {row: k for k, row in enumerate(rows)}
    terms = (a * b * modes.gram[place[x], place[s]] for x, a in first.items() for s, b in second.items())
    entries = sp.Add(*terms)
    return ModeSum(in_letter(q, modes.lam) * entries)
