"""Spectra with many distinct eigenvalues as fewer groups of equal ones: approximate, and by how much is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import SimulationError
from ..model import Model
from ..problem import Problem
from .levels import Groups

__all__ = ["exact", "grouped", "merge"]

Float = NDArray[np.float64]

_MOST = 4096
"""Coordinates per step up to which nobody has to ask for groups."""


def exact(model: Model, problem: Problem) -> Groups:
    """One group for each distinct eigenvalue, for an explicit model."""
    problem.spectrum.dimension()
    counts = np.array(problem.spectrum.multiplicities, dtype=np.int64)
    return Groups(np.array(problem.spectrum.levels), counts, np.array(problem.grams(model)))


def grouped(model: Model, problem: Problem, group: Any, most: int | None = _MOST) -> tuple[Groups, dict[str, Any]]:
    """The groups of a reduced simulation, at most `group` of them, and what results record of the approximation.

    Nobody has to ask for groups up to `most` coordinates a step.

    Raises
    ------
    SimulationError
        If `group` is None and a step would touch more coordinates: the message says how many.
    DeclarationError
        If `group` is no positive integer.
    """
    found = exact(model, problem)
    if group is None:
        kept, d = found.kept(), int(problem.spectrum.dimension())
        if most is not None and kept > most:
            raise SimulationError(
                f"{problem.spectrum.label} has {len(found.eigenvalues)} distinct eigenvalues: every step would touch "
                f"{kept} coordinates of d = {d}",
                remedy='ask for an approximation, group=32 (its errors are recorded), or for method="direct"',
            )
        return found, {}
    merged = merge(found, checks.dimension(group, "group"))
    if len(merged.eigenvalues) == len(found.eigenvalues):
        return found, {}
    return merged, {"grouping": _errors(found, merged)}


def merge(groups: Groups, count: int) -> Groups:
    """At most `count` groups: equal bins of the logarithm of the eigenvalue, zero apart.

    A bin gets the mean eigenvalue of its coordinates, so that tr K is kept. Modes depend on the eigenvalue through
    exp(-c lam t): what is lost is of second order in the relative width of a bin at every time t.
    """
    lam = groups.eigenvalues
    if len(lam) <= count:
        return groups
    positive = lam > 0
    logs = np.log(np.where(positive, lam, 1.0))
    low, high = logs[positive].min(), logs[positive].max()
    bins = max(count - int(not positive.all()), 1)
    width = (high - low) / bins if high > low else 1.0
    label = np.where(positive, np.clip((logs - low) / width, 0, bins - 1).astype(np.int64), min(bins, count - 1))
    _, label = np.unique(label, return_inverse=True)
    counts = np.bincount(label, weights=groups.multiplicities)
    mean = np.bincount(label, weights=groups.multiplicities * lam) / counts
    grams = np.zeros((len(counts), *groups.grams.shape[1:]))
    np.add.at(grams, label, groups.grams)
    return Groups(mean, np.rint(counts).astype(np.int64), grams)


def _errors(full: Groups, merged: Groups) -> dict[str, Any]:
    """Relative differences of what the theory takes in: tr K^2, B = W^T K W and W^T K^2 W at the start."""

    def moments(groups: Groups) -> tuple[Float, Float, Float]:
        lam = groups.eigenvalues
        trace = np.array([groups.multiplicities @ lam**2])
        first, second = (np.einsum("m,mij->ij", lam**power, groups.grams) for power in (1, 2))
        return trace, first, second

    names = ("trace_of_square", "overlaps", "drift")
    pairs = zip(names, moments(merged), moments(full), strict=True)
    errors = {name: float(np.linalg.norm(a - b) / (np.linalg.norm(b) or 1.0)) for name, a, b in pairs}
    return {"levels": len(full.eigenvalues), "groups": len(merged.eigenvalues), **errors}
