"""What homogenized SGD is asked for, and what it needs of a theory, which it does not import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..model import Model
from ..problem import Problem

__all__ = ["Diffusion", "Drift", "Theory"]

Float = NDArray[np.float64]


class Drift(Protocol):
    """Gradient and Fisher matrix as a function of the overlaps."""

    def __call__(self, B: Float, theta: Float) -> tuple[Float, ...]:
        """H (n, l), I (l, l) and T = E[d_theta f] (scalars,) at B (n, n) and theta (scalars,)."""

    def exists(self, B: Float) -> bool:
        """Whether the expectations exist at B."""


class Theory(Protocol):
    """A derivation, as far as it is needed here."""

    @property
    def model(self) -> Model: ...

    def drift(self, problem: Problem) -> Drift:
        """That of a problem."""


@dataclass(frozen=True)
class Diffusion:
    """What :func:`hdsym.simulate` was given for homogenized SGD.

    Attributes
    ----------
    theory:
        Of the model; ``None`` if the model was given alone.
    scheme, steps_per_time:
        ``None`` for the default.
    horizon:
        The last wanted time.
    """

    theory: Theory | None = None
    scheme: str | None = None
    steps_per_time: int | None = None
    horizon: float = 1.0
