"""What the adaptive one-step methods have in common, as solvers that :func:`scipy.integrate.solve_ivp` runs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DenseOutput, OdeSolver

from .jacobian import Jacobian
from .layout import Layout

__all__ = ["Linearise", "LinearisedStep", "initial_step"]

Float = NDArray[np.float64]
Linearise = Callable[[float, Float], Jacobian]
"""The Jacobian at a time and a packed state."""

_SAFETY, _SMALLEST, _LARGEST = 0.9, 0.2, 6.0
"""A step is a tenth shorter than the error estimate allows, and changes by these factors at most."""


class LinearisedStep(OdeSolver):  # type: ignore[misc]  # scipy has no types
    """A one-step method that linearises the equations once a step and estimates its error by an embedded method.

    Parameters
    ----------
    fun, t0, y0, t_bound, vectorized:
        As :class:`scipy.integrate.OdeSolver` has them.
    linearise:
        The Jacobian at (t, y).
    layout:
        Where the packed entries are among the Jacobian's.
    autonomous:
        Whether the right-hand side does not depend on time by itself.
    rtol, atol:
        The error of a step is kept below atol + rtol |y| in the root mean square; `atol` a number or one an entry.
    first_step:
        Length of the first step; chosen from the size of the first derivatives by default.
    """

    t: float
    y: Float
    nfev: int
    njev: int
    error_order: int
    """The error estimate shrinks as the step to this power."""

    def __init__(
        self,
        fun: Callable[[float, Float], Float],
        t0: float,
        y0: Float,
        t_bound: float,
        vectorized: bool = False,
        *,
        linearise: Linearise,
        layout: Layout,
        autonomous: bool,
        rtol: float = 1e-8,
        atol: Any = 1e-10,
        first_step: float | None = None,
        **_: Any,
    ) -> None:
        super().__init__(fun, t0, y0, t_bound, vectorized)
        self.linearise, self.layout, self.autonomous = linearise, layout, autonomous
        self.rtol, self.atol = rtol, atol
        self.f = self.fun(self.t, self.y)
        given = initial_step(self.y, self.f, self.tolerance(self.y, self.y), self.error_order)
        self.h_abs = min(first_step or given, t_bound - t0)
        self.slope: Jacobian | None = None

    def tolerance(self, before: Float, after: Float) -> Float:
        """What the error of each entry is measured by."""
        size: Float = self.atol + self.rtol * np.maximum(np.abs(before), np.abs(after))
        return size

    def _step_impl(self) -> tuple[bool, str | None]:
        if self.slope is None:
            self.slope = self.linearise(self.t, self.y)
            self.njev += 1
        rejected = False
        while True:
            h = min(self.h_abs, self.t_bound - self.t)
            if not h > 10.0 * np.finfo(float).eps * max(abs(self.t), np.finfo(float).tiny):
                return False, self.TOO_SMALL_STEP
            new, error = self._attempt(h)
            size = self._norm(new, error)
            factor = _SAFETY * size ** (-1.0 / self.error_order) if size > 0.0 else _LARGEST
            if size <= 1.0:
                f = self.fun(self.t + h, new)
                if np.all(np.isfinite(f)):
                    break
                factor = _SMALLEST
            self.h_abs, rejected = h * max(_SMALLEST, min(factor, 0.9)), True
        self._accept(h, new)
        self.h_abs = h * min(1.0 if rejected else _LARGEST, max(_SMALLEST, factor))
        self.t, self.y, self.f, self.slope = self.t + h, new, f, None
        if self.t_bound - self.t < 1e-12 * abs(self.t_bound):
            self.t = self.t_bound
        return True, None

    def _norm(self, new: Float, error: Float) -> float:
        """Root mean square of the error over its tolerance; infinite where something is not finite."""
        if not np.all(np.isfinite(new)):
            return np.inf
        size = float(np.sqrt(np.mean((error / self.tolerance(self.y, new)) ** 2)))
        return size if np.isfinite(size) else np.inf

    def time_slope(self, h: float) -> Float:
        """df/dt at fixed state, by a difference inside the interval; zero where only the state matters."""
        if self.autonomous:
            return np.zeros_like(self.y)
        step = 1e-3 * h if self.t + 2e-3 * h <= self.t_bound else -1e-3 * h
        near, far = self.fun(self.t + step, self.y), self.fun(self.t + 2.0 * step, self.y)
        result: Float = (4.0 * near - far - 3.0 * self.f) / (2.0 * step)
        return result

    @abstractmethod
    def _attempt(self, h: float) -> tuple[Float, Float]:
        """The state after a step h from the current one, and an estimate of its error."""

    @abstractmethod
    def _accept(self, h: float, new: Float) -> None:
        """Keep what the continuous output of the step just taken needs."""

    @abstractmethod
    def _dense_output_impl(self) -> DenseOutput:
        """The solution within the last step."""


def initial_step(y: Float, f: Float, tolerance: Float, order: int) -> float:
    """A first step: half of that at which a quantity changing as fast as y has an error of its tolerance."""
    size, slope = (float(np.sqrt(np.mean((v / tolerance) ** 2))) for v in (y, f))
    size = max(size, 1.0)
    return float(0.5 * size / max(slope, 1e-10 * size) * size ** (-1.0 / order))
