"""The method that starts explicitly and goes on with one for stiff equations when the steps show that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853, DenseOutput, OdeSolver

from .exponential import Exponential
from .onestep import LinearisedStep
from .rosenbrock import Rodas

if TYPE_CHECKING:
    from ..linearised import Linearised

__all__ = ["Automatic"]

Float = NDArray[np.float64]

_LIMIT = 3.0
"""Step times fastest rate beyond which stability holds the explicit method's steps back; it is unstable beyond 6."""
_IN_A_ROW = 4
"""Steps in which that has to be seen."""
_LEAST_SLOPES = 2
"""Right-hand sides that the slopes cost at best. What they do cost takes deriving them: not before it matters."""
_HEAVY = 3.0
"""Right-hand sides for whose slopes there are no formulas, sums over units among them, take so many times longer."""


@dataclass(frozen=True)
class _Offer:
    """What a method for stiff equations costs; the unit is a right-hand side of 60 microseconds for few entries.

    Generated right-hand sides take 25 (polynomials) to 300 (quadrature, committees) and grow with the entries too, by
    one in 6000. All numbers are measured, on power laws (benchmarks/stiff.py prints them): the methods take about
    `steps` times rtol^(-1/order) steps once the transient is over, however stiff it is; a step is `stages` right-hand
    sides, a Jacobian, and linear algebra that costs `once`, and one more for `each` entries times columns of the
    Jacobian.
    """

    kind: type[LinearisedStep]
    name: str
    steps: float
    order: int
    stages: int
    once: float
    each: float

    def cost(self, size: int, columns: int, rtol: float, slopes: int) -> float:
        """Of a whole solution, where a Jacobian costs `slopes` right-hand sides."""
        algebra = (self.once + size * columns / self.each) / (1.0 + size / 6000.0)
        algebra /= _HEAVY if slopes > _LEAST_SLOPES else 1.0
        result: float = self.steps * rtol ** (-1.0 / self.order) * (self.stages + slopes + algebra)
        return result


_OFFERS = (
    _Offer(Exponential, "exponential", steps=3.3, order=5, stages=4, once=16.0, each=30.0),
    _Offer(Rodas, "RODAS", steps=5.0, order=4, stages=6, once=10.0, each=600.0),
)


class Automatic(OdeSolver):  # type: ignore[misc]  # scipy has no types
    """DOP853 until its steps are held back by stability and many are still to come, then a method for stiff equations.

    That is :class:`Exponential` or :class:`Rodas`, whichever costs less by the numbers of modes and of overlaps.

    A step is taken to be held back where its length times the fastest rate of a single mode, which is known from the
    gradient matrix, is above 3 in four steps one after the other. What was done when, and why, is kept in `history`.

    Parameters
    ----------
    run:
        Tells the largest rate of decay or growth of a mode, and the Jacobian when it is needed.
    history:
        A list of (time, method, reason), which is appended to.
    rtol, atol, and others:
        As :class:`hdsym.stepping.onestep.LinearisedStep` has them.
    """

    def __init__(
        self,
        fun: Callable[[float, Float], Float],
        t0: float,
        y0: Float,
        t_bound: float,
        vectorized: bool = False,
        *,
        run: Linearised,
        history: list[tuple[float, str, str]],
        rtol: float,
        atol: Any,
    ) -> None:
        super().__init__(fun, t0, y0, t_bound, vectorized)
        self._run, self._history = run, history
        self._tolerances = {"rtol": rtol, "atol": atol}
        self._inner: Any = DOP853(fun, t0, y0, t_bound, **self._tolerances)
        self._held, self._explicit = 0, True
        history.append((float(t0), "DOP853", "explicit while steps follow the accuracy asked for"))
        self._spent = (0, 0, 0)

    def _step_impl(self) -> tuple[bool, str | None]:
        message = self._inner.step()
        before = self._spent
        self.nfev, self.njev, self.nlu = (
            a + b for a, b in zip(before, (self._inner.nfev, self._inner.njev, self._inner.nlu), strict=True)
        )
        if self._inner.status == "failed":
            return False, message
        self.t, self.y = self._inner.t, self._inner.y
        self._output = self._inner.dense_output
        if self._explicit:
            self._watch()
        return True, None

    def _watch(self) -> None:
        """Change the method if the steps have been held back for long, and that is worth it."""
        step = self._inner.step_size
        left = (self.t_bound - self.t) / step
        if not self._worth(left, _LEAST_SLOPES):
            return
        pace = step * self._run.fastest(self.t, self.y)
        self._held = self._held + 1 if pace > _LIMIT else 0
        if self._held < _IN_A_ROW or not self._worth(left, self._run.slopes_cost):
            return
        offer = self._cheapest(self._run.slopes_cost)
        reason = f"stability holds steps back (length times fastest rate {pace:.1f}), {left:.0f} of them to come"
        self._history.append((float(self.t), offer.name, reason))
        self._explicit, self._spent, output = False, (self.nfev, self.njev, self.nlu), self._inner.dense_output()
        self._output = lambda: output
        self._inner = offer.kind(
            self._fun, self.t, self.y, self.t_bound, first_step=step, **self._tolerances, **self._run.structure()
        )

    def _worth(self, left: float, slopes: int) -> bool:
        """Whether as many explicit steps cost more than stiff ones, with a Jacobian of that many right-hand sides."""
        return 12.0 * left >= self._cost(self._cheapest(slopes), slopes)

    def _cheapest(self, slopes: int) -> _Offer:
        return min(_OFFERS, key=lambda offer: self._cost(offer, slopes))

    def _cost(self, offer: _Offer, slopes: int) -> float:
        return offer.cost(self.n, self._run.variables, self._tolerances["rtol"], slopes)

    def _dense_output_impl(self) -> DenseOutput:
        return self._output()
