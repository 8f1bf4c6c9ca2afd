"""Settings shared by all tests: no display, reproducible property tests."""

from __future__ import annotations

import os

os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import HealthCheck, settings

settings.register_profile(
    "hdsym",
    deadline=None,  # the first call of a lazily imported module takes longer than any later one
    derandomize=True,  # the same examples in every run: a red test can be repeated
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hdsym")
