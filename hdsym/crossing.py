"""When a quantity of a trajectory reaches a level: an event found after the solution, by root finding."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import DeclarationError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["TimeTo", "first_crossing"]

Float = NDArray[np.float64]


def first_crossing(times: Float, values: Float, at: Callable[[float], float]) -> float | None:
    """The first zero of a function known at increasing `times` by its `values`, refined by root finding in `at`.

    ``None`` if there is no change of sign; a zero at the first time is that time.
    """
    from scipy.optimize import brentq

    if values[0] == 0:
        return float(times[0])
    changes = np.flatnonzero((np.sign(values[:-1]) != np.sign(values[1:])) & (values[:-1] != 0))
    if not changes.size:
        return None
    k = int(changes[0])
    if values[k + 1] == 0:
        return float(times[k + 1])
    return float(brentq(at, times[k], times[k + 1], xtol=1e-12 * max(1.0, times[k + 1]), rtol=1e-13))


class TimeTo(ABC):
    """What a trajectory adds to its arrays: times at which levels are reached."""

    dataset: xr.Dataset

    @abstractmethod
    def at(self, t: ArrayLike) -> xr.Dataset:
        """All variables at other times."""

    def time_to(self, **level: float) -> float:
        """The first time at which a variable reaches a level, from either side: ``path.time_to(risk=0.1)``.

        Refined on the dense solution, if the path was solved with ``dense_output=True``, else on its cubic
        interpolation; a crossing and return between two output times is not seen.

        Parameters
        ----------
        level:
            One variable with one number for each time, as risk, excess_risk, distance, norm or cosine, and its level.

        Raises
        ------
        DeclarationError
            If the level is not reached, which the message says together with the range covered; or for something that
            is not one such variable.
        """
        if len(level) != 1:
            raise DeclarationError(
                f"time_to was given {len(level)} variables", remedy="give one, for instance risk=0.1"
            )
        ((name, wanted),) = level.items()
        wanted = float(wanted)
        array = self.dataset.get(name)
        if array is None or array.dims != ("time",):
            there = ", ".join(sorted(str(key) for key, found in self.dataset.items() if found.dims == ("time",)))
            raise DeclarationError(f"{name!r} has no single value at each time", remedy=f"choose from {there}")

        def above(t: float) -> float:
            found: Any = self.at(t)[name]
            return float(found) - wanted

        found = first_crossing(array["time"].values, array.values - wanted, above)
        if found is None:
            times = array["time"].values
            raise DeclarationError(
                f"{name} = {wanted:g} is not reached: for t in [{times[0]:g}, {times[-1]:g}] it runs from "
                f"{array.values.min():.6g} to {array.values.max():.6g}",
                remedy="solve for a longer horizon, or ask for a level in this range",
            )
        return found
