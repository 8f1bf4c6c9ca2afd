"""Adaptive learning rates in the ODEs: what the High Line paper says of them, rules of one's own, and what is refused.

Reference: E. Collins-Woodfin et al., The High Line, arXiv:2405.19585.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import brentq

import hdsym as hd
from hdsym import quantities
from hdsym.errors import DeclarationError, SolveError

LAM, SHARE = np.array([0.5, 2.0]), np.array([0.6, 0.4])


def problem(rate: Any, noise: float = 0.0, **options: Any) -> hd.Problem:
    """Least squares with two eigenvalues."""
    settings = {"horizon": 20.0} | options
    return hd.Problem(
        spectrum=hd.spectrum.eigenvalues(np.repeat(LAM, [30, 20])),
        start=hd.start.random(norm=1.0, cosine=0.3, rng=0),
        learning_rate=rate,
        parameters={"noise_std": noise},
        **settings,
    )


@pytest.fixture(scope="module")
def least_squares() -> Any:
    return hd.derive(hd.zoo.least_squares())


def test_polyak_steps_are_half_the_descent_threshold(least_squares: Any) -> None:
    """gbar = (2 R - omega^2) / ((tr K / d) R); without noise the rate is constant, 1 / (tr K / d)."""
    trace = float(SHARE @ LAM)
    for noise in (0.0, 0.4):
        path = least_squares.solve(problem(hd.Polyak(), noise))
        risk = path.risk.values
        np.testing.assert_allclose(path.learning_rate.values, (risk - noise**2 / 2) / (trace * risk), rtol=1e-7)
    free = least_squares.solve(problem(hd.Polyak()))
    np.testing.assert_allclose(free.risk.values, least_squares.solve(problem(1 / trace)).risk.values, rtol=1e-5)


def test_line_search_ends_where_both_modes_fall_alike(least_squares: Any) -> None:
    """v_i, the squared distance in eigenspace i: v_i' = -2 g lam_i v_i + g^2 lam_i rho_i 2 R, 2 R = sum lam_i v_i.

    The rate g = sum lam_i^2 v_i / ((tr K^2 / d) 2 R) tends to that at which v_1' / v_1 = v_2' / v_2; it is at least
    lam_min / (tr K^2 / d).
    """
    square = float(SHARE @ LAM**2)

    def gap(share: float) -> float:
        v = np.array([1.0 - share, share])
        rate = LAM**2 @ v / (square * (LAM @ v))
        fall = -2.0 * rate * LAM + rate**2 * LAM * SHARE * (LAM @ v) / v
        return float(fall[0] - fall[1])

    share = brentq(gap, 1e-9, 1.0 - 1e-9, xtol=1e-14)
    v = np.array([1.0 - share, share])
    path = least_squares.solve(problem(hd.LineSearch(), horizon=40.0), rtol=1e-10, atol=1e-16)
    rates = path.learning_rate.values
    np.testing.assert_allclose(rates[-1], LAM**2 @ v / (square * (LAM @ v)), rtol=1e-6)
    assert rates.min() >= LAM.min() / square
    assert np.all(np.diff(path.risk.values) < 0)


def test_no_constant_rate_lowers_the_risk_faster_than_line_search(least_squares: Any) -> None:
    """To first order in time: R' = -g a1 + g^2 a2 is least at the rate of line search."""
    rate = float(least_squares.solve(problem(hd.LineSearch(), 0.3)).learning_rate[0])
    falls = []
    for gamma in (rate, 0.9 * rate, 1.1 * rate):
        path = least_squares.solve(problem(gamma, 0.3), t_eval=[0.0, 1e-4], rtol=1e-12, atol=1e-14)
        falls.append(float(path.risk[0] - path.risk[1]))
    assert falls[0] > max(falls[1:])


@pytest.mark.parametrize(
    ("beta", "delta", "times"), [(0.5, 0.2, (1e2, 2e3)), (0.4, 1.2, (3e2, 1e4))], ids=["below one", "above one"]
)
def test_exponents_of_adagrad_norm(least_squares: Any, beta: float, delta: float, times: tuple[float, float]) -> None:
    """Density (1 - beta) lam^-beta on (0, 1), D^2 ~ lam^-delta, no noise; s = beta + delta.

    s < 1: the rate tends to a constant, R ~ t^(s - 2). 1 < s < 2: gamma ~ t^(1 / s - 1), R ~ t^(1 - 2 / s).
    """
    d, s = 100_000, beta + delta
    lam = ((np.arange(d) + 0.5) / d) ** (1.0 / (1.0 - beta))
    wide = dataclasses.replace(
        problem(hd.AdaGradNorm(1.0, 1.0 if s < 1.0 else 0.3)),
        spectrum=hd.spectrum.eigenvalues(lam),
        start=hd.start.power(delta),
    )
    path = least_squares.solve(wide, t_eval=[0.0, *np.geomspace(*times, 9)], rtol=1e-6, tol=1e-5)
    slopes = [
        np.polyfit(np.log(path.time.values[1:]), np.log(values[1:]), 1)[0]
        for values in (path.learning_rate.values, path.risk.values)
    ]
    expected = (0.0, s - 2.0) if s < 1.0 else (1.0 / s - 1.0, 1.0 - 2.0 / s)
    np.testing.assert_allclose(slopes, expected, atol=0.03)


def test_adagrad_norm_with_label_noise_falls_like_one_over_root_t(least_squares: Any) -> None:
    path = least_squares.solve(problem(hd.AdaGradNorm(1.0, 1.0), 0.5), t_eval=[0.0, *np.geomspace(1e3, 1e5, 9)])
    slope = np.polyfit(np.log(path.time.values[1:]), np.log(path.learning_rate.values[1:]), 1)[0]
    assert abs(slope + 0.5) < 0.03


def test_rmsprop_norm_is_its_integral(least_squares: Any) -> None:
    """gamma = eta / sqrt(b^2 exp(-alpha t) + (tr K / d) int_0^t exp(-alpha (t - s)) tr I ds), and tr I = 2 R."""
    alpha, b = 0.3, 0.8
    times = np.linspace(0.0, 10.0, 2001)
    path = least_squares.solve(problem(hd.RMSpropNorm(0.5, b, alpha), 0.2), t_eval=times)
    heat = float(SHARE @ LAM) * 2.0 * path.risk.values * np.exp(alpha * times)
    steps = np.concatenate([[0.0], np.cumsum((heat[1:] + heat[:-1]) / 2.0 * np.diff(times))])
    expected = 0.5 / np.sqrt(np.exp(-alpha * times) * (b**2 + steps))
    np.testing.assert_allclose(path.learning_rate.values, expected, rtol=1e-4)


def test_rules_of_ones_own(least_squares: Any) -> None:
    """AdaGrad-Norm by hand is AdaGrad-Norm; a rate in t alone is the schedule; every quantity is what it says."""
    u, eta = sp.symbols("u eta")
    own = hd.AdaptiveRate(eta / sp.sqrt(1 + u), {u: (0, quantities.squared_gradient)}, {eta: 0.7})
    expected = least_squares.solve(problem(hd.AdaGradNorm(0.7, 1.0), 0.2))
    np.testing.assert_allclose(least_squares.solve(problem(own, 0.2)).risk.values, expected.risk.values, rtol=1e-9)
    schedule = least_squares.solve(problem(1 / (1 + hd.t), 0.2))
    adaptive = least_squares.solve(problem(hd.AdaptiveRate(1 / (1 + sp.Symbol("t"))), 0.2))
    np.testing.assert_allclose(adaptive.risk.values, schedule.risk.values, rtol=1e-7)
    assert adaptive.attrs["learning_rate"] == "gamma = 1/(t + 1)"


def test_quantities_are_the_slopes_of_distance_and_risk() -> None:
    """(||X - X*||^2)' = -2 g alignment + g^2 squared_gradient, R' = -g descent + g^2 curvature, regularised too."""
    theory = hd.derive(hd.zoo.logistic("bernoulli"))
    given = dataclasses.replace(problem(0.7), parameters={}, delta=0.3, batch_size=2)
    start = theory.solve(given, t_eval=[0.0, 1e-4], rtol=1e-12, atol=1e-14)
    found = {}
    for name in ("alignment", "squared_gradient", "descent", "curvature", "risk", "norm2", "distance2", "trace2"):
        rate = hd.AdaptiveRate(getattr(quantities, name))
        path = theory.solve(dataclasses.replace(given, learning_rate=rate), t_eval=[0.0, 1e-9])
        found[name] = float(path.learning_rate[0])
    slopes = {name: float(np.diff(getattr(start, name).values)[0]) / 1e-4 for name in ("risk",)}
    distance = np.einsum("tij,i,j->t", start.gram.values, [1.0, -1.0], [1.0, -1.0])
    fall, heat = found["alignment"], found["squared_gradient"]
    np.testing.assert_allclose(np.diff(distance)[0] / 1e-4, -2 * 0.7 * fall + 0.49 * heat, rtol=1e-3)
    np.testing.assert_allclose(slopes["risk"], -0.7 * found["descent"] + 0.49 * found["curvature"], rtol=1e-3)
    np.testing.assert_allclose(found["risk"], start.risk[0], rtol=1e-12)
    np.testing.assert_allclose(found["norm2"], start.gram[0, 0, 0], rtol=1e-12)
    np.testing.assert_allclose(found["distance2"], distance[0], rtol=1e-12)
    np.testing.assert_allclose(found["trace2"], SHARE @ LAM**2, rtol=1e-12)


def test_it_drives_committees_and_their_second_layer() -> None:
    """A rate in t alone, once as a schedule and once as a rule, for directions and trained scalars."""
    theory = hd.derive(hd.zoo.committee("erf", trained_second_layer=True))
    start = hd.start.random(norm=0.5, cosine=0.3, n_student=2, n_teacher=2, rng=0)
    given = hd.Problem(
        spectrum=hd.spectrum.identity(), start=start, learning_rate=0.5 / (1 + hd.t), parameters={"v": 0.4}
    )
    rule = dataclasses.replace(given, learning_rate=hd.AdaptiveRate(0.5 / (1 + hd.t)))
    one, other = (theory.solve(each, t=5.0) for each in (given, rule))
    np.testing.assert_allclose(other.trained.values, one.trained.values, rtol=1e-6)
    np.testing.assert_allclose(other.risk.values, one.risk.values, rtol=1e-6)


def test_what_has_no_meaning_is_refused(least_squares: Any) -> None:
    with pytest.raises(DeclarationError, match="contains z"):
        hd.AdaptiveRate(sp.Symbol("z"))
    with pytest.raises(DeclarationError, match="b is 0"):
        hd.AdaGradNorm(1.0, 0.0)
    with pytest.raises(DeclarationError, match="a state of the learning rate is called risk"):
        hd.AdaptiveRate(1, {quantities.risk: (0, 1)})
    with pytest.raises(SolveError, match=r"is -.* at t = 0"):
        least_squares.solve(problem(hd.AdaptiveRate(-quantities.risk)))
    x = hd.student("x", size=2)
    two = hd.derive(hd.Model((hd.label("y") - x[1] - x[2]) ** 2 / 2, hd.teacher("s")))
    start = hd.start.overlaps(Q=np.eye(2), M=[[0.1], [0.1]], T=[[1.0]])
    with pytest.raises(DeclarationError, match="compares 2 students with 1 teachers"):
        two.solve(dataclasses.replace(problem(hd.Polyak()), start=start, parameters={}))
    for options in ({"method": "stiff"}, {"formulation": "resolvent"}):
        with pytest.raises(DeclarationError, match="adaptive"):
            least_squares.solve(problem(hd.Polyak()), **options)
    with pytest.raises(DeclarationError, match="depends on the solution"):
        least_squares.jacobian(problem(hd.Polyak()))
