"""``dataset.plot_phase_diagram()`` of the datasets that :func:`hdsym.sweep` returns."""

from __future__ import annotations

from typing import Any

import xarray as xr

__all__ = ["PhaseDiagram"]


@xr.register_dataset_accessor("plot_phase_diagram")  # type: ignore[no-untyped-call]  # xarray has no types here
class PhaseDiagram:
    """Draws a statistic over two axes of a sweep; see :func:`hdsym.sweep.figure.plot_phase_diagram`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __call__(
        self,
        statistic: str | None = None,
        x: str | None = None,
        y: str | None = None,
        *,
        ax: Any = None,
        log: bool | None = None,
        contours: Any = None,
        **at: Any,
    ) -> Any:
        """A new figure, or `ax` with the diagram added."""
        from .figure import plot_phase_diagram

        return plot_phase_diagram(self._dataset, statistic, x, y, ax=ax, log=log, contours=contours, at=at)
