r"""An exponential Rosenbrock method of order five: what is linear in a step is solved exactly.

With J the Jacobian at (t_n, u_n), F the right-hand side, v = dF/dt, g(t, u) = F(t, u) - J u - v t, the nodes c_2 = 1/4,
c_3 = 1/2, c_4 = 9/10 and D_i = g(t_n + c_i h, U_i) - g(t_n, u_n):

    L(h) = h phi_1(hJ) F + h^2 phi_2(hJ) v,
    U_2 = u_n + L(c_2 h),    U_i = u_n + L(c_i h) + 2 (c_i^3 / c_2^2) h phi_3(c_i hJ) D_2,   i = 3, 4,
    u_n+1 = u_n + L(h) + h phi_3(hJ) (18 D_3 - 250/81 D_4) + h phi_4(hJ) (500/27 D_4 - 60 D_3).

The last line integrates the polynomial s^2, s^3 through D_3 and D_4; the embedded method does with D_2 and D_4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DenseOutput

from .jacobian import Jacobian
from .layout import Layout
from .onestep import LinearisedStep
from .phi import Phi

__all__ = ["Exponential"]

Float = NDArray[np.float64]

_C = np.array([0.25, 0.5, 0.9, 1.0])
"""Nodes, and the end."""


def _weights(a: float, b: float) -> Float:
    """(2, 2): phi_3 and phi_4 have these multiples of D at the nodes a and b: sum b c^2 = 2 phi_3, b c^3 = 6 phi_4."""
    return np.linalg.solve(np.array([[a**2, b**2], [a**3, b**3]]), np.diag([2.0, 6.0])).T


_LAST, _EMBEDDED = _weights(_C[1], _C[2]), _weights(_C[0], _C[2])
_INNER = 2.0 * _C**3 / _C[0] ** 2

_TOGETHER = 16
"""Output times that are worked out at once."""


class Exponential(LinearisedStep):
    """pexprb54s4 of Luan and Ostermann: order 5, also for stiff problems; embedded is a method of order 4.

    A step takes four right-hand sides and one Jacobian; equations that are linear given constant overlaps, and
    linearised around them otherwise, are solved exactly however stiff the spectrum is. Output between steps integrates
    the same polynomial in the non-linear part.

    References
    ----------
    V. T. Luan, A. Ostermann, Parallel exponential Rosenbrock methods, Comput. Math. Appl. 71 (2016).
    """

    error_order = 5

    def _attempt(self, h: float) -> tuple[Float, Float]:
        assert self.slope is not None  # the step has just linearised
        phi = Phi(self.slope, h * _C)
        base = self.layout.to_rows(self.f if self.autonomous else np.stack([self.f, self.time_slope(h)]))
        base = base.reshape((-1, base.shape[-1]))
        whole = phi(base, (1, 2)[: len(base)])
        linear = np.einsum("ck,ckks->cs", (_C[:, None] * h) ** np.arange(1, len(base) + 1), whole)
        D2 = self._remainder(0, h, linear[0], base)
        inner = h * phi(D2[None], (3,), 1)[:-1, 0, 0]
        D3, D4 = (self._remainder(k, h, linear[k] + _INNER[k] * inner[k - 1], base) for k in (1, 2))
        last, embedded = _LAST @ np.stack([D3, D4]), _EMBEDDED @ np.stack([D2, D4])
        found = phi(np.stack([*last, *(last - embedded)]), (3, 4), 3)[0]
        self._pieces = np.concatenate([base, last])
        pack = self.layout.to_packed
        return self.y + pack(linear[3] + h * (found[0, 0] + found[1, 1])), pack(h * (found[0, 2] + found[1, 3]))

    def _remainder(self, node: int, h: float, change: Float, base: Float) -> Float:
        """G at a node minus g(t, u): what the linearisation leaves of a change of the state."""
        assert self.slope is not None  # as above
        step = _C[node] * h
        f = self.fun(self.t + step, self.y + self.layout.to_packed(change))
        result: Float = self.layout.to_rows(f) - self.slope.apply(change) - base[0]
        return result - step * base[1] if len(base) > 1 else result

    def _accept(self, h: float, new: Float) -> None:
        assert self.slope is not None  # as above
        self._output = _Within(self.t, self.t + h, self.y, new, self.slope, self.layout, self._pieces)

    def _dense_output_impl(self) -> DenseOutput:
        return self._output


class _Within(DenseOutput):  # type: ignore[misc]  # scipy has no types
    """The solution within a step, by the same formulas: s h phi_1(s h J) F + ... with s^3, s^4 for the remainder."""

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
        s = h / span
        powers = np.stack([h, h**2, span * s**3, span * s**4])
        if len(self._pieces) == 3:  # the equations do not depend on time: no v
            powers = powers[[0, 2, 3]]
        orders = (1, 3, 4) if len(powers) == 3 else (1, 2, 3, 4)
        values = Phi(self._slope, h)(self._pieces, orders)
        result: Float = np.einsum("kh,hkks->hs", powers, values)
        return result
