"""What every derivation does with a problem: solve it, linearise it, say where it is stable."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike

from ..codegen import known
from ..errors import CodegenError, DeclarationError

if TYPE_CHECKING:
    from ..contour import Ellipse
    from ..drift import Drift
    from ..fluctuations.escape import EscapeTimes
    from ..problem import Problem
    from ..results import Trajectory
    from ..stability.escape import Escape
    from ..stability.points import FixedPoints
    from ..stability.table import Stability
    from ..start import Start
    from ..stepping.jacobian import Jacobian

__all__ = ["Solving"]


class Solving:
    """The same for explicit models and for models with sums over units."""

    def __getstate__(self) -> dict[str, Any]:
        """What travels to other processes: the declaration, the formulas and the generated text; modules do not."""
        kept = {field.name for field in dataclasses.fields(self)} | {"source"}  # type: ignore[arg-type]  # both kinds are
        return {name: value for name, value in self.__dict__.items() if name in kept}

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
        fluctuations: bool = False,
        finite_d: str | None = None,
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
            fluctuations=fluctuations,
            finite_d=finite_d,
        )

    def show(self, names: Sequence[str] | None = None) -> str:
        """The steps that led to the given quantities ("risk", "H11"), or kernels ("kernel 1"), as indented text."""
        theory: Any = self  # as above
        chosen = list(theory.steps) if names is None else list(names)
        unknown = [name for name in chosen if name not in theory.steps]
        if unknown:
            what = "kernel" if hasattr(theory, "kernels") else "quantity"
            raise DeclarationError(f"there is no {what} {unknown[0]!r}", remedy=f"choose from {list(theory.steps)}")
        return "\n\n".join(f"{name}\n{theory.steps[name]}" for name in chosen)

    def _repr_html_(self) -> str:
        from ..show.formulas import derivation

        theory: Any = self  # as above
        return derivation(theory)

    def with_target(self, target: str) -> Self:
        """The same derivation, whose solver is written for `target`: ``"numpy"``, ``"numba"``, or ``"jax"``.

        Compiling takes some seconds once, half a minute for integrals in four dimensions; the result is kept on disk
        (``HDSYM_CACHE_DIR``) for later sessions. It pays where a right-hand side is dear or is needed often: wide
        committees, quadrature, long horizons. The ``solve`` of the module itself has the time loop compiled too. jax
        (``pip install hdsym[jax]``) compiles it for each problem; its module has a ``solve`` of its own that is
        differentiated and mapped over problems.

        Raises
        ------
        CodegenError
            If the target is unknown, is one of formulas that solve nothing (see :meth:`written`), or has no form for a
            function of the model.
        """
        if known(target).formulas:
            raise CodegenError(
                f"the {target} target writes formulas, which solve no problem",
                remedy=f"theory.export(path, target={target!r}), or theory.written({target!r})",
            )
        found = dataclasses.replace(self, target=target)  # type: ignore[type-var]  # both kinds are dataclasses
        theory: Any = found
        theory.keeping(self.kept)  # type: ignore[attr-defined]  # as every derivation has it
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

    def stability(
        self,
        problem: Problem,
        t: float | None = None,
        *,
        target: ArrayLike | None = None,
        point: Any = None,
        radius: float | None = None,
        floor: float | None = None,
        kinds: Sequence[str] = ("descent", "linear", "guaranteed"),
        rng: int = 0,
    ) -> Stability:
        """Learning rates up to which SGD is stable, of three kinds; see :func:`hdsym.stability.table.stability`."""
        from ..stability.table import stability

        theory: Any = self  # as above
        given: dict[str, Any] = {"target": target, "point": point, "radius": radius, "floor": floor}
        return stability(theory, problem, t, **given, kinds=kinds, rng=rng)

    def fixed_points(self, problem: Problem, *, starts: int = 24, rng: int = 0) -> FixedPoints:
        """Fixed points of the overlaps for one eigenvalue; see :func:`hdsym.stability.points.fixed_points`."""
        from ..stability.points import fixed_points

        theory: Any = self  # as above
        return fixed_points(theory, problem, starts=starts, rng=rng)

    def escape_time(
        self, problem: Problem, t: float | None = None, *, point: Any = None, radius: float | None = None
    ) -> Escape:
        """When the solution leaves a fixed point; see :func:`hdsym.stability.escape.escape_time`."""
        from ..stability.escape import escape_time

        theory: Any = self  # as above
        return escape_time(theory, problem, t, point=point, radius=radius)

    def escape_distribution(
        self,
        problem: Problem,
        t: float | None = None,
        *,
        level: Mapping[str, Any],
        runs: int = 1000,
        rng: Any = 0,
        start: Start | None = None,
        steps_per_time: int | None = None,
        tol: float = 0.05,
        group: int | None = None,
        paths: int = 5,
    ) -> EscapeTimes:
        """When single runs cross a level; see :func:`hdsym.fluctuations.escape.escape_distribution`."""
        from ..fluctuations.escape import escape_distribution

        theory: Any = self  # as above
        steps: dict[str, Any] = {"steps_per_time": steps_per_time, "tol": tol}
        given: dict[str, Any] = {"level": level, "runs": runs, "rng": rng, "start": start, "group": group}
        return escape_distribution(theory, problem, t, **given, **steps, paths=paths)
