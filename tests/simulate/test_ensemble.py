"""Seeds, workers, recorded times, divergence, progress, and what is refused."""

from __future__ import annotations

import itertools
import json
import threading

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError, SimulationError

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
MODEL = hd.zoo.least_squares()


def _problem(gamma=0.5, d=20, **settings) -> hd.Problem:
    return hd.Problem(hd.spectrum.identity(d=d), hd.start.random(rng=1), gamma, **settings)


def _risk(**settings) -> np.ndarray:
    return hd.simulate(MODEL, _problem(), **{"runs": 5, "t": 2.0, **settings}).risk.values


def test_same_seed_same_arrays_for_any_number_of_workers():
    one, two, three = (_risk(rng=7, workers=workers) for workers in (1, 2, 3))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)
    assert not np.array_equal(one, _risk(rng=8))
    assert len({*one[:, -1]}) == 5  # runs differ


def test_more_runs_keep_the_first_ones():
    np.testing.assert_array_equal(_risk(rng=7), _risk(rng=7, runs=9)[:5])


def test_recorded_entropy_repeats_a_run_without_seed():
    ensemble = hd.simulate(MODEL, _problem(), runs=2, t=1)
    again = hd.simulate(MODEL, _problem(), runs=2, t=1, rng=ensemble.attrs["entropy"])
    np.testing.assert_array_equal(ensemble.risk.values, again.risk.values)


def test_generators_and_seed_sequences():
    np.testing.assert_array_equal(_risk(rng=np.random.default_rng(3)), _risk(rng=np.random.default_rng(3)))
    generator = np.random.default_rng(3)
    assert not np.array_equal(_risk(rng=generator), _risk(rng=generator))  # a generator moves on
    np.testing.assert_array_equal(_risk(rng=np.random.SeedSequence(7)), _risk(rng=7))
    with pytest.raises(DeclarationError, match="rng is 'seed'"):
        _risk(rng="seed")


def test_recorded_times():
    linear = hd.simulate(MODEL, _problem(), runs=1, t=3, rng=0, record=6)
    np.testing.assert_allclose(linear.time.values, np.linspace(0, 3, 7))
    log = hd.simulate(MODEL, _problem(), runs=1, t=100, rng=0, record=5, spacing="log").time.values
    assert log[0] == 0
    assert log[-1] == 100
    assert np.all(np.diff(np.log(log[1:])) > 1)
    chosen = hd.simulate(MODEL, _problem(), runs=1, t_eval=[0.26, 1.01], rng=0).time.values
    np.testing.assert_allclose(chosen, [0.25, 1.0])  # whole steps, d = 20
    default = hd.simulate(MODEL, _problem(horizon=2.0), runs=1, rng=0)
    assert default.time.values[-1] == 2
    assert default.time.size == 41  # 40 steps and the start, none of them twice


def test_attributes_say_what_was_done():
    ensemble = hd.simulate(MODEL, _problem(delta=0.1), runs=2, t=1, rng=5)
    attrs = ensemble.attrs
    assert (attrs["d"], attrs["runs"], attrs["entropy"], attrs["method"]) == (20, 2, 5, "direct")
    assert attrs["d_effective"] == pytest.approx(20)
    assert attrs["seconds"] >= attrs["compile_seconds"] >= 0
    json.dumps(attrs["parameters"])


def test_divergence_is_a_result():
    """Least squares far above gamma = 2, and phase retrieval, whose gradient is cubic."""
    for model, gamma, t in ((MODEL, 8.0, 2000.0), (hd.zoo.phase_retrieval(), 8.0, 20.0)):
        ensemble = hd.simulate(model, _problem(gamma), runs=4, t=t, rng=0)
        left = ensemble.diverged.values
        assert np.all((left > 0) & (left < t))
        for run, time in enumerate(left):
            before = ensemble.time.values < time
            assert np.all(np.isfinite(ensemble.risk.values[run, before]))
            assert np.all(np.isnan(ensemble.risk.values[run, ~before]))


def test_stable_runs_do_not_count_as_diverged():
    assert np.all(np.isnan(hd.simulate(MODEL, _problem(), runs=3, t=2, rng=0).diverged.values))


def test_progress_is_told_from_the_calling_thread_and_ends_complete():
    calls, threads = [], set()

    def progress(done: int, total: int) -> None:
        calls.append((done, total))
        threads.add(threading.get_ident())

    hd.simulate(MODEL, _problem(), runs=3, t=2, rng=0, progress=progress)
    assert calls[-1] == (120, 120)
    assert threads == {threading.get_ident()}
    assert all(a <= b for (a, _), (b, _) in itertools.pairwise(calls))


def test_progress_counts_diverged_runs_as_done_and_passes_errors_on():
    calls = []
    problem = _problem(8.0)
    hd.simulate(hd.zoo.phase_retrieval(), problem, runs=3, t=20, rng=0, progress=lambda *call: calls.append(call))
    assert calls[-1] == (1200, 1200)

    def broken(done: int, total: int) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        hd.simulate(MODEL, _problem(), runs=3, t=2, rng=0, progress=broken)


def test_progress_bar_names_the_compile_time(capsys):
    hd.simulate(MODEL, _problem(), runs=3, t=2, rng=0, progress=True)
    shown = capsys.readouterr().err
    assert "compile=" in shown
    assert "100%" in shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"t": 1.0, "t_eval": [1.0]}, "both t and t_eval"),
        ({"t_eval": [2.0, 1.0]}, "t_eval is"),
        ({"t_eval": [-1.0]}, "t_eval is"),
        ({"t": 0.001}, "less than one step"),
        ({"t": 1.0, "method": "exact"}, "method is 'exact'"),
        ({"t": 1.0, "method": "data"}, "needs real rows"),
        ({"t": 1.0, "spacing": "cubic"}, "spacing is 'cubic'"),
        ({"t": 1.0, "progress": 3}, "progress is 3"),
    ],
)
def test_bad_arguments(settings, message):
    with pytest.raises(SimulationError, match=message) as caught:
        hd.simulate(MODEL, _problem(), runs=2, rng=0, **settings)
    assert caught.value.remedy


@pytest.mark.parametrize("settings", [{"runs": 0}, {"runs": 2.5}, {"workers": 0}, {"record": -1}, {"t": np.nan}])
def test_bad_numbers(settings):
    with pytest.raises(DeclarationError):
        hd.simulate(MODEL, _problem(), **{"runs": 2, "rng": 0, "t": 1.0, **settings})


def test_a_spectrum_without_dimension_is_refused_with_the_remedy():
    problem = hd.Problem(hd.spectrum.identity(), hd.start.random(rng=0), 0.1)
    with pytest.raises(DeclarationError, match=r"no dimension(.|\n)*identity\(d="):
        hd.simulate(MODEL, problem, runs=1, t=1)


def test_noise_without_meaning_is_refused():
    low, p = hd.parameter("low"), hd.parameter("p")
    uniform = hd.Model((x - y) ** 2 / 2, s + eps, hd.Uniform(eps, low, 1))
    with pytest.raises(SimulationError, match="low = 2 is not below high = 1"):
        hd.simulate(uniform, _problem(parameters={"low": 2.0}), runs=1, t=1)
    discrete = hd.Model((x - y) ** 2 / 2, s + eps, hd.Discrete(eps, (0, 1), (p, 1 - p)))
    with pytest.raises(SimulationError, match="not numbers >= 0"):
        hd.simulate(discrete, _problem(parameters={"p": 1.5}), runs=1, t=1)
    normal = hd.Model((x - y) ** 2 / 2, s + eps, hd.Normal(eps, std=low))
    with pytest.raises(SimulationError, match="standard deviation low is -1"):
        hd.simulate(normal, _problem(parameters={"low": -1.0}), runs=1, t=1)


def test_a_probability_outside_its_range_is_an_error_not_a_number():
    slope = hd.parameter("slope", default=0.01)
    model = hd.Model(hd.softplus(x) - y * x, hd.Bernoulli((1 + slope * s) / 2))
    with pytest.raises(SimulationError, match=r"not a number at t = .*probability"):
        hd.simulate(model, _problem(parameters={"slope": 2.0}), runs=2, t=5, rng=0)
    assert np.all(np.isfinite(hd.simulate(model, _problem(), runs=2, t=1, rng=0).risk.values))
