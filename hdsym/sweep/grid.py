"""The grid of a sweep: which problem belongs to which point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DeclarationError, HdsymError
from ..problem import Problem
from ..schedule import LearningRate
from .axes import Axis

__all__ = ["Grid"]

Key = tuple[int, ...]

_HELD, _EACH = 5_000_000, 100
"""Numbers that fields may hold for points to come, and how many a field has beside the levels of a spectrum, about."""


@dataclass(frozen=True)
class Grid:
    """Problems by the number of the point, the last axis running fastest.

    Attributes
    ----------
    problem:
        The one that the axes change, or a function that poses one from their values.
    axes:
        What is varied.
    """

    problem: Problem | Callable[..., Problem]
    axes: tuple[Axis, ...]
    _made: dict[Any, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Numbers of values on the axes."""
        return tuple(len(axis.values) for axis in self.axes)

    @property
    def size(self) -> int:
        """Number of points."""
        return int(np.prod(self.shape, dtype=np.int64))

    def places(self, point: int) -> Key:
        """The position of a point on each axis."""
        found = []
        for length in reversed(self.shape):
            point, place = divmod(point, length)
            found.append(place)
        return tuple(reversed(found))

    def values(self, point: int) -> dict[str, Any]:
        """The axes' values at a point."""
        return {axis.name: axis.values[k] for axis, k in zip(self.axes, self.places(point), strict=True)}

    def key(self, point: int, *fields: str) -> Key:
        """The same for points whose problems have the same of these fields."""
        if not isinstance(self.problem, Problem):
            return (point,)
        places = self.places(point)
        return tuple(places[k] for name in fields for k in self._touching.get(name, ()))

    @cached_property
    def _touching(self) -> Mapping[str, tuple[int, ...]]:
        """Which axes change a field."""
        found: dict[str, tuple[int, ...]] = {}
        for k, axis in enumerate(self.axes):
            if axis.change is not None:
                found[axis.change.field] = (*found.get(axis.change.field, ()), k)
        return found

    def pose(self, point: int) -> Problem:
        """The problem at a point.

        Raises
        ------
        HdsymError
            If there is none.
        """
        if not isinstance(self.problem, Problem):
            return self._asked(point)
        places = self.places(point)
        changed: dict[str, Any] = {name: self._field(name, places) for name in self._touching}
        return replace(self.problem, **changed)

    def _asked(self, point: int) -> Problem:
        made: Any = self.problem(**self.values(point))  # type: ignore[operator]  # it is no Problem
        if not isinstance(made, Problem):
            raise DeclarationError(
                f"the function that poses problems gives {type(made).__name__}", remedy="return a Problem"
            )
        return made

    def _field(self, name: str, places: Key) -> Any:
        """A field with the axes' values; made once for each combination of those that change it."""
        own = tuple(places[k] for k in self._touching[name])
        found = self._made.get((name, own))
        if found is None:
            try:
                found = self._changed(name, own)
            except HdsymError as error:
                found = error
            held = self._made.get("held", 0) + _EACH + np.size(getattr(found, "levels", 0))
            if held > _HELD:
                self._made.clear()
                held = 0
            self._made.update({(name, own): found, "held": held})
        if isinstance(found, HdsymError):
            raise found
        return found

    def _changed(self, name: str, own: Key) -> Any:
        value = getattr(self.problem, name)
        for k, place in zip(self._touching[name], own, strict=True):
            axis = self.axes[k]
            assert axis.change is not None  # it touches the field
            try:
                value = axis.change.set(value, axis.values[place])
            except TypeError as error:
                raise DeclarationError(
                    f"{axis.name} = {axis.values[place]!r}: {error}", remedy="give values of another kind"
                ) from None
        return LearningRate(value) if name == "learning_rate" and not hasattr(value, "kind") else value

    def __getstate__(self) -> dict[str, Any]:
        return {"problem": self.problem, "axes": self.axes, "_made": {}}
