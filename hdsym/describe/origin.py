"""What a result was computed from: model or theory, problem and call; alive, or as a text with arrays."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeclarationError, HdsymError

if TYPE_CHECKING:
    from ..model import Model
    from ..problem import Problem

__all__ = ["Call", "Origin", "Recipe"]

_REMEDY = "give them: hd.rerun(file, model=..., problem=...), or rerun the result itself where it was computed"


@dataclass(frozen=True)
class Call:
    """Model or theory, problem, and how they were called.

    Attributes
    ----------
    subject:
        The model, or its derivation.
    options:
        ``function``, "solve" or "simulate", and the arguments that change numbers.
    """

    subject: Any
    problem: Problem
    options: Mapping[str, Any]

    @property
    def model(self) -> Model:
        """The model."""
        found: Model = getattr(self.subject, "model", self.subject)
        return found

    @property
    def solves(self) -> bool:
        """Whether it solved the ODEs, rather than simulate."""
        return bool(self.options.get("function") == "solve")


@dataclass(frozen=True)
class Recipe:
    """A call as text, much like a model file, with the arrays that are too long for it.

    Attributes
    ----------
    text:
        TOML with the tables ``[model]``, ``[problem]`` and ``[call]``; nothing in it is ever executed.
    arrays:
        By the names that the text gives them, "@name".
    """

    text: str
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, call: Call) -> Recipe:
        """The recipe of a call. What no file can hold is named in it, and makes :meth:`call` refuse."""
        from .arrays import Arrays
        from .models import model_table
        from .problems import problem_table
        from .toml import document

        arrays, refused = Arrays(), []
        try:
            model = model_table(call.model)
        except HdsymError as error:
            refused.append(error.message)
            model = {"name": call.model.name, "loss": str(call.model.loss)}
        rows = call.options.get("method") == "data"
        problem, further = problem_table(call.problem, call.model, arrays, rows=rows)
        options, unknown = _options(call, arrays)
        refused += [*further, *unknown]
        tables = {"model": model, "problem": problem, "call": {**options, **({"refused": refused} if refused else {})}}
        return cls(document(tables), arrays.found)

    def call(self) -> Call:
        """The call.

        Raises
        ------
        DeclarationError
            If the text names something that no file can hold.
        FileFormatError, ParseError
            If it is none.
        """
        from .models import model_of
        from .problems import problem_of

        model, problem, options = self._tables()
        refused = options.pop("refused", [])
        if refused:
            raise DeclarationError(
                f"this result cannot be computed from its file: {'; '.join(refused)}", remedy=_REMEDY
            )
        declared = model_of(model)
        subject: Any = declared
        if "policy" in options:
            import hdsym  # what a user calls; the simulators, which hold results, import no derivation

            subject = hdsym.derive(declared, options.pop("policy")).with_target(options.pop("target"))
        return Call(subject, problem_of(problem, declared, self.arrays), self._read(options))

    def options(self) -> dict[str, Any]:
        """The call's options alone; raises as :meth:`call`."""
        left = ("refused", "policy", "target")
        return self._read({name: value for name, value in self._tables()[2].items() if name not in left})

    def _read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        from .arrays import put_in

        return put_in(options, self.arrays, "the description of the call")

    def _tables(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        try:
            tables = tomllib.loads(self.text)
            return dict(tables["model"]), dict(tables["problem"]), dict(tables["call"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise DeclarationError(f"the description of this result is damaged: {error!r}", remedy=_REMEDY) from None


def _options(call: Call, arrays: Any) -> tuple[dict[str, Any], list[str]]:
    """The call's arguments as TOML has them, and what among them no file can hold."""
    told: dict[str, Any] = {}
    refused: list[str] = []
    for name, value in call.options.items():
        if value is None:
            continue
        if name == "events":
            refused += _events(value)
        elif name == "contour":
            told[name] = {part: getattr(value, part) for part in ("left", "right", "height", "nodes")}
        elif isinstance(value, str | bool | int | float | np.generic):
            told[name] = value
        else:
            told[name] = arrays.keep(f"call_{name}", value, f"the argument {name}")
    if hasattr(call.subject, "model"):
        told |= {"policy": call.subject.policy, "target": call.subject.target}
    return told, refused


def _events(events: Sequence[Callable[..., Any]]) -> list[str]:
    names = ", ".join(getattr(event, "__qualname__", type(event).__name__) for event in events)
    return [f"the events are Python functions ({names})"] if names else []


class Origin:
    """A call, or the recipe that a file has of it; each is made from the other when it is asked for.

    To other processes it travels as a recipe.
    """

    def __init__(self, call: Call | None = None, recipe: Recipe | None = None) -> None:
        self._call, self._recipe = call, recipe

    @cached_property
    def call(self) -> Call:
        """The call. Raises :class:`HdsymError` if it comes from a file that cannot say what it was."""
        if self._call is not None:
            return self._call
        assert self._recipe is not None  # one of the two is given
        return self._recipe.call()

    @property
    def options(self) -> dict[str, Any]:
        """The call's options alone, whatever model and problem are."""
        if self._call is not None:
            return dict(self._call.options)
        assert self._recipe is not None  # one of the two is given
        return self._recipe.options()

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe."""
        if self._recipe is not None:
            return self._recipe
        assert self._call is not None  # one of the two is given
        return Recipe.of(self._call)

    def __reduce__(self) -> tuple[Any, ...]:
        return Origin, (None, self.recipe)
