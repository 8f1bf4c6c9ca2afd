"""Ensembles that grow, survive interruptions, and do not depend on where they are computed."""

from __future__ import annotations

import dataclasses
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError, FileFormatError, ParseError, SimulationError, SolveError
from hdsym.simulate import ensemble, executors, streams
from hdsym.simulate.run import StoppedError, run

MODEL = hd.zoo.least_squares()
START = hd.start.random(norm=0.8, cosine=0.4, rng=1)


def posed(gamma: Any = 0.2, d: int = 30, **settings: Any) -> hd.Problem:
    return hd.Problem(hd.spectrum.power_law(0.3, d=d), START, gamma, **settings)


def simulated(problem: hd.Problem | None = None, **settings: Any) -> hd.Ensemble:
    return hd.simulate(MODEL, problem or posed(), **{"runs": 5, "t": 2.0, "rng": 7, "record": 6, **settings})


def assert_same(one: hd.Ensemble, other: hd.Ensemble) -> None:
    assert one.dataset.data_vars.keys() == other.dataset.data_vars.keys()
    for name in one.dataset.data_vars:
        np.testing.assert_array_equal(one.dataset[name].values, other.dataset[name].values, err_msg=str(name))
    assert one.attrs["risk_error"] == other.attrs["risk_error"]
    assert one.runs == other.runs == one.attrs["runs"] == other.attrs["runs"]


def test_more_runs_are_those_that_all_at_once_would_have_given(tmp_path: Path) -> None:
    few, all_at_once = simulated(), simulated(runs=9)
    assert_same(few.more(4), all_at_once)
    assert_same(few.more(1).more(3), all_at_once)
    assert_same(simulated(runs=9, resume=few, rng=None), all_at_once)
    loaded = hd.Ensemble.load(few.save(tmp_path / "few.nc"))
    assert_same(loaded.more(4, MODEL, posed()), all_at_once)
    assert_same(loaded.more(4), all_at_once)
    with pytest.raises(SimulationError, match=r"does not know(.|\n)*runs.more\(n, model, problem\)"):
        dataclasses.replace(loaded, origin=None).more(4)


@pytest.mark.parametrize("method", ["data", "reduced", "homogenized"])
def test_other_methods_grow_too(method: str) -> None:
    """Diverged runs, and statistics recorded in the runs themselves."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 6))
    model = MODEL.with_statistics(far=abs(hd.student("x") - hd.label("y")))
    problem = hd.Problem.from_data(A, A @ rng.standard_normal(6), learning_rate=3.0, horizon=300.0)
    if method != "data":
        problem = hd.Problem(hd.spectrum.identity(6), START, 3.0, horizon=300.0)
    settings: dict[str, Any] = {"method": method, "rng": 1, "record": 20}
    whole = hd.simulate(model, problem, runs=6, **settings)
    assert np.isfinite(whole.diverged.values).any() or method == "homogenized"  # whose typical path stays
    assert_same(hd.simulate(model, problem, runs=2, **settings).more(4), whole)


def test_a_seed_sequence_goes_on_with_its_next_children() -> None:
    sequence = np.random.SeedSequence([3, 2**40], spawn_key=(5,), pool_size=8)
    sequence.spawn(2)
    few = simulated(rng=sequence)
    again = np.random.SeedSequence([3, 2**40], spawn_key=(5,), pool_size=8)
    again.spawn(2)
    whole = simulated(rng=again, runs=8)
    assert_same(few.more(3), whole)
    assert sequence.n_children_spawned == 2 + 5
    made = streams.stream(np.random.SeedSequence([3, 2**40], spawn_key=(5,), pool_size=8), 2)
    for i, child in enumerate(np.random.SeedSequence([3, 2**40], spawn_key=(5,), pool_size=8).spawn(9)[2:], start=2):
        np.testing.assert_array_equal(made.seed(i).generate_state(4), child.generate_state(4))
    assert streams.Stream.of(few.attrs) == streams.Stream((3, 2**40), (5,), 2, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problem": posed(0.25)}, "learning_rate: .*0.2"),
        ({"problem": posed(delta=0.1)}, "delta: 0 there, 0.1 here"),
        ({"problem": posed(d=31)}, "spectrum: power_law"),
        ({"problem": hd.Problem(posed().spectrum, hd.start.random(norm=0.8, cosine=0.4, rng=2), 0.2)}, "start"),
        ({"t": 3.0}, "recorded times: 7 up to t = 2 and 7 up to t = 3"),
        ({"method": "reduced"}, "method: direct there, reduced here"),
        ({"rng": 8}, "have the seed .*leave rng out"),
        ({"runs": 5}, "5 runs, and runs=5 are wanted"),
    ],
)
def test_runs_of_something_else_are_refused(change: dict[str, Any], message: str) -> None:
    few = simulated(runs=5)
    with pytest.raises(SimulationError, match=f"(?s){message}") as caught:
        simulated(**{"runs": 9, "resume": few, **change})
    assert caught.value.remedy


def test_parts_of_an_ensemble_and_another_model_are_refused() -> None:
    few = simulated()
    with pytest.raises(SimulationError, match="2 runs of 5"):
        hd.Ensemble(few.dataset.isel(run=[0, 1])).more(1, MODEL, posed())
    with pytest.raises(SimulationError, match=r"model: least squares .* there, least squares .* here"):
        few.more(1, dataclasses.replace(MODEL, constraint="sphere"), posed())
    with pytest.raises(DeclarationError, match="n is 0"):
        few.more(0)


def test_an_interrupted_ensemble_takes_up_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, made = tmp_path / "new" / "runs.nc", []

    def counted(*arguments: Any) -> Any:
        made.append(arguments[1])
        return run(*arguments)

    monkeypatch.setattr(executors, "run", counted)

    def interrupt(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    problem = posed(d=300)
    with pytest.raises(KeyboardInterrupt):
        simulated(problem, runs=12, t=40.0, workers=1, checkpoint=file, progress=interrupt)
    began = len(made)
    assert 2 <= began < 12
    with pytest.raises(FileFormatError, match=r"Checkpoint(.|\n)*checkpoint="):
        hd.load(file)
    whole = simulated(problem, runs=12, t=40.0, checkpoint=file, rng=None)
    assert len(made) - began < 12 - 1  # some had ended and are not made again
    assert_same(whole, simulated(problem, runs=12, t=40.0))
    count = len(made)
    assert_same(simulated(problem, runs=12, t=40.0, checkpoint=file), whole)
    assert len(made) == count  # everything is there
    assert_same(simulated(problem, runs=4, t=40.0, checkpoint=file), simulated(problem, runs=4, t=40.0))
    with pytest.raises(SimulationError, match=r"runs\.nc belongs to other runs(.|\n)*learning_rate"):
        simulated(posed(0.1, d=300), runs=12, t=40.0, checkpoint=file)


SCRIPT = """
import sys
import hdsym as hd
problem = hd.Problem(hd.spectrum.identity(300), hd.start.random(rng=1), 0.1)
hd.simulate(hd.zoo.least_squares(), problem, runs=400, t=100.0, rng=3, workers=1, record=4, checkpoint=sys.argv[1])
"""


def test_a_killed_process_leaves_a_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "runs.nc"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(file)])
    deadline = time.monotonic() + 120
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    problem = hd.Problem(hd.spectrum.identity(300), hd.start.random(rng=1), 0.1)
    settings: dict[str, Any] = {"runs": 6, "t": 100.0, "rng": 3, "record": 4}
    found = hd.simulate(hd.zoo.least_squares(), problem, checkpoint=file, **settings)
    assert_same(found, hd.simulate(hd.zoo.least_squares(), problem, **settings))


def test_a_checkpoint_that_is_none(tmp_path: Path) -> None:
    saved = simulated(runs=1).save(tmp_path / "ensemble.nc")
    with pytest.raises(FileFormatError, match="'Ensemble', not a checkpoint"):
        simulated(checkpoint=saved)
    with pytest.raises(SimulationError, match="cannot be written"):
        simulated(checkpoint=tmp_path)


def test_a_run_that_is_stopped_has_no_record() -> None:
    """It used to return the rest of its times as they were when it was stopped."""
    jobs: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "run_all", lambda job, *_: jobs.append(job) or (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            simulated()
    with pytest.raises(StoppedError):
        run(jobs[0], np.random.SeedSequence(0), lambda _: None, lambda: True)


def test_the_same_arrays_from_threads_and_processes() -> None:
    """Of every method, in one pool: starting processes takes longest."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 6))
    data = hd.Problem.from_data(A, A @ rng.standard_normal(6), learning_rate=0.3)
    model = MODEL.with_statistics(far=abs(hd.student("x") - hd.label("y")))
    one = simulated(workers=1)
    calls: list[int] = []
    assert_same(one, simulated(executor="processes", workers=2, progress=lambda done, _: calls.append(done)))
    assert calls[-1] == 5 * 60
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert_same(one, simulated(executor=pool))
        assert_same(simulated(posed(1 / (5 + hd.t))), simulated(posed(1 / (5 + hd.t)), executor=pool))
        for method in ("data", "reduced"):
            settings: dict[str, Any] = {"runs": 3, "t": 2.0, "rng": 1, "method": method}
            problem = data if method == "data" else hd.Problem(hd.spectrum.identity(9), START, 0.3)
            assert_same(hd.simulate(model, problem, **settings), hd.simulate(model, problem, executor=pool, **settings))
        slope = hd.parameter("slope", default=0.01)
        x, y, half = hd.student("x"), hd.label("y"), (1 + slope * hd.teacher("s")) / 2
        wrong = hd.Model(hd.softplus(x) - y * x, hd.Bernoulli(half))
        with pytest.raises(SimulationError, match=r"not a number at t = (.|\n)*remedy"):
            hd.simulate(wrong, posed(parameters={"slope": 2.0}), runs=2, t=5, rng=0, executor=pool)
        with pytest.raises(SimulationError, match=r"cannot be sent(.|\n)*hd.t"):
            simulated(posed(lambda t: 0.1), executor=pool)
    with ThreadPoolExecutor(2) as threads:
        assert_same(one, simulated(executor=threads))
        assert threads.submit(threading.get_ident).result()  # still ours to use
    with pytest.raises(DeclarationError, match="executor is 'cluster'"):
        simulated(executor="cluster")


def test_errors_travel_between_processes() -> None:
    for error in (ParseError("a", remedy="b"), SolveError("a", t=1.5, remedy="b")):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  # made in the line above
        assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
