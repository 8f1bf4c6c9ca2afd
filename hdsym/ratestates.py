"""An adaptive learning rate along a time integration: its states ride at the end of the packed state."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .adaptive import AdaptiveRate
from .errors import DeclarationError, SolveError
from .quantities import NAMES, PAIRED

if TYPE_CHECKING:
    from .integration import Run

__all__ = ["RateStates", "rate_states"]

Float = NDArray[np.float64]


def rate_states(run: Run) -> RateStates | None:
    """The states of an adaptive rate; ``None`` for a schedule."""
    rate = run.problem.learning_rate
    return RateStates(rate, run) if isinstance(rate, AdaptiveRate) else None


class RateStates:
    """The rate of one run; `gamma` is what the right-hand side of the mode equations is called with at the moment."""

    def __init__(self, rate: AdaptiveRate, run: Run) -> None:
        self.rate, self.run = rate, run
        self.gamma = 0.0
        l, m = run.model.n_student, run.model.n_teacher
        for symbol, name in NAMES.items():
            if name in rate.needs and symbol in PAIRED and l != m:
                raise DeclarationError(
                    f"the learning rate {rate.describe()} compares {l} students with {m} teachers, by {name}",
                    remedy="use a rule without it, or a model with as many students as teachers",
                )

    @property
    def count(self) -> int:
        """How many states there are."""
        return len(self.rate.start)

    def wrap(self, rhs: Callable[[float, Float], Float]) -> Callable[[float, Float], Float]:
        """The right-hand side of modes and states together; `rhs` asks for the rate by calling :meth:`current`."""

        def both(t: float, y: Float) -> Float:
            modes, states = self.split(y)
            try:
                gamma, slopes = self.rate.evaluate(t, self._quantities(modes), states)
            except DeclarationError as error:
                raise SolveError(error.message, t=t, remedy=error.remedy) from None
            self.gamma = float(gamma)
            return np.concatenate([rhs(t, modes), slopes])

        return both

    def current(self, _: float) -> float:
        """The rate at the state that is being looked at."""
        return self.gamma

    def split(self, y: Float) -> tuple[Float, Float]:
        """Packed modes and states of packed states (..., entries)."""
        end = y.shape[-1] - self.count
        return y[..., :end], y[..., end:]

    def along(self, times: Float, y: Float) -> Float:
        """Gamma at times (T,) and packed states (T, entries)."""
        modes, states = self.split(y)
        found = [
            self.rate.evaluate(t, self._quantities(one), u)[0] for t, one, u in zip(times, modes, states, strict=True)
        ]
        return np.array(found, dtype=np.float64).reshape(times.shape)

    def _quantities(self, modes: Float) -> dict[str, Float]:
        """What the rate depends on, by name, at one state of the modes."""
        run, needs = self.run, self.rate.needs
        grams, trained = run._split_modes(modes)
        gram, l = grams.sum(axis=0), run.model.n_student
        B = run._overlaps(grams)
        found = {
            "norm2": np.trace(gram[:l, :l]),
            "distance2": np.trace(gram[:l, :l]) - 2.0 * np.trace(gram[:l, l:]) + np.trace(gram[l:, l:]),
            "trace": run.rho @ run.lam,
            "trace2": run.rho @ run.lam**2,
        }
        if "risk" in needs:
            found["risk"] = run._risk(B, trained)
        if needs & {"fisher_trace", "squared_gradient", "alignment", "descent", "curvature"}:
            H, F, _ = run.drift(B, np.zeros(0) if trained is None else trained)
            found |= self._slopes(grams, gram, B, H, F)
        return found

    def _slopes(self, grams: Float, gram: Float, B: Float, H: Float, F: Float) -> dict[str, Float]:
        """Those that gradient and Fisher matrix enter."""
        run, l = self.run, self.run.model.n_student
        delta, batch = run.problem.delta, float(run.problem.batch_size)
        G2 = np.einsum("m,mij->ij", run.lam**2, grams)  # W^T K^2 W
        slope, paired = 2.0 * B @ H, run.model.n_teacher == l  # E[r (grad_x f)^T], by Stein's lemma
        pull = np.trace(slope[:l]) - np.trace(slope[l:]) if paired else np.nan
        shrinkage = np.trace(gram[:l, :l]) - np.trace(gram[l:, :l]) if paired else np.nan
        return {
            "fisher_trace": np.trace(F),
            "squared_gradient": (run.rho @ run.lam) * np.trace(F) / batch,
            "alignment": pull + delta * shrinkage,
            "descent": 4.0 * np.sum(H * (G2 @ H)) + 2.0 * delta * np.sum(H * B[:, :l]),
            "curvature": (run.rho @ run.lam**2) * np.sum(H[:l] * F) / batch,
        }
