"""``hd.simulate``: streaming SGD of a declared model, many runs at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks
from ..errors import SimulationError
from ..model import Model
from ..problem import Problem
from . import ensemble, methods, risk, streams
from .declaration import check_laws
from .kernels import Kernels, build
from .run import Job, Record, make_rates
from .times import recorded_steps

if TYPE_CHECKING:
    from ..results import Ensemble

__all__ = ["simulate"]

Float = NDArray[np.float64]

_BLOCK_WORK = 2_000_000
"""Coordinates drawn between two looks at the clock: about 10 ms."""


def simulate(
    model: Model,
    problem: Problem,
    runs: int = 30,
    t: float | None = None,
    t_eval: ArrayLike | None = None,
    rng: Any = None,
    method: str = "direct",
    workers: int | None = None,
    progress: Any = False,
    record: int = 50,
    spacing: str = "linear",
) -> Ensemble:
    """Run one-pass SGD X_{k+1} = X_k - (gamma_k / d) (a (grad_x f)^T + delta X_k), time t = k / d.

    Independent of the derivation: the gradient is the derivative of the declared loss (zero slope at a kink), overlaps
    are computed from X and X*, the risk is an average over preactivations (see :mod:`hdsym.simulate.risk` for its
    measured error, at most 1e-4 relative) or, for real rows, the mean of the loss over all of them. A step costs
    O(d batch_size); memory is O(d) per worker and O(runs times) for the result, whatever the number of steps.

    Parameters
    ----------
    model, problem:
        What is trained, and on what; the spectrum needs a dimension.
    runs:
        Number of independent runs.
    t, t_eval:
        Horizon (``problem.horizon`` by default), or the wanted increasing times. Times are those of whole steps.
    rng:
        SPEC 7: ``None``, an integer, a Generator or a SeedSequence; the entropy is recorded. One stream per run, so
        the same seed gives the same arrays for any number of workers.
    method:
        "direct": Gaussian data in the eigenbasis of K. "data": rows of ``problem.data``, drawn with replacement.
    workers:
        Threads; all cores by default.
    progress:
        ``True`` for a bar over the steps of all runs, or a function of (steps done, steps to do).
    record, spacing:
        With `t`: how many times are recorded besides t = 0, "linear" or "log" spaced.

    Returns
    -------
    Ensemble
        Risk (run, time), overlaps and W^T W (run, time, n, n), student first. A run that leaves the finite range
        stops, and ``diverged`` holds the time; that is a result, not an error.

    Raises
    ------
    SimulationError
        For a model without compiled form, a loss that jumps, a label that is not a number, or a bad argument.
    DeclarationError
        If the spectrum has no dimension, or the start does not fit.
    ParameterError
        If a parameter of the model has no value.
    """
    from ..results import Ensemble

    began = time.perf_counter()
    runs, threads = checks.dimension(runs, "runs"), ensemble.worker_count(workers)
    parameters = model.parameter_values(problem.parameters)
    check_laws(model, parameters)
    theta = np.array(list(parameters.values()), dtype=np.float64)
    d = problem.spectrum.dimension()
    steps = recorded_steps(d, problem.horizon, t, t_eval, record, spacing)
    kernels = build(model)
    begin = methods.make(method, model, problem, kernels, theta)
    compile_seconds = _compile(kernels, begin, model, theta)
    block = int(np.clip(_BLOCK_WORK // (d * problem.batch_size), 16, 65536))
    job = Job(begin, make_rates(problem.learning_rate, d, block), steps, block, model.n_student + model.n_teacher, d)
    seeds, seed_record = streams.spawn(rng, runs)
    report, close = ensemble.progress_bar(progress, compile_seconds)
    try:
        records = ensemble.run_all(job, seeds, threads, report)
    finally:
        close()
    arrays = _stack(records, steps / d)
    if method == "direct":
        arrays["risk"] = risk.population_risk(kernels.population, model, arrays["overlaps"], theta, threads)
    _end_at_infinite_risk(arrays, steps / d)
    attrs = {
        "model": model.name,
        "method": method,
        "d": d,
        "d_effective": problem.spectrum.effective_dimension,
        "runs": runs,
        **seed_record,
        "spectrum": problem.spectrum.label,
        "learning_rate": problem.learning_rate.describe(),
        "delta": problem.delta,
        "batch_size": problem.batch_size,
        "parameters": parameters,
        "compile_seconds": compile_seconds,
        "seconds": time.perf_counter() - began,
    }
    names = tuple(symbol.name for symbol in (*model.students, *model.teachers))
    return Ensemble.build(
        time=steps / d,
        overlaps=arrays["overlaps"],
        gram=arrays["gram"],
        risk=arrays["risk"],
        diverged=arrays["diverged"],
        names=names,
        n_student=model.n_student,
        attrs=attrs,
    )


def _compile(kernels: Kernels, begin: methods.Factory, model: Model, theta: Float) -> float:
    """Call every kernel once on nothing, so that compilation is timed and done before the threads start."""
    began = time.perf_counter()
    state = begin()
    state.advance(np.random.Generator(np.random.SFC64(0)), np.empty(0))
    seen = state.observe()
    if not np.all(np.isfinite(seen.overlaps)):
        raise SimulationError("the overlaps of the start are not finite", remedy="check the start's weights")
    n = seen.overlaps.shape[0]
    kernels.population(np.empty((0, n, n)), np.empty((n + 1, 0)), np.empty(0), theta, np.empty(0))
    return time.perf_counter() - began


def _stack(records: list[Record], times: Float) -> dict[str, Float]:
    return {
        "overlaps": np.stack([record.overlaps for record in records]),
        "gram": np.stack([record.gram for record in records]),
        "risk": np.stack([record.risk for record in records]),
        "diverged": np.array([record.diverged for record in records]),
    }


def _end_at_infinite_risk(arrays: dict[str, Float], times: Float) -> None:
    """A risk that overflows, or is undefined, while the weights are still finite ends the run as well."""
    for i, values in enumerate(arrays["risk"]):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            first = times[bad[0]]
            arrays["diverged"][i] = np.fmin(arrays["diverged"][i], first)
            for name in ("risk", "overlaps", "gram"):
                arrays[name][i, bad[0] :] = np.nan
