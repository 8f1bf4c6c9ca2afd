"""What every derivation does with a problem: solve it, and linearise it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from ..contour import Ellipse
    from ..drift import Drift
    from ..problem import Problem
    from ..results import Trajectory
    from ..stepping.jacobian import Jacobian

__all__ = ["Solving"]


class Solving:
    """The same for explicit models and for models with sums over units."""

    def solve(
        self,
        problem: Problem,
        t: float | None = None,
        t_eval: ArrayLike | str | None = None,
        *,
        rtol: float = 1e-8,
        atol: float = 1e-10,
        method: str = "auto",
        events: Any = None,
        dense_output: bool = False,
        modes: int | str = "auto",
        tol: float | None = None,
        formulation: str = "modes",
        contour: Ellipse | None = None,
    ) -> Trajectory:
        """Integrate the ODEs of `problem`, which fixes sizes; arguments and errors as in :func:`hdsym.solve.solve`."""
        from ..solve import solve

        theory: Any = self  # one of the two kinds
        return solve(
            theory,
            problem,
            t,
            t_eval,
            rtol=rtol,
            atol=atol,
            method=method,
            events=events,
            dense_output=dense_output,
            modes=modes,
            tol=tol,
            formulation=formulation,
            contour=contour,
        )

    def with_target(self, target: str) -> Self:
        """The same derivation, whose solver is written for `target`: ``"numpy"``, or ``"numba"``, which compiles it.

        Compiling takes some ten seconds once; the result is kept on disk (``HDSYM_CACHE_DIR``) for later sessions. It
        pays where a right-hand side is dear or is needed often: wide committees, long horizons.

        Raises
        ------
        CodegenError
            If the target is unknown, or cannot express this model: numba needs sums over units whose kernels have
            closed forms, or line integrals.
        """
        found = dataclasses.replace(self, target=target)  # type: ignore[type-var]  # both kinds are dataclasses
        theory: Any = found
        theory.source  # noqa: B018  # which raises if it cannot be written
        return found

    def jacobian(
        self,
        problem: Problem,
        t: float = 0.0,
        grams: ArrayLike | None = None,
        trained: ArrayLike | None = None,
    ) -> Jacobian:
        """The Jacobian of the mode equations at a state, by default the start; see :func:`hdsym.solve.jacobian`."""
        from ..solve import jacobian

        theory: Any = self  # as above
        return jacobian(theory, problem, t, grams, trained)

    def drift(self, problem: Problem) -> Drift:
        """Gradient and Fisher matrix, and slopes of trained scalars, of B and theta; see :func:`hdsym.solve.drift`."""
        from ..solve import drift

        theory: Any = self  # as above
        return drift(theory, problem)
