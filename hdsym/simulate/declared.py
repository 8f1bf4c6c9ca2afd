"""Declared statistics of runs: averages of the functions themselves, without the derivation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model import Model
from . import kernels
from .risk import Averager

__all__ = ["Statistics"]

Float = NDArray[np.float64]


class Statistics:
    """The declared statistics of an explicit model at given parameters, by name."""

    def __init__(self, model: Model, parameters: Float, workers: int) -> None:
        made = {name: kernels.means(model, g) for name, g in model.declared_statistics}
        self.means = tuple(made.values())
        self.averagers = {
            name: Averager(made[name].population, model, parameters, workers, g)
            for name, g in model.declared_statistics
        }

    def of_overlaps(self, overlaps: Float, trained: Float) -> tuple[dict[str, Float], dict[str, float]]:
        """Means over preactivations, (runs, T) each, and their relative errors; see :mod:`.risk`."""
        means = {name: average(overlaps, trained) for name, average in self.averagers.items()}
        return means, {name: average.error(overlaps, trained) for name, average in self.averagers.items()}

    def of_rows(self, values: Float) -> tuple[dict[str, Float], dict[str, float]]:
        """Means over all rows, as recorded in the runs, (runs, T, count): there is no error."""
        return {name: values[..., k] for k, name in enumerate(self.averagers) if k < values.shape[-1]}, {}
