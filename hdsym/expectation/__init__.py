"""Gaussian expectations E[g(r)], r ~ N(m, B), by ordered rules that show their steps."""

from __future__ import annotations

from .expectation import Expectation, expect
from .gaussian import Gaussian
from .integral import GaussianIntegral
from .rule import Step

__all__ = ["Expectation", "Gaussian", "GaussianIntegral", "Step", "expect"]
