"""When single runs escape from a saddle: the distribution of a random time of order log d."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import checks, tables
from ..errors import DeclarationError, SolveError
from ..modelcheck import check_free
from ..modes import Modes
from ..simulate.grouping import grouped
from .sde import Equation
from .walk import Level, Walk, chosen_steps, walk

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..start import Start

__all__ = ["EscapeTimes", "escape_distribution"]

Float = NDArray[np.float64]

_TOGETHER = 4_000_000
"""Entries of Gram matrices that are moved at once: 32 MB."""

_SHOWN = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False, repr=False)
class EscapeTimes:
    """Random times at which single runs cross a level.

    Attributes
    ----------
    times:
        (runs,) in the order of the draws; infinite for runs that had not crossed by the horizon, or were lost.
    horizon:
        Up to when runs were followed.
    level:
        What is crossed, in words.
    lost:
        Number of runs that left the finite range, or where expectations exist, before they crossed.
    path_times, paths:
        (steps + 1,) and (kept, steps + 1): the scalar along the first runs; NaN from where one was lost.
    attrs:
        The problem, its start, entropy, step and its error, how the noise was found.
    """

    times: Float
    horizon: float
    level: str
    lost: int
    path_times: Float
    paths: Float
    attrs: Mapping[str, Any]

    @property
    def runs(self) -> int:
        """Number of runs."""
        return len(self.times)

    @property
    def escaped(self) -> float:
        """Share of the runs that have crossed by the horizon."""
        return float(np.mean(np.isfinite(self.times)))

    @property
    def median(self) -> float:
        """The time by which half of the runs have crossed; infinite if fewer have by the horizon."""
        return float(self.quantile(0.5))

    def quantile(self, q: ArrayLike) -> Any:
        """The earliest time by which a share q of all runs has crossed, shape of `q`; infinite if fewer have.

        Raises
        ------
        DeclarationError
            If a share is outside [0, 1].
        """
        shares = checks.real_array(q, "q")
        if np.any((shares < 0) | (shares > 1)):
            raise DeclarationError(f"q is {q!r}", remedy="give numbers in [0, 1]")
        ranks = np.maximum(np.ceil(shares * self.runs * (1 - 1e-15)).astype(np.int64), 1)
        found = np.sort(self.times)[ranks - 1]
        return found if found.ndim else float(found)

    def cdf(self, t: ArrayLike) -> Any:
        """Share of the runs that have crossed by times up to the horizon, shape of `t`.

        Raises
        ------
        DeclarationError
            For a time beyond the horizon, of which nothing is known.
        """
        wanted = checks.real_array(t, "t")
        if np.any(wanted > self.horizon):
            raise DeclarationError(
                f"t = {float(np.max(wanted)):g} is beyond the horizon {self.horizon:g}",
                remedy=f"follow the runs for longer: escape_distribution(problem, t={float(np.max(wanted)):g}, ...)",
            )
        found = np.searchsorted(np.sort(self.times), wanted, side="right") / self.runs
        return found if found.ndim else float(found)

    def band(self, confidence: float = 0.95) -> float:
        """Half-width of the band around :meth:`cdf` that holds the whole true one with at least this confidence.

        By the inequality of Dvoretzky, Kiefer and Wolfowitz with the constant of P. Massart, Ann. Probab. 18 (1990).
        """
        if not 0 < confidence < 1:
            raise DeclarationError(f"confidence is {confidence}", remedy="give a number between 0 and 1")
        return float(np.sqrt(np.log(2.0 / (1.0 - confidence)) / (2.0 * self.runs)))

    def plot(self, ax: Any = None) -> Any:
        """The distribution with its 95 % band: on `ax`, or a new figure that has the sample curves too."""
        from .figure import plot_escape

        return plot_escape(self, ax)

    @property
    def words(self) -> str:
        """How many have escaped, in words."""
        count = int(np.isfinite(self.times).sum())
        rest = self.runs - count - self.lost
        said = f"{count} of {self.runs} runs crossed"
        if rest:
            said += f"; {rest} had not by t = {self.horizon:g}, and count as later"
        if self.lost:
            said += f"; {self.lost} left the finite range before, and count as never"
        return said

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        times = [float(self.quantile(q)) for q in _SHOWN]
        columns: dict[str, ArrayLike] = {
            "share of runs": [f"{q:.0%}" for q in _SHOWN],
            "crossed by t": [f"{time:.4g}" if np.isfinite(time) else "later" for time in times],
        }
        step = f"steps of {self.attrs['step']:.3g}"
        title = f"Escape times of {self.attrs['model']}: {self.level}, d = {self.attrs['d']}, {self.runs} runs, {step}"
        return title, columns, [self.words]

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.html(*self._table())


def escape_distribution(
    theory: Derivation | SizedDerivation,
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
    """The random times at which single runs of dimension d cross a level, from the diffusion that they follow.

    Near a saddle of the ODEs, as at a start that knows nothing of the target, deviations of order d^-1/2 grow
    exponentially until they decide where a run goes: neither the limit nor error bars of linear noise describe it.
    Runs of dy = F(y) dt + sqrt(C(y) / d) dW do (see :mod:`hdsym.fluctuations.sde`), F the right-hand side of the ODEs
    and C the derived covariance of a step of SGD; what they leave out is of order 1/d.

    ``theory.escape_time`` is about the limit alone: how long one solution, whose start has some overlap, stays near a
    fixed point. Started at the saddle itself it stays forever; single runs leave it after about log(d) / (2 rate), and
    by how much the time varies is what this function says.

    Parameters
    ----------
    t:
        Horizon; the problem's by default.
    level:
        A scalar of a trajectory (risk, excess_risk, cosine, distance, norm, a declared statistic, ...) and the level
        whose first crossing counts, from either side; or a pair (low, high), and leaving that interval counts:
        ``{"cosine": (-0.5, 0.5)}`` where X* and -X* are alike.
    runs:
        How many.
    rng:
        A non-negative integer, a numpy Generator (one number is drawn from it), or ``None`` for fresh entropy.
    start:
        In place of the problem's; ``hd.start.uninformed()`` is drawn anew for each run.
    steps_per_time:
        Number of steps in a unit of time; by default so many that halving them moves the mean crossing time by at most
        `tol` of the standard deviation, in pilot runs. A crossing and return within a step is not seen.
    group:
        Merge the eigenvalues of the covariance into at most so many, as :func:`hdsym.simulate` does:
        ``attrs["grouping"]`` says what that changes. A step of a run costs O(m n^2) for m distinct eigenvalues.
    paths:
        How many runs to keep the scalar of, at all steps.

    Returns
    -------
    EscapeTimes

    Raises
    ------
    DeclarationError
        For a spectrum without dimension, projected SGD, an adaptive learning rate, or an argument without meaning.
    SolveError
        If the equations are not finite at the start, or steps as short as those of SGD would be too long.
    """
    from ..solve import _run, output_times

    posed = problem if start is None else replace(problem, start=start)
    _check(theory, posed)
    count, kept = checks.dimension(runs, "runs"), checks.dimension(paths, "paths") if paths else 0
    horizon, entropy = float(output_times(posed.horizon, t, None)[-1]), checks.entropy(rng)
    modes, merged = _merged(theory, posed, group)
    run = _run(theory, posed, modes=modes)
    run._check_start(run._start())
    equation, watched = Equation(run, group), Level(run, level)
    if steps_per_time is None:
        steps, error = chosen_steps(equation, horizon, watched, checks.finite(tol, "tol"))
    else:
        steps, error = int(np.ceil(checks.dimension(steps_per_time, "steps_per_time") * horizon)), None
    found = _walked(equation, horizon, steps, watched, np.random.default_rng(entropy), count, kept)
    if found.lost.all():
        raise SolveError(
            f"no run stays finite until its {watched}",
            t=0.0,
            remedy="a smaller learning rate, or more steps_per_time",
        )
    attrs = {
        **posed.provenance(run.model),
        "start": repr(posed.start),
        "level": {watched.name: watched.low if watched.low == watched.high else [watched.low, watched.high]},
        "horizon": horizon,
        "runs": count,
        "entropy": entropy,
        "step": horizon / steps,
        "step_error": error,
        "noise": equation.moments.source,
        "noise_error": equation.moments.single.error,
        **merged,
    }
    grid = np.linspace(0.0, horizon, steps + 1)
    arrays = [checks.frozen(array) for array in (found.times, grid, found.curves)]
    return EscapeTimes(arrays[0], horizon, str(watched), int(found.lost.sum()), arrays[1], arrays[2], attrs)


def _walked(
    equation: Equation, horizon: float, steps: int, level: Level, rng: np.random.Generator, runs: int, keep: int
) -> Walk:
    """All runs, so many at once that memory is bounded."""
    most = max(1, _TOGETHER // equation.run.grams.size)

    def draw(active: NDArray[np.int64]) -> Float:
        return rng.standard_normal((active.size, equation.normals))

    found = []
    for first in range(0, runs, most):
        start = equation.start(rng, min(most, runs - first))
        found.append(walk(equation, start, horizon, steps, draw, level, max(keep - first, 0)))
    joined = {name: np.concatenate([getattr(part, name) for part in found]) for name in Walk.__dataclass_fields__}
    return Walk(**joined)


def _merged(
    theory: Derivation | SizedDerivation, problem: Problem, group: int | None
) -> tuple[Modes | None, dict[str, Any]]:
    """Groups of eigenvalues in place of all, and what that changes; ``None`` for all."""
    if group is None:
        return None, {}
    groups, attrs = grouped(problem.explicit(theory.model), problem, group, most=None)
    shares = groups.multiplicities / problem.spectrum.dimension()
    return Modes(groups.eigenvalues, shares, groups.grams, len(problem.spectrum.levels)), attrs


def _check(theory: Derivation | SizedDerivation, problem: Problem) -> None:
    check_free(theory.model, "the distribution of escape times")
    if problem.spectrum.d is None:
        raise DeclarationError(
            f"the spectrum {problem.spectrum.label} has no dimension, and in the limit no run strays from the solution",
            remedy="give it one, for instance hd.spectrum.identity(d=2000)",
        )
    if problem.learning_rate.kind == "adaptive":
        raise DeclarationError(
            "escape times need a learning rate that is a schedule, and this one is adaptive: its noise is not derived",
            remedy='give a number or an expression in hd.t; or simulate, hd.simulate(..., method="reduced")',
        )
