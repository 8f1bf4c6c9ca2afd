"""The reduced simulator: factors, exact special cases, closed recursions, groups. Its law: see tests/systems."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import SimulationError
from hdsym.simulate import streams
from hdsym.simulate.grouping import exact, merge
from hdsym.simulate.kernels import build
from hdsym.simulate.levels import Groups, split

LEAST_SQUARES = hd.zoo.least_squares()  # one model for most tests: every other one is compiled anew
NOISE = {"noise_std": 0.3}


@pytest.fixture(scope="module")
def module() -> Any:
    return sys.modules[build(LEAST_SQUARES).path.stem]


def problem(d: int = 40, **changes: Any) -> hd.Problem:
    spectrum = hd.spectrum.eigenvalues(np.repeat([1.5, 0.5], [d // 2, d - d // 2]))
    settings = {
        "spectrum": spectrum,
        "start": hd.start.random(rng=1),
        "learning_rate": 0.5,
        "parameters": NOISE,
        **changes,
    }
    return hd.Problem(**settings)


def reduced(model: hd.Model = LEAST_SQUARES, posed: hd.Problem | None = None, **settings: Any) -> hd.Ensemble:
    given = {"runs": 3, "t": 2.0, "rng": 7, "method": "reduced", **settings}
    return hd.simulate(model, posed or problem(), **given)


@pytest.mark.parametrize("l", [1, 2, 5])
def test_factors_are_updated_exactly(module: Any, l: int) -> None:
    """M - rate w g^T and its factor have the same Gram matrix; from a singular M too."""
    rng = np.random.default_rng(l)
    for rank in range(l + 1):
        M = np.zeros((l + 1, l))
        M[:l] = np.triu(rng.standard_normal((l, l)))
        M[rank:l] = 0.0
        w, g = rng.standard_normal(l + 1), rng.standard_normal(l)
        changed = M - 0.3 * np.outer(w, g)
        module.subtract(M, w.copy(), g, 0.3)
        np.testing.assert_allclose(M.T @ M, changed.T @ changed, rtol=0, atol=1e-14 * l)
        assert np.all(np.tril(M, -1) == 0)
        tall = rng.standard_normal((2 * l + 1, l))
        gram = tall.T @ tall
        module.triangularise(tall)
        np.testing.assert_allclose(tall.T @ tall, gram, rtol=0, atol=1e-13 * l)
        assert np.all(np.tril(tall, -1) == 0)
        F, rows = np.zeros((l, l)), rng.standard_normal((rank, l))
        for row in rows:
            module.insert(F, row.copy())
        np.testing.assert_allclose(F.T @ F, rows.T @ rows, rtol=0, atol=1e-13 * l)


@pytest.mark.parametrize("freedom", [0, 1, 3, 40])
def test_wishart_matrices_have_their_moments(module: Any, freedom: int) -> None:
    """Mean and covariance of 4000 matrices F^T S F, within 4.5 standard errors each (24 numbers: 2e-4)."""
    l, N = 2, 4000
    F, rng = np.array([[1.0, 0.4], [0.2, -0.7]]), streams.generator(np.random.SeedSequence(5))
    M, found = np.empty((2 * l, l)), np.empty((N, 3))
    for k in range(N):
        module.bartlett(rng, float(freedom), F, 0.5, M)
        S = M[l:].T @ M[l:]
        found[k] = S[0, 0], S[0, 1], S[1, 1]
    C = 0.25 * F.T @ F
    mean = freedom * np.array([C[0, 0], C[0, 1], C[1, 1]])
    spread = freedom * np.array([2 * C[0, 0] ** 2, C[0, 1] ** 2 + C[0, 0] * C[1, 1], 2 * C[1, 1] ** 2])
    centred = found - mean
    assert np.all(np.abs(centred.mean(axis=0)) <= 4.5 * np.sqrt(spread / N) + 1e-15)
    error = np.std(centred**2, axis=0) / math.sqrt(N)
    assert np.all(np.abs((centred**2).mean(axis=0) - spread) <= 4.5 * error + 1e-15)
    if freedom == 1:
        np.testing.assert_allclose(found[:, 0] * found[:, 2], found[:, 1] ** 2, atol=1e-12)


@pytest.mark.parametrize(("l", "m"), [(1, 1), (3, 2)])
def test_the_split_has_the_gram_matrices_it_was_given(l: int, m: int) -> None:
    """Multiplicities above and below n, teachers that depend on each other, students in the teachers' span."""
    rng, n = np.random.default_rng(0), l + m
    counts = np.array([50, 1, n, n - 1, 70])
    grams = []
    for k, count in enumerate(counts):
        W = rng.standard_normal((count, n)) / math.sqrt(count)
        if k == 4:
            W[:, 0] = W[:, l]
            W[:, -1] = 2 * W[:, l]
        grams.append(W.T @ W)
    lam = np.array([1.0, 7.0, 0.0, 2.0, 0.5])
    levels = split(Groups(lam, counts, np.array(grams)), l)
    assert levels.eigenvalues.size == 3 * m + 1 + n - 1
    assert list(levels.freedom) == [50 - n, 0, 70 - n]
    B, gram = levels.overlaps(levels.X, levels.grams(levels.A))
    np.testing.assert_allclose(gram, np.sum(grams, axis=0), atol=1e-13)
    np.testing.assert_allclose(B, np.einsum("m,mij->ij", lam, grams), atol=1e-13)
    assert levels.A[-1, 0, 0] == 0.0  # exactly: the student has nothing outside of the teachers' span


@pytest.mark.parametrize("batch", [1, 4])
def test_mean_of_least_squares_follows_its_closed_recursion(batch: int) -> None:
    """E |P_j (X - X*)|^2 obeys a linear recursion for every finite d; 1500 runs, 4 z-scores below 4.5 (3e-5)."""
    omega, gamma, runs, counts = 0.5, 0.7, 1500, np.array([7, 1, 4])
    lam = np.array([0.4, 2.5, 1.2])
    spectrum = hd.spectrum.eigenvalues(np.repeat(lam, counts))
    start = hd.start.random(norm=1.0, cosine=0.1, rng=2)
    posed, d = hd.Problem(spectrum, start, gamma, batch_size=batch, parameters={"noise_std": omega}), 12
    c = gamma / d
    X, S = posed.weights(LEAST_SQUARES)
    own, expected = spectrum.eigenvalues(), []
    V = (X - S)[:, 0] ** 2
    for k in range(4 * d + 1):
        if k % d == 0:
            expected.append((V.sum(), 0.5 * (own @ V + omega**2)))
        noise = c**2 * own / batch * (own @ V + omega**2 + own * V)
        V = V * (1 - c * own) ** 2 + noise
    ensemble = reduced(posed=posed, runs=runs, t_eval=[1.0, 3.0], t=None, rng=3)
    for j, name in enumerate(("distance", "risk")):
        values = getattr(ensemble, name).values
        error = values.std(axis=0) / math.sqrt(runs)
        z = (values.mean(axis=0) - np.array(expected)[[1, 3], j]) / error
        assert np.all(np.abs(z) < 4.5), (name, z)


def test_regularisation_alone_decays_exactly() -> None:
    spectrum = hd.spectrum.eigenvalues([0.0] * 9 + [1.0])
    X0 = np.r_[np.full(9, 0.3), 0.0]
    posed = problem(spectrum=spectrum, start=hd.start.arrays(X0, np.eye(10)[0]), delta=0.8, parameters={})
    ensemble = reduced(posed=posed, t=None, t_eval=[0.0, 2.0])
    factor = (1 - 0.5 * 0.8 / 10) ** 20
    np.testing.assert_allclose(ensemble.norm.values[0], np.array([1, factor]) * np.linalg.norm(X0), rtol=1e-13)


@pytest.mark.parametrize("batch", [1, 3])
def test_singular_starts_stay_where_no_gradient_acts(batch: int) -> None:
    """X = 0 at a kink, and X = X* without noise."""
    still = reduced(hd.zoo.lipschitz_phase_retrieval(), problem(start=hd.start.random(norm=0.0, rng=0)))
    assert np.all(still.norm.values == 0)
    start = hd.start.random(norm=1.0, cosine=1.0, rng=0)
    found = reduced(posed=problem(start=start, batch_size=batch, parameters={}))
    assert np.all(found.distance.values < 1e-7)
    assert np.all(np.isfinite(found.risk.values))
    away = reduced(posed=problem(start=start, batch_size=batch))
    assert np.all(away.distance.values[:, -1] > 1e-3)


def test_same_seed_same_arrays_for_any_number_of_workers() -> None:
    one, two = (reduced(workers=workers, runs=5).overlaps.values for workers in (1, 2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one[:3], reduced().overlaps.values)
    assert len({*one[:, -1, 0, 0]}) == 5


def test_divergence_is_a_result() -> None:
    ensemble = reduced(hd.zoo.phase_retrieval(), problem(learning_rate=8.0), t=20.0)
    left = ensemble.diverged.values
    assert np.all((left > 0) & (left < 20))
    assert np.all(np.isnan(ensemble.risk.values[:, -1]))
    assert np.all(np.isfinite(ensemble.risk.values[:, 0]))


def test_the_dimension_costs_nothing() -> None:
    """d = 10^9, 10^5 steps: no array of that size is made, and the fluctuations are as small as d says."""
    import tracemalloc

    posed = problem(spectrum=hd.spectrum.identity(d=10**9))
    reduced(posed=posed, t=1e-7)
    tracemalloc.start()
    ensemble = reduced(posed=posed, t=1e-4, record=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6
    path = hd.derive(LEAST_SQUARES).solve(posed, t_eval=ensemble.time.values)
    np.testing.assert_allclose(ensemble.norm.values, np.tile(path.norm.values, (3, 1)), atol=5e-6)
    assert np.ptp(ensemble.norm.values[:, -1]) > 0


def test_factors_stay_positive_and_teachers_still() -> None:
    """A million steps at the noise floor; the teacher's block keeps its bits, Gram matrices stay semi-definite."""
    ensemble = reduced(posed=problem(400), runs=1, t=2500.0, record=20)
    B = ensemble.overlaps.values[0]
    assert np.ptp(B[:, 1, 1]) == 0
    assert np.all(np.linalg.eigvalsh(ensemble.gram.values[0]) > -1e-14)
    assert 0 < ensemble.distance.values[0, -1] < 0.2


def test_many_eigenvalues_are_refused_or_grouped() -> None:
    posed = problem(spectrum=hd.spectrum.power_law(0.5, d=5000), learning_rate=0.3)
    with pytest.raises(SimulationError, match=r"5000 distinct eigenvalues.*5000 coordinates") as caught:
        reduced(posed=posed)
    assert "group=32" in caught.value.remedy
    ensemble = reduced(posed=posed, group=32, runs=4)
    grouping = ensemble.attrs["grouping"]
    assert grouping["levels"] == 5000
    assert grouping["groups"] <= 32
    assert 0 < grouping["trace_of_square"] < 1e-2
    assert 0 < grouping["overlaps"] < grouping["drift"] < 2e-2
    path = hd.derive(LEAST_SQUARES).solve(posed, t_eval=ensemble.time.values)
    np.testing.assert_allclose(ensemble.risk.values.mean(axis=0), path.risk.values, rtol=0.05)
    with pytest.raises(SimulationError, match="has no groups"):
        reduced(posed=problem(), group=3, method="direct")


def test_what_groups_cost_falls_with_their_square() -> None:
    """Differences in tr K^2 against the number of groups: fitted slope -2 within 0.3."""
    posed = problem(spectrum=hd.spectrum.eigenvalues(np.linspace(0.5, 1.5, 3000)))
    full, counts = exact(LEAST_SQUARES, posed), np.array([8, 16, 32, 64])
    target = full.multiplicities @ full.eigenvalues**2
    merged = [merge(full, int(count)) for count in counts]
    assert all(part.multiplicities.sum() == 3000 for part in merged)
    assert all(part.multiplicities @ part.eigenvalues == pytest.approx(3000) for part in merged)
    errors = [abs(part.multiplicities @ part.eigenvalues**2 / target - 1) for part in merged]
    assert abs(np.polyfit(np.log(counts), np.log(errors), 1)[0] + 2) < 0.3
    assert merge(full, 5000) is full
    one = merge(Groups(np.array([0.0, 1.0]), np.array([5, 5]), full.grams[:2]), 1)
    assert list(one.eigenvalues) == [0.5]


def test_declared_statistics_and_schedules() -> None:
    model = LEAST_SQUARES.with_statistics(angle=hd.statistics.misclassification(hd.student("x"), hd.teacher("s")))
    ensemble = reduced(model, problem(learning_rate=lambda t: 0.5 / (1 + t)), group=2)
    B = ensemble.overlaps.values
    angle = np.arccos(B[..., 0, 1] / np.sqrt(B[..., 0, 0] * B[..., 1, 1])) / math.pi
    assert "grouping" not in ensemble.attrs  # two eigenvalues: nothing to merge
    assert ensemble.attrs["method"] == "reduced"
    np.testing.assert_allclose(ensemble.variable("angle").values, angle, atol=2e-3)


@pytest.mark.parametrize("method", ["direct", "reduced"])
def test_uninformed_runs_draw_their_own_starts(method: str) -> None:
    """<X0, X*> has the law of a coordinate of a uniform direction; fails by chance for one seed in a thousand."""
    from scipy.stats import beta, kstest

    posed = problem(start=hd.start.uninformed(norm=2.0, rng=1))
    runs = reduced(posed=posed, method=method, runs=400, t=0.1, record=1)
    cosine = runs.cosine.values[:, 0]
    assert kstest((1 + cosine) / 2, beta(39 / 2, 39 / 2).cdf).pvalue > 1e-3
    assert runs.norm.values[:, 0] == pytest.approx(np.full(400, 2.0))
    again = reduced(posed=posed, method=method, runs=3, t=0.1, record=1, workers=2)
    np.testing.assert_array_equal(again.overlaps.values, runs.overlaps.values[:3])
    np.testing.assert_array_equal(again.more(2).overlaps.values, runs.overlaps.values[:5])
