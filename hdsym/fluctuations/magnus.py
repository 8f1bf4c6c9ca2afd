r"""One step of the Lyapunov equation Sigma' = J Sigma + Sigma J^T + C, J and C functions of time.

The solution over a step is Phi Sigma Phi^T + Q, and both follow from one linear equation with the Hamiltonian matrix
[[J, C], [0, -J^T]]. Its Magnus exponent of order four from two Gauss points,

    Omega = h (M_1 + M_2) / 2 + sqrt(3) h^2 [M_2, M_1] / 12,

is Hamiltonian again, [[F, S], [0, -F^T]]; and exp(Omega) comes by doubling (Phi, Q) of exp(Omega / 2^k), which never
forms the inverse of Phi: modes that decay fast are no exception. S. Blanes, F. Casas, J. A. Oteo, J. Ros, Physics
Reports 470 (2009), section 5.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAUSS", "driven", "exponent", "flow"]

Float = NDArray[np.float64]

GAUSS = (0.5 - math.sqrt(3) / 6, 0.5 + math.sqrt(3) / 6)
"""Places of the two Gauss points in a step."""

_SMALL, _TERMS = 0.125, 10
"""Norm of the exponent from which on the series is used, and its terms: the first one left out is below 1e-13."""


def exponent(h: float, first: tuple[Float, Float], second: tuple[Float, Float]) -> tuple[Float, Float]:
    """F and S of a step of length h from (J, C) at its Gauss points."""
    (J1, C1), (J2, C2) = first, second
    weight = math.sqrt(3) * h * h / 12
    own = J2 @ C1 - J1 @ C2
    commuted = J2 @ J1
    F = 0.5 * h * (J1 + J2) + weight * (commuted - J1 @ J2)
    S = 0.5 * h * (C1 + C2) + weight * (own + own.T)
    return F, S


def flow(F: Float, S: Float) -> tuple[Float, Float]:
    """Phi = exp(F) and Q = int_0^1 exp(F s) S exp(F s)^T ds."""
    doublings = max(0, math.ceil(math.log2(max(float(np.linalg.norm(F, 1)) / _SMALL, 1e-300))))
    F, S = F * 0.5**doublings, S * 0.5**doublings
    Phi, Q = np.eye(len(F)), np.zeros_like(S)
    power, term, factor = np.eye(len(F)), S, 1.0
    for k in range(1, _TERMS + 1):
        factor /= k
        Q = Q + factor * term
        power = power @ F
        Phi = Phi + factor * power
        pushed = F @ term
        term = pushed + pushed.T
    for _ in range(doublings):
        Q = Q + Phi @ Q @ Phi.T
        Phi = Phi @ Phi
    return Phi, Q


def driven(h: float, first: tuple[Float, Float], second: tuple[Float, Float]) -> tuple[Float, Float]:
    """Phi and v of mu' = J mu + g over a step, from (J, g) at its Gauss points: mu goes to Phi mu + v."""
    (J1, g1), (J2, g2) = first, second
    weight = math.sqrt(3) * h * h / 12
    F = 0.5 * h * (J1 + J2) + weight * (J2 @ J1 - J1 @ J2)
    v = 0.5 * h * (g1 + g2) + weight * (J2 @ g1 - J1 @ g2)
    size = len(v)
    whole = np.zeros((size + 1, size + 1))
    whole[:size, :size], whole[:size, size] = F, v
    Phi, _ = flow(whole, np.zeros_like(whole))
    return Phi[:size, :size], Phi[:size, size]
