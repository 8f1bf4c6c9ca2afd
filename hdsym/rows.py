"""Real rows that a problem was built from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Data"]


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Real rows, which ``hd.simulate(model, problem, method="data")`` takes SGD steps on.

    Attributes
    ----------
    features:
        (N, d), in the basis they were given in, after centring and scaling.
    labels:
        (N,).
    scale:
        The number the features were divided by.
    """

    features: NDArray[np.float64]
    labels: NDArray[np.float64]
    scale: float = 1.0

    def __repr__(self) -> str:
        N, d = self.features.shape
        return f"Data(N={N}, d={d})"

    def _repr_html_(self) -> str:
        from .show import numbers

        N, d = self.features.shape
        return numbers.fields("Real rows", {"rows N": N, "features d": d, "divided by": f"{self.scale:g}"})
