"""RODAS: a linearly implicit method of order four, for stiff spectra at any number of modes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DenseOutput

from .onestep import LinearisedStep

__all__ = ["Rodas"]

Float = NDArray[np.float64]

_GAMMA = 0.25
_A = (
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
)
_C = (
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)
_TIMES = (0.0, 0.386, 0.21, 0.63, 1.0, 1.0)
_TIME_SLOPES = (0.25, -0.1043, 0.1035, -0.0362, 0.0, 0.0)
_DENSE = (
    (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
    (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
)


class Rodas(LinearisedStep):
    """RODAS of Hairer and Wanner: order 4 with an embedded method of order 3, L-stable, stiffly accurate, six stages.

    A step takes six right-hand sides, one Jacobian, and six systems (1 / (h/4) - J) u = v with one matrix.

    References
    ----------
    E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (1996), section IV.10.
    """

    error_order = 4

    def _attempt(self, h: float) -> tuple[Float, Float]:
        assert self.slope is not None  # the step has just linearised
        factors = self.slope.factor(np.array([1.0 / (_GAMMA * h)]))
        drift = self.time_slope(h)
        stages: list[Float] = []
        state = self.y
        for k in range(6):
            if k == 5:
                state = state + stages[-1]
            elif k:
                state = self.y + np.array(_A[k]) @ np.array(stages)
            f = self.f if k == 0 else self.fun(self.t + _TIMES[k] * h, state)
            v = f + h * _TIME_SLOPES[k] * drift
            if k:
                v = v + np.array(_C[k]) @ np.array(stages) / h
            found = factors.solve(self.layout.to_rows(v)[None])[0, 0]
            stages.append(self.layout.to_packed(found))
        self._stages = stages
        return state + stages[-1], stages[-1]

    def _accept(self, h: float, new: Float) -> None:
        first, second = (np.array(row) @ np.array(self._stages[:5]) for row in _DENSE)
        self._polynomial = _Polynomial(self.t, self.t + h, self.y, new, first, second)

    def _dense_output_impl(self) -> DenseOutput:
        return self._polynomial


class _Polynomial(DenseOutput):  # type: ignore[misc]  # scipy has no types
    """The continuous extension of order three that comes with the method."""

    def __init__(self, t_old: float, t: float, start: Float, end: Float, first: Float, second: Float) -> None:
        super().__init__(t_old, t)
        self._parts = start, end, first, second

    def _call_impl(self, t: ArrayLike) -> Any:
        s = (np.asarray(t, dtype=np.float64) - self.t_old) / (self.t - self.t_old)
        start, end, first, second = (part if s.ndim == 0 else part[:, None] for part in self._parts)
        return (1.0 - s) * start + s * (end + (1.0 - s) * (first + s * second))
