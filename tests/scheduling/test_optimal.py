"""Optimal schedules: the gradient, what they beat, and dynamic programming on a small case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from scipy.linalg import expm

import hdsym as hd
from hdsym.scheduling.pieces import Pieces
from hdsym.scheduling.sensitivity import final_risk
from hdsym.stability.flow import Flow

OMEGA = 0.4
LEAST = hd.derive(hd.zoo.least_squares(OMEGA))
LAM, RHO = np.array([2.0, 0.25]), np.array([0.4, 0.6])


def posed(**options: Any) -> hd.Problem:
    settings: dict[str, Any] = {
        "spectrum": hd.Spectrum(LAM, RHO, label="two levels"),
        "start": hd.start.overlaps(Q=1.0, M=0.0, T=1.0),
        "learning_rate": 0.1,
        **options,
    }
    return hd.Problem(**settings)


def trained() -> tuple[Any, hd.Problem]:
    x, s, y, v = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.Trained("v")
    theory = hd.derive(hd.Model(loss=(v * x - y) ** 2 / 2, link=s))
    return theory, posed(parameters={"v": 0.7}, learning_rates={"v": 0.03}, delta=0.1, batch_size=2)


@pytest.mark.parametrize("kind", ["constant", "linear"])
@pytest.mark.parametrize("case", ["phase retrieval", "trained scalar"])
def test_the_gradient_is_that_of_the_final_risk(case: str, kind: str) -> None:
    theory, problem = (
        trained() if case == "trained scalar" else (hd.derive(hd.zoo.phase_retrieval(0.1)), posed(delta=0.1))
    )
    flow = Flow(theory, problem)
    pieces = Pieces.of(3.0, np.array([0.0, 0.5, 3.0]), kind)
    rates = np.array([0.15, 0.1, 0.05])[: pieces.count]
    _, gradient = final_risk(flow, pieces, rates)
    for k, unit in enumerate(1e-4 * np.eye(pieces.count)):
        above, below = (final_risk(flow, pieces, rates + s * unit)[0] for s in (1, -1))
        assert gradient[k] == pytest.approx((above - below) / 2e-4, rel=2e-6)


def test_it_beats_the_best_constant_rate_and_the_greedy_rule() -> None:
    found = hd.optimal_schedule(LEAST, posed(), t=6, knots=3)
    assert found.risk < 0.98 * found.constant_risk
    assert found.risk < 0.98 * found.greedy_risk
    assert np.max(np.abs(found.gradient)) < 1e-5
    solved = LEAST.solve(posed(learning_rate=found.learning_rate), t=6)
    assert float(solved.risk[-1]) == pytest.approx(found.risk, rel=1e-6)
    for gamma, factor in ((found.constant, 1), (0.9 * found.constant, -1), (1.1 * found.constant, -1)):
        risk = float(LEAST.solve(posed(learning_rate=gamma), t=6).risk[-1])
        assert risk == pytest.approx(found.constant_risk, rel=1e-6) if factor > 0 else risk > found.constant_risk
    better = hd.optimal_schedule(LEAST, posed(), t=6, knots=2, kind="linear", start=np.full(3, 0.3))
    assert better.risk < found.risk
    edges = better.learning_rate(better.edges)
    assert edges == pytest.approx(better.rates, rel=1e-9)


def test_the_greedy_rule_is_exact_line_search() -> None:
    """gamma = a_1 / (2 a_2), a_1 = sum_j lam_j^2 d_j and a_2 = (tr K^2 / d) R, d_j the modes of x - s."""
    rates = hd.optimal_schedule(LEAST, posed(learning_rate=hd.Polyak()), t=1, knots=1).greedy_rates
    d = 2.0 * RHO
    R = 0.5 * LAM @ d + OMEGA**2 / 2
    assert rates[0] == pytest.approx((LAM**2 @ d) / (2 * (RHO @ LAM**2) * R), rel=1e-9)


def step(gamma: float, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """Least squares, solved exactly over a piece: d -> A d + b for d_j' = -2 gamma lam d + 2 gamma^2 lam rho R."""
    noise = gamma**2 * LAM * RHO
    drift = -2 * gamma * np.diag(LAM) + np.outer(noise, LAM)
    lifted = np.zeros((3, 3))
    lifted[:2, :2], lifted[:2, 2] = drift, noise * OMEGA**2
    flow = expm(lifted * tau)
    return flow[:2, :2], flow[:2, 2]


def test_dynamic_programming_finds_the_same() -> None:
    """Backwards over three pieces: values on a grid of both modes, the best of 160 rates at each point."""
    pieces, horizon = 3, 6.0
    rates = np.geomspace(0.03, 1.5, 160)
    steps = [step(gamma, horizon / pieces) for gamma in rates]
    axes = [np.linspace(0, top, 81) for top in (1.2, 1.8)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    value: Any = lambda d: 0.5 * d @ LAM + OMEGA**2 / 2  # noqa: E731
    values = []
    for _ in range(pieces):
        values.append(value)
        best = np.min([value(np.minimum(grid @ A.T + b, [1.2, 1.8])) for A, b in steps], axis=0)
        value = RegularGridInterpolator(axes, best)
    d, chosen = 2.0 * RHO, []
    for ahead in reversed(values):
        k = int(np.argmin([float(np.squeeze(ahead(A @ d + b))) for A, b in steps]))
        d, chosen = steps[k][0] @ d + steps[k][1], [*chosen, rates[k]]
    risk = 0.5 * LAM @ d + OMEGA**2 / 2
    found = hd.optimal_schedule(LEAST, posed(), t=horizon, knots=pieces)
    assert found.risk <= risk * (1 + 1e-9)
    assert found.risk == pytest.approx(risk, rel=1e-3)
    assert found.rates == pytest.approx(chosen, rel=0.06)


def test_many_levels_are_represented_by_nodes() -> None:
    problem = posed(spectrum=hd.spectrum.power_law(0.5, d=1000))
    found = hd.optimal_schedule(LEAST, problem, t=4, knots=2)
    solved = LEAST.solve(posed(spectrum=problem.spectrum, learning_rate=found.learning_rate), t=4)
    assert float(solved.risk[-1]) == pytest.approx(found.risk, rel=1e-6)


def test_a_risk_of_zero_is_not_divergence() -> None:
    """Isotropic, noiseless: gamma = 1 is best, and the risk falls below rounding."""
    theory = hd.derive(hd.zoo.least_squares())
    found = hd.optimal_schedule(theory, posed(spectrum=hd.spectrum.identity()), t=50, knots=2)
    assert found.risk < 1e-12
    short = hd.optimal_schedule(theory, posed(spectrum=hd.spectrum.identity()), t=2, knots=2)
    assert short.rates == pytest.approx([1.0, 1.0], rel=1e-4)


def test_it_shows_itself_and_says_what_it_needs() -> None:
    found = hd.optimal_schedule(LEAST, posed(), t=1, knots=1)
    assert found.gain == pytest.approx(1.0, rel=1e-6)
    assert "best constant" in repr(found)
    assert "best constant" in found._repr_html_()
    assert len(found.plot().axes[0].lines) == 3
    for options, match in (
        ({"kind": "cubic"}, "kind"),
        ({"knots": [0.0, 3.0, 2.0]}, "knots"),
        ({"knots": 2, "start": [1.0]}, "positive rates"),
        ({"t": -1.0}, "horizon"),
    ):
        with pytest.raises(hd.HdsymError, match=match):
            hd.optimal_schedule(LEAST, posed(), **{"t": 2.0, **options})
    at_target = posed(start=hd.start.overlaps(Q=1.0, M=1.0, T=1.0))
    with pytest.raises(hd.HdsymError, match="no constant rate"):
        hd.optimal_schedule(LEAST, at_target, t=1)
