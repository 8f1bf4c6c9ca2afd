"""Declared statistics of runs: averages of the functions themselves, without the derivation, and what they make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..composition import Composition, Forms
from ..model import Model
from ..spectrumbase import Spectrum
from . import kernels
from .risk import Averager

__all__ = ["Statistics"]

Float = NDArray[np.float64]


class Statistics:
    """The declared statistics of an explicit model at given parameters, by name.

    Raises
    ------
    DeclarationError
        If a q(K) in them has a pole on the spectrum.
    """

    def __init__(self, model: Model, parameters: Mapping[str, float], spectrum: Spectrum, workers: int) -> None:
        made = {key: kernels.means(model, g) for key, g in model.means}
        constants = np.array(list(parameters.values()), dtype=np.float64)
        self.means = tuple(made.values())
        self.averagers = {key: Averager(made[key].population, model, constants, workers, g) for key, g in model.means}
        self.composition = Composition(model, model.followed, parameters, spectrum)

    @property
    def recorded(self) -> tuple[tuple[kernels.Means, ...], Forms]:
        """What runs evaluate as they go: means over rows, and overlaps W^T q(K) W."""
        return self.means, self.composition.forms

    def labelled(self, forms: Float, means: Float) -> dict[str, tuple[list[str], Float]]:
        """What the runs have recorded, (runs, T, count) each, with what it is; nothing where there is none."""
        found = {
            "forms": ([str(atom) for atom in self.composition.atoms], forms),
            "means": (list(self.averagers)[: means.shape[-1]], means),
        }
        return {name: (labels, array) for name, (labels, array) in found.items() if labels}

    def of_overlaps(self, overlaps: Float, trained: Float, forms: Float) -> tuple[dict[str, Float], dict[str, float]]:
        """From means over preactivations, (runs, T) each, and their relative errors; see :mod:`.risk`."""
        means = {key: average(overlaps, trained) for key, average in self.averagers.items()}
        errors = {key: average.error(overlaps, trained) for key, average in self.averagers.items()}
        values = self._values(means, forms, trained)
        moved = [
            self._values({**means, key: means[key] * (1 + error)}, forms, trained) for key, error in errors.items()
        ]
        return values, {name: sum(_change(values[name], other[name]) for other in moved) for name in values}

    def of_rows(self, values: Float, trained: Float, forms: Float) -> dict[str, Float]:
        """From means over all rows, as recorded in the runs, (runs, T, count): they have no error."""
        return self._values({key: values[..., k] for k, key in enumerate(self.averagers)}, forms, trained)

    def _values(self, means: dict[str, Float], forms: Float, trained: Float) -> dict[str, Float]:
        return self.composition.values(means, np.moveaxis(forms, -1, 0), trained)


def _change(values: Float, moved: Float) -> float:
    """Root mean square of the relative difference."""
    fine = np.isfinite(values) & np.isfinite(moved) & (values != 0)
    relative = moved[fine] / values[fine] - 1
    return float(np.sqrt(np.mean(relative**2))) if fine.any() else 0.0
