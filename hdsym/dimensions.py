"""Theory against simulation at several dimensions: how the gap shrinks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .compare import compare
from .errors import ComparisonError
from .gaps import Gaps, gaps
from .model import Model
from .problem import Problem
from .results import Ensemble, Trajectory
from .scaling import DimensionScaling
from .start import RandomStart, UninformedStart
from .twodims import far_apart
from .verdict import FEW

if TYPE_CHECKING:
    from .derive import Derivation
    from .derive.sized import SizedDerivation

__all__ = ["compare_dimensions"]

Float = NDArray[np.float64]

_RECORD = 50
"""Recorded times besides t = 0."""

_DRAWN = (
    "the start is drawn anew at each d, and its weight on the leading eigenvalues varies: the slope tends to be above "
    "-1/2 by up to a tenth; hd.start.overlaps(...) spreads it evenly"
)


def compare_dimensions(
    model: Model,
    problem: Problem | Callable[[int], Problem],
    dims: Sequence[int],
    *,
    runs: int = 30,
    t: float | None = None,
    t_eval: ArrayLike | None = None,
    statistic: str = "risk",
    method: str = "direct",
    rng: Any = None,
    confidence: float = 0.95,
    theory: Derivation | SizedDerivation | None = None,
    workers: int | None = None,
    progress: Any = False,
) -> DimensionScaling:
    """Solve and simulate one problem at several dimensions, and fit the power of d with which the gap shrinks.

    The gap of a run is max_t |phi(run, t) - phi(t)| / max_t |phi(t)|, over all entries of a matrix statistic. The limit
    theorem makes it O(d^-1/2): its distribution times d^1/2 tends to one that does not depend on d. So its logarithm
    has one variance at all d, and the slope against log d is fitted by least squares over all runs, with Student's
    interval. A theory that is wrong leaves a gap that does not shrink: slope 0.

    The dimension is d for spectra that are not flat too: least squares on power laws with exponents 0.4, 0.6 and 0.8,
    d = 50 to 400 and the start spread evenly, ten times 30 runs, gave slopes -0.52, -0.52 and -0.50 (standard error
    0.02) against d, but -0.56, -0.65 and -0.87 against the effective dimension. A start drawn at random, whose weight
    on the leading eigenvalues is a matter of chance at small d, shifts them to -0.48, -0.46 and -0.43; a note says so.

    The two largest dimensions also give a verdict, with the O(1/d) bias estimated from both (:func:`hdsym.compare`).

    Parameters
    ----------
    model:
        Is derived once, and simulated.
    problem:
        A problem, posed at each dimension by ``problem.at(d)``; or a function of d that gives one.
    dims:
        Three or more dimensions, two if need be; best spread by factors of two or more.
    runs, rng, method, workers, progress:
        As for :func:`hdsym.simulate`, at each dimension; seeds are independent.
    t, t_eval:
        Horizon, or recorded times; the problem's horizon and 50 times by default.
    statistic:
        One name, as in :func:`hdsym.compare`.
    confidence:
        Of the interval of the slope.
    theory:
        What ``hd.derive`` gave, if it is at hand; derived from `model` by default.

    Raises
    ------
    ComparisonError
        If there are fewer than two dimensions or three runs, a tenth of the runs diverges, or nothing fluctuates.
    DeclarationError
        If the problem cannot be posed at another dimension.

    Returns
    -------
    DimensionScaling
    """
    from .derive import derive
    from .simulation import simulate

    wanted = sorted({checks.dimension(d) for d in dims})
    _check(wanted, statistic, confidence)
    theory = derive(model) if theory is None else theory
    entropy = checks.entropy(rng)
    seeds = np.random.SeedSequence(entropy).spawn(len(wanted))
    pairs: list[tuple[Trajectory, Ensemble]] = []
    found, notes = [], []
    for d, seed in zip(wanted, seeds, strict=True):
        posed = _posed(problem, d)
        horizon = posed.horizon if t is None else t
        times = np.linspace(0.0, horizon, _RECORD + 1) if t_eval is None else t_eval
        ensemble = simulate(
            theory if method == "homogenized" else model,
            posed,
            runs=runs,
            t_eval=times,
            rng=seed,
            method=method,
            workers=workers,
            progress=progress,
        )
        path = theory.solve(posed, t_eval=ensemble.time.values)
        gap = gaps(path, ensemble, (statistic,))
        found.append(_largest(gap, ensemble.runs, statistic, d))
        notes += [f"at d = {d}: {note}" for note in gap.notes]
        pairs.append((path, ensemble))
    if isinstance(posed.start, RandomStart | UninformedStart) and len(posed.spectrum.levels) > 1:
        notes.append(_DRAWN)
    return DimensionScaling.fit(
        dims=wanted,
        gaps=found,
        statistic=statistic,
        title=pairs[-1][1].attrs.get("model", ""),
        confidence=confidence,
        verdict=compare(*pairs[-1], statistics=(statistic,), bias=pairs[-2]) if _spread(pairs) else None,
        entropy=entropy,
        notes=notes,
    )


def _check(dims: list[int], statistic: Any, confidence: float) -> None:
    if len(dims) < 2:
        raise ComparisonError(f"dims are {dims}", remedy="give two or more different dimensions, for instance four")
    if not isinstance(statistic, str):
        raise ComparisonError(f"statistic is {statistic!r}", remedy='give one name, for instance "risk"')
    if not 0 < confidence < 1:
        raise ComparisonError(f"confidence is {confidence}", remedy="give a number between 0 and 1")


def _posed(problem: Problem | Callable[[int], Problem], d: int) -> Problem:
    posed: Any = problem.at(d) if isinstance(problem, Problem) else problem(d)
    if not isinstance(posed, Problem) or posed.spectrum.d != d:
        raise ComparisonError(
            f"the function of d gives {type(posed).__name__} with d = {getattr(posed, 'spectrum', None)} for d = {d}",
            remedy="return a Problem whose spectrum has dimension d",
        )
    return posed


def _largest(found: Gaps, runs: int, statistic: str, d: int) -> Float:
    """The gap of each run, shape (runs,)."""
    if found.diverged > FEW * runs:
        raise ComparisonError(
            f"{found.diverged} of {runs} runs diverge at d = {d} while the theory is finite",
            remedy="lower the learning rate or the horizon, or leave out small dimensions",
        )
    size = float(np.max(np.abs(found.theory))) or 1.0
    gap = np.max(np.abs(found.residuals), axis=(1, 2)) / size
    if np.any(gap == 0):
        raise ComparisonError(
            f"the {statistic} does not fluctuate at d = {d}", remedy="choose a statistic that moves, and times t > 0"
        )
    return np.asarray(gap, dtype=np.float64)


def _spread(pairs: list[tuple[Trajectory, Ensemble]]) -> bool:
    """Whether the two largest dimensions are far enough apart to estimate the bias."""
    return far_apart(*(float(runs.attrs["d_effective"]) for _, runs in pairs[-2:]))
