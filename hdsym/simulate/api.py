"""``hd.simulate``: streaming SGD of a declared model, many runs at once."""

from __future__ import annotations

import os
import time
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, modelstatistics
from ..adaptive import AdaptiveRate
from ..errors import SimulationError
from ..model import Model
from ..problem import Problem
from . import ensemble, methods, risk, times
from .archive import Archive
from .declaration import check_laws
from .declared import Statistics
from .diffusion import Diffusion
from .executors import worker_count
from .identity import identity
from .kernels import build
from .progress import progress_bar
from .rules import rule_of
from .run import Job, Record, make_rates, stacked_rates

if TYPE_CHECKING:
    from ..results import Ensemble
    from .diffusion import Theory

__all__ = ["simulate"]

Float = NDArray[np.float64]

_RENEWALS = 100
"""How often an adaptive rate learns in a unit of time where the solution is."""

_BLOCK_WORK = 2_000_000
"""Coordinates drawn between two looks at the clock: about 10 ms."""


def simulate(
    model: Model | Theory,
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
    group: int | None = None,
    scheme: str | None = None,
    steps_per_time: int | None = None,
    replace: bool = True,
    executor: str | Executor | None = None,
    resume: Ensemble | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> Ensemble:
    """Run one-pass SGD X_{k+1} = X_k - (gamma_k / d) (a (grad_x f)^T + delta X_k), time t = k / d.

    Independent of the derivation: the gradient is the derivative of the declared loss (zero slope at a kink), overlaps
    are computed from X and X*, the risk is an average over preactivations (see :mod:`hdsym.simulate.risk`; its relative
    error is measured and recorded as ``attrs["risk_error"]``) or, for real rows, the mean of the loss over all of them.
    Means in declared statistics are averaged in the same way, overlaps in them computed from X and X*; their errors are
    ``attrs["statistics_error"]``.
    Trained scalars move along, theta <- theta - (gamma_theta / d) d_theta f, with the same sample and the old values.
    Memory is that of the weights per worker, and O(n^2 runs times) for the result.

    Parameters
    ----------
    model, problem:
        What is trained, and on what; the spectrum needs a dimension. A sized model takes its sizes from the problem.
        A derivation stands for its model.
    runs:
        Number of independent runs, those of `resume` and `checkpoint` included.
    t, t_eval:
        Horizon (``problem.horizon`` by default), or the wanted increasing times. Times are those of whole steps.
    rng:
        SPEC 7: ``None``, an integer, a Generator or a SeedSequence; the entropy is recorded. One stream per run, so
        the same seed gives the same arrays for any number of workers.
    method:
        "direct": Gaussian data in the eigenbasis of K, O(n d batch_size) a step. "reduced": the same law for every d,
        at O(m n^2) a step if K has m distinct eigenvalues. W is followed up to rotations within the eigenspaces of K,
        which leave all overlaps and the law of SGD alone. "data": rows of ``problem.data``.
        "homogenized": not SGD, but the diffusion of arXiv:2308.08977 with the same limit,
        dX = -gamma (grad R + delta X) dt + gamma sqrt(K / (d batch_size)) dBrownian sqrt(I(B)), with grad R and I(B) of
        the theory, which is derived if a model is given. Its steps are much longer than 1 / d; each costs O(d n), or
        O(m n^2) if K has m distinct eigenvalues. Its fluctuations are O(d^-1/2) as those of SGD, but not equal to them:
        a sample's correlation with its own slope is left out. Trained scalars have no noise of their own. Of a
        derivation ``.with_target("numba")`` steps of committees are faster.
    workers:
        Threads or processes; all cores by default.
    progress:
        ``True`` for a bar over the steps of all runs, or a function of (steps done, steps to do).
    record, spacing:
        With `t`: how many times are recorded besides t = 0, "linear" or "log" spaced.
    group:
        For "reduced" and "homogenized": merge the eigenvalues into at most so many, which is an approximation.
        ``attrs["grouping"]`` has the relative differences of tr K^2, B and W^T K^2 W at t = 0; tr K is kept.
    scheme:
        For "homogenized": "exponential" (default), exact for constant gradient and Fisher matrices, with an error of
        O(tau^2 + tau / d) in steps of length tau, or "euler" (Euler and Maruyama), O(tau); see
        :mod:`hdsym.simulate.homogenized`. Projected to spheres both are of first order.
    steps_per_time:
        For "homogenized": 1 / tau. By default short enough for the pace at the start; where a run becomes faster later,
        give more, and see whether results change.
    replace:
        For "data": draw rows with replacement, or (False) go through them once, in an order of its own in each run.
        The risk is the mean over all rows either way.
    executor:
        "threads" (default), "processes", or a :class:`concurrent.futures.Executor`, whose workers must be able to
        import hdsym. The arrays are the same. Processes start anew, so a script needs ``if __name__ == "__main__":``.
    resume:
        An ensemble, also one that was loaded: its runs are kept, further ones have the seeds they would have had if
        all had been asked for at once. Of a SeedSequence these are its next children: do not use them elsewhere.
    checkpoint:
        A file that keeps every finished run while others are still going. The same call after an interruption takes up
        from there, to the same arrays; a run that had not ended begins again.

    Returns
    -------
    Ensemble
        Risk (run, time), overlaps and W^T W (run, time, n, n), student first, trained scalars (run, time, theta). A
        run that leaves the finite range stops, and ``diverged`` holds the time; that is a result, not an error. So does
        one of homogenized SGD where the theory's expectations do not exist.

    Raises
    ------
    SimulationError
        For a model without compiled form, a loss that jumps, a label that is not a number, a bad argument,
        method="reduced" with too many distinct eigenvalues, or method="homogenized" where the theory is singular; if
        `resume` or `checkpoint` belongs to other runs.
    DeclarationError
        If the spectrum has no dimension, or the start does not fit.
    ParameterError
        If a parameter of the model has no value.
    """
    from ..results import Ensemble

    began = time.perf_counter()
    runs, threads = checks.dimension(runs, "runs"), worker_count(workers)
    theory = None if isinstance(model, Model) else model
    model = model if isinstance(model, Model) else model.model
    declared = {"model_hash": model.digest, **modelstatistics.described(model)}
    model = problem.explicit(model)
    parameters = model.parameter_values(problem.parameters)
    check_laws(model, parameters)
    d = problem.spectrum.dimension()
    rate = problem.learning_rate
    kernels = build(model, rate if isinstance(rate, AdaptiveRate) else None)
    constants = np.array(list(parameters.values()), dtype=np.float64)
    average = risk.Averager(kernels.population, model, constants, threads)
    statistics = Statistics(model, parameters, problem.spectrum, threads)
    diffusion = Diffusion(theory, scheme, steps_per_time, times.last_time(problem.horizon, t, t_eval))
    rule = rule_of(model, problem, theory, risk.Population(kernels, model, constants))
    options = {"diffusion": diffusion, "replace": replace, "rule": rule}
    plan = methods.make(method, model, problem, kernels, statistics, group, **options)
    pace, offset = (d, 0.0) if plan.pace is None else (plan.pace, 0.5)
    steps = times.recorded_steps(pace, problem.horizon, t, t_eval, record, spacing)
    plan.check(int(steps[-1]), d)
    seen, compile_seconds = _compile(plan.begin, [average, *statistics.averagers.values()])
    block = int(np.clip(_BLOCK_WORK // plan.work, 16, 65536))
    if rule is not None and rule.measured is not None:
        block = int(np.clip(d // _RENEWALS, 1, block))
    rates = (
        make_rates(problem.learning_rate, pace, block, offset),
        stacked_rates(problem.trained_rates(model), pace, block, offset),
    )
    job = Job(plan.begin, *rates, steps, block, pace)
    settings = {
        "method": method,
        "group": group,
        "scheme": plan.attrs.get("scheme"),
        "steps_per_time": plan.pace,
        "replace": replace,
    }
    archive = Archive(identity(model, problem, settings, job, seen), steps, pace)
    if resume is not None:
        archive.resume(resume, runs)
    if checkpoint is not None:
        archive.open(checkpoint)
    seeds = archive.seeds(rng, runs)
    report, close = progress_bar(progress, compile_seconds)
    try:
        ensemble.run_all(job, seeds, threads, executor, report, archive.keep)
    finally:
        close()
        archive.flush()
    arrays, error = _stack([archive.finished[i] for i in range(runs)]), 0.0
    forms, means = arrays.pop("forms"), arrays.pop("means")
    errors: dict[str, float] = {}
    if method == "data":
        values = statistics.of_rows(means, arrays["trained"], forms)
    else:
        arrays["risk"] = average(arrays["overlaps"], arrays["trained"])
        error = average.error(arrays["overlaps"], arrays["trained"])
        values, errors = statistics.of_overlaps(arrays["overlaps"], arrays["trained"], forms)
    _end_where_infinite(arrays, values, steps / pace)
    attrs = {
        **problem.provenance(model),
        "method": method,
        **plan.attrs,
        "d_effective": problem.spectrum.effective_dimension,
        "runs": runs,
        **archive.attrs,
        "settings": settings,
        "risk_error": error,
        **declared,
        **({"statistics_error": errors} if errors else {}),
        "compile_seconds": compile_seconds,
        "seconds": time.perf_counter() - began,
    }
    return Ensemble.build(
        time=steps / pace,
        **arrays,
        statistics=values,
        recorded=statistics.labelled(forms, means),
        names=tuple(symbol.name for symbol in (*model.students, *model.teachers)),
        trained_names=tuple(symbol.name for symbol in model.trained),
        n_student=model.n_student,
        attrs=attrs,
    )


def _compile(begin: methods.Factory, averages: list[risk.Averager]) -> tuple[methods.Observation, float]:
    """Call every kernel once on nothing, so that compilation is timed and done before the threads start.

    Returns what is seen at t = 0, and the seconds.
    """
    began = time.perf_counter()
    rng = np.random.Generator(np.random.SFC64(0))
    state = begin(rng)
    seen = state.observe()
    state.advance(rng, np.empty(0), np.empty((0, seen.trained.size)))
    if not np.all(np.isfinite(seen.overlaps)):
        raise SimulationError("the overlaps of the start are not finite", remedy="check the start's weights")
    for average in averages:
        average.compile(len(seen.overlaps), seen.trained.size)
    return seen, time.perf_counter() - began


def _stack(records: list[Record]) -> dict[str, Float]:
    names = ("overlaps", "gram", "trained", "risk", "forms", "means", "diverged")
    return {name: np.array([getattr(record, name) for record in records]) for name in names}


def _end_where_infinite(arrays: dict[str, Float], statistics: dict[str, Float], times: Float) -> None:
    """A risk or statistic that overflows, or is undefined, while the weights are finite ends the run as well."""
    finite = np.all([np.isfinite(values) for values in (arrays["risk"], *statistics.values())], axis=0)
    for i, known in enumerate(finite):
        bad = np.flatnonzero(~known)
        if bad.size:
            first = times[bad[0]]
            arrays["diverged"][i] = np.fmin(arrays["diverged"][i], first)
            for array in (*statistics.values(), *(arrays[name] for name in ("risk", "overlaps", "gram", "trained"))):
                array[i, bad[0] :] = np.nan
