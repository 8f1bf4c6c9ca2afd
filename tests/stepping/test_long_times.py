"""Long times: power laws over six decades of time, at times with equal ratios."""

from __future__ import annotations

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError
from tests.stepping.problems import PHASE

LEAST_SQUARES = hd.derive(hd.zoo.least_squares())


def power_law_density(beta: float, nodes: int = 160, low: float = 1e-9) -> hd.Spectrum:
    """rho(lam) = (1 - beta) lam^-beta on (low, 1), by Gauss-Legendre nodes in log lam."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    lam = np.exp(np.log(low) * (1 - x) / 2)
    share = lam ** (1 - beta) * w
    return hd.Spectrum(lam, share / share.sum(), label=f"density lam^-{beta:g}")


@pytest.mark.parametrize("method", ["auto", "stiff", "exponential"])
@pytest.mark.parametrize("beta", [0.3, 0.6])
def test_exponent_of_least_squares(beta: float, method: str) -> None:
    """R ~ t^(beta - 2) for W^T W spread evenly: the fitted slope over [10^3, 10^6]."""
    start = hd.start.overlaps(Q=0.0, M=0.0, T=1.0)
    problem = hd.Problem(spectrum=power_law_density(beta), start=start, learning_rate=0.5)
    path = LEAST_SQUARES.solve(problem, t=1e6, t_eval="log", method=method, atol=1e-16)
    late = path.time.values > 1e3
    slope = np.polyfit(np.log(path.time.values[late]), np.log(path.risk.values[late]), 1)[0]
    assert slope == pytest.approx(beta - 2, abs=2e-3)
    most = {"auto": 1000, "exponential": 1000, "stiff": 4000}[method]
    assert path.attrs["solver"]["rhs_evaluations"] < most  # an explicit method takes millions


@pytest.mark.parametrize("levels", [1000, 20_000])
def test_hundreds_of_right_hand_sides_on_a_power_law(levels: int) -> None:
    """As the README says; with a thousand levels nodes stand for them too, since the equations are stiff."""
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    for theory, rate, most in ((LEAST_SQUARES, 0.3, 500), (PHASE, 0.1, 1500)):
        problem = hd.Problem(spectrum=hd.spectrum.power_law(0.6, d=levels), start=start, learning_rate=rate)
        path = theory.solve(problem, t=1e6, t_eval="log")
        assert path.attrs["solver"]["rhs_evaluations"] < most
        assert path.attrs["modes"]["compressed"]
        assert path.attrs["compression_error"] <= 1e-8


def test_methods_agree_on_a_model_that_is_not_linear() -> None:
    start = hd.start.overlaps(Q=0.5, M=0.1, T=1.0)
    problem = hd.Problem(spectrum=power_law_density(0.5, 60), start=start, learning_rate=0.1)
    times = np.geomspace(1.0, 1e5, 11)
    paths = [PHASE.solve(problem, t_eval=times, method=m, atol=1e-16) for m in ("auto", "stiff", "exponential")]
    for path in paths[1:]:
        np.testing.assert_allclose(path.risk.values, paths[0].risk.values, rtol=1e-6)


def test_times_with_equal_ratios() -> None:
    times = PHASE.solve(
        hd.Problem(hd.spectrum.identity(), hd.start.overlaps(1.0, 0.3, 1.0), 0.1), t=10.0, t_eval="log"
    ).time
    assert times.size == 201
    assert (float(times[0]), float(times[1]), float(times[-1])) == (0.0, pytest.approx(1e-3), 10.0)
    np.testing.assert_allclose(np.diff(np.log(times.values[1:])), np.log(1e4) / 199)
    with pytest.raises(DeclarationError, match="'logs'"):
        PHASE.solve(hd.Problem(hd.spectrum.identity(), hd.start.overlaps(1.0, 0.3, 1.0), 0.1), t_eval="logs")
