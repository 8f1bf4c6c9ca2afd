"""The learning rate up to which a fixed point of the mode equations is linearly stable, from the exact Jacobian."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError
from .directions import Direction, meaning
from .flow import Flow
from .newton import admissible, refine

__all__ = ["Crossing", "critical_rate", "few_modes"]

Float = NDArray[np.float64]

_DENSE = 320
"""Entries of the state up to which the whole Jacobian has its eigenvalues taken; beyond it nodes stand for levels."""

_NODES = 48

_SCAN = np.geomspace(1e-4, 1e3, 85)
"""Rates that are tried, in units of |J_1| / |J_2|."""

_BISECTIONS = 200

_MOVED, _ELSEWHERE = 1e-9, 0.1
"""Relative shift from which a fixed point at small rates is not where it was sought, and is another one altogether."""

_STILL = 1e-7
"""|F_1| and |F_2| of a point that stays where it is at every rate: kinked formulas at X = X* leave so much."""


@dataclass(frozen=True)
class Crossing:
    """Where a fixed point loses its stability as the learning rate grows.

    Attributes
    ----------
    gamma:
        The critical rate: zero if the point is unstable at every small rate, infinite if it never loses stability.
    eigenvalue:
        The leading eigenvalue just above it; below zero, or zero, where nothing is lost.
    direction:
        What grows there, or ``None``.
    overlaps, gram:
        B and W^T W of the point just below the critical rate, (n, n); it moves with gamma where there is label noise.
    how:
        "instability", "the fixed point ends" (it leaves the admissible overlaps or meets another), "none", or "no fixed
        point" where there is none next to the one asked for.
    moves:
        Whether the fixed point depends on gamma, as it does with label noise.
    error:
        Relative error from nodes standing for a spectrum, measured by doubling them; zero where all levels count.
    oscillates:
        Whether a complex pair crosses.
    """

    gamma: float
    eigenvalue: complex
    direction: Direction | None
    overlaps: Float
    gram: Float
    how: str
    moves: bool = False
    error: float = 0.0

    @property
    def oscillates(self) -> bool:
        return abs(self.eigenvalue.imag) > 1e-8 * abs(self.eigenvalue)


def critical_rate(flow: Flow, C: Float | None = None, point: Float | None = None) -> Crossing:
    """The critical rate of the fixed point at X = X* C, or next to it, or of the fixed point at a packed state `point`.

    Spectra with many levels are represented by nodes, as in :meth:`solve`, and the error is measured by doubling them.

    Raises
    ------
    DeclarationError
        For a given point of many levels.
    """
    if point is not None and not few_modes(flow):
        raise DeclarationError(
            f"the state has {flow.start.size} entries, too many for all eigenvalues at a given point",
            remedy="merge eigenvalues of the spectrum, or ask for X = X*, where nodes stand for them",
        )
    if few_modes(flow):
        return _follow(flow, flow.towards(C) if C is not None and point is None else point)  # type: ignore[arg-type]
    coarse, fine = (flow.compressed(count, forever=True) for count in (_NODES, 2 * _NODES))
    first, second = (_follow(each, each.towards(C)) for each in (coarse, fine))  # type: ignore[arg-type]
    scale = max(abs(second.gamma), np.finfo(float).tiny)
    change = 0.0 if first.gamma == second.gamma else abs(second.gamma - first.gamma) / scale
    return replace(second, error=max(float(np.finfo(float).eps), change))


def few_modes(flow: Flow) -> bool:
    """Whether the Jacobian is small enough for all its eigenvalues."""
    return flow.start.size <= _DENSE


@dataclass(frozen=True)
class _Look:
    """The fixed point at one rate, and its leading eigenvalue; no point if it has ended."""

    gamma: float
    y: Float | None
    eigenvalue: complex = 0.0
    vector: Float | None = None
    rounding: float = 0.0

    @property
    def stable(self) -> bool:
        """No eigenvalue has a positive real part, up to rounding: neutral directions count as stable."""
        return self.y is not None and self.eigenvalue.real <= self.rounding


def _still(flow: Flow, y: Float) -> bool:
    parts = flow.rates(y)
    return all(float(np.max(np.abs(part))) <= _STILL * (1.0 + float(np.max(np.abs(y)))) for part in parts)


def _look(flow: Flow, y: Float, gamma: float) -> _Look:
    found = y if _still(flow, y) else refine(flow, y, gamma)
    if found is None or not admissible(flow.overlaps(found)[0]):
        return _Look(gamma, None)
    values, vectors, rounding = flow.spectrum(found, gamma)
    return _Look(gamma, found, complex(values[0]) / gamma, np.real(vectors[:, 0]), rounding / gamma)


def _follow(flow: Flow, y: Float) -> Crossing:
    """Follow the fixed point from small rates on to where it loses stability, and bisect there."""
    first, second = (float(np.linalg.norm(J)) for J in flow.jacobians(y))
    unit = first / second if second > 0 else 1.0
    below = _look(flow, y, float(_SCAN[0] * unit))
    if below.y is None:
        return _nowhere(flow, y)
    shift = float(np.max(np.abs(below.y - y)) / (1.0 + np.max(np.abs(y))))
    if shift > _ELSEWHERE:
        return _nowhere(flow, y)
    moves = shift > _MOVED
    found = _crossing(flow, below, below, np.inf if below.stable else 0.0)
    if below.stable:
        for factor in _SCAN[1:]:
            above = _look(flow, below.y, float(factor * unit))
            if not above.stable:
                found = _bisect(flow, below, above)
                break
            below = above
            found = _crossing(flow, below, below, np.inf)
    return replace(found, moves=moves)


def _bisect(flow: Flow, below: _Look, above: _Look) -> Crossing:
    """Between a stable and an unstable rate: where the leading eigenvalue crosses zero, or the point ends."""
    for _ in range(_BISECTIONS):
        middle = (below.gamma + above.gamma) / 2.0
        if above.gamma - below.gamma <= 4e-15 * above.gamma:
            break
        if above.y is not None and below.eigenvalue.real < -below.rounding and above.gamma <= 1.01 * below.gamma:
            return _at_root(flow, below, above)
        seen = _look(flow, below.y, middle)  # type: ignore[arg-type]
        if seen.stable:
            below = seen
        else:
            above = seen
    return _crossing(flow, below, above, below.gamma)


def _at_root(flow: Flow, below: _Look, above: _Look) -> Crossing:
    """The same by the root of the leading eigenvalue's real part, which rounding does not blur."""
    from scipy.optimize import brentq

    def growth(gamma: float) -> float:
        seen = _look(flow, below.y, gamma)  # type: ignore[arg-type]
        return float(seen.eigenvalue.real) if seen.y is not None else abs(above.eigenvalue.real)

    gamma = float(brentq(growth, below.gamma, above.gamma, xtol=1e-14 * above.gamma, rtol=1e-14))
    seen = _look(flow, below.y, gamma)  # type: ignore[arg-type]
    return _crossing(flow, below, seen if seen.y is not None else above, gamma)


def _crossing(flow: Flow, below: _Look, above: _Look, gamma: float) -> Crossing:
    B, gram = flow.overlaps(below.y)  # type: ignore[arg-type]
    ended = above.y is None
    shown = below if ended else above
    lost = gamma < np.inf
    direction = meaning(flow, gram, shown.vector) if lost and shown.vector is not None else None
    how = ("the fixed point ends" if ended else "instability") if lost else "none"
    return Crossing(gamma, shown.eigenvalue, direction, B, gram, how)


def _nowhere(flow: Flow, y: Float) -> Crossing:
    B, gram = flow.overlaps(y)
    return Crossing(0.0, 0.0, None, B, gram, "no fixed point")
