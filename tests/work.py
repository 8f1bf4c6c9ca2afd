"""Work counted in calls of Python functions: the same on every machine, where seconds are not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import sympy as sp

__all__ = ["calls"]


def calls(function: Callable[[], Any], limit: int = 10_000_000) -> int:
    """How many Python functions `function` calls, with nothing in sympy's cache; stops with an error beyond `limit`."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"
        if count > limit:
            raise AssertionError(f"more than {limit} calls")

    sp.core.cache.clear_cache()
    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
