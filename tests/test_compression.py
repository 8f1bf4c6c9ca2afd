"""Few modes for all levels of a spectrum: against all of them, closed forms, and what the error estimate is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError, SolveError
from hdsym.modes import Modes
from hdsym.nodes import choose, choose_count

THEORIES = {
    "least_squares": hd.derive(hd.zoo.least_squares()),
    "phase_retrieval": hd.derive(hd.zoo.phase_retrieval()),
    "lipschitz_phase_retrieval": hd.derive(hd.zoo.lipschitz_phase_retrieval()),
    "probit": hd.derive(hd.zoo.probit()),
    "committee": hd.derive(hd.zoo.committee("erf")),
}


def spectra(d: int = 2500) -> dict[str, hd.Spectrum]:
    rng = np.random.default_rng(7)
    bulk = np.sort(rng.uniform(0.5, 1.5, d))[::-1]
    values = np.linalg.svd(rng.standard_normal((2 * 400, 400)), compute_uv=False) ** 2 / 800
    return {
        "uniform": hd.spectrum.eigenvalues(bulk),
        "power law": hd.spectrum.power_law(0.6, d=d),
        "spiked": hd.spectrum.eigenvalues(np.concatenate([[12.0, 7.0, 5.0], bulk])),
        "singular": hd.spectrum.eigenvalues(np.concatenate([bulk, np.zeros(d // 3)])),
        "sample covariance": hd.spectrum.eigenvalues(np.repeat(values, 3)),
    }


SPECTRA = spectra()


def posed(spectrum: hd.Spectrum, name: str, **options: Any) -> hd.Problem:
    start = {"n_student": 2, "n_teacher": 2} if name == "committee" else {}
    settings = {"start": hd.start.random(norm=0.8, cosine=0.4, rng=2, **start), "learning_rate": 0.1, **options}
    return hd.Problem(spectrum=spectrum, **settings)


def gap(path: hd.Trajectory, other: hd.Trajectory) -> float:
    """Largest difference of risk, overlaps and W^T W, each relative to its largest value."""
    values = [(path.dataset[name].values, other.dataset[name].values) for name in ("risk", "overlaps", "gram")]
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in values)


@pytest.mark.parametrize("which", SPECTRA)
@pytest.mark.parametrize("name", THEORIES)
def test_compressed_against_all_modes(name: str, which: str) -> None:
    problem, solve = posed(SPECTRA[which], name), THEORIES[name].solve
    times = np.linspace(0.0, 8.0, 9)
    full = solve(problem, t_eval=times, modes="full", rtol=1e-11, atol=1e-15)
    few = solve(problem, t_eval=times, modes=40, rtol=1e-11, atol=1e-14)
    assert few.attrs["modes"]["compressed"]
    assert few.attrs["modes"]["count"] <= 40 < full.attrs["modes"]["count"]
    assert gap(few, full) < 1e-8
    assert full.attrs.get("compression_error", 0.0) == 0.0


@pytest.mark.parametrize("horizon", [3.0, 3000.0])
def test_automatic_choice_against_the_closed_form(horizon: float) -> None:
    """Least squares without noise at a small rate; V_lam' = -2 gamma lam V + gamma^2 lam I is integrated exactly.

    The overlaps between student and teacher do not see the noise term: G12 - G22 decays like exp(-gamma lam t).
    """
    spectrum, rng = hd.spectrum.power_law(1.0, d=20_000), np.random.default_rng(3)
    X0, teacher = rng.standard_normal((2, 20_000)) / np.sqrt(20_000)
    gamma, times = 0.05, np.array([0.0, horizon / 10, horizon])
    problem = hd.Problem(spectrum=spectrum, start=hd.start.arrays(X0, teacher), learning_rate=gamma)
    path = THEORIES["least_squares"].solve(problem, t_eval=times, method="BDF" if horizon > 100 else "DOP853")
    assert path.attrs["modes"]["compressed"]
    lam = spectrum.eigenvalues()
    decay = np.exp(-gamma * np.outer(times, lam))
    expected = (decay * (X0 - teacher) + teacher) @ (lam * teacher), (decay * (X0 - teacher) + teacher) @ teacher
    tolerance = 2e-6 if horizon > 100 else 1e-7
    np.testing.assert_allclose(path.overlaps.values[:, 0, 1], expected[0], atol=tolerance)
    np.testing.assert_allclose(path.gram.values[:, 0, 1], expected[1], atol=tolerance)


def test_automatic_keeps_small_spectra_whole_and_reports_what_it_did() -> None:
    solve = THEORIES["phase_retrieval"].solve
    small = solve(posed(hd.spectrum.power_law(0.6, d=300), "phase_retrieval"), t=1)
    assert small.attrs["modes"] == {"count": 300, "levels": 300, "compressed": False}
    assert "in place of" not in repr(small)
    large = solve(posed(SPECTRA["uniform"], "phase_retrieval"), t=5)
    assert large.attrs["modes"]["count"] == large.grams.sizes["mode"] < 30
    assert 0 < large.attrs["compression_error"] <= 1e-8
    assert f"{large.attrs['modes']['count']} modes in place of 2500 levels" in repr(large)
    assert "compressed" in large.grams.attrs["long_name"]
    assert "compressed" not in small.grams.attrs["long_name"]
    loose = solve(posed(SPECTRA["uniform"], "phase_retrieval"), t=5, tol=1e-3)
    assert loose.attrs["modes"]["count"] < large.attrs["modes"]["count"]


def test_an_error_estimate_bounds_the_error() -> None:
    """200 random problems; by construction of the estimate nearly all are below it, and 95 % must be.

    Nodes too few on purpose, so that errors range over many orders of magnitude.
    """
    rng, held, errors = np.random.default_rng(11), 0, []
    for _ in range(200):
        name = ("least_squares", "phase_retrieval")[int(rng.integers(2))]
        alpha, d = rng.uniform(0.2, 1.2), 80
        values = rng.uniform(0.02, 2.0, d) if rng.random() < 0.5 else np.arange(1.0, d + 1) ** -alpha
        spectrum = hd.spectrum.eigenvalues(values / values.mean())
        start = hd.start.random(norm=rng.uniform(0.2, 1.2), cosine=rng.uniform(-0.9, 0.9), rng=int(rng.integers(10**6)))
        problem = hd.Problem(spectrum=spectrum, start=start, learning_rate=rng.uniform(0.02, 0.1))
        options = {"t_eval": np.linspace(0.0, rng.uniform(2.0, 8.0), 4), "rtol": 1e-7, "atol": 1e-11}
        full = THEORIES[name].solve(problem, modes="full", **options)
        few = THEORIES[name].solve(problem, modes=int(rng.integers(3, 12)), **options)
        errors.append(gap(few, full))
        held += errors[-1] <= few.attrs["compression_error"] + 1e-6
    print(held, np.quantile(errors, [0.1, 0.5, 0.8]))
    assert held >= 190
    assert np.quantile(errors, 0.8) > 1e-4  # there was something to estimate


def test_zeros_spikes_and_few_levels_stay_as_they_are() -> None:
    bulk = np.linspace(0.5, 1.5, 3000)
    levels = np.concatenate([[0.0], bulk, [40.0, 90.0]])
    pieces = choose(levels, tau=50.0, accuracy=1e-9)
    kept = np.concatenate([levels[piece.first : piece.last] for piece in pieces if piece.kind == "exact"])
    assert {0.0, 40.0, 90.0} <= set(kept.tolist())
    assert sum(piece.count for piece in pieces) < 40
    few = np.array([0.0, 0.1, 1.0, 1.1, 30.0])
    assert [piece.kind for piece in choose(few, 1e6, 1e-12)] == ["exact"] * len(choose(few, 1e6, 1e-12))


@pytest.mark.parametrize("alpha", [0.3, 0.9, 2.0])
@pytest.mark.parametrize("tau", [1.0, 1e2, 1e6])
def test_nodes_integrate_exponentials_to_the_accuracy_asked_for(alpha: float, tau: float) -> None:
    rng, d = np.random.default_rng(5), 20_000
    lam = np.arange(d, 0.0, -1.0) ** -alpha
    lam /= lam.mean()
    every = Modes(lam, np.full(d, 1 / d), rng.chisquare(1, (d, 1, 1)) / d, d)
    few = every.at(choose(lam, tau, 1e-8))
    assert len(few.lam) < 120
    assert few.rho.sum() == pytest.approx(1.0, abs=1e-12)
    for s in (0.0, tau / 300, tau / 10, tau):
        for q in (0, 1):
            ours = (few.lam**q * np.exp(-s * few.lam)) @ np.column_stack([few.rho, few.grams[:, 0, 0]])
            theirs = (lam**q * np.exp(-s * lam)) @ np.column_stack([every.rho, every.grams[:, 0, 0]])
            np.testing.assert_allclose(ours, theirs, atol=1e-8 * max(1.0, lam.max() ** q))


def test_accuracy_improves_geometrically_with_the_number_of_nodes() -> None:
    lam = np.linspace(0.2, 2.0, 5000)
    exact = np.exp(-20 * lam).mean()
    every = Modes(lam, np.full(5000, 1 / 5000), np.zeros((5000, 1, 1)), 5000)
    counts, errors = range(4, 17, 2), []
    for count in counts:
        few = every.at(choose_count(lam, 20.0, count))
        assert len(few.lam) <= count
        errors.append(abs(few.rho @ np.exp(-20 * few.lam) - exact))
    assert np.polyfit(counts, np.log10(errors), 1)[0] < -0.5


def test_modes_and_tolerances_without_meaning() -> None:
    solve, problem = THEORIES["least_squares"].solve, posed(hd.spectrum.identity(d=50), "least_squares")
    for modes in (0, -3, 1.5, "all", True):
        with pytest.raises(DeclarationError, match=r'"auto", "full" or a positive number'):
            solve(problem, t=1, modes=modes)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match="tol is"):
        solve(problem, t=1, tol=0.0)


def test_a_solution_that_explodes_is_reported_as_without_compression() -> None:
    problem = posed(SPECTRA["uniform"], "phase_retrieval", learning_rate=3.0)
    ends = {}
    for modes in ("auto", "full"):
        with pytest.raises(SolveError, match="leaves the finite range") as caught:
            THEORIES["phase_retrieval"].solve(problem, t=10, modes=modes)
        ends[modes] = caught.value.t
    assert ends["auto"] == pytest.approx(ends["full"], rel=1e-3)


def test_events_and_dense_output_of_a_compressed_solution() -> None:
    problem = posed(SPECTRA["power law"], "phase_retrieval")

    def halfway(_: float, state: Any) -> float:
        return float(state.risk - 0.2)

    halfway.terminal = True  # type: ignore[attr-defined]
    paths = [
        THEORIES["phase_retrieval"].solve(problem, t=20, events=halfway, dense_output=True, modes=modes)
        for modes in ("auto", "full")
    ]
    assert [path.status for path in paths] == [1, 1]
    assert paths[0].events[0] == pytest.approx(paths[1].events[0], rel=1e-5)
    between = [path.at(0.123).risk.item() for path in paths]
    assert between[0] == pytest.approx(between[1], rel=1e-6)
