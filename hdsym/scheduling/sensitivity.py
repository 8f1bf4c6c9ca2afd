"""The final risk of a schedule, and its exact gradient by forward sensitivities.

With y' = gamma F_1(y) + gamma^2 F_2(y) and parameters p of gamma(t), the sensitivities S = dy/dp follow

    S' = J(y, gamma) S + (F_1 + 2 gamma F_2) (d gamma / dp),

J the exact Jacobian of the mode equations. They are integrated together with y, piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..stability.flow import Flow
from .pieces import Pieces

__all__ = ["constant_risk", "final_risk"]

Float = NDArray[np.float64]

_RTOL, _ATOL = 1e-8, 1e-11

_BLOW_UP = 1e8
"""Overlaps beyond this many times their start: the schedule diverges."""


def final_risk(flow: Flow, pieces: Pieces, rates: Float) -> tuple[float, Float]:
    """The risk at the end and its gradient in the parameters, (count,); infinite, with gradient 0, if it diverges."""
    size, count = flow.start.size, pieces.count
    state = np.concatenate([flow.start, np.zeros(size * count)])
    for piece in range(pieces.edges.size - 1):

        def augmented(t: float, z: Float, piece: int = piece) -> Float:
            y, S = z[:size], z[size:].reshape(count, size)
            weights = pieces.weights(piece, t)
            gamma = float(weights @ rates)
            first, second = flow.rates(y)
            change = flow.times_jacobian(y, gamma, S) + weights[:, None] * (first + 2.0 * gamma * second)
            return np.concatenate([gamma * first + gamma**2 * second, change.ravel()])

        end = _advance(augmented, pieces.edges[piece], pieces.edges[piece + 1], state, size)
        if end is None:
            return np.inf, np.zeros(count)
        state = end
    y, S = state[:size], state[size:].reshape(count, size)
    return flow.risk(y), flow.risk_slope(y, S)


def constant_risk(flow: Flow, horizon: float, gamma: float) -> float:
    """The risk at the end of a constant rate; infinite if it diverges."""
    right = flow.right_hand_side(gamma)
    end = _advance(right, 0.0, horizon, flow.start, flow.start.size)
    return np.inf if end is None else flow.risk(end)


def _advance(right: Callable[[float, Float], Float], begin: float, end: float, state: Float, size: int) -> Float | None:
    """The state at the end; ``None`` if its first `size` entries leave the finite range."""
    from scipy.integrate import solve_ivp

    largest = _BLOW_UP * (1.0 + float(np.max(np.abs(state[:size]))))

    def blow_up(_: float, z: Float) -> float:
        return largest - float(np.max(np.abs(z[:size])))

    blow_up.terminal = True  # type: ignore[attr-defined]  # scipy's protocol
    with np.errstate(all="ignore"):
        found = solve_ivp(right, (begin, end), state, method="DOP853", rtol=_RTOL, atol=_ATOL, events=blow_up)
    last: Float = found.y[:, -1]
    return last if found.status == 0 and np.all(np.isfinite(last)) else None
