"""Repeated runs of SGD: labelled arrays, summaries over the runs that are finite, more runs of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from . import checks, resultbuild, tables
from .errors import SimulationError
from .record import Record

if TYPE_CHECKING:
    import xarray as xr

    from .model import Model
    from .problem import Problem
    from .simulate.diffusion import Theory

    Simulated: TypeAlias = Model | Theory

__all__ = ["Ensemble"]


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(Record):
    """Repeated runs of SGD: risk(run, time), overlaps(run, time, row, col), gram, distance, norm, cosine, ...

    A run that leaves the finite range is NaN from then on, ``diverged(run)`` holds the time (NaN if it never does), and
    summaries are over the runs still finite, which their attribute ``note`` says.
    """

    kind: ClassVar[str] = "Ensemble"
    required: ClassVar[tuple[str, ...]] = (*Record.required, "diverged")

    @classmethod
    def build(
        cls,
        *,
        time: ArrayLike,
        overlaps: ArrayLike,
        gram: ArrayLike,
        risk: ArrayLike,
        names: Sequence[str] = ("x", "s"),
        n_student: int | None = None,
        attrs: Mapping[str, Any] | None = None,
        diverged: ArrayLike | None = None,
        trained: ArrayLike | None = None,
        trained_names: Sequence[str] = (),
        statistics: Mapping[str, ArrayLike] | None = None,
        recorded: Mapping[str, tuple[Sequence[str], ArrayLike]] | None = None,
    ) -> Ensemble:
        """Label arrays of shape (runs, T) and (runs, T, n, n), and add norms, cosines, specialisation and distances.

        Parameters
        ----------
        trained, trained_names:
            (runs, T, scalars) trained scalars, and their names.
        statistics:
            Declared statistics by name, each (runs, T).
        recorded:
            What statistics are made of, as runs recorded it: labels and (runs, T, count) of "forms" and "means".
        diverged:
            (runs,) time at which each run left the finite range, NaN if it never did; values from then on become NaN.

        Raises
        ------
        DeclarationError
            If the shapes do not belong together, the times do not increase, or a run that is not flagged as diverged
            holds a value that is not finite.
        """
        dataset = resultbuild.dataset(
            time=time,
            names=names,
            n_student=n_student,
            scalars={"risk": risk, **(statistics or {})},
            matrices={"overlaps": overlaps, "gram": gram},
            attrs=attrs or {},
            diverged=np.full(len(np.asarray(risk)), np.nan) if diverged is None else diverged,
            trained=trained,
            trained_names=trained_names,
            recorded=recorded,
        )
        return cls(dataset)

    @property
    def runs(self) -> int:
        """Number of runs."""
        return int(self.dataset.sizes["run"])

    @property
    def diverged(self) -> xr.DataArray:
        """Time at which each run left the finite range; NaN if it never did."""
        return self.variable("diverged")

    def more(self, n: int, model: Simulated | None = None, problem: Problem | None = None, **options: Any) -> Ensemble:
        """The same ensemble with `n` runs more: the arrays that asking for all of them at once would have given.

        Parameters
        ----------
        n:
            How many runs to add; times, method and seed are those of the ensemble.
        model, problem:
            What was simulated; of homogenized SGD ``hd.derive(model)``. An ensemble knows them, unless its file cannot
            say what they are; they are checked against what it recorded.
        options:
            `workers`, `executor`, `progress` and `checkpoint`, as for :func:`hdsym.simulate`.

        Raises
        ------
        SimulationError
            If model and problem are not known, or are not those of the ensemble.
        DeclarationError
            If `n` is no positive integer.
        """
        from . import simulate

        if model is None or problem is None:
            if self.origin is None:
                raise SimulationError(
                    "this ensemble does not know which model and problem it belongs to",
                    remedy="give them: runs.more(n, model, problem)",
                )
            call = self.origin.call
            model, problem = model or call.subject, problem or call.problem
        runs, settings = self.runs + checks.dimension(n, "n"), self.attrs.get("settings", {})
        return simulate(model, problem, runs=runs, t_eval=self.time.values, resume=self, **settings, **options)

    def quantiles(self, name: str, q: ArrayLike) -> xr.DataArray:
        """Quantiles over the runs still finite; axes (time, ...), with a leading ``quantile`` for an array of `q`."""
        return resultbuild.quantiles(self.variable(name), q, self.diverged)

    def median(self, name: str) -> xr.DataArray:
        """Median over the runs still finite, axes (time, ...)."""
        return self.quantiles(name, 0.5)

    def plot(self, ax: Any = None, statistic: str = "risk") -> Any:
        """Plot median and 10-90 % band of a statistic: a new figure, or `ax` with the curve added."""
        from .plots import plot_ensemble

        return plot_ensemble(self, ax=ax, statistic=statistic)

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.ensemble(self, self._table())

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        shown = tables.rows_to_show(self.time.size)
        columns: dict[str, ArrayLike] = {"time": self.time.values[shown]}
        for label, q in (("risk 10 %", 0.1), ("median", 0.5), ("90 %", 0.9)):
            columns[label] = self.quantiles("risk", q).values[shown]
        for name in ("distance", "norm", "cosine"):
            if name in self.dataset:
                columns[f"median {name}"] = self.median(name).values[shown]
        d = f", d = {self.attrs['d']}" if self.attrs.get("d") else ""
        title = f"Ensemble of {self.attrs.get('model', 'a model')}: {self.runs} runs{d}, {self.time.size} times"
        note = self.median("risk").attrs.get("note")
        return title, columns, [str(note)] if note else []
