"""``hd.sweep``: the same question over a grid of problems."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import checks
from ..adaptive import AdaptiveRate
from ..compression import check_modes
from ..errors import DeclarationError, HdsymError
from ..model import Model
from ..problem import Problem
from ..solve import output_times
from ..stepping.methods import check_tolerances
from .axes import parametrised, read_axes
from .executors import computed
from .grid import Grid
from .identity import identity
from .lanes import elementwise
from .layout import Layout
from .plan import Plan
from .progress import reporter
from .results import assembled

if TYPE_CHECKING:
    import xarray as xr

    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..results import Trajectory

__all__ = ["sweep"]

_POINTS = 21
"""Output times when only a horizon is given."""
_PROBES = 200
"""Points that are tried for one that can be posed."""
_BLOCK, _BLOCK_ALONE, _BLOCK_SIMULATED = 1000, 50, 8
"""Points of a block that is integrated together, one by one, and simulated."""


def sweep(
    theory: Derivation | SizedDerivation | Model,
    problem: Problem | Callable[..., Problem],
    over: Mapping[str, Any],
    t: float | None = None,
    t_eval: ArrayLike | str | None = None,
    *,
    statistics: Sequence[str] = ("risk",),
    rtol: float = 1e-8,
    atol: float = 1e-10,
    modes: int | str = "auto",
    tol: float | None = None,
    simulate: int | Mapping[str, Any] | None = None,
    rng: Any = None,
    executor: Any = None,
    workers: int | None = None,
    block: int | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: Any = False,
) -> xr.Dataset:
    """Solve the ODEs, and simulate if wanted, at every point of a grid of problems.

    Problems are integrated together, with array operations over all of them, each with steps of its own: thousands take
    the time of some hundred single solutions. Stiff problems, adaptive rates, projected SGD and expectations with
    quadrature go to ``theory.solve`` one by one. Points that fail are recorded with the reason and stop no others.

    Parameters
    ----------
    theory:
        A derivation, or a model, which is derived.
    problem:
        What the axes change, or a function that poses a problem from the axes' values, given by keyword.
    over:
        Values by dotted name: ``learning_rate``, ``delta``, ``batch_size``; parts of the start (``start.cosine``), of
        the spectrum (``spectrum.alpha``, ``spectrum.d``) and of the noise law (``noise.std``); parameters and trained
        scalars by name; ``learning_rates.v``, ``sizes.K``. Whole starts, spectra and learning rates are values of
        ``start``, ``spectrum`` and ``learning_rate``. The axes of the result are in this order.
    t, t_eval:
        As in ``theory.solve``; by default 21 equally spaced times.
    statistics:
        Names of what is kept, as results have them: "risk", "distance", "cosine", "overlaps", declared ones, ...
    rtol, atol, modes, tol:
        As in ``theory.solve``.
    simulate:
        Number of runs, or arguments of :func:`hdsym.simulate`; adds ``simulated_risk`` and others with an axis ``run``,
        and ``simulated_diverged``, the time at which a run left the finite range.
    rng:
        Seed of the simulations, which every point has its own stream of: an integer, a Generator, or ``None``.
    executor:
        ``None``: here. ``"processes"``: processes of this machine. A :class:`dask.distributed.Client`, or the address
        of a dask scheduler such as ``"tcp://node:8786"``; or a :class:`concurrent.futures.Executor`. The arrays are the
        same.
    workers:
        Number of processes; all cores by default.
    block:
        Points computed, sent and stored at a time; changes no number.
    store:
        A folder with a Zarr store, to which finished blocks are written. The same call after an interruption takes up
        from there; damaged blocks are computed again.
    progress:
        ``True`` for a bar with the remaining time, or a function of (points done, points to do).

    Returns
    -------
    xarray.Dataset
        Each statistic with the axes of `over`, then ``time``, then its own. ``reason`` says why a point failed (empty
        if it did not), ``ended`` until when its solution is finite; beyond that values are NaN. ``compression_error``
        is that of ``theory.solve``. With ``.plot_phase_diagram()``.

    Raises
    ------
    DeclarationError
        For names, values, statistics or options that have no meaning, or if not one of the points can be posed.
    SweepError
        If a scheduler cannot be reached, or the store belongs to another sweep; the message shows the difference.
    """
    plan, sample = _planned(theory, problem, over, t, t_eval, statistics, simulate, rng, (rtol, atol, modes, tol))
    if plan.simulate and executor is not None:  # whose workers take the cores
        plan = replace(plan, simulate={"workers": 1, **plan.simulate})
    layout = Layout.of(plan.grid.shape, _points(plan, block))
    archive = None
    if store is not None:
        from .store import Store, recorded_seed

        if plan.simulate and rng is None:
            seed = recorded_seed(store)
            plan = plan if seed is None else replace(plan, entropy=seed)
        archive = Store(store, plan, sample, identity(plan), layout)
        layout = archive.layout
    results = dict(archive.finished()) if archive is not None else {}
    missing = [k for k in range(layout.count) if k not in results]
    with reporter(progress, plan.grid.size, sum(layout.length(k) for k in results)) as told:
        for k, found in computed(plan, layout, missing, executor, workers) if missing else ():
            results[k] = found
            if archive is not None:
                archive.keep(k, found)
            told(layout.length(k))
    return assembled(plan, sample, [results[k] for k in range(layout.count)])


def _planned(
    theory: Any,
    problem: Any,
    over: Mapping[str, Any],
    t: float | None,
    t_eval: Any,
    statistics: Sequence[str],
    simulate: Any,
    rng: Any,
    numbers: tuple[float, float, int | str, float | None],
) -> tuple[Plan, Trajectory]:
    """The plan, and a solution at t = 0 that shows what the statistics are."""
    rtol, atol, modes, tol = numbers
    check_tolerances(rtol, atol)
    check_modes(modes, tol)
    if not (isinstance(problem, Problem) or callable(problem)):
        raise DeclarationError(
            f"the problem is {type(problem).__name__}", remedy="give a Problem, or a function that poses one"
        )
    theory = _derived(theory, problem, over)
    grid = Grid(problem, read_axes(theory.model, problem, over))
    names = [statistics] if isinstance(statistics, str) else list(dict.fromkeys(statistics))
    if not names:
        raise DeclarationError("no statistics are wanted", remedy='give names, for instance ("risk",)')
    for name in {*names, "time", "run", "ended", "reason", "compression_error"} & over.keys():
        raise DeclarationError(f"{name!r} is an axis and a statistic", remedy="leave the statistic out")
    sample, path = _sample(theory, grid)
    if t_eval is None:
        t_eval = np.linspace(0.0, output_times(sample.horizon, t, None)[-1], _POINTS)
    times = output_times(sample.horizon, t, t_eval)
    shapes = {name: path.variable(name).shape[1:] for name in names}
    if any(shapes.values()) and any(axis.change is not None and axis.change.field == "sizes" for axis in grid.axes):
        name = next(name for name, shape in shapes.items() if shape)
        raise DeclarationError(f"{name} has another shape for every size", remedy="ask for statistics with one value")
    options = _options(simulate)
    if options:
        sample.spectrum.dimension()  # which simulations need
    entropy = checks.entropy(rng) if options else 0
    given: dict[str, Any] = {"simulate": options, "entropy": entropy, "token": uuid.uuid4().hex}
    return Plan(theory, grid, times, shapes, rtol, atol, modes, tol, **given), path


def _derived(theory: Any, problem: Any, over: Mapping[str, Any]) -> Any:
    """The derivation; of a model with parameters for the numbers of its noise law that are swept over."""
    from ..derive import derive

    if isinstance(theory, Model):
        return derive(parametrised(theory, over) if isinstance(problem, Problem) else theory)
    model = parametrised(theory.model, over) if isinstance(problem, Problem) else theory.model
    return theory if model is theory.model else derive(model).with_target(theory.target)


def _sample(theory: Any, grid: Grid) -> tuple[Problem, Trajectory]:
    """A problem that can be posed, and its solution at t = 0."""
    first: HdsymError | None = None
    for point in np.unique(np.linspace(0, grid.size - 1, min(grid.size, _PROBES)).astype(np.int64)):
        try:
            problem = grid.pose(int(point))
            return problem, theory.solve(problem, t_eval=[0.0], modes="full")
        except HdsymError as error:
            first = first or error
    assert first is not None  # a grid has at least one point
    raise DeclarationError(f"no point of the sweep can be solved; the first: {first.message}", remedy=first.remedy)


def _options(simulate: Any) -> dict[str, Any]:
    if simulate is None:
        return {}
    options = dict(simulate) if isinstance(simulate, Mapping) else {"runs": simulate}
    taken = {"t", "t_eval", "rng", "model", "problem", "executor", "resume", "checkpoint", "progress", "record"}
    if taken & options.keys():
        raise DeclarationError(
            f"simulate has {', '.join(sorted(taken & options.keys()))}, which the sweep sets",
            remedy='give the others, for instance {"runs": 10, "method": "reduced"}',
        )
    options["runs"] = checks.dimension(options.get("runs", 10), "runs")
    return options


def _points(plan: Plan, block: Any) -> int:
    if block is not None:
        return checks.dimension(block, "block")
    if plan.simulate:
        return _BLOCK_SIMULATED
    rate = getattr(plan.grid.problem, "learning_rate", None)
    return _BLOCK if elementwise(plan.theory) and not isinstance(rate, AdaptiveRate) else _BLOCK_ALONE
