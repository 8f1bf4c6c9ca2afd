"""The outcome of a comparison at several dimensions: the fitted power of d, its interval, a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import tables
from .verdict import Verdict

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["DimensionScaling"]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class DimensionScaling:
    """How the gap between single runs and theory shrinks with d.

    Attributes
    ----------
    dataset:
        ``gap`` (d, run), relative, NaN for a run that diverged; ``mean`` and ``standard_error`` over runs; ``fit``.
    slope, interval, confidence:
        Of log gap against log d, with its confidence interval; -1/2 for a right theory as d -> infinity.
    verdict:
        On the two largest dimensions, the O(1/d) bias taken away; ``None`` where they are too close to each other.
    entropy:
        Give it as `rng` to get the same numbers again.
    """

    dataset: xr.Dataset
    statistic: str
    slope: float
    interval: tuple[float, float]
    confidence: float
    verdict: Verdict | None
    entropy: int
    title: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        *,
        dims: Sequence[int],
        gaps: Sequence[Float],
        statistic: str,
        confidence: float,
        verdict: Verdict | None,
        entropy: int,
        title: str = "",
        notes: Sequence[str] = (),
    ) -> DimensionScaling:
        """Least squares of log gap against log d over all runs; `gaps` are (runs,) and positive, one per dimension."""
        import xarray as xr
        from scipy.special import stdtrit

        x = np.concatenate([np.full(len(gap), np.log(d)) for d, gap in zip(dims, gaps, strict=True)])
        y = np.log(np.concatenate(gaps))
        centred = x - x.mean()
        slope = float(centred @ y / (centred @ centred))
        residual = y - y.mean() - slope * centred
        free = y.size - 2
        error = float(np.sqrt(residual @ residual / free / (centred @ centred)))
        half = float(stdtrit(free, (1 + confidence) / 2)) * error
        runs = max(len(gap) for gap in gaps)
        table = np.full((len(dims), runs), np.nan)
        for row, gap in zip(table, gaps, strict=True):
            row[: len(gap)] = gap
        counts = np.sum(np.isfinite(table), axis=1)
        fitted = np.exp(y.mean() + slope * (np.log(np.asarray(dims)) - x.mean()))
        dataset = xr.Dataset(
            {
                "gap": (("d", "run"), table),
                "mean": ("d", np.nanmean(table, axis=1)),
                "standard_error": ("d", np.nanstd(table, axis=1, ddof=1) / np.sqrt(counts)),
                "fit": ("d", fitted),
            },
            {"d": np.asarray(dims)},
        )
        interval = (slope - half, slope + half)
        return cls(dataset, statistic, slope, interval, confidence, verdict, entropy, str(title), tuple(notes))

    @property
    def consistent(self) -> bool:
        """Whether the interval of the slope contains -1/2."""
        return self.interval[0] <= -0.5 <= self.interval[1]

    @property
    def words(self) -> str:
        """The outcome in plain words."""
        low, high = self.interval
        dims = self.dataset["d"].values
        where = f"the {100 * self.confidence:.4g} % interval [{low:.3g}, {high:.3g}]"
        if self.consistent:
            meaning = f"{where} contains -1/2, the power of fluctuations about a right theory"
        elif high < -0.5:
            meaning = f"{where} is below -1/2: at these dimensions corrections of higher order still count"
        else:
            meaning = f"{where} is above -1/2: part of the gap does not shrink as fluctuations do"
        said = [
            f"from d = {dims[0]} to {dims[-1]} the gap in the {self.statistic} goes like d^{self.slope:.3g}",
            meaning,
        ]
        if self.verdict is not None:
            said.append(f"with the bias estimated from the two largest dimensions, p = {self.verdict.p_value:.2g}")
        return "; ".join([*said, *self.notes])

    def plot(self, ax: Any = None) -> Any:
        """Gaps against d^-1/2, where a right theory has a straight line through 0: a new figure, or on `ax`."""
        from .scalingplot import plot_scaling

        return plot_scaling(self, ax)

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        data = self.dataset
        columns: dict[str, ArrayLike] = {"d": data["d"].values, "runs": np.isfinite(data["gap"].values).sum(axis=1)}
        columns |= {name.replace("_", " "): data[name].values for name in ("mean", "standard_error", "fit")}
        columns["mean d^1/2"] = data["mean"].values * np.sqrt(data["d"].values)
        name = f" of {self.title}" if self.title else ""
        return f"Relative gap in the {self.statistic}{name}: slope {self.slope:.3g}", columns, [self.words]

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.scaling(self, self._table())
