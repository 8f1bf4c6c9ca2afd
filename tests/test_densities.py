"""Spectra with a density, few-level spectra, estimated covariances, and starts given along the spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError
from tests import volterra

LEAST_SQUARES = hd.derive(hd.zoo.least_squares())


@pytest.mark.parametrize("ratio", [0.1, 0.99, 1.0, 1.5, 4.0])
def test_marchenko_pastur_has_its_moments(ratio: float) -> None:
    limit, finite = hd.spectrum.marchenko_pastur(ratio), hd.spectrum.marchenko_pastur(ratio, d=3000)
    assert limit.d is None
    assert [limit.mean, limit.second_moment] == pytest.approx([1.0, 1 + ratio], abs=1e-12)
    third = float(limit.fractions @ limit.levels**3)
    assert third == pytest.approx(1 + 3 * ratio + ratio**2, abs=1e-11)
    assert [finite.mean, finite.second_moment] == pytest.approx([1.0, 1 + ratio], rel=1e-3)
    assert np.mean(finite.eigenvalues() == 0) == pytest.approx(max(0, 1 - 1 / ratio), abs=1e-3)


def test_marchenko_pastur_against_a_sample_covariance() -> None:
    A = np.random.default_rng(0).standard_normal((800, 400))
    sample = np.sort(np.linalg.eigvalsh(A.T @ A / 800))
    quantiles = np.sort(hd.spectrum.marchenko_pastur(0.5, d=400).eigenvalues())
    assert np.abs(sample - quantiles).max() < 0.15  # the edges fluctuate by d^(-2/3)
    assert np.abs(sample - quantiles).mean() < 0.02


@pytest.mark.parametrize("beta", [-1.0, 0.0, 0.5, 0.9])
def test_power_law_density_resolves_every_time(beta: float) -> None:
    from scipy.special import gamma, gammainc

    limit = hd.spectrum.power_law_density(beta)
    for t in (1.0, 1e3, 1e6):
        exact = (1 - beta) * t ** (beta - 1) * gamma(1 - beta) * gammainc(1 - beta, t)
        assert limit.fractions @ np.exp(-t * limit.levels) == pytest.approx(exact, rel=1e-10)
    assert hd.spectrum.power_law_density(beta, d=4000).mean == pytest.approx(limit.mean, rel=1e-4)


def test_a_declared_density_with_a_jump() -> None:
    def pdf(lam: np.ndarray) -> np.ndarray:
        return np.where(lam < 1, 0.5, 0.25)

    assert hd.spectrum.from_density(pdf, (0, 1, 3)).mean == pytest.approx(1.25, abs=1e-12)
    assert hd.spectrum.from_density(pdf, (0, 1, 3), d=1000).mean == pytest.approx(1.25, abs=1e-5)
    with pytest.raises(DeclarationError, match="not resolved"):
        hd.spectrum.from_density(lambda lam: np.where(lam < 1.2, 0.5, 0.4 / 1.8), (0, 3))
    with pytest.raises(DeclarationError, match="has the integral 2"):
        hd.spectrum.from_density(lambda lam: lam, (0, 2))
    with pytest.raises(DeclarationError, match="density is -"):
        hd.spectrum.from_density(lambda lam: 1 - lam, (0, 2))
    with pytest.raises(DeclarationError, match="support is"):
        hd.spectrum.from_density(pdf, (1, 0))


def test_spectra_of_a_few_levels() -> None:
    assert hd.spectrum.two_level(1, 2, share=0.25).mean == pytest.approx(1.75)
    assert hd.spectrum.two_level(1, 2, share=0.25, d=8).eigenvalues().tolist() == [1.0, 1.0, *[2.0] * 6]
    assert hd.spectrum.spiked([9, 4], d=5, bulk=0.5).eigenvalues().tolist() == [9.0, 4.0, 0.5, 0.5, 0.5]
    for call in (
        lambda: hd.spectrum.two_level(1, 1),
        lambda: hd.spectrum.two_level(1, 2, share=0.01, d=10),
        lambda: hd.spectrum.spiked([1, 2, 3], d=3),
        lambda: hd.spectrum.marchenko_pastur(0),
        lambda: hd.spectrum.power_law_density(1),
    ):
        with pytest.raises(DeclarationError):
            call()


def test_shrinkage_and_rank() -> None:
    covariance = pytest.importorskip("sklearn.covariance")
    A = np.random.default_rng(1).standard_normal((60, 20)) * np.geomspace(1, 10, 20)
    K, s = covariance.ledoit_wolf(A, assume_centered=True)
    found = hd.spectrum.from_data(A, shrinkage="ledoit-wolf")
    assert 0 < s < 1
    assert np.sort(found.eigenvalues()) == pytest.approx(np.linalg.eigvalsh(K), rel=1e-10)
    plain = hd.spectrum.from_data(A).eigenvalues()
    half = hd.spectrum.from_data(A, shrinkage=0.5).eigenvalues()
    assert half == pytest.approx(0.5 * plain + 0.5 * plain.mean())
    assert hd.spectrum.from_data(A, rank=3).eigenvalues() == pytest.approx(np.append(plain[:3], np.zeros(17)))
    for options, message in (
        ({"rank": 70}, "at most 20"),
        ({"rank": 3, "shrinkage": 0.1}, "leave one of them out"),
        ({"shrinkage": 2.0}, r"in \[0, 1\]"),
        ({"shrinkage": "oas"}, "ledoit-wolf"),
    ):
        with pytest.raises(DeclarationError, match=message):
            hd.spectrum.from_data(A, **options)
    with pytest.raises(DeclarationError, match="5 rows of 20 features have a rank of at most 4 after centring"):
        hd.spectrum.from_data(A[:5], center=True, rank=5)


def test_a_density_is_the_limit_of_large_dimensions() -> None:
    start, gaps = hd.start.power(0.2, Q=0.5, M=0.2), []
    times = np.linspace(0, 10, 6)
    limit = LEAST_SQUARES.solve(
        hd.Problem(spectrum=hd.spectrum.power_law_density(0.4), start=start, learning_rate=0.5), t_eval=times
    )
    for d in (250, 1000, 4000):
        spectrum = hd.spectrum.power_law_density(0.4, d=d)
        path = LEAST_SQUARES.solve(
            hd.Problem(spectrum=spectrum, start=start, learning_rate=0.5), t_eval=times, modes="full"
        )
        gaps.append(float(np.abs(path.risk.values - limit.risk.values).max()))
    assert gaps[2] < 1e-4
    assert np.polyfit(np.log([250, 1000, 4000]), np.log(gaps), 1)[0] < -0.7


BEYOND = hd.Problem(hd.spectrum.power_law_density(0.5), hd.start.power(0.7), 0.5)
"""beta + delta = 1.2: the risk is finite, ||X*||^2 is not."""


@pytest.mark.parametrize(("beta", "delta"), [(0.2, 0.3), (0.5, 0.2), (0.5, 0.5), (0.5, 0.7), (0.2, 1.4)])
def test_risk_of_least_squares_against_its_volterra_equation_and_exponent(beta: float, delta: float) -> None:
    """R ~ t^(beta + delta - 2) at a constant rate: the Volterra forcing decays slower than its kernel."""
    problem = hd.Problem(hd.spectrum.power_law_density(beta), hd.start.power(delta), 0.5)
    times = np.geomspace(0.5, 1e5, 18)
    path = LEAST_SQUARES.solve(problem, t_eval=times)
    np.testing.assert_allclose(path.risk.values, volterra.risk(*volterra.power_law(beta, delta, 0.5), times), rtol=1e-6)
    slope = np.polyfit(np.log(times[-6:]), np.log(path.risk.values[-6:]), 1)[0]
    assert slope == pytest.approx(beta + delta - 2, abs=0.01)
    assert path.attrs["compression_error"] < 1e-8
    assert ("gram" in path.dataset) == (beta + delta < 1)


def test_a_teacher_of_infinite_length_is_the_limit_of_large_dimensions() -> None:
    times, gaps, sizes = np.linspace(0, 10, 6), [], [500, 2000, 8000]
    for name, rate in (("phase_retrieval", 0.1), ("least_squares", 0.5)):
        theory = hd.derive(hd.zoo.MODELS[name]())
        problem = hd.Problem(BEYOND.spectrum, hd.start.power(0.7, Q=0.5, M=0.2), rate)
        limit = theory.solve(problem, t_eval=times).risk.values
        few = theory.solve(problem, t_eval=times, modes=40).risk.values
        np.testing.assert_allclose(few, limit, rtol=1e-7)
        paths = [theory.solve(problem.at(d), t_eval=times, modes="full") for d in sizes]
        gaps.append([float(np.abs(path.risk.values - limit).max()) for path in paths])
        assert float(paths[-1].gram[0, 1, 1]) > 1.5 * float(paths[0].gram[0, 1, 1])  # grows like d^0.4
    assert np.max(np.array(gaps)[:, -1]) < 2e-4
    assert np.max([np.polyfit(np.log(sizes), np.log(gap), 1)[0] for gap in gaps]) < -0.7


def test_all_levels_where_nearly_all_of_a_long_teacher_does_not_matter() -> None:
    """A density cut at 1e-60: ||X*||^2 = 1e24 and the risk is O(1), nodes could not hold both."""
    lam = np.geomspace(1.0, 1e-60, 900)
    spectrum = hd.Spectrum(lam, lam**0.5 / np.sum(lam**0.5))
    path = LEAST_SQUARES.solve(hd.Problem(spectrum, hd.start.power(0.9), 0.5), t_eval=[0.0, 1e3, 1e5])
    assert not path.attrs["modes"]["compressed"]
    assert float(path.teacher_norm[0]) > 1e11
    assert 1e-4 < float(path.risk[-1]) < 1e-3


def test_what_is_infinite_is_not_in_the_result(tmp_path: Path) -> None:
    seen = []

    def event(_: float, state: hd.solve.State) -> float:
        seen.append(float(state.gram[1, 1]))
        return float(state.risk - 0.05)

    path = LEAST_SQUARES.solve(BEYOND, t=20.0, events=event, dense_output=True)
    assert np.isinf(seen).all()
    assert path.events[0].size == 1
    for found in (path, hd.load(path.save(tmp_path / "path.nc"))):
        assert "no norms" in repr(found)
        with pytest.raises(DeclarationError, match="has no 'distance'") as caught:
            _ = found.distance
        assert "infinite on this density" in caught.value.remedy
        inside = found.at([1.0, 2.0])
        assert np.isfinite(inside["risk"]).all()
        assert "gram" not in inside
    with pytest.raises(DeclarationError, match="W\\^T W is infinite"):
        LEAST_SQUARES.solve(BEYOND, t=1.0, formulation="resolvent")


def test_statistics_of_a_teacher_of_infinite_length_need_q_that_vanishes_at_zero() -> None:
    x, s, model = hd.student("x"), hd.teacher("s"), hd.zoo.least_squares()
    energy = hd.derive(model.with_statistics(energy=hd.overlap(s, s, hd.covariance**2)))
    path = energy.solve(BEYOND, t_eval=[0.0, 1.0])
    assert np.isfinite(path.dataset["energy"]).all()
    length = hd.derive(model.with_statistics(distance2=hd.overlap(x - s, x - s)))
    with pytest.raises(DeclarationError, match="q = 1 has no limit for this start"):
        length.solve(BEYOND, t_eval=[0.0, 1.0])


def test_profiles_and_their_weights() -> None:
    spectrum = hd.spectrum.power_law(0.5, d=400)
    start = hd.start.profile(Q=lambda lam: lam, M=0.1, T=np.full(400, 0.8))
    X, S = start.weights(spectrum, 1, 1)
    gram = start.grams(spectrum, 1, 1).sum(axis=0)
    W = np.concatenate([X, S], axis=1)
    np.testing.assert_allclose(W.T @ W, gram, atol=0.02)
    rank_one = hd.start.power(0.3)
    X, S = rank_one.weights(spectrum, 1, 1)
    assert not X.any()
    assert S[:, 0] ** 2 * 400 == pytest.approx(spectrum.eigenvalues() ** -0.3)
    assert repr(rank_one) == "power(0.3, Q=0, M=0, T=1)"


def test_profiles_without_meaning() -> None:
    spectrum = hd.spectrum.power_law(0.5, d=40)
    for start, message in (
        (hd.start.profile(1.0, lambda lam: 2 * lam, 1.0), "not positive semi-definite: at the eigenvalue"),
        (hd.start.profile(1.0, 0.0, np.ones(7)), "T of the start has 7 entries"),
        (hd.start.profile(np.eye(2), np.zeros((2, 1)), 1.0), "Q of the start has shape"),
    ):
        with pytest.raises(DeclarationError, match=message):
            start.grams(spectrum, 1, 1)
    with pytest.raises(DeclarationError, match="not finite at the eigenvalue 0"):
        hd.start.power(0.5).grams(hd.spectrum.eigenvalues([1.0, 0.0]), 1, 1)
    with pytest.raises(DeclarationError, match="has no limit on the spectrum"):
        hd.start.power(1.6).grams(hd.spectrum.power_law_density(0.5), 1, 1)
    with pytest.raises(DeclarationError, match="has no limit on the spectrum"):
        hd.start.power(1.9).grams(hd.spectrum.power_law_density(0.2), 1, 1)
