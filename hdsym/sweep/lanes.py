"""Problems made ready to be integrated together: modes, rates and parameters as arrays with one lane for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..compression import node_scale, node_sets
from ..integration import Run
from ..ir.sized import SizedProgram
from ..modes import Modes
from ..sizedrun import SizedRun
from ..solve import _run
from ..stepping.modebatch import ModeSystem, Rates
from .drifts import ExplicitDrifts, SizedDrifts
from .sums import UnitSums

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from .plan import Plan

__all__ = ["Lane", "Pool", "elementwise"]

Float = NDArray[np.float64]

_HELD, _EACH = 5_000_000, 2000
"""Numbers that runs may hold for points to come, and how many a run has beside its Gram matrices, about."""


@dataclass(frozen=True)
class Lane:
    """One integration: a point with its problem and modes. Points whose levels nodes stand for have several."""

    point: int
    problem: Problem
    modes: Modes
    run: Run


def elementwise(theory: Derivation | SizedDerivation) -> bool:
    """Whether the formulas of a model say the same of a problem whatever others they are evaluated for.

    Quadrature chooses its nodes for all matrices of a batch. Where expectations exist for some overlaps only, or
    directions are projected to spheres, single solutions know what to do.
    """
    program: Any = theory.program
    sized = isinstance(program, SizedProgram)
    functions = [kernel.function for kernel in program.kernels] if sized else program.functions
    integrals = any(function.has_line_integral or any(True for _ in function.integrals()) for function in functions)
    return theory.model.constraint is None and program.conditions is None and not integrals


class Pool:
    """Makes lanes of the points of one plan, and systems of lanes. What points have in common is worked out once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.theory: Any = plan.theory if plan.theory.target == "numpy" else plan.theory.with_target("numpy")
        self._runs: dict[Any, Run] = {}
        self._sets: dict[Any, list[Modes]] = {}
        self._held = 0
        self._elementwise = elementwise(self.theory)

    def together(self, problem: Problem) -> bool:
        """Whether a problem can be integrated along with others."""
        return self._elementwise and not isinstance(problem.learning_rate, AdaptiveRate)

    def lanes(self, point: int, problem: Problem) -> list[Lane]:
        """The lane of a point; several if nodes stand for its levels."""
        plan, run = self.plan, self._run(point, problem)
        scale = node_scale(run, problem, plan.times, plan.modes)
        key = (id(run), scale)
        if key not in self._sets:
            self._sets[key] = node_sets(run, scale, plan.modes, plan.tol)
        return [Lane(point, problem, modes, run) for modes in self._sets[key]]

    def _run(self, point: int, problem: Problem) -> Run:
        """A run with the modes and the parameters of a problem; its learning rate may be that of another one."""
        fields = ("spectrum", "start", "parameters", "sizes")
        key = self.plan.grid.key(point, *fields)
        if key not in self._runs:
            if self._held > _HELD:
                self._runs, self._sets, self._held = {}, {}, 0
            self._runs[key] = run = _run(self.theory, problem, rtol=self.plan.rtol, atol=self.plan.atol)
            self._held += run.grams.size + _EACH
        return self._runs[key]

    @staticmethod
    def group(lane: Lane) -> tuple[Any, ...]:
        """The same for lanes that can be in one system: those alike in shape, and within a factor of two in modes."""
        run = lane.run
        sizes = tuple(run._size_arguments().items()) if isinstance(run, SizedRun) else ()
        return (run.grams.shape[-1], run.model.n_student, int(lane.modes.lam.size - 1).bit_length(), sizes)

    def system(self, lanes: Sequence[Lane]) -> tuple[ModeSystem, Float, Float, Float]:
        """The system, the states at t = 0, the tolerances, and the number of entries that each has."""
        first = lanes[0].run
        lam, rho, atol, grams = self._modes(lanes)
        problems = [lane.problem for lane in lanes]
        trained = [problem.trained_rates(first.model) for problem in problems] if first.model.trained else []
        theta = np.array([self._scalars(lane.run) for lane in lanes]).reshape(len(lanes), -1).T
        system = ModeSystem(
            lam,
            rho,
            grams,
            first.model.n_student,
            Rates.of([problem.learning_rate for problem in problems]),
            tuple(Rates.of([rates[k] for rates in trained]) for k in range(len(theta))),
            np.array([problem.delta for problem in problems]),
            np.array([float(problem.batch_size) for problem in problems]),
            self._drifts(lanes),
        )
        pairs = len(system.pairs)
        tolerance = np.concatenate([np.tile(atol, (pairs, 1)), np.full(theta.shape, self.plan.atol)])
        count = np.array([pairs * lane.modes.lam.size + len(theta) for lane in lanes], dtype=np.float64)
        return system, system.pack(theta), tolerance, count

    def _modes(self, lanes: Sequence[Lane]) -> tuple[Float, Float, Float, Float]:
        """lam, rho and tolerances (modes, lanes), and Gram matrices (n, n, modes, lanes); zeros as padding."""
        distinct = {id(lane.modes): lane.modes for lane in lanes}
        place = {key: k for k, key in enumerate(distinct)}
        n, shape = lanes[0].run.grams.shape[-1], (max(modes.lam.size for modes in distinct.values()), len(distinct))
        lam, rho, atol, grams = np.zeros(shape), np.zeros(shape), np.ones(shape), np.zeros((n, n, *shape))
        for k, modes in enumerate(distinct.values()):
            m = modes.lam.size
            lam[:m, k], rho[:m, k], grams[..., :m, k] = modes.lam, modes.rho, modes.grams.transpose(1, 2, 0)
            atol[:m, k] = lanes[0].run.module._tolerance(self.plan.atol, modes.rho)
        which = np.array([place[id(lane.modes)] for lane in lanes])
        return lam[:, which], rho[:, which], atol[:, which], np.ascontiguousarray(grams[..., which])

    @staticmethod
    def _scalars(run: Run) -> Float:
        found = run.start_scalars
        return np.zeros(0) if found is None else found

    def _drifts(self, lanes: Sequence[Lane]) -> ExplicitDrifts | SizedDrifts:
        first, parameters = lanes[0].run, self._parameters(lanes)
        if not isinstance(first, SizedRun):
            return ExplicitDrifts(first.module, parameters, first.grams.shape[-1], first.model.n_student, len(lanes))
        sums = UnitSums(self.theory.program, first.module, first._size_arguments())
        return SizedDrifts(sums, parameters, first.slices, len(lanes))

    @staticmethod
    def _parameters(lanes: Sequence[Lane]) -> dict[str, Any]:
        """Numbers or arrays (..., lanes) where they vary, numbers or arrays (..., 1) where they do not."""
        columns = {name: [lane.run.parameters[name] for lane in lanes] for name in lanes[0].run.parameters}
        return {name: _stacked(values) for name, values in columns.items()}


def _stacked(values: Sequence[Any]) -> Any:
    stacked = np.array(values, dtype=np.float64)
    if np.all(stacked == stacked[0]):
        return values[0] if np.ndim(values[0]) == 0 else stacked[0][..., None]
    return np.ascontiguousarray(np.moveaxis(stacked, 0, -1))
