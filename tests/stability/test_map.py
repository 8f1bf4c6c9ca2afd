"""Stability maps: thresholds against what the limit and the simulation do, and the figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hdsym as hd

PHASE = hd.derive(hd.zoo.phase_retrieval())
LEAST = hd.derive(hd.zoo.least_squares())


def near_target(size: float, d: int | None = None) -> hd.Problem:
    """Phase retrieval next to X = X* with T = `size`; its critical rate is 1 / (3 T)."""
    start = hd.start.overlaps(Q=size, M=size * (1 - 5e-4), T=size)
    return hd.Problem(spectrum=hd.spectrum.identity(d=d), start=start, learning_rate=0.1)


def test_the_limit_changes_sides_at_the_threshold() -> None:
    sizes = np.array([0.5, 1.0, 2.0])
    found = hd.stability_map(PHASE, near_target, np.geomspace(0.08, 1.5, 12), {"T": sizes}, t=30)
    assert found.dataset["threshold"].sel(kind="linear").values == pytest.approx(1 / (3 * sizes), rel=1e-9)
    assert found.agreement() == 1.0
    assert np.isposinf(found.dataset["change"].values).any()  # some diverge in finite time
    assert "100% of the grid" in repr(found)
    assert "linear" in found._repr_html_()


def test_the_simulated_outcome_agrees_away_from_the_threshold() -> None:
    """Runs at d = 2000, at 0.6 and 1.8 times the threshold, where e^(rate t) is far from one."""
    found = hd.stability_map(
        PHASE, lambda size: near_target(size, d=2000), [0.2, 0.6], {"T": [1.0]}, t=15, outcome="reduced", rng=1
    )
    assert found.agreement() == 1.0
    assert found.outcome == "reduced"


def test_fields_of_the_problem_and_parameters_by_name() -> None:
    problem = hd.Problem(hd.spectrum.power_law(0.5, d=20), hd.start.random(rng=0), 0.1)
    found = hd.stability_map(LEAST, problem, [1.8, 2.2, 3.7, 4.4], {"batch_size": [1, 2]}, t=20)
    assert found.dataset["threshold"].values[0] == pytest.approx([2.0, 4.0], rel=1e-6)
    assert (found.dataset["change"].values < 0).tolist() == [[True, False, False, False], [True, True, True, False]]
    noisy = hd.stability_map(LEAST, problem, [0.5], {"noise_std": [0.0, 0.5]}, t=5, kinds=("descent", "linear"))
    descent = noisy.dataset["threshold"].sel(kind="descent").values
    assert descent[0] == pytest.approx(2.0, rel=1e-6)
    assert descent[1] < descent[0]


def test_the_figure() -> None:
    found = hd.stability_map(PHASE, near_target, [0.1, 0.3, 1.0], {"T": [0.5, 1.0]}, t=30, kinds=("linear", "descent"))
    axes = found.plot().axes[0]
    assert [line.get_label() for line in axes.lines] == ["linear threshold", "descent threshold"]
    assert axes.get_yscale() == "log"
    assert "diverged" in [text.get_text() for text in axes.get_legend().get_texts()]
    image = axes.collections[0].get_array()
    assert image.shape == (3, 2)
    assert image.mask[2, 1]  # a diverged cell has its own colour, not that of a number
    other = found.plot(axes)
    assert other is axes


def test_what_is_refused() -> None:
    problem = near_target(1.0)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"learning_rates": [0.2, 0.1]}, "learning_rates"),
        ({"over": {"T": [1.0]}}, "no 'T' to be varied"),
        ({"over": {"delta": [0.0], "batch_size": [1]}}, "2 names"),
        ({"outcome": "direct"}, "outcome"),
        ({"problem": lambda _: None}, "return a Problem"),
        ({"problem": hd.Problem(problem.spectrum, hd.start.overlaps(Q=1.0, M=1.0, T=1.0), 0.1)}, "away from X"),
    ]
    for options, match in cases:
        given: dict[str, Any] = {
            "problem": problem,
            "learning_rates": [0.1],
            "over": {"delta": [0.0]},
            **options,
        }
        with pytest.raises(hd.HdsymError, match=match):
            hd.stability_map(PHASE, **given, t=1.0)
