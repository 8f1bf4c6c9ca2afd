"""Problems, spectra, starts and results: a table, and a small drawing where a look says more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from .. import tables
from ..report.typeset import formula
from . import parts
from .drawing import SIMULATION, Line, curves, heat

if TYPE_CHECKING:
    from ..ensembles import Ensemble
    from ..problem import Problem
    from ..results import Trajectory
    from ..scaling import DimensionScaling
    from ..scheduling.optimal import OptimalSchedule
    from ..spectrumbase import Spectrum
    from ..stability.map import StabilityMap
    from ..startbase import Start
    from ..verdict import Verdict

__all__ = [
    "ensemble",
    "fields",
    "problem",
    "scaling",
    "schedule",
    "spectrum",
    "stability_map",
    "start",
    "trajectory",
    "verdict",
]

Float = NDArray[np.float64]
Table = tuple[str, Mapping[str, Any], list[str]]


def fields(title: str, values: Mapping[str, Any]) -> str:
    """Named values."""
    return parts.card(title, parts.rows((name.replace("_", " "), value) for name, value in values.items()))


def _with_table(drawing: Markup, table: Table) -> str:
    return parts.bare(Markup(tables.html(*table)), drawing)  # it escapes what it is given


def trajectory(path: Trajectory, table: Table) -> str:
    """The risk, with the band of single runs if there is one, and the learning rate if it changes."""
    band = path.band(0.9).values if "risk_std" in path.dataset else (None, None)
    drawn = [curves([Line(path.time.values, path.risk.values, low=band[0], high=band[1])], y="risk")]
    if "learning_rate" in path.dataset and np.ptp(path.dataset["learning_rate"].values) > 0:
        drawn.append(curves([Line(path.time.values, path.learning_rate.values)], y="learning rate"))
    return _with_table(parts.side_by_side(*drawn), table)


def ensemble(runs: Ensemble, table: Table) -> str:
    """The median of the risk, and the band of eighty per cent."""
    low, middle, high = (runs.quantiles("risk", q).values for q in (0.1, 0.5, 0.9))
    return _with_table(curves([Line(runs.time.values, middle, SIMULATION, low, high)], y="risk"), table)


def verdict(found: Verdict, table: Table) -> str:
    """The first statistic: theory over the simulated band."""
    data = found.dataset.isel(statistic=0)
    times, theory = data["time"].values, data["theory"].values
    band = Line(times, data["median"].values, SIMULATION, data["q10"].values, data["q90"].values)
    return _with_table(curves([band, Line(times, theory)], y=str(data["statistic"].item())), table)


def scaling(found: DimensionScaling, table: Table) -> str:
    """Gaps of runs, and the fitted power."""
    data = found.dataset
    dims = data["d"].values
    gaps = data["gap"].values
    runs = Line(np.repeat(dims, gaps.shape[1]), gaps.ravel(), SIMULATION, dots=True)
    return _with_table(curves([runs, Line(dims, data["fit"].values)], "d", "gap", log_x=True), table)


def schedule(found: OptimalSchedule, table: Table) -> str:
    """The optimal rate, the best constant one, the greedy one."""
    times = np.linspace(0.0, found.horizon, 161)
    lines = [
        Line(found.greedy_times, found.greedy_rates, "#009e73"),
        Line(times, np.full(times.shape, found.constant), SIMULATION),
        Line(times, found.learning_rate(times)),
    ]
    drawing = curves(lines, y="learning rate") + parts.note("blue: optimal; orange: best constant; green: greedy")
    return _with_table(drawing, table)


def stability_map(found: StabilityMap, table: Table) -> str:
    """Blue where the statistic falls, orange where it grows."""
    data = found.dataset
    change = np.clip(np.nan_to_num(data["change"].values, posinf=3.0, neginf=-3.0), -3.0, 3.0) / 3.0
    drawing = heat(change, data["learning_rate"].values, data["value"].values, "learning rate", found.parameter)
    return _with_table(drawing, table)


def spectrum(found: Spectrum) -> str:
    """The eigenvalues, largest first, against the share of the coordinates."""
    return parts.card(f"Spectrum: {found.label}", _spectrum(found))


def _spectrum(found: Spectrum) -> Markup:
    levels = found.levels
    described = {
        "dimension d": "d → ∞" if found.d is None else found.d,
        "distinct eigenvalues": len(levels),
        "range": f"[{levels.min():.4g}, {levels.max():.4g}]",
        "tr K / d": f"{found.mean:.6g}",
        "tr K² / d": f"{found.second_moment:.6g}",
        "effective dimension": f"{found.effective_dimension:.6g}",
    }
    order = np.argsort(-levels, kind="stable")
    share = np.cumsum(found.fractions[order]) - found.fractions[order] / 2
    positive = levels[order] > 0
    seen = positive & (levels[order] > 1e-6 * levels.max())  # those of densities go down to 1e-290
    if len(levels) == 1:
        return parts.rows(described.items())
    drawing = curves([Line(share[seen], levels[order][seen], dots=len(levels) < 40)], "share of coordinates", "λ")
    return parts.side_by_side(parts.rows(described.items()), drawing)


def start(found: Start) -> str:
    """What it was made from."""
    return parts.card("Start", _start(found))


def _start(found: Start) -> Markup:
    name, _, inside = repr(found).partition("(")
    return parts.rows([("kind", name), ("with", inside.removesuffix(")"))])


def problem(posed: Problem) -> str:
    """Everything that was posed."""
    described = posed.describe()
    left = {name: value for name, value in described.items() if name not in ("spectrum", "d", "start")}
    if posed.learning_rate.expr is not None:
        left["learning_rate"] = formula(r"\gamma", posed.learning_rate.expr)
    pairs = [
        ("spectrum", _spectrum(posed.spectrum)),
        ("start", repr(posed.start)),
        *((name.replace("_", " "), _plain(value)) for name, value in left.items() if value not in ({}, None)),
    ]
    return parts.card("Problem", parts.rows(pairs))


def _plain(value: Any) -> str:
    if isinstance(value, Markup):
        return value
    if isinstance(value, Mapping):
        return ", ".join(f"{name} = {_plain(entry)}" for name, entry in value.items())
    text = str(value)
    return text if len(text) < 200 else text[:197] + "..."
