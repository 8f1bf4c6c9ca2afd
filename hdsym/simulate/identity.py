"""What runs belong to, in a form that can be stored with them and compared with what is asked for now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..model import Model
from ..problem import Problem
from ..rows import Data
from .methods import Observation
from .run import Job

__all__ = ["difference", "identity"]

_SAME = 1e-9
"""Relative difference up to which numbers are the same: another machine may round differently."""

_RATES = 9
"""Steps at which learning rates are compared."""


def identity(
    model: Model, problem: Problem, settings: Mapping[str, Any], job: Job, start: Observation
) -> dict[str, Any]:
    """Texts and lists of numbers by name. Runs of the same seed with the same identity are the same runs.

    Parameters
    ----------
    model, problem:
        Explicit, as simulated.
    settings:
        Of the method, by name.
    start:
        What is seen at t = 0.
    """
    steps = np.unique(np.linspace(0, max(int(job.steps[-1]) - 1, 0), _RATES).astype(np.int64))
    rates = [np.concatenate([rates(int(k), 1).ravel() for k in steps]) for rates in (job.rates, job.trained_rates)]
    lam, counts = np.asarray(problem.spectrum.levels), np.asarray(problem.spectrum.multiplicities)
    described = {
        **{name: str(value) for name, value in settings.items()},
        "rule": problem.learning_rate.describe() if isinstance(problem.learning_rate, AdaptiveRate) else "none",
        "model": f"{model.name} ({model.digest})",
        "spectrum": problem.spectrum.label,
        "eigenvalues": [float(counts @ lam**power) for power in (1, 2, 3)],
        "start": [*start.overlaps.ravel(), *start.gram.ravel(), *start.trained],
        "starting weights": repr(problem.start),
        "parameters": list(model.parameter_values(problem.parameters).values()),
        "learning_rate": list(rates[0]),
        "learning_rates": list(rates[1]),
        "delta": [problem.delta],
        "batch_size": [problem.batch_size],
        "data": [] if problem.data is None else _summary(problem.data),
    }
    return {name: value if isinstance(value, str) else [float(v) for v in value] for name, value in described.items()}


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """The first thing in which two identities differ, in words; ``None`` if they are the same."""
    for name in ours:
        mine, other = ours[name], theirs.get(name)
        if isinstance(mine, str) or isinstance(other, str | None):
            if mine != other:
                return f"{name}: {other} there, {mine} here"
        elif not _close(mine, other):
            k = _first(mine, other)
            return f"{name}: {_shown(other, k)} there, {_shown(mine, k)} here"
    return None


def _close(first: Any, second: Any) -> bool:
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    scale = float(np.max(np.abs(a), initial=0.0))
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= _SAME * scale))


def _first(first: Sequence[float], second: Sequence[float]) -> int:
    """The first entry that differs, if there are as many; else 0."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return 0 if a.shape != b.shape else int(np.argmax(np.abs(a - b) > _SAME * np.max(np.abs(a), initial=0.0)))


def _shown(values: Sequence[float], first: int) -> str:
    """Four values from the first on that differs."""
    if len(values) == 1:
        return f"{values[0]:.10g}"
    parts = (
        ["..."] * (first > 0) + [f"{v:.6g}" for v in values[first : first + 4]] + ["..."] * (first + 4 < len(values))
    )
    return f"[{', '.join(parts)}]" + (f" ({len(values)} of them)" if len(values) > 4 else "")


def _summary(data: Data) -> NDArray[np.float64]:
    """Numbers that any change of the rows changes: sizes, and moments weighted by position."""
    N, d = data.features.shape
    row, column = np.arange(1, N + 1) / N, np.arange(1, d + 1) / d
    moments = (row @ data.features @ column, row @ (data.features**2) @ column, row @ data.labels)
    return np.array([N, d, *(float(value) for value in moments)])
