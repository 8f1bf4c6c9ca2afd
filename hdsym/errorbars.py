"""What a trajectory with fluctuations says of single runs: standard deviations, bands, sample curves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import DeclarationError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ErrorBars"]

Float = NDArray[np.float64]

_POSITIVE = ("risk", "excess_risk", "distance", "aligned_distance", "norm")
"""Quantities that cannot be negative: their law is log-normal, which to the order of the limit is the normal one."""


class ErrorBars(ABC):
    """What ``theory.solve(problem, fluctuations=True)`` adds to a trajectory."""

    dataset: xr.Dataset

    @abstractmethod
    def variable(self, name: str) -> xr.DataArray:
        """A variable by name."""

    @property
    def risk_std(self) -> xr.DataArray:
        """Standard deviation of the risk of a single run, (time,), O(d^-1/2)."""
        return self.std("risk")

    @property
    def overlaps_std(self) -> xr.DataArray:
        """Standard deviations of the overlaps of a single run, (time, row, col), O(d^-1/2)."""
        return self.std("overlaps")

    @property
    def gram_std(self) -> xr.DataArray:
        """Standard deviations of W^T W of a single run, (time, row, col), O(d^-1/2)."""
        return self.std("gram")

    def std(self, statistic: str) -> xr.DataArray:
        """Standard deviation of any quantity of a single run, of the same shape, in the linear-noise limit.

        Raises
        ------
        DeclarationError
            If the trajectory was solved without fluctuations, or has none of this quantity.
        """
        if "curve_covariance" not in self.dataset:
            raise DeclarationError(
                "this trajectory has no error bars", remedy="solve with theory.solve(problem, fluctuations=True)"
            )
        if f"{statistic}_std" not in self.dataset:
            self.variable(statistic)  # raises if there is no such quantity at all
            there = [str(name).removesuffix("_std") for name in self.dataset.data_vars if str(name).endswith("_std")]
            raise DeclarationError(
                f"there is no standard deviation of {statistic!r}",
                remedy=f"there are those of {', '.join(sorted(there))}; the state is too large for others, fewer modes "
                "have them",
            )
        return self.dataset[f"{statistic}_std"]

    def band(self, level: float = 0.9, statistic: str = "risk") -> xr.DataArray:
        """Where a single run is with probability `level` at each time: quantiles, axes (quantile, time, ...).

        Of a quantity that cannot be negative they are those of a log-normal law with this mean and standard deviation,
        of others those of a normal law; in the linear-noise limit both agree.

        Raises
        ------
        DeclarationError
            For a level that is no probability, or as :meth:`std`.
        """
        from scipy.special import ndtri

        if not 0 < level < 1:
            raise DeclarationError(f"level is {level!r}", remedy="give a probability, for instance 0.9")
        std, mean = self.std(statistic), self.variable(statistic)
        quantiles = np.array([(1 - level) / 2, (1 + level) / 2])
        z = ndtri(quantiles).reshape(-1, *[1] * mean.ndim)
        values = _spread(statistic, mean.values, std.values, z * np.ones_like(mean.values))
        return _labelled(mean, values, "quantile", quantiles)

    def sample(self, n: int, statistic: str = "risk", *, rng: Any = None) -> xr.DataArray:
        """Curves of `n` runs as the linear-noise limit has them, correlated in time: axes (sample, time).

        The times are the output times; at most 41 of them where the state is too large for its whole covariance.

        Parameters
        ----------
        n:
            How many.
        statistic:
            The risk, a declared statistic, or another quantity that is one number for each time.
        rng:
            A seed or a :class:`numpy.random.Generator`.

        Raises
        ------
        DeclarationError
            For another quantity, or as :meth:`std`.
        """
        std, mean = self.std(statistic), self.variable(statistic)
        curves = [str(name) for name in self.dataset["curve"].values]
        own = "risk" if statistic == "excess_risk" else statistic
        if own not in curves:
            raise DeclarationError(f"{statistic!r} is not a curve", remedy=f"choose from {', '.join(curves)}")
        if n < 1:
            raise DeclarationError(f"n is {n!r}", remedy="give the number of curves, at least 1")
        covariance = self.dataset["curve_covariance"].values[curves.index(own)]
        times = self.dataset["sample_time"].values
        std, mean = std.sel(time=times), mean.sel(time=times)
        size = np.where(std.values > 0, std.values, 1.0)
        values, vectors = np.linalg.eigh(covariance / np.multiply.outer(size, size))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        z = np.random.default_rng(rng).standard_normal((n, len(root))) @ root.T
        return _labelled(mean, _spread(statistic, mean.values, std.values, z), "sample", np.arange(n))


def _spread(statistic: str, mean: Float, std: Float, z: Float) -> Float:
    """Values at z standard deviations from the mean."""
    if statistic in _POSITIVE and np.all(mean > 0):
        width = np.sqrt(np.log1p((std / mean) ** 2))
        return np.asarray(mean * np.exp(width * z - width**2 / 2.0))
    return np.asarray(mean + std * z)


def _labelled(mean: xr.DataArray, values: Float, axis: str, labels: NDArray[Any]) -> xr.DataArray:
    import xarray as xr

    coords = dict(mean.coords) | {axis: labels}
    return xr.DataArray(values, dims=(axis, *mean.dims), coords=coords, name=mean.name, attrs=mean.attrs)
