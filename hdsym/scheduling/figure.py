"""The figure of an optimal schedule next to the best constant rate and the greedy rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..curves import SIMULATION, THEORY
from ..plots import finish, legend, one_axes

if TYPE_CHECKING:
    from .optimal import OptimalSchedule

__all__ = ["plot_schedule"]


def plot_schedule(schedule: OptimalSchedule, ax: Any = None) -> Any:
    """Rates against time, the final risks in the legend; returns the new figure, or `ax` if one was given."""
    figure, axes = one_axes(ax)
    times = np.linspace(0.0, schedule.horizon, 801)
    axes.plot(times, schedule.learning_rate(times), color=THEORY, lw=1.8, label=f"optimal: risk {schedule.risk:.3g}")
    if np.isfinite(schedule.greedy_risk):
        label = f"greedy: risk {schedule.greedy_risk:.3g}"
        axes.plot(schedule.greedy_times, schedule.greedy_rates, color=SIMULATION, lw=1.2, label=label)
    label = f"best constant: risk {schedule.constant_risk:.3g}"
    axes.axhline(schedule.constant, color="#888888", lw=1.2, ls="--", label=label)
    finish(axes, "learning_rate", np.concatenate([schedule.rates, schedule.greedy_rates]))
    legend(axes)
    return axes if ax is not None else figure
