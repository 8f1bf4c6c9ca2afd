"""Tests of generated code: jax compiles quickly here rather than well, and before anything else has started it."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
