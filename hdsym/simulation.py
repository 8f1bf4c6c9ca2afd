"""``hd.simulate``: the simulators, and the theory where one of them asks for it.

The simulators import no derivation, so that they are independent of it. Homogenized SGD, and learning rates that
depend on the solution, are handed one, here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .adaptive import AdaptiveRate
from .model import Model
from .simulate import api
from .simulate.rules import quantities_of

__all__ = ["simulate"]

P = ParamSpec("P")
R = TypeVar("R")


def _with_theory(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, with a derivation in place of the model where the method needs one."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def derived(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        model = given.arguments.get("model")
        if isinstance(model, Model) and _asks(given.arguments.get("method"), given.arguments.get("problem")):
            from .derive import derive

            given.arguments["model"] = derive(model)
        return function(*given.args, **given.kwargs)

    return derived


def _asks(method: object, problem: object) -> bool:
    """Homogenized SGD has the theory's drift; some learning rates depend on where the solution is."""
    rate = getattr(problem, "learning_rate", None)
    return method == "homogenized" or (isinstance(rate, AdaptiveRate) and bool(quantities_of(rate)))


simulate = _with_theory(api.simulate)
