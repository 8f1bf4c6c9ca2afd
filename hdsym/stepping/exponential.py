r"""An exponential Rosenbrock method of order four: what is linear in a step is solved exactly.

With J the Jacobian at (t_n, u_n), F the right-hand side, v = dF/dt and g(t, u) = F - J u - v t:

    U_2 = u_n + h/2 phi_1(hJ/2) F + (h/2)^2 phi_2(hJ/2) v,         D_2 = g(t_n + h/2, U_2) - g(t_n, u_n)
    U_3 = u_n + h phi_1(hJ) (F + D_2) + h^2 phi_2(hJ) v,           D_3 = g(t_n + h, U_3) - g(t_n, u_n)
    u_n+1 = u_n + h phi_1(hJ) F + h^2 phi_2(hJ) v + h [(16 phi_3 - 48 phi_4) D_2 + (12 phi_4 - 2 phi_3) D_3](hJ)

The functions of J are contour integrals, phi_k(hJ) v = (1 / 2 pi i) int e^z z^-k (z - hJ)^-1 v dz, by the trapezoidal
rule on Talbot's contour: every node is one shifted system, which the structure of J makes cheap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DenseOutput

from .jacobian import Jacobian
from .layout import Layout
from .onestep import LinearisedStep

__all__ = ["Exponential", "phi"]

Float = NDArray[np.float64]
Complex = NDArray[np.complex128]

_NODES = 24
"""Nodes of the contour, half of them complex conjugates: the error is 3.89^-24 = 7e-15 for decaying modes."""


def _contour() -> tuple[Complex, Complex]:
    """Nodes z and weights such that f(A) = 2 Re sum w f(z) (z - A)^-1 for f = e^z times a power of z.

    L. N. Trefethen, J. A. C. Weideman, T. Schmelzer, BIT 46 (2006), z = N (0.5071 a cot(0.6407 a) - 0.6122 + 0.2645i a)
    """
    a = np.pi * np.arange(1, _NODES, 2) / _NODES
    b = 0.6407 * a
    z = _NODES * (0.5071 * a / np.tan(b) - 0.6122 + 0.2645j * a)
    slope = _NODES * (0.5071 / np.tan(b) - 0.5071 * b / np.sin(b) ** 2 + 0.2645j)
    return z, slope / (1j * _NODES)


_Z, _WEIGHTS = _contour()
_TOGETHER = 16
"""Output times that are worked out at once."""
_CROSSING = _NODES * (0.5071 / 0.6407 - 0.6122)
"""Where the contour crosses the real axis: eigenvalues beyond are outside."""


def phi(jacobian: Jacobian, steps: Float, vectors: Float, orders: tuple[int, ...]) -> Float:
    """phi_k(hJ) v for every step h, vector and order: shape (steps, orders, vectors, size).

    phi_0 = exp, phi_k(z) = (phi_k-1(z) - 1 / (k-1)!) / z. NaN for steps so long that a growing mode is not enclosed.
    """
    shifts = (_Z / steps[:, None]).reshape(-1)
    factors = jacobian.factor(shifts)
    found = factors.solve(vectors).reshape((steps.size, _Z.size, vectors.size))
    powers = np.array([_WEIGHTS * np.exp(_Z) * _Z ** -float(k) for k in orders])
    values: Float = (powers @ found).real.reshape((steps.size, len(orders), *vectors.shape))
    values *= 2.0 / steps[:, None, None, None]
    determinant = np.linalg.det(factors.small.reshape((steps.size, _Z.size, *factors.small.shape[1:]))[:, 0])
    outside = (determinant.real <= 0.0) | (jacobian.growth * steps > 0.5 * _CROSSING)
    values[outside] = np.nan
    return values


class Exponential(LinearisedStep):
    """exprb43 of Hochbruck, Ostermann and Schweitzer: order 4, also for stiff problems; embedded is one of order 3.

    A step takes three right-hand sides and one Jacobian; equations that are linear given constant overlaps, and
    linearised around them otherwise, are solved exactly however stiff the spectrum is. Output between steps integrates
    the same polynomial in the non-linear part.

    References
    ----------
    M. Hochbruck, A. Ostermann, J. Schweitzer, SIAM J. Numer. Anal. 47 (2009).
    """

    error_order = 4

    def _attempt(self, h: float) -> tuple[Float, Float]:
        assert self.slope is not None  # the step has just linearised
        J, rows = self.slope, self.layout.to_rows
        drift = self.time_slope(h)
        F, v = rows(self.f), rows(drift)
        base = np.stack([F, v])
        half = phi(J, np.array([0.5 * h]), base, (1, 2))[0]
        D2 = self._remainder(0.5 * h, 0.5 * h * half[0, 0] + (0.5 * h) ** 2 * half[1, 1], F, v)
        whole = phi(J, np.array([h]), np.stack([F, v, D2]), (1, 2, 3, 4))[0]
        linear = h * whole[0, 0] + h**2 * whole[1, 1]
        D3 = self._remainder(h, linear + h * whole[0, 2], F, v)
        last = phi(J, np.array([h]), D3[None], (3, 4))[0]
        third = h * (16.0 * whole[2, 2] - 2.0 * last[0, 0])
        fourth = h * (12.0 * last[1, 0] - 48.0 * whole[3, 2])
        self._pieces = np.stack([F, v, 16.0 * D2 - 2.0 * D3, 12.0 * D3 - 48.0 * D2])
        pack = self.layout.to_packed
        return self.y + pack(linear + third + fourth), pack(fourth)

    def _remainder(self, h: float, change: Float, F: Float, v: Float) -> Float:
        """g(t + h, u + change) - g(t, u): what the linearisation leaves."""
        assert self.slope is not None  # as above
        f = self.fun(self.t + h, self.y + self.layout.to_packed(change))
        result: Float = self.layout.to_rows(f) - F - self.slope.apply(change) - h * v
        return result

    def _accept(self, h: float, new: Float) -> None:
        assert self.slope is not None  # as above
        self._output = _Within(self.t, self.t + h, self.y, new, self.slope, self.layout, self._pieces)

    def _dense_output_impl(self) -> DenseOutput:
        return self._output


class _Within(DenseOutput):  # type: ignore[misc]  # scipy has no types
    """The solution within a step, by the same formulas: s h phi_1(s h J) F + ... with s^2, s^3 for the remainder."""

    def __init__(
        self, t_old: float, t: float, start: Float, end: Float, slope: Jacobian, layout: Layout, pieces: Float
    ) -> None:
        super().__init__(t_old, t)
        self._start, self._end, self._slope, self._layout, self._pieces = start, end, slope, layout, pieces

    def _call_impl(self, t: ArrayLike) -> Any:
        times = np.asarray(t, dtype=np.float64)
        h, span = times.reshape(-1) - self.t_old, self.t - self.t_old
        found = np.empty((h.size, self._start.size))
        found[h <= 0.0], found[h >= span] = self._start, self._end
        inside = np.flatnonzero((h > 0.0) & (h < span))
        for k in range(0, inside.size, _TOGETHER):
            own = inside[k : k + _TOGETHER]
            found[own] = self._start + self._layout.to_packed(self._change(h[own], span))
        return found[0] if times.ndim == 0 else found.T

    def _change(self, h: Float, span: float) -> Float:
        values = phi(self._slope, h, self._pieces, (1, 2, 3, 4))
        s = h / span
        factors = np.stack([h, h**2, span * s**3, span * s**4])
        result: Float = np.einsum("kh,hkks->hs", factors, values)
        return result
