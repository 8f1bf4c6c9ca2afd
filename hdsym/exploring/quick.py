"""Solutions for a look: to 1e-4, with few modes, without measuring what that costs in accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..compression import solve_modes
from ..errors import DeclarationError, SolveError
from ..integration import Run
from ..modes import Modes
from ..solve import _run, output_times
from ..stability.descent import thresholds
from ..stability.flow import Flow

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..results import Trajectory

__all__ = ["OPTIONS", "Quick"]

OPTIONS: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-7, "method": "auto", "modes": 16}
"""Arguments of ``theory.solve`` that give the same numbers (which then also measures the error of the modes)."""

_POINTS = 101


class Quick:
    """Solves problems of one theory up to one horizon.

    Attributes
    ----------
    times:
        (T,) output times.
    """

    def __init__(self, theory: Derivation | SizedDerivation, t: float, points: int = _POINTS) -> None:
        self.theory = theory
        self.times = np.linspace(0.0, output_times(t, None, None)[-1], points)

    def solve(self, problem: Problem) -> Trajectory:
        """The solution; where it leaves the finite range, up to there.

        Raises
        ------
        SolveError
            If not even the start is finite.
        """

        def begin(chosen: Modes | None) -> Run:
            return _run(self.theory, problem, OPTIONS["method"], OPTIONS["rtol"], OPTIONS["atol"], chosen)

        def integrate(run: Run) -> Trajectory:
            return run.integrate(self.times, [], False)

        try:
            return solve_modes(begin, integrate, self.times, OPTIONS["modes"], None, measure=False)
        except SolveError as error:
            if error.trajectory is None or not error.trajectory.time.size:
                raise
            found: Trajectory = error.trajectory
            return found

    def threshold(self, problem: Problem, path: Trajectory) -> NDArray[np.float64] | None:
        """The learning rate up to which ||X - X*||^2 shrinks, along a solution, (T,); ``None`` if it has no meaning."""
        if "distance" not in path.dataset:
            return None
        try:
            flow = Flow(self.theory, problem)
        except DeclarationError:  # projected SGD has no such threshold
            return None
        trained = path.dataset["trained"].values if "trained" in path.dataset else None
        return thresholds(flow, np.eye(flow.students), path.overlaps.values, path.gram.values, trained)
