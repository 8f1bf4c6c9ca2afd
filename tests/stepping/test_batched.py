"""DOP853 for many problems at once: its order, and that problems know nothing of each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hdsym.stepping.batched import BLOWN_UP, DONE, HANDED_OVER, LOST, SINGULAR, Solved, integrate
from hdsym.stepping.batchstep import interpolated, step

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Waves:
    """y' = rate y cos t, so that y = y(0) exp(rate sin t)."""

    rate: Float

    def __call__(self, t: Float, y: Float) -> Float:
        return self.rate * y * np.cos(t)

    def take(self, chosen: Any) -> Waves:
        return Waves(self.rate[chosen])


@dataclass(frozen=True)
class Powers:
    """y' = rate y^power: decay for power 1 and a negative rate, an explosion at a finite time for power 2."""

    rate: Float
    power: Float

    def __call__(self, t: Float, y: Float) -> Float:
        return self.rate * y**self.power

    def take(self, chosen: Any) -> Powers:
        return Powers(self.rate[chosen], self.power[chosen])


def _solved(system: Any, y0: Float, times: Any, rtol: float = 1e-10) -> Solved:
    return integrate(
        system, y0, np.asarray(times, dtype=np.float64), rtol, np.full(y0.shape, rtol), np.ones(y0.shape[1])
    )


def _fitted(errors: list[float], steps: list[float]) -> float:
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def test_a_step_has_order_eight_and_its_polynomial_order_seven() -> None:
    """Errors of one step shrink as the step to the powers nine and eight; in the mean over times and rates."""
    rate, t = (grid.ravel() for grid in np.meshgrid(np.linspace(-1.5, 1.5, 8), np.linspace(0.0, 6.0, 24)))
    system, y, everyone = Waves(rate), np.ones((1, rate.size)), np.arange(rate.size)
    steps, ends, middles = [0.25, 0.35, 0.5, 0.7], [], []
    for h in steps:
        length = np.full(rate.size, h)
        tried = step(system, t, y, system(t, y), length, 1e-3, np.ones_like(y))
        inside = interpolated(tried, system, everyone, t, y, length)(np.full(rate.size, 0.4))
        for errors, found, at in ((ends, tried.y, t + h), (middles, inside, t + 0.4 * h)):
            errors.append(float(np.sqrt(np.mean((found - np.exp(rate * (np.sin(at) - np.sin(t)))) ** 2))))
    assert _fitted(ends, steps) == pytest.approx(9.0, abs=0.4)
    assert _fitted(middles, steps) == pytest.approx(8.0, abs=0.4)


def test_steps_are_those_of_scipy() -> None:
    """The same steps for each problem, so that the solutions differ by rounding alone."""
    rate, times = np.linspace(-3.0, 3.0, 20), np.linspace(0.0, 7.0, 30)
    for rtol in (1e-5, 1e-9):
        found = _solved(Waves(rate), np.ones((1, 20)), times, rtol)
        for k, own in enumerate(rate):
            single = solve_ivp(
                lambda t, y, own=own: own * y * np.cos(t), (0.0, 7.0), [1.0], "DOP853", times, rtol=rtol, atol=rtol
            )
            assert found.states[:, 0, k] == pytest.approx(single.y[0], rel=1e-9)
    assert np.all(found.status == DONE)
    assert found.steps.max() > 2 * found.steps.min()  # each its own


def test_companions_change_no_bit() -> None:
    rng = np.random.default_rng(0)
    rate, y0, times = rng.uniform(-3, 3, 50), rng.uniform(0.5, 2, (1, 50)), np.linspace(0.0, 5.0, 11)
    together = _solved(Waves(rate), y0, times)
    for chosen in (np.array([7]), np.arange(50)[::-1][:23], rng.permutation(50)):
        found = _solved(Waves(rate[chosen]), y0[:, chosen], times)
        assert np.array_equal(found.states, together.states[..., chosen])
        assert np.array_equal(found.steps, together.steps[chosen])


def test_every_end_is_told() -> None:
    """One decays, one explodes at t = 1/2, one is stiff, one has no slope at the start."""
    rate, power = np.array([-1.0, 2.0, -1e7, np.nan]), np.array([1.0, 2.0, 1.0, 1.0])
    found = _solved(Powers(rate, power), np.ones((1, 4)), [0.0, 0.4, 2.0], 1e-9)
    assert found.status[0] == DONE
    assert found.states[:, 0, 0] == pytest.approx(np.exp([0.0, -0.4, -2.0]), rel=1e-8)
    assert found.status[1] in (BLOWN_UP, LOST)
    assert found.ended[1] == pytest.approx(0.5, rel=1e-3)
    assert found.states[1, 0, 1] == pytest.approx(5.0, rel=1e-7)
    assert np.isnan(found.states[2, 0, 1])
    assert found.status[2] == HANDED_OVER
    assert found.steps[2] < 1000
    assert found.status[3] == SINGULAR
