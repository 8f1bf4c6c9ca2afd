"""Drift and noise at the overlaps of many runs: formulas where there are any, else averages at states near by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .linear import LinearNoise
from .moments import Moments

if TYPE_CHECKING:
    from ..integration import Run

__all__ = ["BatchedMoments", "FeatureCovariance"]

Float = NDArray[np.float64]

_REACH = 0.1
"""Relative change of overlaps up to which averages over points are those of a state where they were taken."""


@dataclass(frozen=True)
class FeatureCovariance:
    """Joint covariance of r u^T, u u^T and d_theta f, (runs, n l + l^2 + r square), and I = E[u u^T] (runs, l, l)."""

    covariance: Float
    fisher: Float

    @classmethod
    def of(cls, B: Float, m: Moments) -> FeatureCovariance:
        """By Stein's identity, from moments with leading axes of runs at overlaps B (runs, n, n)."""
        runs, n, l = m.gradient.shape
        r = m.slope.shape[-1]
        means = (2.0 * B @ m.gradient).reshape(runs, -1), m.fisher.reshape(runs, -1), m.slope
        pair = np.einsum("zij,zab->ziajb", B, m.fisher)
        pair += np.einsum("zip,zpqab,zqj->ziajb", B, m.second, B, optimize=True)
        skew = np.einsum("zip,zpabc->ziabc", B, m.third).reshape(runs, n * l, l * l)
        cross = np.einsum("zip,zpas->zias", B, m.cross).reshape(runs, n * l, r)
        fourth, mixed = m.fourth.reshape(runs, l * l, l * l), m.mixed.reshape(runs, l * l, r)
        rows = (
            (pair.reshape(runs, n * l, n * l), skew, cross),
            (skew.swapaxes(1, 2), fourth, mixed),
            (cross.swapaxes(1, 2), mixed.swapaxes(1, 2), m.scalars),
        )
        whole = np.concatenate([np.concatenate(row, axis=2) for row in rows], axis=1)
        mean = np.concatenate(means, axis=1)
        return cls(whole - mean[:, :, None] * mean[:, None, :], m.fisher)


class BatchedMoments:
    """H, I and T, and the covariance of a step's features, as functions of B (runs, n, n) and theta (runs, r)."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.single = LinearNoise(run, lambda _: run._start(), 0.0)
        self.module = run.theory.noise_module[0]
        self.kept: list[tuple[Float, Float, FeatureCovariance]] = []

    @property
    def source(self) -> str:
        """How the noise is found."""
        taken = f", taken at {len(self.kept)} states and for those within {_REACH:.0%}" if self.kept else ""
        return f"{self.single.source}{taken}"

    def drift(self, B: Float, theta: Float) -> tuple[Float, Float, Float]:
        """H (runs, n, l), I (runs, l, l) and T (runs, r)."""
        if self.run.drift.trained is None:  # the module of an explicit model takes them all at once
            gradient, fisher = (self.run._quantity(name, B, None, 1) for name in ("gradient", "fisher"))
            return gradient, fisher, theta
        found = [self.run.drift(b, t) for b, t in zip(B, theta, strict=True)]
        H, fisher, T = (np.array(part) for part in zip(*found, strict=True))
        return H, fisher, T

    def features(self, B: Float, theta: Float) -> FeatureCovariance:
        """The covariance of what a step is made of."""
        if self.module is None:
            return self._near(B, theta)
        gradient, fisher, _ = self.drift(B, theta)
        higher = self.module.noise_moments(B, **self.run.parameters)
        return FeatureCovariance.of(B, _of_weights(gradient, fisher, *higher))

    def _near(self, B: Float, theta: Float) -> FeatureCovariance:
        chosen = np.full(len(B), -1)
        for k, (b, t, _) in enumerate(self.kept):
            chosen[(chosen < 0) & _close(B, theta, b, t)] = k
        chosen[~(np.isfinite(B).all(axis=(1, 2)) & np.isfinite(theta).all(axis=1))] = 0  # such runs end anyway
        while np.any(chosen < 0):
            first = int(np.argmin(chosen))
            b, t = B[first], theta[first]
            moments = self.single.moments(b, t)
            alone = Moments(*(getattr(moments, name)[None] for name in moments.__dataclass_fields__))
            self.kept.append((b, t, FeatureCovariance.of(b[None], alone)))
            chosen[(chosen < 0) & _close(B, theta, b, t)] = len(self.kept) - 1
        found = [self.kept[k][2] for k in chosen]
        return FeatureCovariance(*(np.concatenate([getattr(f, k) for f in found]) for k in ("covariance", "fisher")))


def _of_weights(gradient: Float, fisher: Float, second: Float, third: Float, fourth: Float) -> Moments:
    """Without trained scalars."""
    runs, n, l = gradient.shape
    empty = (np.zeros((runs, *shape)) for shape in ((0,), (n, l, 0), (l, l, 0), (0, 0)))
    slope, cross, mixed, scalars = empty
    return Moments(gradient, fisher, slope, second, third, fourth, cross, mixed, scalars)


def _close(B: Float, theta: Float, b: Float, t: Float) -> NDArray[np.bool_]:
    """Which of the states are near one, (runs,): entries of B by the lengths they belong to."""
    lengths = np.sqrt(np.maximum(np.diagonal(b), np.finfo(float).tiny))
    near = (np.abs(B - b) <= _REACH * np.outer(lengths, lengths)).all(axis=(1, 2))
    return np.asarray(near & (np.abs(theta - t) <= _REACH * np.maximum(1.0, np.abs(t))).all(axis=1))
