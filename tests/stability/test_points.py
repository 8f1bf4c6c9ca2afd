"""Fixed points against closed forms, what they are called, and times to reach levels and to leave plateaus."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import hdsym as hd

PHASE = hd.derive(hd.zoo.phase_retrieval())
COMMITTEE = hd.derive(hd.zoo.committee("erf"))


def posed(gamma: float = 0.1, start: Any = None, **options: Any) -> hd.Problem:
    start = start or hd.start.random(norm=0.5, cosine=0.1, rng=0)
    return hd.Problem(spectrum=hd.spectrum.identity(), start=start, learning_rate=gamma, **options)


@cache
def points() -> Any:
    return PHASE.fixed_points(posed(), starts=8)


def test_phase_retrieval_has_the_points_that_can_be_worked_out() -> None:
    """M = 0 and -4 (3 Q - 1) / 2 + gamma (15 Q^2 - 6 Q + 3) = 0, or Q = 0; X = X* and its mirror image."""
    found = points()
    quadratic = sorted(np.roots([1.5, -6.6, 2.3]))
    names = [point.name for point in found]
    assert names == ["minimiser", "uninformed saddle", "origin", "uninformed saddle"]
    assert np.allclose(found["minimiser"].gram, np.sign(found[0].gram))
    assert len(found["minimiser"].images) == 2
    for point, Q in zip((found[1], found[3]), quadratic, strict=True):
        assert point.gram[0] == pytest.approx([Q, 0.0], abs=1e-9)
        assert point.risk == pytest.approx(0.75 * Q**2 - 0.5 * Q + 0.75, rel=1e-9)
    assert found[1].direction.kind == "alignment"
    # dM' = -2 gamma (3 Q / 2 - 3 / 2) M: growth out of the saddle
    assert found[1].rate == pytest.approx(0.1 * 3 * (1 - quadratic[0]), rel=1e-9)
    assert [point.stable for point in found] == [True, False, False, False]


def test_the_symmetric_plateau_of_saad_and_solla() -> None:
    """Phys. Rev. E 52 (1995) 4225, for gamma -> 0 and K = M = 2: Q = C = 1 / (2 K - 1), R = 1 / sqrt(K (2 K - 1))."""
    start = hd.start.random(rng=0, n_student=2, n_teacher=2)
    found = COMMITTEE.fixed_points(posed(1e-4, start), starts=0)
    plateau = found["symmetric plateau"]
    assert plateau.gram[:2, :2] == pytest.approx(np.full((2, 2), 1 / 3), abs=3e-5)
    assert plateau.gram[:2, 2:] == pytest.approx(np.full((2, 2), 1 / np.sqrt(6)), abs=3e-5)
    assert plateau.risk == pytest.approx(2 / np.pi * (np.pi / 6 - 2 * np.arcsin(0.25)), rel=1e-3)
    assert plateau.direction.kind == "specialisation"
    assert found["minimiser"].risk == pytest.approx(0.0, abs=1e-12)


def test_with_label_noise_the_minimiser_moves_to_the_limiting_risk() -> None:
    theory = hd.derive(hd.zoo.least_squares(0.5))
    (point,) = theory.fixed_points(posed(0.3), starts=3)
    assert point.name == "minimiser"
    assert point.risk == pytest.approx(0.125 / (1 - 0.15), rel=1e-10)


def test_a_point_loses_stability_where_its_threshold_says() -> None:
    critical = PHASE.stability(posed(), kinds=("linear",)).linear
    below, above = (PHASE.fixed_points(posed(f * critical), starts=0)["minimiser"] for f in (0.99, 1.01))
    assert below.stable
    assert not above.stable
    assert below.rate < 0 < above.rate
    saddle = points()["uninformed saddle"]
    table = PHASE.stability(posed(), kinds=("linear",), point=saddle)
    assert table.linear == 0
    assert "unstable at every small rate" in repr(table)


def test_the_table_and_what_is_refused() -> None:
    assert "uninformed saddle" in repr(points())
    assert "no, 1 unstable" in points()._repr_html_()
    assert len(points()) == len(list(points())) == 4
    with pytest.raises(hd.HdsymError, match="no fixed point 'plateau'"):
        _ = points()["plateau"]
    with pytest.raises(hd.HdsymError, match="2 eigenvalues"):
        PHASE.fixed_points(hd.Problem(hd.spectrum.two_level(0.5, 2.0, 0.5), posed().start, 0.1))


@pytest.mark.parametrize("dense", [True, False])
def test_time_to_a_level_of_an_exponential(dense: bool) -> None:
    """Noiseless isotropic least squares: R = R_0 exp(-(2 gamma - gamma^2) t)."""
    path = hd.derive(hd.zoo.least_squares()).solve(posed(0.4), t=10, dense_output=dense)
    wanted = float(path.risk[0]) / 7
    tolerance = 1e-7 if dense else 1e-5
    assert path.time_to(risk=wanted) == pytest.approx(np.log(7) / 0.64, rel=tolerance)
    assert path.time_to(risk=float(path.risk[0])) == 0
    assert path.time_to(distance=float(path.distance[0]) / 7) == pytest.approx(np.log(7) / 0.64, rel=tolerance)
    with pytest.raises(hd.HdsymError, match="is not reached"):
        path.time_to(risk=1e-9)
    with pytest.raises(hd.HdsymError, match="'overlaps' has no single value"):
        path.time_to(overlaps=0.1)
    with pytest.raises(hd.HdsymError, match="2 variables"):
        path.time_to(risk=0.1, norm=1.0)


def test_the_escape_takes_log_ten_over_the_rate_longer_for_a_tenth_of_the_overlap() -> None:
    saddle = points()["uninformed saddle"]
    times = []
    for cosine in (1e-3, 1e-4):
        start = hd.start.random(norm=float(saddle.norms[0]), cosine=cosine, rng=0)
        radius = points().radius(saddle.gram)
        found = PHASE.escape_time(posed(start=start), t=80, **({"radius": radius} if times else {"point": saddle}))
        assert found.radius == pytest.approx(radius, rel=1e-6)
        assert found.name == "uninformed saddle"
        assert found.entered == 0
        assert found.rate == pytest.approx(saddle.rate)
        times.append(float(found))
    assert times[1] - times[0] == pytest.approx(np.log(10) / saddle.rate, rel=1e-4)


def test_a_stay_has_a_beginning_and_an_end() -> None:
    saddle = points()["uninformed saddle"]
    start = hd.start.random(norm=0.2, cosine=1e-3, rng=0)
    found = PHASE.escape_time(posed(start=start), t=100, point=saddle.gram, radius=0.1)
    for time in (found.entered, found.time):
        assert np.linalg.norm(found.path.at(time)["gram"].values - saddle.gram) == pytest.approx(0.1, rel=1e-6)
    assert 0 < found.entered < found.time
    with pytest.raises(hd.HdsymError, match="longer horizon"):
        PHASE.escape_time(posed(start=start), t=found.time - 1, point=saddle, radius=0.1)
    with pytest.raises(hd.HdsymError, match="never comes within"):
        PHASE.escape_time(posed(start=start), t=30, point=saddle, radius=1e-6)
