"""The gap of single runs shrinks like d^-1/2 where the theory is right, and stays where it is wrong."""

from __future__ import annotations

import hdsym as hd

DIMS = [100, 300, 900]


def posed(gamma: float) -> hd.Problem:
    start = hd.start.random(norm=0.8, cosine=0.4, rng=1)
    return hd.Problem(hd.spectrum.power_law(0.3, d=100), start, gamma, horizon=3.0)


def test_slope_of_a_right_theory() -> None:
    """The 99.9 % interval misses -1/2 once in 1000 seeds; it is narrow enough to exclude 0 and -1."""
    scaling = hd.compare_dimensions(hd.zoo.logistic("bernoulli"), posed(1.0), DIMS, runs=30, rng=2, confidence=0.999)
    assert scaling.consistent, scaling.words
    assert scaling.interval[0] > -0.75
    assert scaling.interval[1] < -0.25
    assert scaling.verdict is not None
    assert scaling.verdict.p_value > 1e-3


def test_slope_of_a_wrong_theory() -> None:
    """Soft labels instead of sampled ones: another Fisher matrix, and a gap that does not shrink like d^-1/2."""
    theory = hd.derive(hd.zoo.logistic("soft"))
    scaling = hd.compare_dimensions(
        hd.zoo.logistic("bernoulli"), posed(4.0), DIMS, runs=20, rng=2, theory=theory, confidence=0.999
    )
    assert scaling.interval[0] > -0.5, scaling.words
    assert scaling.verdict is not None
    assert not scaling.verdict.agree
