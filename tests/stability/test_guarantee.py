"""A guaranteed rate holds from everywhere in its region, is not far from the best such rate, and fails outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.stability.descent import alignment, thresholds
from hdsym.stability.flow import Flow
from hdsym.stability.guarantee import Region, guarantee

PHASE = hd.derive(hd.zoo.phase_retrieval())
KINKED = hd.derive(hd.zoo.lipschitz_phase_retrieval())
SPECTRUM = hd.spectrum.eigenvalues(np.repeat([1.5, 1.0, 0.5], 10))


def posed(start: Any, **options: Any) -> hd.Problem:
    return hd.Problem(**{"spectrum": SPECTRUM, "start": start, "learning_rate": 0.05, **options})


def starts(count: int, radius: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X of shape (count, 30) at distances up to `radius`, half of them close to it, from one X* of norm one."""
    rng = np.random.default_rng(seed)
    star = np.ones(30) / np.sqrt(30)
    steps = rng.standard_normal((count, 30)) * rng.choice([0.1, 1.0], size=(count, 30))
    towards = rng.standard_normal((count, 1))  # along X* too: random directions have no overlap with it
    steps += towards * star * np.sqrt(30)
    length = radius * np.where(rng.random(count) < 0.5, 1 - 1e-6, rng.random(count))
    return star + steps / np.linalg.norm(steps, axis=1, keepdims=True) * length[:, None], star


@pytest.mark.parametrize("theory", [PHASE, KINKED], ids=["smooth", "kinked"])
def test_never_violated_from_500_random_starts_inside(theory: Any) -> None:
    """The distance falls from each of them, and of 25 along the whole solution, as fast as promised."""
    X, star = starts(500, 0.3, seed=0)
    first = posed(hd.start.arrays(X[0], star))
    table = theory.stability(first, kinds=("guaranteed",), radius=0.3)
    assert table.guaranteed > 0.05
    flow = Flow(theory, first)
    W = np.stack([X, np.broadcast_to(star, X.shape)], axis=-1)
    B = np.swapaxes(W, -1, -2) @ (SPECTRUM.eigenvalues()[:, None] * W)
    gram = np.swapaxes(W, -1, -2) @ W
    assert np.all(thresholds(flow, np.eye(1), B, gram) >= table.guaranteed * (1 - 1e-6))
    gamma = 0.8 * table.guaranteed
    c = table.guarantee.contraction(gamma)
    assert c > 0
    for x in X[:25]:
        path = theory.solve(posed(hd.start.arrays(x, star), learning_rate=gamma), t_eval=np.linspace(0, 10, 21))
        distance, t = path.distance.values, path.time.values
        assert np.all(np.diff(distance) < 0)
        assert np.all(distance <= distance[0] * np.exp(-c * t) * (1 + 1e-6))


def test_fails_as_expected_outside_the_region_and_above_the_rate() -> None:
    X, star = starts(500, 1.2, seed=1)
    table = PHASE.stability(posed(hd.start.arrays(X[0], star)), kinds=("guaranteed",), radius=0.3)
    gamma, grown, apart = 0.8 * table.guaranteed, 0, 0
    for x in X[:60]:
        path = PHASE.solve(posed(hd.start.arrays(x, star), learning_rate=gamma), t_eval=[0.0, 0.01])
        up = float(path.distance[1]) > float(path.distance[0])
        outside = np.linalg.norm(x - star) > 0.3
        grown, apart = grown + up, apart + outside
        assert outside or not up
    assert apart > 20
    assert grown > 5
    # at the worst overlaps the rate is the best there is
    flow = Flow(PHASE, posed(hd.start.arrays(X[0], star)))
    A, noise = alignment(flow, np.eye(1), table.guarantee.worst)
    assert 2 * A / (flow.trace * noise) == pytest.approx(table.guaranteed, rel=1e-9)


def test_isotropic_phase_retrieval_against_a_fine_grid() -> None:
    radius = 0.4
    table = PHASE.stability(
        hd.Problem(hd.spectrum.identity(), hd.start.overlaps(Q=1.0, M=1.0, T=1.0), 0.05),
        kinds=("guaranteed",),
        radius=radius,
    )
    r, angle = np.meshgrid(np.linspace(0.005, radius, 80), np.linspace(0, np.pi, 241))
    along, across = r * np.cos(angle), r * np.sin(angle)
    q, m = (1 + along) ** 2 + across**2, 1 + along
    # f = (x^2 - s^2)^2 / 4 by hand: E(x - s)(x^2 - s^2) x and E(x^2 - s^2)^2 x^2, moments of a Gaussian pair
    A = 3 * q**2 - (q + 2 * m**2) - 3 * m * q + 3 * m
    noise = 15 * q**3 - 2 * (3 * q**2 + 12 * q * m**2) + 3 * q + 12 * m**2
    assert table.guaranteed == pytest.approx((2 * A / noise).min(), rel=2e-3)
    assert table.guaranteed <= (2 * A / noise).min() * (1 + 1e-9)
    assert table.guarantee.secant == pytest.approx((A / r**2).min(), rel=2e-3)


def test_the_contraction_rate_of_least_squares_is_exact() -> None:
    """Isotropic and noiseless: (D^2)' = -(2 gamma - gamma^2) D^2."""
    theory = hd.derive(hd.zoo.least_squares())
    problem = hd.Problem(hd.spectrum.identity(), hd.start.random(norm=1.0, cosine=0.5, rng=0), 0.3)
    path = theory.solve(problem, t_eval=[0.0, 5.0])
    c = theory.stability(problem, kinds=("guaranteed",)).guarantee.contraction(0.3)
    assert c == pytest.approx(0.6 - 0.09, rel=1e-9)
    assert float(path.distance[1]) == pytest.approx(float(path.distance[0]) * np.exp(-c * 5), rel=1e-6)


def test_no_guarantee_where_the_region_holds_another_fixed_point() -> None:
    table = PHASE.stability(posed(hd.start.random(norm=1.0, cosine=0.1, rng=0)), kinds=("guaranteed",))
    assert table.guaranteed == 0
    assert table.guarantee.contraction(0.01) == 0
    assert "choose a smaller radius" in repr(table)


def test_label_noise_leaves_a_floor() -> None:
    """Least squares: 2 A / (m tr I) = 2 e / (m (e + omega^2)) grows with e, so the floor decides."""
    theory = hd.derive(hd.zoo.least_squares(0.3))
    problem = hd.Problem(hd.spectrum.identity(), hd.start.random(norm=1.0, cosine=0.5, rng=0), 0.05)
    for floor in (0.2, 0.5):
        table = theory.stability(problem, kinds=("guaranteed",), radius=0.8, floor=floor)
        assert table.guaranteed == pytest.approx(2 * floor**2 / (floor**2 + 0.09), rel=1e-6)


def test_the_region_covers_admissible_overlaps_and_no_others() -> None:
    rng = np.random.default_rng(0)
    T = np.array([[1.0, 0.3], [0.3, 0.8]])
    region = Region(T, np.eye(2), 0.01, 0.25)
    B = region.overlaps(rng.uniform(-1, 1, size=(300, region.size)))
    assert np.linalg.eigvalsh(B).min() > -1e-12
    assert np.allclose(B[:, 2:, 2:], T)
    E = np.concatenate([np.eye(2), -np.eye(2)])
    spread = np.einsum("ja,tjk,ka->t", E, B, E)
    assert spread.min() >= 0.01 - 1e-12
    assert spread.max() <= 0.25 + 1e-12
    edge = region.overlaps(np.concatenate([np.ones((40, 1)), rng.uniform(-1, 1, size=(40, region.size - 1))], axis=1))
    assert np.allclose(np.einsum("ja,tjk,ka->t", E, edge, E), 0.25)


def test_deterministic_and_refused_where_it_means_nothing() -> None:
    flow = Flow(PHASE, posed(hd.start.random(norm=1.0, cosine=0.99, rng=0)))
    first, second = (guarantee(flow, np.eye(1), 0.2, None) for _ in range(2))
    assert first.gamma == second.gamma
    regularised = Flow(PHASE, posed(hd.start.random(norm=1.0, cosine=0.99, rng=0), delta=0.1))
    with pytest.raises(hd.HdsymError, match="delta"):
        guarantee(regularised, np.eye(1), 0.2, None)
