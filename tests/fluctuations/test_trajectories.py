"""What a user sees of error bars: refusals, saved results, bands, samples, states too large, exported modules."""

import importlib.util

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import CodegenError, DeclarationError

START = hd.start.random(norm=1.0, cosine=0.5, rng=0)


@pytest.fixture(scope="module")
def theory():
    return hd.derive(hd.zoo.phase_retrieval())


def posed(spectrum=None, **settings):
    given = {"learning_rate": 0.1, "horizon": 4.0} | settings
    return hd.Problem(spectrum=spectrum or hd.spectrum.identity(d=500), start=START, **given)


@pytest.fixture(scope="module")
def path(theory):
    return theory.solve(posed(), t_eval=np.linspace(0, 4, 9), fluctuations=True)


def test_every_quantity_has_a_deviation_of_its_shape(path):
    for name in ("risk", "excess_risk", "distance", "norm", "cosine", "overlaps", "gram"):
        std = path.std(name)
        assert std.dims == path.variable(name).dims
        assert np.all(std.values[0] == 0)
        assert np.all(std.values >= 0)
    assert path.attrs["fluctuations"]["moments"] == "formulas"


def test_deviations_fall_like_the_root_of_d(theory, path):
    other = theory.solve(posed(hd.spectrum.identity(d=2000)), t_eval=[4.0], fluctuations=True)
    assert float(path.risk_std[-1] / other.risk_std[-1]) == pytest.approx(2.0, rel=1e-4)


def test_bands_and_samples_have_these_deviations(path):
    low, high = path.band(0.9).values
    assert np.all((low <= path.risk.values) & (path.risk.values <= high))
    assert np.all(low > 0)
    curves = path.sample(20_000, rng=1)
    assert curves.dims == ("sample", "time")
    np.testing.assert_allclose(curves.std("sample")[1:], path.risk_std[1:], rtol=0.03)
    np.testing.assert_allclose(curves.mean("sample"), path.risk, rtol=0.005)
    np.testing.assert_array_equal(curves.values, path.sample(20_000, rng=1).values)
    covariance = path.dataset["curve_covariance"].sel(curve="risk").values
    found = np.corrcoef(curves.values[:, 1:], rowvar=False)
    size = np.sqrt(np.diag(covariance))[1:]
    np.testing.assert_allclose(found, covariance[1:, 1:] / np.outer(size, size), atol=0.03)


def test_samples_follow_the_correlation_of_runs_in_time(theory):
    """4,000 runs; a correlation of 0.6 has a standard error of 0.01."""
    times = np.array([0.5, 2.0])
    problem = posed(hd.spectrum.identity(d=200))
    found = theory.solve(problem, t_eval=times, fluctuations=True).dataset["curve_covariance"].sel(curve="risk").values
    runs = hd.simulate(theory, problem, runs=4000, rng=2, method="reduced", t_eval=times)
    own = np.corrcoef(runs.risk.values, rowvar=False)[0, 1]
    assert found[0, 1] / np.sqrt(found[0, 0] * found[1, 1]) == pytest.approx(own, abs=0.05)


def test_saved_and_read_back(path, tmp_path):
    again = hd.load(path.save(tmp_path / "path.nc"))
    np.testing.assert_array_equal(again.band(0.5).values, path.band(0.5).values)
    np.testing.assert_array_equal(again.sample(2, rng=0).values, path.sample(2, rng=0).values)


def test_between_the_output_times(theory, path):
    fine = theory.solve(posed(), t_eval=[0.25, 1.1], fluctuations=True)
    np.testing.assert_allclose(path.at([0.25, 1.1])["risk_std"], fine.risk_std, rtol=0.06)


def test_refusals_name_the_remedy(theory, path):
    plain = theory.solve(posed(), t=1)
    with pytest.raises(DeclarationError, match="fluctuations=True"):
        _ = plain.risk_std
    with pytest.raises(DeclarationError, match="has no 'riks'"):
        path.band(0.9, "riks")
    with pytest.raises(DeclarationError, match="level"):
        path.band(1.5)
    with pytest.raises(DeclarationError, match="not a curve"):
        path.sample(1, "overlaps")
    with pytest.raises(DeclarationError, match="at least 1"):
        path.sample(0)
    with pytest.raises(DeclarationError, match="no dimension"):
        theory.solve(posed(hd.spectrum.identity()), t=1, fluctuations=True)
    with pytest.raises(DeclarationError, match="finite_d"):
        theory.solve(posed(), t=1, finite_d="median")
    with pytest.raises(DeclarationError, match="adapts"):
        theory.solve(posed(learning_rate=hd.AdaGradNorm(eta=1.0, b=1.0)), t=1, fluctuations=True)
    with pytest.raises(DeclarationError, match="modes"):
        theory.solve(posed(), t=1, fluctuations=True, formulation="resolvent")
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    sphere = hd.derive(hd.Model(loss=(x**2 - y) ** 2 / 4, link=s**2, constraint="sphere"))
    with pytest.raises(DeclarationError, match="sphere"):
        sphere.solve(posed(), t=1, fluctuations=True)


def test_many_levels_few_modes_and_single_curves_agree(theory):
    """The whole covariance over nodes, and the adjoint equation over all levels."""
    from hdsym.fluctuations.adjoint import curve_covariances
    from hdsym.fluctuations.features import Features
    from hdsym.fluctuations.linear import LinearNoise
    from hdsym.solve import _run

    times = np.array([0.5, 2.0])
    problem = posed(hd.spectrum.power_law(0.6, d=400), delta=0.1)
    path = theory.solve(problem, t_eval=times, fluctuations=True)
    assert "covariance of the state" in path.attrs["fluctuations"]["method"]
    run = _run(theory, problem)
    states = run.integrate(times, [], True).dense.states
    features = Features(run)
    weights = features.slopes(states(times).T)["risk"] @ features.rows
    found = curve_covariances(LinearNoise(run, states, 2.0), times, weights[None])[0]
    np.testing.assert_allclose(path.dataset["curve_covariance"].sel(curve="risk"), found / 400, rtol=5e-3)


def test_trained_scalars_fluctuate_too():
    """A second layer trained along, against 300 runs: a standard deviation to 4 %; 20 % is five of these errors."""
    model = hd.zoo.committee(trained_second_layer=True)
    start = hd.start.random(norm=1.0, cosine=0.6, rng=1, n_student=2, n_teacher=1)
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d=200), start=start, learning_rate=0.5, parameters={"v": [0.6, 0.8]}
    )
    theory = hd.derive(model)
    path = theory.solve(problem, t_eval=[2.0], fluctuations=True)
    runs = hd.simulate(theory, problem, runs=300, rng=3, method="reduced", t_eval=[2.0])
    np.testing.assert_allclose(path.std("trained").values[0], runs.trained.std("run", ddof=1).values[0], rtol=0.2)
    np.testing.assert_allclose(path.risk_std.values, runs.risk.std("run", ddof=1).values, rtol=0.2)


def test_exported_modules_have_the_same_error_bars(tmp_path):
    theory = hd.derive(hd.zoo.logistic("bernoulli"))
    problem = posed(hd.spectrum.two_level(0.5, 1.5, d=500), delta=0.1, batch_size=2, learning_rate=0.5)
    file = theory.export(tmp_path / "module.py", fluctuations=True)
    spec = importlib.util.spec_from_file_location("module_with_noise", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    times = np.array([1.0, 3.0])
    lam, rho, G0 = problem.spectrum.levels, problem.spectrum.fractions, problem.grams(theory.model)
    found = module.solve_fluctuations(lam, rho, G0, 0.5, times, d=500, delta=0.1, batch=2.0)
    path = theory.solve(problem, t_eval=times, fluctuations=True)
    np.testing.assert_allclose(found["risk_std"], path.risk_std, rtol=1e-5)
    np.testing.assert_allclose(found["overlaps_std"], path.overlaps_std, rtol=1e-5)
    with pytest.raises(CodegenError, match="sums over units"):
        hd.derive(hd.zoo.committee()).export(tmp_path / "no.py", fluctuations=True)


def test_near_a_saddle_the_result_says_so(theory, path):
    """A start that every run draws anew, with its own spread: <X, X*> has the variance 1 / d at t = 0."""
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d=1000), start=hd.start.uninformed(rng=0), learning_rate=0.1, horizon=12.0
    )
    lost = theory.solve(problem, fluctuations=True)
    assert float(lost.gram_std[0, 0, 1]) == pytest.approx(1000**-0.5, rel=0.03)
    assert "does not hold" in repr(lost)
    assert "escape_distribution" in lost.attrs["fluctuations"]["caution"]
    assert "does not hold" not in repr(path)


def test_a_shift_that_is_no_small_correction_is_said(theory):
    """Far from the limit d is too small for an expansion in 1/d: the shift outgrows the spread of single runs."""
    kinked, start = hd.derive(hd.zoo.lipschitz_phase_retrieval()), hd.start.random(norm=1.0, cosine=0.2)
    problem = hd.Problem(spectrum=hd.spectrum.identity(d=32), start=start, learning_rate=0.8, horizon=8.0)
    assert "does not hold" in kinked.solve(problem, finite_d="mean").attrs["fluctuations"]["caution"]
    assert theory.solve(posed(), t=4, finite_d="mean").attrs["fluctuations"]["caution"] == ""


def test_long_after_the_risk_has_vanished(theory):
    """Variances fall below what the solution is known to; they stay finite, and steps do not shrink for them."""
    path = theory.solve(posed(), t_eval=[5.0, 50.0, 200.0], fluctuations=True)
    assert np.all(np.isfinite(path.band(0.9)))
    assert path.risk_std.values[2] < 1e-6 * path.risk_std.values[0]
    assert int(path.attrs["fluctuations"]["method"].split(", ")[1].split()[0]) < 1000
