"""Settings shared by all tests: no display, no derivations of earlier runs, reproducible property tests."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["HDSYM_CACHE"] = "0"  # tests derive; those of the cache switch it on, with a folder of their own

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hdsym",
    deadline=None,  # the first call of a lazily imported module takes longer than any later one
    derandomize=True,  # the same examples in every run: a red test can be repeated
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hdsym")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of whole systems, theory against SGD, are slow as a rule."""
    for item in items:
        if "systems" in item.path.parts:
            item.add_marker(pytest.mark.slow)
