"""The axes of a sweep: dotted names, and what each changes in a problem."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import start as starts
from ..adaptive import AdaptiveRate
from ..cas import sp
from ..errors import DeclarationError
from ..problem import Problem
from ..start import OverlapStart, RandomStart
from ..symbols import Parameter

if TYPE_CHECKING:
    from ..model import Model
    from ..spectrumbase import Spectrum

__all__ = ["Axis", "Change", "changes", "parametrised", "read_axes"]

Set = Callable[[Any, Any], Any]
"""(the field as it is, a value of the axis) -> the field as it shall be."""

_WHOLE = ("learning_rate", "delta", "batch_size", "spectrum", "start")
_COUNTS = ("batch_size", "spectrum.d", "start.rng", "start.n_student", "start.n_teacher")
"""What is a whole number; so are sizes."""


@dataclass(frozen=True)
class Change:
    """What an axis changes: a field of the problem, and how; `whole` if its values are whole numbers."""

    field: str
    set: Set
    whole: bool = False


@dataclass(frozen=True)
class Axis:
    """One axis: its name, its values, and what they change; `change` is ``None`` if a function poses the problems."""

    name: str
    values: tuple[Any, ...]
    change: Change | None

    @property
    def coordinate(self) -> list[Any]:
        """Numbers where the values are numbers, else texts."""
        if all(isinstance(value, int) for value in self.values):
            return list(self.values)
        if all(isinstance(value, int | float) for value in self.values):
            return [float(value) for value in self.values]
        return [_label(value) for value in self.values]


def read_axes(model: Model, problem: Any, over: Mapping[str, Any]) -> tuple[Axis, ...]:
    """The axes with these names and values.

    Parameters
    ----------
    problem:
        A Problem, or a function that poses one.

    Raises
    ------
    DeclarationError
        For a name that changes nothing in the problem, or values that are none.
    """
    if not over:
        raise DeclarationError(f"over is {over!r}", remedy='give axes: {"learning_rate": [0.1, 0.2]}')
    known = changes(model, problem) if isinstance(problem, Problem) else None
    axes = []
    for name, given in over.items():
        if known is not None and name not in known:
            raise _unknown(str(name), list(known))
        if known is None and not (str(name).isidentifier()):
            raise DeclarationError(
                f"the axis {name!r} cannot be an argument of the function that poses problems",
                remedy="name axes as the function's arguments are named",
            )
        change = known[name] if known is not None else None
        axes.append(Axis(name, _values(name, given, change), change))
    owners = [axis.change.field for axis in axes if axis.change is not None and axis.name in _WHOLE]
    for axis in axes:
        if axis.change is not None and axis.name not in _WHOLE and axis.change.field in owners:
            raise DeclarationError(
                f"the axes {axis.change.field!r} and {axis.name!r} change the same thing",
                remedy="leave one of them out",
            )
    return tuple(axes)


def _values(name: str, given: Any, change: Change | None) -> tuple[Any, ...]:
    if isinstance(given, str | Mapping) or not hasattr(given, "__iter__"):
        raise DeclarationError(f"the values of {name} are {given!r}", remedy="give a list or an array of values")
    values = tuple(_plain(value, change is not None and change.whole) for value in given)
    if not values:
        raise DeclarationError(f"the axis {name} has no values", remedy="give at least one")
    return values


def _plain(value: Any, whole: bool) -> Any:
    """Numbers of numpy and sympy as numbers of Python; anything else as it is."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, sp.Expr) and value.is_number:
        value = float(value)
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value


def _label(value: Any) -> str:
    described = getattr(value, "describe", None)
    label = getattr(value, "label", None)
    return str(described() if callable(described) else label if isinstance(label, str) else value)


def _unknown(name: str, known: Sequence[str]) -> DeclarationError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return DeclarationError(
        f"there is no {name!r} to sweep over in this model and problem",
        remedy=f"{hint}There are: {', '.join(known)}; or give a function that poses a problem from the axes' values",
    )


def changes(model: Model, problem: Problem) -> dict[str, Change]:
    """Every name that can be swept over, and what it changes."""
    found = {name: Change(name, _whole, name in _COUNTS) for name in _WHOLE}
    found |= _start_parts(problem)
    found |= _spectrum_parts(problem.spectrum)
    found |= _noise_parts(model)
    names = [member.name for member in (*model.parameters, *model.trained)]
    names += [name for name in model._groups if name not in names]
    for name in names:
        change = Change("parameters", partial(_entry, name))
        found |= {f"parameters.{name}": change, **({name: change} if name not in found else {})}
    trained = {member.name for member in model.trained}
    groups = [name for name, members in model._groups.items() if members[0].name in trained]
    for name in (*sorted(trained), *groups):
        found[f"learning_rates.{name}"] = Change("learning_rates", partial(_entry, name))
    for size in model.sizes:
        found[f"sizes.{size.name}"] = Change("sizes", partial(_entry, size.name), whole=True)
    if isinstance(problem.learning_rate, AdaptiveRate):
        for symbol in problem.learning_rate.parameters:
            found[f"learning_rate.{symbol}"] = Change("learning_rate", partial(_rule, str(symbol)))
    return found


def _whole(_: Any, value: Any) -> Any:
    return value


def _entry(name: str, before: Mapping[str, Any], value: Any) -> dict[str, Any]:
    return {**before, name: value}


def _rule(name: str, rate: AdaptiveRate, value: Any) -> AdaptiveRate:
    given = {symbol: value if str(symbol) == name else old for symbol, old in rate.parameters.items()}
    return replace(rate, parameters=given, label=None)


def _start_parts(problem: Problem) -> dict[str, Change]:
    start = problem.start
    names: tuple[str, ...] = ()
    if isinstance(start, RandomStart):
        names = ("norm", "cosine", "teacher_norm", "rng", "n_student", "n_teacher")
        return {f"start.{name}": Change("start", partial(_random, name), f"start.{name}" in _COUNTS) for name in names}
    if isinstance(start, OverlapStart) and start.gram.shape == (2, 2):
        names = ("Q", "M", "T")
    return {f"start.{name}": Change("start", partial(_overlaps, name)) for name in names}


def _random(name: str, start: RandomStart, value: Any) -> RandomStart:
    given = {
        "norm": start.norm,
        "cosine": start.cosine,
        "teacher_norm": start.teacher_norm,
        "rng": start.entropy,
        "n_student": start.n_student,
        "n_teacher": start.n_teacher,
    }
    return starts.random(**{**given, name: value})


def _overlaps(name: str, start: OverlapStart, value: Any) -> OverlapStart:
    given = {"Q": start.gram[0, 0], "M": start.gram[0, 1], "T": start.gram[1, 1]}
    return starts.overlaps(**{**given, name: value})


def _spectrum_parts(spectrum: Spectrum) -> dict[str, Change]:
    found = {"spectrum.d": Change("spectrum", _dimension, whole=True)}
    family = spectrum.family
    if isinstance(family, partial):
        found |= {f"spectrum.{name}": Change("spectrum", partial(_member, name)) for name in _bound(family)}
    return found


def _bound(family: partial[Any]) -> dict[str, Any]:
    """The arguments of the function that makes spectra of a family, but for the dimension."""
    given = inspect.signature(family.func).bind_partial(*family.args, **family.keywords)
    given.apply_defaults()
    return {name: value for name, value in given.arguments.items() if name != "d"}


def _member(name: str, spectrum: Spectrum, value: Any) -> Spectrum:
    family: Any = spectrum.family
    given = {**_bound(family), name: value}
    made: Spectrum = family.func(**given, d=spectrum.d)
    return made


def _dimension(spectrum: Spectrum, d: Any) -> Spectrum:
    return spectrum.at(d)


def _noise_parts(model: Model) -> dict[str, Change]:
    """Constants of the noise law: parameters of the model, or numbers, which :func:`parametrised` makes such."""
    found = {}
    for name, value in _constants(model).items():
        parameter = value.name if isinstance(value, Parameter) else _parameter_name(model, name)
        found[f"noise.{name}"] = Change("parameters", partial(_entry, parameter))
    return found


def _constants(model: Model) -> dict[str, Any]:
    """Numbers and parameters in the noise law, by the names of its fields."""
    named = (
        {} if model.noise is None else {field.name: getattr(model.noise, field.name) for field in fields(model.noise)}
    )
    numbers = {name for name, value in named.items() if isinstance(value, sp.Expr) and value.is_number}
    return {name: value for name, value in named.items() if isinstance(value, Parameter) or name in numbers}


def _parameter_name(model: Model, part: str) -> str:
    taken = {member.name for member in (*model.parameters, *model.trained)} | set(model._groups)
    name = f"noise_{part}"
    while name in taken:
        name += "_"
    return name


def parametrised(model: Model, names: Iterable[str]) -> Model:
    """The model with a parameter for each number of its noise law that is among the axes."""
    parts = {}
    for name, value in _constants(model).items():
        if f"noise.{name}" in names and not isinstance(value, Parameter):
            length = name in ("std", "scale")
            parts[name] = Parameter(_parameter_name(model, name), float(value), real=True, **_sign(length))
    return replace(model, noise=replace(model.noise, **parts)) if model.noise is not None and parts else model


def _sign(length: bool) -> dict[str, bool]:
    return {"nonnegative": True} if length else {}
