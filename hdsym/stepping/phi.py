r"""Functions of the Jacobian that exponential integrators need, as contour integrals.

phi_k(hJ) v = (1 / 2 pi i) int e^z z^-k (z - hJ)^-1 v dz by the trapezoidal rule on Talbot's contour: every node is one
shifted system, which the structure of J makes cheap.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jacobian import Factors, Jacobian

__all__ = ["Phi"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES, _SHIFT = 24, 3.0
"""Nodes of the contour, half of them complex conjugates, and how far it is moved to the right, for growing modes.

The error is e^3 3.89^-24 for decaying modes, and grows with the rate; up to _GROWTH it is below 1e-10 of e^rate.
"""
_GROWTH = _SHIFT + 0.5


def _contour() -> tuple[Complex, Complex]:
    """Nodes z and weights such that f(A) = 2 Re sum w f(z) (z - A)^-1 for f = e^z times a power of z.

    L. N. Trefethen, J. A. C. Weideman, T. Schmelzer, BIT 46 (2006): z = N (0.5071 a cot(0.6407 a) - 0.6122 + 0.2645i a)
    """
    a = np.pi * np.arange(1, _NODES, 2) / _NODES
    b = 0.6407 * a
    z = _NODES * (0.5071 * a / np.tan(b) - 0.6122 + 0.2645j * a)
    slope = _NODES * (0.5071 / np.tan(b) - 0.5071 * b / np.sin(b) ** 2 + 0.2645j)
    return np.asarray(z + _SHIFT, dtype=np.complex128), slope / (1j * _NODES)


_Z, _WEIGHTS = _contour()
_KERNELS = 2.0 * _WEIGHTS * np.exp(_Z) * _Z ** -np.arange(5.0)[:, None]
"""Weights of phi_0, ..., phi_4."""

_TOGETHER = 2_000_000
"""Numbers in the solutions for one vector that are held at once."""


class Phi:
    """phi_k(hJ) v for several steps h; phi_0 = exp, phi_k(z) = (phi_k-1(z) - 1 / (k-1)!) / z.

    Parameters
    ----------
    jacobian:
        J.
    steps:
        The steps h, shape (s,).
    """

    def __init__(self, jacobian: Jacobian, steps: Float) -> None:
        self.jacobian, self.steps = jacobian, steps
        self._large = steps.size * _Z.size * jacobian.columns.shape[1] > _TOGETHER

    def __call__(self, vectors: Float, orders: tuple[int, ...], first: int = 0) -> Float:
        """phi_k(hJ) v for the steps from `first` on, the orders k and the vectors: (steps, orders, vectors, size).

        NaN for steps so long that a growing mode is not enclosed.
        """
        if self._large:  # one step at a time, and nothing kept
            parts = [self._applied(self._factors(k), k, vectors, orders) for k in range(first, self.steps.size)]
            return np.concatenate(parts)
        return self._applied(self._all[first * _Z.size :], first, vectors, orders)

    @cached_property
    def _all(self) -> Factors:
        return self.jacobian.factor((_Z / self.steps[:, None]).reshape(-1))

    def _factors(self, k: int) -> Factors:
        return self.jacobian.factor(_Z / self.steps[k])

    def _applied(self, factors: Factors, first: int, vectors: Float, orders: tuple[int, ...]) -> Float:
        count = factors.shifts.size // _Z.size
        steps = self.steps[first : first + count]
        found = factors.solve(vectors).reshape((count, _Z.size, vectors.size))
        values: Float = (_KERNELS[list(orders)] @ found).real.reshape((count, len(orders), *vectors.shape))
        values /= steps[:, None, None, None]
        values[self._outside[first : first + count]] = np.nan
        return values

    @cached_property
    def _outside(self) -> Any:
        """Where a mode grows by more than the contour allows, for each of the steps.

        The small matrix is 1 - C(z), singular where z is an eigenvalue of J, and C vanishes far out on the real axis:
        an eigenvalue of C beyond one has met one of J farther out. Their product, the determinant, would not tell of
        growing modes that come in pairs, as those of symmetric students do.
        """
        small = self.jacobian.factor(_GROWTH / self.steps).small
        turned = np.min(np.linalg.eigvals(small).real, axis=-1, initial=np.inf) <= 0.0
        return turned | (self.jacobian.growth * self.steps > _GROWTH)
