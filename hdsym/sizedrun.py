"""Time integration of models with sums over units or trained scalars: their states, rates and risks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .cas import sp
from .families import Family
from .floor import best_scalars, quadratic
from .integration import Run
from .roles import natural_key
from .runstate import constant_or_call
from .sizing import inferred_sizes

if TYPE_CHECKING:
    from .followed import Followed
    from .stepping.layout import Layout

__all__ = ["SizedRun"]


class SizedRun(Run):
    """A :class:`Run` whose sizes come from the problem, and whose state holds trained scalars too."""

    def _parameters(self) -> dict[str, Any]:
        model = self.theory.model
        self.sizes = inferred_sizes(model, self.problem) if model.sized else {}
        given = self.theory.arguments(self.problem.parameters, self.sizes)
        members = self.theory.program.trained
        self.theta = np.concatenate([np.zeros(0), *(np.atleast_1d(given[m.name]) for m in members)])
        values = {
            sp.Symbol(name, real=True): size
            for name, size in zip(self.theory.program.sizes, self.sizes.values(), strict=True)
        }
        self.slices = {m.name: self._slice(m.offset, m.size, values) for m in members}
        return {name: value for name, value in given.items() if name not in self.slices}

    def _shown_parameters(self) -> dict[str, Any]:
        """By the names they have where the sums are written out, as a simulation stores them."""
        shown: dict[str, Any] = {}
        for member, name in self.theory.named():
            if name not in self.slices and isinstance(member, Family):
                shown |= {member.element(k).name: float(v) for k, v in enumerate(self.parameters[name], start=1)}
            elif name not in self.slices:
                shown[member.name] = self.parameters[name]
        return dict(sorted(shown.items(), key=lambda item: natural_key(item[0])))

    @staticmethod
    def _slice(offset: Any, size: Any, values: dict[Any, int]) -> slice:
        start = int(offset.xreplace({k: sp.Integer(v) for k, v in values.items()}))
        length = int(size.xreplace({k: sp.Integer(v) for k, v in values.items()}))
        return slice(start, start + length)

    def _size_arguments(self) -> dict[str, int]:
        return dict(zip(self.theory.program.sizes, self.sizes.values(), strict=True))

    def _right_hand_side(self) -> Callable[[float, NDArray[np.float64]], NDArray[np.float64]]:
        problem = self.problem
        each = [
            self._rate(rate) if rate is problem.learning_rate else constant_or_call(rate)
            for rate in problem.trained_rates(self.theory.model)
        ]
        own = {"rates": lambda time: np.array([rate(time) for rate in each])} if each else {}
        result: Callable[[float, NDArray[np.float64]], NDArray[np.float64]] = self.module.make_rhs(
            self.lam,
            self.rho,
            self.grams,
            self._rate(problem.learning_rate),
            delta=problem.delta,
            batch=float(problem.batch_size),
            **own,
            **self.parameters,
        )
        return result

    @property
    def start_scalars(self) -> NDArray[np.float64] | None:
        return self.theta if self.slices else None

    def packed(self, grams: NDArray[np.float64], trained: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        states = (trained,) if self.slices else ()
        result: NDArray[np.float64] = self.module.pack(grams, *states, **self._size_arguments())
        return result

    def _split_modes(self, y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        found = self.module.unpack(y, self.grams, **self._size_arguments())
        return found if self.slices else (found, None)

    @cached_property
    def layout(self) -> Layout:
        from .stepping.layout import Layout

        students, n = self.model.n_student, self.grams.shape[-1]
        return Layout.of_rows(self.lam.size, students, n, len(self._trained_rates))

    @property
    def _trained_parts(self) -> Mapping[str, slice]:
        return self.slices

    def _gradient(self, B: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.drift(B, theta)[0]

    def _quantity(
        self, name: str, overlaps: NDArray[np.float64], trained: NDArray[np.float64] | None, refine: int
    ) -> NDArray[np.float64]:
        return self._value(self.module, name, overlaps, trained, refine)

    def _means(
        self, overlaps: NDArray[np.float64], trained: NDArray[np.float64] | None, refine: int
    ) -> dict[str, NDArray[np.float64]]:
        modules = self.theory.statistic_modules
        return {key: self._value(module, "risk", overlaps, trained, refine) for key, module in modules.items()}

    def _followed(self) -> tuple[Followed, ...]:
        values = {size: sp.Integer(self.sizes[size.name]) for size in self.theory.model.sizes}
        return tuple(each.at(values) for each in self.theory.model.followed)

    def _exact_statistics(self) -> bool:
        keys = [key for key, _ in self.theory.model.means]
        return all(entry.exact for key in keys for _, entry in self.theory.formulas.statistic(key).all())

    def _excess(
        self, risk: NDArray[np.float64], overlaps: NDArray[np.float64], trained: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """With trained scalars the risk above that of X = X* and the scalars that are best there, if there are such."""
        if trained is None:
            return super()._excess(risk, overlaps, trained)
        if self.model.n_student != self.model.n_teacher or not len(overlaps) or not quadratic(self.theory.model):
            return None
        target = self._at_target(overlaps[:1])
        best = best_scalars(lambda theta: self._slope(target[0], theta), trained.shape[-1])
        return None if best is None else risk - self._risk(target, best[None])

    def _slope(self, overlaps: NDArray[np.float64], theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """E[d_theta f], shape (scalars,)."""
        states = {name: theta[part] for name, part in self.slices.items()}
        module = self.theory.trained_module
        result: NDArray[np.float64] = module.trained_gradient(overlaps, **self.parameters, **states)
        return result

    def _value(
        self,
        module: Any,
        name: str,
        overlaps: NDArray[np.float64],
        trained: NDArray[np.float64] | None,
        refine: int,
    ) -> NDArray[np.float64]:
        """A function of a generated module with the sizes, parameters and trained scalars of this run.

        The module of a statistic calls it the risk.
        """
        function = getattr(module, name)
        if trained is None:
            result: NDArray[np.float64] = function(overlaps, **self.parameters, refine=refine)
            return result
        states = trained.reshape((-1, trained.shape[-1]))
        values = [
            function(B, **self.parameters, **{key: state[part] for key, part in self.slices.items()}, refine=refine)
            for B, state in zip(overlaps.reshape((-1, *overlaps.shape[-2:])), states, strict=True)
        ]
        found = np.asarray(values, dtype=np.float64)
        return found.reshape((*overlaps.shape[:-2], *found.shape[1:]))
