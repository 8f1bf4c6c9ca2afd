"""What solving and simulating return: labelled arrays with their provenance, saved as netCDF."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import resultbuild, storage, tables
from .crossing import TimeTo
from .ensembles import Ensemble
from .errorbars import ErrorBars
from .errors import DeclarationError, FileFormatError
from .geometry import geometry
from .record import UNBOUNDED, Record

if TYPE_CHECKING:
    import xarray as xr

    from .exploring.widget import Explorer

__all__ = ["Ensemble", "Trajectory", "geometry", "load"]


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Record, TimeTo, ErrorBars):
    """A solution of the ODEs: risk(time), overlaps(time, row, col), gram, grams(time, mode, row, col), ...

    Attributes
    ----------
    events:
        Times at which each event function crossed zero.
    status, message:
        0 if the horizon was reached, 1 if an event stopped it; what the integrator said.
    dense:
        The solution at any time as :meth:`at` uses it, or ``None``; not saved.
    """

    kind: ClassVar[str] = "Trajectory"
    required: ClassVar[tuple[str, ...]] = ("time", "risk", "overlaps")
    events: tuple[NDArray[np.float64], ...] = ()
    status: int = 0
    message: str = ""
    dense: Callable[[Any], Any] | None = None

    @classmethod
    def build(
        cls,
        *,
        time: ArrayLike,
        overlaps: ArrayLike,
        risk: ArrayLike,
        gram: ArrayLike | None = None,
        grams: ArrayLike | None = None,
        excess_risk: ArrayLike | None = None,
        learning_rate: ArrayLike | None = None,
        levels: ArrayLike | None = None,
        names: Sequence[str] = ("x", "s"),
        n_student: int | None = None,
        attrs: Mapping[str, Any] | None = None,
        events: Sequence[ArrayLike] = (),
        status: int = 0,
        message: str = "",
        dense: Callable[[Any], Any] | None = None,
        trained: ArrayLike | None = None,
        trained_names: Sequence[str] = (),
        statistics: Mapping[str, ArrayLike] | None = None,
        bounded: bool = True,
    ) -> Trajectory:
        """Label arrays and add what follows from W^T W (norms, cosines, specialisation, distances).

        Parameters
        ----------
        time:
            (T,) strictly increasing.
        overlaps, gram:
            (T, n, n), student first; `gram` may be left out if `grams` is given.
        grams, levels:
            (T, m, n, n) Gram matrices on each level of the spectrum, and its (m,) eigenvalues.
        risk, excess_risk, learning_rate:
            (T,).
        n_student:
            Number of students among `names`; half of them by default.
        dense:
            Maps times (k,) to a mapping of any of the arrays above, or to `grams` alone.
        trained, trained_names:
            (T, scalars) trained scalars, and their names.
        statistics:
            Means of declared statistics by name, each (T,).
        bounded:
            Whether W^T W is finite; if not, neither it nor what follows from it is in the result.

        Raises
        ------
        DeclarationError
            If the shapes do not belong together or the times do not increase.
        """
        if gram is None and bounded:
            if grams is None:
                raise DeclarationError("a trajectory needs W^T W", remedy="give gram or grams")
            gram = np.asarray(grams).sum(axis=-3)
        found = tuple(np.asarray(times, dtype=np.float64) for times in events)
        provenance = {"events": [times.tolist() for times in found], "status": status, "message": message}
        dataset = resultbuild.dataset(
            time=time,
            names=names,
            n_student=n_student,
            scalars={
                "risk": risk,
                "excess_risk": excess_risk,
                "learning_rate": learning_rate,
                **(statistics or {}),
            },
            matrices={"overlaps": overlaps, "gram": gram if bounded else None},
            grams=grams,
            levels=levels,
            attrs={**(attrs or {}), **({} if bounded else {"unbounded": UNBOUNDED}), **provenance},
            trained=trained,
            trained_names=trained_names,
        )
        return cls(dataset, found, status, message, dense)

    @classmethod
    def _of(cls, dataset: xr.Dataset) -> Trajectory:
        attrs = storage.decode(dataset.attrs)
        events = tuple(np.asarray(times, dtype=np.float64) for times in attrs.get("events", ()))
        return cls(dataset, events, int(attrs.get("status", 0)), str(attrs.get("message", "")))

    @property
    def excess_risk(self) -> xr.DataArray:
        """The risk above that of X = X*; of a model with trained scalars, with those that are best there.

        There is none if student and teacher differ in size, or the loss is not quadratic in the trained scalars.
        """
        return self.variable("excess_risk")

    @property
    def learning_rate(self) -> xr.DataArray:
        """The rate gamma(t)."""
        return self.variable("learning_rate")

    @property
    def grams(self) -> xr.DataArray:
        """G_j = W^T P_j W on each level of the spectrum, axes (time, mode, row, col).

        Of a compressed solution (``attrs["modes"]``) instead weights of either sign at the nodes, the coordinate
        ``eigenvalue``: sums of q(eigenvalue) * grams are W^T q(K) W, single ones have no meaning.
        """
        return self.variable("grams")

    def at(self, t: ArrayLike) -> xr.Dataset:
        """All variables at the times `t`: from the dense solution where it gives them, else by cubic interpolation.

        Raises
        ------
        DeclarationError
            If a time lies outside the trajectory, or there is only one time to interpolate from.
        """
        from .interpolate import at

        return at(self.dataset, t, self.dense)

    def plot(self, ax: Any = None, statistic: str = "risk") -> Any:
        """Plot a statistic against time: a new figure, or `ax` with the curve added."""
        from .plots import plot_trajectory

        return plot_trajectory(self, ax=ax, statistic=statistic)

    def explore(self, t: float | None = None, *, statistic: str = "risk") -> Explorer:
        """Sliders over the problem that it solves, in a notebook; see :func:`hdsym.explore`.

        Raises
        ------
        DeclarationError
            If ipywidgets is not installed, or the trajectory does not know what it was computed from.
        """
        from . import explore

        if self.origin is None:
            raise DeclarationError(
                "this trajectory does not say how it was computed",
                remedy="give the theory: hd.explore(theory, problem)",
            )
        call = self.origin.call
        horizon = float(self.time.values[-1]) if t is None else t
        return explore(call.subject, call.problem, horizon, statistic=statistic)

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.trajectory(self, self._table())

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        shown = tables.rows_to_show(self.time.size)
        names = [name for name in ("risk", "excess_risk", "distance", "norm", "cosine") if name in self.dataset]
        columns: dict[str, ArrayLike] = {name: self.dataset[name].values[shown] for name in ("time", *names)}
        times = self.time.values
        title = (
            f"Trajectory of {self.attrs.get('model', 'a model')}: {times.size} times in [{times[0]:g}, {times[-1]:g}]"
        )
        notes = [self.message] if self.message and self.status != 0 else []
        unbounded = [f"no norms, distances and cosines: {UNBOUNDED}"] if "unbounded" in self.attrs else []
        caution = (self.attrs.get("fluctuations") or {}).get("caution")
        return title, columns, [*notes, *self._compression(), *unbounded, *([caution] if caution else [])]

    def _compression(self) -> list[str]:
        modes = self.attrs.get("modes") or {}
        if not modes.get("compressed"):
            return []
        error = f", error {self.attrs['compression_error']:.2g}" if "compression_error" in self.attrs else ""
        return [f"{modes['count']} modes in place of {modes['levels']} levels of the spectrum{error}"]


def load(file: str | os.PathLike[str]) -> Trajectory | Ensemble:
    """Read a file written by ``Trajectory.save`` or ``Ensemble.save``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    FileFormatError
        If the file is neither.
    """
    kind, _ = storage.read(file)
    if kind == Trajectory.kind:
        return Trajectory.load(file)
    if kind == Ensemble.kind:
        return Ensemble.load(file)
    raise FileFormatError(
        f"{file} holds a result of unknown kind {kind!r}",
        remedy="give a file written by .save(...); a checkpoint belongs to hd.simulate(..., checkpoint=file)",
    )
