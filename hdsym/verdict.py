"""The outcome of a comparison: numbers, one p-value, plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import tables

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Verdict"]

FEW = 0.1
"""Share of runs that may diverge although the theory stays finite; more contradict it."""

_WEAK = 0.1
"""Share of the value from which an allowance is too large to be passed over in silence."""

_NO_FLUCTUATION = 100.0
"""Standard errors from which their number says nothing more."""


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """Whether simulation follows theory, by how much not, and how likely such a gap is by chance.

    Attributes
    ----------
    dataset:
        Per ``statistic`` and ``time``: theory, mean, median, q10, q90, bias (of order 1/d, as estimated from two
        dimensions; else 0), gap (mean - bias - theory), standard_error and band of the gap (``band`` is the half-width
        of its simultaneous confidence band), allowance and z, the gap beyond the allowance in standard errors (0 within
        it). ``curve`` is the theory on the finer grid ``curve_time``; ``theory_q10`` and ``theory_q90`` are where
        it has single runs, if it was solved with fluctuations.
    p_value:
        One for everything: chance of a largest |z| at least this large, were the theory right up to the allowance.
    level:
        ``agree`` needs p_value >= level; the band has confidence 1 - level.
    bias, d_effective:
        The allowance is (bias / d_effective) times the scale given in :func:`hdsym.compare`; 0 if it is estimated.
    runs, diverged:
        Number of runs, and how many of them diverged while the theory was finite.
    notes:
        What a reader should know: different horizons, runs that diverged, different parameters.
    other_d:
        Effective dimension of the second pair, if the bias was estimated from two dimensions.
    """

    dataset: xr.Dataset
    p_value: float
    level: float
    bias: float
    d_effective: float
    runs: int
    diverged: int = 0
    title: str = ""
    notes: tuple[str, ...] = ()
    other_d: float | None = None

    @property
    def agree(self) -> bool:
        """Whether p_value >= level, and at most a tenth of the runs diverged while the theory is finite."""
        return self.p_value >= self.level and self.diverged <= FEW * self.runs

    @property
    def worst(self) -> dict[str, Any]:
        """Statistic, time, gap, relative gap and z where the gap is most significant."""
        data = self.dataset
        size = np.abs(data["z"].values)
        if not size.any():  # all within the allowance: the place where it is closest to using it up
            size = np.abs(data["gap"].values) / np.maximum(data["allowance"].values, 1e-300)
        k, i = np.unravel_index(int(np.argmax(size)), size.shape)
        theory, gap = float(data["theory"].values[k, i]), float(data["gap"].values[k, i])
        scale = float(np.max(np.abs(data["theory"].values[k])))
        return {
            "statistic": str(data["statistic"].values[k]),
            "time": float(data["time"].values[i]),
            "gap": gap,
            "relative": gap / theory if abs(theory) > 1e-3 * scale > 0 else None,
            "allowance": float(data["allowance"].values[k, i]),
            "standard_error": float(data["standard_error"].values[k, i]),
            "z": float(data["z"].values[k, i]),
        }

    @property
    def words(self) -> str:
        """The verdict in plain words."""
        worst = self.worst
        head = "theory and simulation agree" if self.agree else "theory and simulation disagree"
        if worst["relative"] is None:
            gap = f"{abs(worst['gap']):.2g} in the {worst['statistic']}"
        else:
            gap = f"{abs(100 * worst['relative']):.2g} % of the {worst['statistic']}"
        if self.diverged > FEW * self.runs:
            head += f": {self.diverged} of {self.runs} runs diverge where the theory is finite; before that"
        gap = f"the most significant gap is {gap}, at t = {worst['time']:.3g}"
        chance = f"a gap this large or larger happens by chance in {_percent(self.p_value)} of repetitions"
        beyond = f" beyond the O(1/d) allowance of {worst['allowance']:.2g}" if self.bias > 0 else ""
        within = "the O(1/d) allowance" if self.bias > 0 else "numerical accuracy"
        size = abs(worst["z"])
        if size == 0:
            where = f"{gap}; the mean of {self.runs} runs stays within {within} at all times"
        elif size > _NO_FLUCTUATION:
            where = f"{gap},{beyond or ' at a time'} where the runs hardly fluctuate; {chance}"
        else:
            where = f"{gap}, {size:.2g} standard errors (of the mean of {self.runs} runs){beyond}; {chance}"
        weak = [] if self.allowance_share < _WEAK else [self._weakness()]
        return "; ".join([f"{head}: {where}", *self._precision(), *weak, *self.notes])

    def _precision(self) -> list[str]:
        """How the bias was found, and how large a gap could have hidden."""
        said = []
        if self.other_d is not None:
            largest = _percent(self._share(np.abs(self.dataset["bias"].values), np.max))
            dims = f"effective dimensions {self.d_effective:.4g} and {self.other_d:.4g}"
            said.append(f"a bias of order 1/d, at most {largest} of the value, is estimated from {dims} and taken away")
        if self.agree:
            half = _percent(self._share(self.dataset["band"].values, np.median))
            said.append(
                f"at {_percent(1 - self.level)} confidence the gap is known to within {half} at the median time"
            )
        return said

    @property
    def allowance_share(self) -> float:
        """The allowance as a share of the theory's value, at the median over times and statistics."""
        return self._share(self.dataset["allowance"].values, np.median)

    def _share(self, values: NDArray[np.float64], summary: Callable[[Any], Any]) -> float:
        """Relative to the theory's value where that is not near zero, summed up over times and statistics."""
        theory = np.abs(self.dataset["theory"].values)
        known = theory > 1e-3 * theory.max(axis=1, keepdims=True)
        return float(summary(values[known] / theory[known])) if np.any(known) else 0.0

    def _weakness(self) -> str:
        return (
            f"few directions carry the data (effective dimension {self.d_effective:.0f}), so the allowance is "
            f"{_percent(self.allowance_share)} of the value at the median time, and smaller gaps would not count"
        )

    def plot(self, ax: Any = None) -> Any:
        """Theory line, simulated median and 10-90 % band; with `ax` the first statistic on it, else a figure of all.

        The figure has the gap below each statistic, with its uncertainty and the allowance.
        """
        from .plots import plot_verdict

        return plot_verdict(self, ax=ax)

    def _table(self) -> tuple[str, dict[str, ArrayLike], list[str]]:
        data = self.dataset.isel(statistic=0)
        shown = tables.rows_to_show(data.sizes["time"])
        names = ("theory", "mean", "q10", "q90", "gap", "standard_error", "band", "allowance", "z")
        columns: dict[str, ArrayLike] = {"time": data["time"].values[shown]}
        columns.update({name.replace("_", " "): data[name].values[shown] for name in names})
        others = self.dataset.sizes["statistic"] - 1
        more = f" (and {others} more statistics in .dataset)" if others else ""
        title = f"Verdict on the {data['statistic'].item()}{more}: p = {self.p_value:.2g}"
        return title, columns, [self.words]

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.verdict(self, self._table())


def _percent(p: float) -> str:
    if p < 1e-4:
        return "less than 0.01 %"
    return f"{100 * p:.2g} %" if p < 0.995 else "100 %"
