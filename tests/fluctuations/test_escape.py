"""Escape times of the diffusion against SGD that is exact in law, its noise against C, and the order of its steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

import hdsym as hd
from hdsym.errors import DeclarationError
from hdsym.fluctuations.escape import EscapeTimes
from hdsym.fluctuations.linear import LinearNoise
from hdsym.fluctuations.march import march
from hdsym.fluctuations.moments import StepCovariance
from hdsym.fluctuations.sde import Equation, States, root
from hdsym.fluctuations.validity import uninformed
from hdsym.fluctuations.walk import Level, chosen_steps
from hdsym.solve import _run

Float = NDArray[np.float64]

THEORY = hd.derive(hd.zoo.phase_retrieval())
ISOTROPIC = hd.spectrum.identity(d=2000)
TWO = hd.spectrum.eigenvalues(np.repeat([1.5, 0.5], [400, 600]))
RATE, HORIZON = 0.2, 16.0
LEAVES = {"cosine": (-0.5, 0.5)}


def problem(spectrum: hd.Spectrum = ISOTROPIC, start: Any = None, **changes: Any) -> hd.Problem:
    begin = hd.start.uninformed(norm=0.7, rng=1) if start is None else start
    return hd.Problem(**{"spectrum": spectrum, "start": begin, "learning_rate": RATE, **changes})


def chain(posed: hd.Problem, runs: int, rng: np.random.Generator) -> Float:
    """Times at which SGD on noiseless phase retrieval leaves |cosine| < 1/2: exact in law, by hand.

    In each eigenspace x is known by its coordinate along the teacher, of length S there, and the length r of the rest.
    """
    lam, counts = (np.array(part)[:, None] for part in (posed.spectrum.levels, posed.spectrum.multiplicities))
    G, d = posed.grams(THEORY.model), int(counts.sum())
    S = np.sqrt(G[:, 1, 1])
    x, r = rng.standard_normal((len(lam), runs)), np.sqrt(rng.chisquare(counts - 1, (len(lam), runs)))
    if posed.start.drawn:
        scale = posed.start.norm / np.sqrt((x**2 + r**2).sum(axis=0))
        x, r = x * scale, r * scale
    else:
        x[:] = (G[:, 0, 1] / S)[:, None]
        r = np.sqrt(G[:, 0, 0, None] - x**2)
    times, alive = np.full(runs, np.inf), np.arange(runs)
    for k in range(int(HORIZON * d)):
        if k % 10 == 0:
            out = np.abs(S @ x) >= 0.5 * np.sqrt((x**2 + r**2).sum(axis=0))
            times[alive[out]] = k / d
            x, r, alive = x[:, ~out], r[:, ~out], alive[~out]
        g = np.sqrt(lam) * rng.standard_normal((2, len(lam), alive.size))
        a, s = (x * g[0] + r * g[1]).sum(axis=0), S @ g[0]
        c = RATE / d * (a * a - s * s) * a
        x = x - c * g[0]
        r = np.sqrt((r - c * g[1]) ** 2 + c * c * 2 * lam * rng.standard_gamma((counts - 2) / 2, x.shape))
    return times


def escape(posed: hd.Problem, runs: int, **options: Any) -> EscapeTimes:
    given = {"level": LEAVES, "runs": runs, "steps_per_time": 4, "paths": 0, **options}
    return THEORY.escape_distribution(posed, HORIZON, **given)


def chance(found: EscapeTimes, times: Float) -> float:
    """p-value of Kolmogorov and Smirnov; runs that have not escaped by the horizon are tied there."""
    from scipy.stats import ks_2samp

    one, two = (np.minimum(each, HORIZON) for each in (found.times, times))
    return float(ks_2samp(one, two, method="asymp").pvalue)


def test_escape_times_have_the_law_of_sgd() -> None:
    """With another seed it would fail by chance in one of a thousand. It has power: a start without overlap fails."""
    posed = problem()
    times = chain(posed, 1000, np.random.Generator(np.random.SFC64(5)))
    assert chance(escape(posed, 4000), times) > 1e-3
    symmetric = hd.start.random(norm=0.7, cosine=0.0, rng=1)
    assert chance(escape(posed, 4000, start=symmetric), times) < 1e-6


def test_escape_times_for_two_eigenvalues(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, from one start without overlap: noise decides, and its standard deviation 20 % off fails."""
    posed = problem(TWO, hd.start.random(norm=0.7, cosine=0.0, rng=1))
    times = chain(posed, 1000, np.random.Generator(np.random.SFC64(6)))
    assert chance(escape(posed, 4000), times) > 1e-3
    plain = Equation.noise
    for factor in (0.8, 1.2):
        monkeypatch.setattr(Equation, "noise", lambda self, t, y, z, by=factor: plain(self, t, y, by * z))
        assert chance(escape(posed, 4000), times) < 1e-3


def packed(equation: Equation, y: States) -> Float:
    return np.array([equation.run.packed(*pair) for pair in zip(y.grams, y.trained, strict=True)])


NOISE = hd.Normal(hd.noise("eps"), std=0.1)


def committee() -> hd.Model:
    """Two units against one, with a trained second layer."""
    K, i, s = hd.size("K"), sp.Symbol("i", integer=True), hd.teacher("s")
    x, v = hd.student("x", size=K), hd.Trained("v", size=K)
    output = sp.Sum(v[i] * sp.erf(x[i] / sp.sqrt(2)), (i, 1, K))
    return hd.Model(loss=(output - hd.label("y")) ** 2 / 2, link=sp.erf(s) + hd.noise("eps"), noise=NOISE)


TRAINED = {"parameters": {"v": [0.3, 0.2]}, "learning_rates": {"v": 0.2}, "sizes": {"K": 2}}


@pytest.mark.parametrize(
    ("model", "more"), [(hd.zoo.phase_retrieval(), {}), (committee(), TRAINED)], ids=["phase retrieval", "committee"]
)
def test_noise_has_the_covariance_of_a_step(model: hd.Model, more: Any) -> None:
    """Exactly, unit vector by unit vector; of the network the moments are averages over points."""
    start = hd.start.random(norm=0.8, cosine=0.3, rng=1)
    run = _run(hd.derive(model), problem(TWO, start, learning_rate=0.3 / (1 + hd.t), delta=0.1, batch_size=2, **more))
    equation, y = Equation(run), run._start()
    state = equation.start(np.random.default_rng(0), equation.normals)
    moved = packed(equation, state.plus(equation.noise(0.3, state, np.eye(equation.normals))))
    noise = LinearNoise(run, lambda _: y, 1.0)
    found = StepCovariance(
        noise.moments(*run._point(y)[1:]),
        run.lam,
        run.rho,
        run.grams,
        0.3 / 1.3,
        np.array([rate(0.3) for rate in run._trained_rates]),
        2.0,
    )
    C = found.dense()[np.ix_(run.layout.gather, run.layout.gather)]
    np.testing.assert_allclose((moved - y).T @ (moved - y), C, rtol=0, atol=1e-10 * float(np.abs(C).max()))
    drift = packed(equation, state.plus(equation.drift(0.3, state)))[0] - y
    np.testing.assert_allclose(drift, run.rhs(0.3, y), rtol=0, atol=1e-13)


def test_averages_near_by_stand_for_formulas() -> None:
    """Averages are taken at few states, and shared by those within a tenth."""
    equation = Equation(_run(THEORY, problem()))
    y = equation.start(np.random.default_rng(0), 50)
    B = equation._overlaps(y)
    exact = equation.moments.features(B, y.trained).covariance
    equation.moments.module = equation.moments.single._module = None
    near = equation.moments.features(B, y.trained).covariance
    assert len(equation.moments.kept) == 1
    assert "at 1 states" in equation.moments.source
    size = np.sqrt(np.einsum("zii->zi", exact))
    assert float(np.max(np.abs(near - exact) / (size[:, :, None] * size[:, None, :]))) < 0.3
    np.testing.assert_allclose(near[0], exact[0], rtol=0, atol=0.05 * float(np.abs(exact[0]).max()))


def test_steps_are_of_second_order_in_the_limit_and_in_the_fluctuations() -> None:
    """At d = 10^12 fluctuations are linear in the normals: one run for each of them gives their covariance."""
    d, horizon = 10**12, 2.0
    spectrum = hd.spectrum.two_level(1.5, 0.5, d=d)
    path = THEORY.solve(problem(spectrum, hd.start.overlaps(Q=1.0, M=0.3, T=1.0)), horizon, dense_output=True)
    run, states = path.dense.run, path.dense.states
    size = run._start().size
    wanted = march(
        LinearNoise(run, states, horizon), np.array([horizon]), np.eye(size), np.zeros((0, 1, size))
    ).features[0]
    errors = []
    for steps in (8, 16, 32):
        equation = Equation(run)
        runs = steps * equation.normals
        y = equation.start(np.random.default_rng(0), runs + 1)
        z = np.zeros((steps, runs + 1, equation.normals))
        for k in range(steps):
            z[k, k * equation.normals : (k + 1) * equation.normals] = np.eye(equation.normals)
            y = equation.step(k * horizon / steps, horizon / steps, y, z[k])
        found = packed(equation, y)
        spread = (found[:-1] - found[-1]) * np.sqrt(d)
        limit = float(np.abs(found[-1] - states(horizon)).max())
        errors.append([limit, float(np.abs(spread.T @ spread - wanted).max())])
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(orders > 1.7), orders
    assert np.all(np.array(errors[-1]) < [1e-3, 1e-2]), errors


def test_gram_matrices_stay_positive_and_roots_skip_what_is_singular() -> None:
    posed = problem(TWO, hd.start.random(norm=1.0, cosine=0.999, rng=1), learning_rate=0.3)
    equation = Equation(_run(THEORY, posed))
    y, rng = equation.start(np.random.default_rng(0), 200), np.random.default_rng(1)
    for k in range(20):
        y = equation.step(0.5 * k, 0.5, y, 3.0 * rng.standard_normal((200, equation.normals)))
    assert float(np.linalg.eigvalsh(y.grams).min()) > -1e-12
    half = rng.standard_normal((5, 4, 2))
    A = half @ half.swapaxes(1, 2)
    np.testing.assert_allclose(root(A) @ root(A).swapaxes(1, 2), A, atol=1e-6)


def test_the_result_counts_what_has_not_escaped() -> None:
    """Quantiles of the whole, infinite where too few have crossed; the same seed gives the same times."""
    posed = problem(hd.spectrum.identity(d=300))
    found = THEORY.escape_distribution(posed, 6.0, level=LEAVES, runs=200, rng=3, steps_per_time=8, paths=2)
    again = THEORY.escape_distribution(posed, 6.0, level=LEAVES, runs=200, rng=3, steps_per_time=8, paths=0)
    assert not np.isnan(found.times).any()
    assert not np.array_equal(found.times, again.times)  # the kept runs go on and take normals
    same = THEORY.escape_distribution(posed, 6.0, level=LEAVES, runs=200, rng=3, steps_per_time=8, paths=2)
    assert np.array_equal(found.times, same.times)
    assert 0.1 < found.escaped < 0.9
    assert found.cdf(6.0) == found.escaped
    crossed = found.times[np.isfinite(found.times)]
    assert found.quantile([0.0, found.escaped]).tolist() == [crossed.min(), crossed.max()]
    assert found.quantile(1.0) == np.inf
    assert found.band() == pytest.approx(np.sqrt(np.log(40) / 400))
    assert found.attrs["entropy"] == 3
    assert found.attrs["step"] == pytest.approx(0.125)
    assert found.paths.shape == (2, 49)
    assert np.isfinite(found.paths).all()
    assert "count as later" in repr(found)
    assert "<table>" in found._repr_html_()
    assert len(found.plot().axes) == 2
    with pytest.raises(DeclarationError, match="beyond the horizon"):
        found.cdf(7.0)


def test_eigenvalues_are_merged_on_demand() -> None:
    posed = problem(hd.spectrum.power_law(0.5, d=60), learning_rate=0.1)
    found = THEORY.escape_distribution(posed, 2.0, level={"risk": 0.01}, runs=20, steps_per_time=20, group=4, paths=1)
    grouping = found.attrs["grouping"]
    assert (grouping["levels"], grouping["groups"]) == (60, 4)
    assert 0 < grouping["drift"] < 0.1
    assert found.escaped == 0.0
    assert found.median == np.inf
    assert np.isfinite(found.paths).all()


def test_steps_are_chosen_by_what_halving_them_changes() -> None:
    run = _run(THEORY, problem(hd.spectrum.identity(d=500)))
    equation, level = Equation(run), Level(run, {"risk": 0.2})
    loose, tight = (chosen_steps(equation, 10.0, level, tol) for tol in (0.2, 0.004))
    assert loose[0] < tight[0]
    assert loose[1] <= 0.2
    assert tight[1] <= 0.004


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"spectrum": hd.spectrum.identity()}, {}, "no dimension"),
        ({"learning_rate": hd.AdaGradNorm(eta=0.1, b=1.0)}, {}, "adaptive"),
        ({}, {"level": {"angle": 1.0}}, "no single value"),
        ({}, {"level": {"risk": (0.2, 0.1)}}, "give a number or"),
        ({}, {"level": {}}, "give one"),
        ({}, {"runs": 0}, "runs is 0"),
    ],
)
def test_what_has_no_escape_times(changes: Any, options: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        THEORY.escape_distribution(problem(**changes), 5.0, **{"level": LEAVES, **options})


def said(spectrum: hd.Spectrum, start: Any) -> str | None:
    times = np.linspace(0.0, 12.0, 13)
    path = THEORY.solve(problem(spectrum, start), t_eval=times, dense_output=True, fluctuations=True)
    noise = LinearNoise(path.dense.run, path.dense.states, 12.0)
    return uninformed(noise, times, path.overlaps.values, path.variable("overlaps_std").values)


def test_linear_noise_is_said_not_to_hold_where_it_does_not() -> None:
    """True from an overlap of order d^-1/2 on down, false for informed starts, and for small d without a saddle."""
    spectrum = hd.spectrum.identity(d=1000)
    assert said(spectrum, hd.start.random(cosine=0.5, rng=1)) is None
    assert said(hd.spectrum.identity(d=25), hd.start.random(cosine=0.5, rng=1)) is None
    for start in (hd.start.random(cosine=1000**-0.5, rng=1), hd.start.uninformed(rng=1)):
        sentence = said(spectrum, start)
        assert sentence is not None
        assert "escape_distribution" in sentence
