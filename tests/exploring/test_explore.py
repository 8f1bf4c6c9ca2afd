"""Sliders: what they show is what the theory says at their values, in a notebook and on a page."""

from __future__ import annotations

import builtins
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym import report
from hdsym.errors import DeclarationError
from hdsym.exploring.grid import grid
from hdsym.exploring.knobs import knobs
from hdsym.exploring.quick import OPTIONS

THEORY = hd.derive(hd.zoo.phase_retrieval())
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def posed(gamma: Any = 0.1, **changes: Any) -> hd.Problem:
    given = {"spectrum": hd.spectrum.power_law(0.6, d=60), "start": hd.start.random(cosine=0.3, rng=1), **changes}
    return hd.Problem(learning_rate=gamma, horizon=5.0, **given)


def assert_solved(explorer: Any) -> None:
    """The curve is that of ``theory.solve`` at the sliders' values, to the last bit."""
    solved = explorer.quick.theory.solve(explorer.problem, t_eval=explorer.quick.times, **OPTIONS)
    np.testing.assert_array_equal(explorer.path.risk.values, solved.risk.values)


def test_sliders_pose_the_problem_and_solve_it() -> None:
    pytest.importorskip("ipywidgets")
    explorer = hd.explore(THEORY, posed())
    assert list(explorer.sliders) == ["learning_rate", "delta", "cosine", "exponent"]
    assert explorer.values == pytest.approx({"learning_rate": 0.1, "delta": 0.0, "cosine": 0.3, "exponent": 0.6})
    assert_solved(explorer)
    before = explorer.path
    for name, value in {"learning_rate": 0.2, "delta": 0.05, "cosine": 0.5, "exponent": 0.9}.items():
        explorer.sliders[name].value = value  # as a hand on the slider does
    problem = explorer.problem
    assert problem.learning_rate.value == pytest.approx(0.2, rel=1e-9)
    assert (problem.delta, problem.start.cosine) == pytest.approx((0.05, 0.5))
    np.testing.assert_array_equal(problem.spectrum.levels, hd.spectrum.power_law(0.9, d=60).levels)
    assert_solved(explorer)
    assert not np.allclose(explorer.path.risk.values, before.risk.values, rtol=0.01)
    stable = THEORY.stability(problem, kinds=("descent",)).descent
    assert explorer.threshold[0] == pytest.approx(stable, rel=1e-9)
    shown = explorer._view.value
    assert shown.count("<svg") == 2
    assert f"descent threshold at the start {stable:.4g}" in shown
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()
    assert "learning_rate = 0.2" in repr(explorer)


def test_a_trajectory_knows_what_to_explore() -> None:
    pytest.importorskip("ipywidgets")
    path = THEORY.solve(posed(0.1 / (1 + hd.t)), t=3)
    explorer = path.explore(statistic="cosine")
    assert explorer.quick.times[-1] == 3.0
    explorer.sliders["learning_rate"].value = 2.0
    assert float(explorer.problem.learning_rate(1.0)) == pytest.approx(0.1, rel=1e-9)  # twice the schedule
    assert_solved(explorer)
    bare = hd.Trajectory.build(time=[0.0, 1.0], overlaps=np.ones((2, 2, 2)), gram=np.ones((2, 2, 2)), risk=[1.0, 0.5])
    with pytest.raises(DeclarationError, match=r"hd\.explore\(theory, problem\)"):
        bare.explore()


def test_solutions_that_end_early_and_models_of_any_width() -> None:
    pytest.importorskip("ipywidgets")
    explorer = hd.explore(THEORY, posed(1.0))
    assert "leaves the finite range at t = " in explorer._view.value
    network = hd.explore(hd.zoo.committee("erf", True), t=1.0)  # a model, and nothing else
    assert network.problem.explicit(network.quick.theory.model).n_student == 3
    assert_solved(network)
    sphere = hd.Model(THEORY.model.loss, THEORY.model.link, THEORY.model.noise, constraint="sphere")
    assert hd.explore(sphere, posed()).threshold is None
    with pytest.raises(DeclarationError, match="no derivation"):
        hd.explore("phase_retrieval")


def test_knobs_are_those_of_the_problem() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal(10) / 3
    fixed = posed(hd.AdaGradNorm(0.1, 1.0), spectrum=hd.spectrum.identity(d=10), start=hd.start.arrays(X, X[::-1]))
    assert [knob.name for knob in knobs(fixed)] == ["delta"]
    assert [knob.name for knob in knobs(posed(lambda t: 0.1))] == ["delta", "cosine", "exponent"]
    rate = knobs(posed(0.1))[0]
    assert 0.1 in rate.grid(6)
    assert rate.grid(6)[[0, -1]] == pytest.approx([0.01, 1.0])


def test_without_ipywidgets_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ipywidgets":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DeclarationError, match=r"ipywidgets(.|\n)*hdsym\[notebook\]"):
        hd.explore(THEORY, posed())


def test_a_grid_holds_the_curves_of_the_theory() -> None:
    problem = posed(0.1)
    found = grid(THEORY, problem)
    assert found is not None
    assert found.risks.shape == (7, 3, 61)
    assert [values[k] for values, k in zip(found.values, found.chosen, strict=True)] == [0.1, 0.3]
    solved = THEORY.solve(problem, t_eval=found.times, **OPTIONS)
    np.testing.assert_array_equal(found.risks[found.chosen], solved.risk.values)
    told = json.loads(found.json)
    assert np.isnan(found.risks[-1]).any()  # ten times the rate diverges
    assert None in told["risks"][-1][0]
    assert told["thresholds"][found.chosen[0]][found.chosen[1]] == pytest.approx(
        THEORY.stability(problem, kinds=("descent",)).descent, rel=1e-3
    )
    assert grid(THEORY, posed(hd.Polyak())) is None
    assert grid(hd.derive(hd.zoo.multiclass_logistic(3)), posed()) is None  # integrals in two dimensions take too long


@pytest.mark.slow
def test_the_page_has_sliders_that_move_the_curve(tmp_path: Path) -> None:
    problem = posed(0.1)
    path, found = THEORY.solve(problem), grid(THEORY, problem)
    text = report.render(THEORY, problem, path, explorer=found)
    assert "<script" not in report.render(THEORY, problem, path)
    assert not re.search(r"https?://(?!arxiv\.org/abs/|www\.w3\.org/2000/svg)", text.split("<script>")[1])
    assert len(text) < 250_000
    if CHROMIUM is None or found is None:
        pytest.skip("there is no Chromium here")
    drive = """<pre id="seen"></pre><script>
    const seen = [], line = document.querySelector(".explore-line"), words = document.getElementById("explore-words");
    const look = () => seen.push([line.getAttribute("points"), words.textContent]);
    look();
    for (const value of [1, 6]) {
      const slider = document.getElementById("explore-0");
      slider.value = value;
      slider.dispatchEvent(new Event("input"));
      look();
    }
    document.getElementById("seen").textContent = JSON.stringify(seen);
    </script></body>"""
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", drive), encoding="utf-8")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    command = [CHROMIUM, *quiet, f"--user-data-dir={tmp_path / 'p'}", "--enable-logging=stderr", "--dump-dom"]
    run = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in run.stderr
    matched = re.search(r'<pre id="seen">(.*?)</pre>', run.stdout)
    assert matched is not None
    first, second, last = json.loads(unescape(matched[1]))
    i, j = found.chosen
    assert f"Risk at the end: {found.risks[i, j, -1]:.4g}"[:22] in first[1]
    assert f"Descent threshold at the start: {found.thresholds[i, j]:.4g}"[:38] in first[1]
    assert len({first[0], second[0], last[0]}) == 3
    assert len(first[0].split()) == 61
    assert "leaves the finite range near t = " in last[1]
