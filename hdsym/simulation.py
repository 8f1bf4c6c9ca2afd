"""``hd.simulate``: the simulators, and the theory where one of them asks for it.

The simulators import no derivation, so that they are independent of it; homogenized SGD alone is handed one, here.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .model import Model
from .simulate import api

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
        if given.arguments.get("method") == "homogenized" and isinstance(model, Model):
            from .derive import derive

            given.arguments["model"] = derive(model)
        return function(*given.args, **given.kwargs)

    return derived


simulate = _with_theory(api.simulate)
