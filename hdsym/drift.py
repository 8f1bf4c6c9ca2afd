"""What moves the weights at one matrix of overlaps: gradient and Fisher matrix, as a function that can be sent away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .codegen import load_module

__all__ = ["Drift"]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Drift:
    """H = Dh[:, :l] (n, l), I(B) (l, l) and T = E[d_theta f] (scalars,) as a function of B (n, n) and theta (scalars,).

    Attributes
    ----------
    source, target:
        Text of the generated module, and what it is written for.
    parameters:
        Its named arguments that do not change in time.
    shape:
        (n, l), preactivations and students among them.
    trained:
        Where each trained member is among the scalars; ``None`` if the module is that of an explicit model.
    conditions:
        Whether expectations exist for some overlaps only.
    """

    source: str
    target: str
    parameters: Mapping[str, Any]
    shape: tuple[int, int]
    trained: Mapping[str, slice] | None
    conditions: bool

    def __call__(self, B: Float, theta: Float) -> tuple[Float, ...]:
        """H, I and T; not finite where formulas are singular."""
        if self.trained is None and not hasattr(self._module, "_drift_of"):
            return self._explicit(B)
        if not self.trained:
            return (*self._weighed(B), np.zeros(0))
        states = {name: theta[part] for name, part in self.trained.items()}
        found: tuple[Float, ...] = self._module._drift_of(**self.parameters, **states)(B)
        return found

    def __repr__(self) -> str:
        n, l = self.shape
        trained = sum(part.stop - part.start for part in (self.trained or {}).values())
        return f"Drift(B ({n}, {n}), theta ({trained},) -> H ({n}, {l}), I ({l}, {l}), T ({trained},))"

    def _repr_html_(self) -> str:
        from .show import numbers

        n, l = self.shape
        facts = {"B": f"({n}, {n})", "H": f"({n}, {l})", "I": f"({l}, {l})", "written for": self.target}
        return numbers.fields("Drift: H, I and T of B and theta", facts)

    def exists(self, B: Float) -> bool:
        """Whether the expectations exist; outside of that formulas still give numbers."""
        return not self.conditions or bool(np.all(self._module.exists(B, **self.parameters)))

    def _explicit(self, B: Float) -> tuple[Float, Float, Float]:
        n, l = self.shape
        entries = (B[i, j] for i in range(n) for j in range(i, n))
        values = np.array(self._module._drift(*entries, **self.parameters), dtype=np.float64)
        return values[: n * l].reshape(n, l), values[n * l :].reshape(l, l), np.zeros(0)

    @cached_property
    def _module(self) -> Any:
        return load_module(self.source, self.target)

    @cached_property
    def _weighed(self) -> Callable[[Float], tuple[Float, ...]]:
        """Without trained scalars weights and coefficients are worked out once."""
        made: Callable[[Float], tuple[Float, ...]] = self._module._drift_of(**self.parameters)
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_module", "_weighed")}
