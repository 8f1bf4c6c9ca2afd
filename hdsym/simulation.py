"""``hd.simulate``: the simulators, and the theory where one of them asks for it.

The simulators import no derivation, so that they are independent of it. Homogenized SGD, and learning rates that
depend on the solution, are handed one, here.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from .adaptive import AdaptiveRate
from .describe.origin import Call, Origin
from .model import Model
from .simulate import api
from .simulate.rules import quantities_of

if TYPE_CHECKING:
    from .ensembles import Ensemble

__all__ = ["simulate"]

P = ParamSpec("P")

_KEPT = ("runs", "t", "t_eval", "method", "record", "spacing", "group", "scheme", "steps_per_time", "replace")
"""Arguments that change numbers, besides the seed, which results record in full."""


def _with_theory(function: Callable[P, Ensemble]) -> Callable[P, Ensemble]:
    """The same function, with a derivation in place of the model where the method needs one; the result says of what.

    A call with arguments that have no meaning is left to the function to refuse.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def derived(*args: P.args, **kwargs: P.kwargs) -> Ensemble:
        given = signature.bind(*args, **kwargs)
        model = given.arguments.get("model")
        if isinstance(model, Model) and _asks(given.arguments.get("method"), given.arguments.get("problem")):
            from .derive import derive

            given.arguments["model"] = derive(model)
        made = function(*given.args, **given.kwargs)
        given.apply_defaults()
        return dataclasses.replace(made, origin=_origin(given.arguments))

    return derived


def _asks(method: object, problem: object) -> bool:
    """Homogenized SGD has the theory's drift; some learning rates depend on where the solution is."""
    rate = getattr(problem, "learning_rate", None)
    return method == "homogenized" or (isinstance(rate, AdaptiveRate) and bool(quantities_of(rate)))


def _origin(arguments: Mapping[str, Any]) -> Origin:
    kept = {name: arguments[name] for name in _KEPT}
    times = kept["t_eval"]
    kept["t_eval"] = None if times is None else np.array(times)
    return Origin(Call(arguments["model"], arguments["problem"], {"function": "simulate", **kept}))


simulate = _with_theory(api.simulate)
