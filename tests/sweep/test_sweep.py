"""Sweeps over grids of problems: what can be swept over, and that every point is what it would be alone."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import sympy as sp
import xarray as xr

import hdsym as hd
from hdsym.errors import DeclarationError, SweepError
from hdsym.sweep.axes import changes
from hdsym.sweep.layout import Layout

TIGHT: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-13}


def _agree(found: xr.DataArray, path: Any, name: str) -> None:
    """To 1e-9 of the largest value: both are solved to 1e-12."""
    expected = path.variable(name).values
    assert found.dims[0] == "time"
    assert np.max(np.abs(found.values - expected)) < 1e-9 * np.max(np.abs(expected))


def test_every_kind_of_axis_is_what_single_solutions_are(theory: Any, problem: hd.Problem) -> None:
    """Schedules, regularisation, noise and batch sizes side by side; the array has the axes in their order."""
    rates = [0.05, 0.2 / (1 + hd.t), 0.1 * sp.exp(-hd.t / 5)]
    over = {"learning_rate": rates, "delta": [0.0, 0.2], "noise.std": [0.0, 0.3], "batch_size": [1, 3]}
    names = ["risk", "excess_risk", "overlaps", "cosine"]
    found = hd.sweep(theory, problem, over, t_eval=[0.0, 1.0, 7.5, 10.0], statistics=names, **TIGHT)
    assert found["overlaps"].dims == (*over, "time", "row", "col")
    assert found["overlaps"].shape == (3, 2, 2, 2, 4, 2, 2)
    assert found.attrs["one_by_one"] == 0
    assert found.attrs["failed"] == 0
    for rate, delta, noise, batch in ((0, 0.0, 0.3, 3), (1, 0.2, 0.0, 1), (2, 0.2, 0.3, 3)):
        own = hd.Problem(
            problem.spectrum, problem.start, rates[rate], delta, {"noise_std": noise}, batch_size=batch, horizon=10.0
        )
        path = theory.solve(own, t_eval=[0.0, 1.0, 7.5, 10.0], **TIGHT)
        point = found.isel(learning_rate=rate).sel({"delta": delta, "noise.std": noise, "batch_size": batch})
        for name in names:
            _agree(point[name], path, name)


def test_the_number_in_a_noise_law_can_be_swept_over(problem: hd.Problem) -> None:
    """The theory is derived again, with a parameter in its place; a negative one is a failed point."""
    x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
    declared = {"loss": (x - y) ** 2 / 2, "link": s + eps}
    theory = hd.derive(hd.Model(**declared, noise=hd.Normal(eps, std=0.1)))
    found = hd.sweep(theory, problem, {"noise.std": [0.1, 0.5, -1.0]}, t=5.0, **TIGHT)
    path = hd.derive(hd.Model(**declared, noise=hd.Normal(eps, std=0.5))).solve(problem, t_eval=found["time"], **TIGHT)
    _agree(found["risk"].isel({"noise.std": 1}), path, "risk")
    assert str(found["reason"][2].item()) == "the parameter 'noise_std' is given -1.0, but was declared >= 0"
    assert np.all(np.isnan(found["risk"][2]))


def test_spectra_of_many_modes(theory: Any) -> None:
    """Few levels one by one; of many nodes are taken, checked by fewer, as single solutions do."""
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    problem = hd.Problem(hd.spectrum.power_law(0.6, d=3000), start, learning_rate=0.05)
    over = {"spectrum.alpha": [0.3, 0.7], "spectrum.d": [40, 3000]}
    found = hd.sweep(theory, problem, over, t=5.0, statistics=["risk", "distance"], tol=1e-10, **TIGHT)
    assert found.attrs["one_by_one"] == 0
    for alpha in (0.3, 0.7):
        for d in (40, 3000):
            own = hd.Problem(hd.spectrum.power_law(alpha, d=d), start, learning_rate=0.05)
            path = theory.solve(own, t_eval=found["time"], modes="full", **TIGHT)
            point = found.sel({"spectrum.alpha": alpha, "spectrum.d": d})
            _agree(point["risk"], path, "risk")
            _agree(point["distance"], path, "distance")


def test_sums_over_units_with_trained_scalars() -> None:
    """Widths, rates and starts of the second layer are axes; what is summed over is summed for all at once."""
    K, M, i, m = hd.size("K"), hd.size("M"), *sp.symbols("i m", integer=True)
    x, s, y, v = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y"), hd.Trained("v", size=K)
    student = sp.Sum(v[i] * sp.erf(x[i] / sp.sqrt(2)), (i, 1, K))
    theory = hd.derive(hd.Model(loss=(student - y) ** 2 / 2, link=sp.Sum(sp.erf(s[m] / sp.sqrt(2)), (m, 1, M))))
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(),
        start=hd.start.random(norm=0.5, cosine=0.3),
        learning_rate=0.5,
        parameters={"v": 0.3},
        learning_rates={"v": 0.2},
        sizes={"K": 2, "M": 2},
    )
    over = {"sizes.K": [2, 3], "learning_rates.v": [0.0, 0.4], "v": [0.2, 0.6]}
    found = hd.sweep(theory, problem, over, t_eval=[0.0, 1.0, 3.0], statistics=["risk", "specialisation"], **TIGHT)
    again = hd.sweep(theory, problem, over, t_eval=[0.0, 1.0, 3.0], statistics="risk", block=3, **TIGHT)
    assert np.array_equal(again["risk"], found["risk"])
    assert found.attrs["one_by_one"] == 0
    for K_, rate, start in ((2, 0.4, 0.2), (3, 0.0, 0.6)):
        own = hd.Problem(
            problem.spectrum,
            problem.start,
            0.5,
            parameters={"v": start},
            learning_rates={"v": rate},
            sizes={"K": K_, "M": 2},
        )
        path = theory.solve(own, t_eval=[0.0, 1.0, 3.0], **TIGHT)
        point = found.sel({"sizes.K": K_, "learning_rates.v": rate, "v": start})
        _agree(point["risk"], path, "risk")
        _agree(point["specialisation"], path, "specialisation")
    with pytest.raises(DeclarationError, match="overlaps has another shape for every size"):
        hd.sweep(theory, problem, over, t=1.0, statistics="overlaps")


def test_blocks_and_executors_change_no_bit(
    theory: Any, problem: hd.Problem, grid: Any, settings: Any, here: Any
) -> None:
    """Also where points diverge."""
    for block in (17, 1000):
        assert hd.sweep(theory, problem, grid, **{**settings, "block": block}).identical(here)
    part = {"learning_rate": grid["learning_rate"][3:5], "start.cosine": grid["start.cosine"][[0, 9]]}
    alone = hd.sweep(theory, problem, part, **{**settings, "block": 1})
    assert np.array_equal(alone["risk"], here["risk"][3:5, [0, 9]], equal_nan=True)
    with ThreadPoolExecutor(2) as pool:
        assert hd.sweep(theory, problem, grid, executor=pool, **settings).identical(here)
    assert hd.sweep(theory, problem, grid, executor="processes", workers=1, **settings).identical(here)


def test_stiff_problems_adaptive_rates_and_quadrature_go_one_by_one(problem: hd.Problem) -> None:
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    theory = hd.derive(hd.zoo.least_squares())
    wide = hd.Problem(hd.spectrum.power_law(2.0, d=50), start, learning_rate=0.1)
    found = hd.sweep(theory, wide, {"learning_rate": [0.001, 0.04]}, t_eval=[0.0, 3e4], **TIGHT)
    assert found.attrs["one_by_one"] == 1
    path = theory.solve(hd.Problem(wide.spectrum, start, 0.04), t_eval=[0.0, 3e4], **TIGHT)
    assert np.array_equal(found["risk"][1], path.risk)
    rule = hd.Problem(problem.spectrum, start, hd.AdaGradNorm(eta=0.1, b=1.0))
    found = hd.sweep(theory, rule, {"learning_rate.eta": [0.1, 0.3]}, t=2.0, statistics="learning_rate")
    assert found.attrs["one_by_one"] == 2
    assert float(found["learning_rate"][1, 0]) == pytest.approx(0.3)
    logistic = hd.derive(hd.zoo.logistic("bernoulli"))
    found = hd.sweep(logistic, problem, {"start.norm": [0.5, 1.0]}, t=0.5)
    assert found.attrs["one_by_one"] == 2


def test_impossible_points_have_reasons(theory: Any, problem: hd.Problem) -> None:
    """Divergence as the single solver words it, values without a meaning, functions that fail; the others are there."""
    found = hd.sweep(theory, problem, {"learning_rate": [0.1, 2.0, -1.0], "start.cosine": [0.2, 1.5]}, t=20.0)
    with pytest.raises(hd.HdsymError) as single:
        theory.solve(hd.Problem(problem.spectrum, hd.start.random(1.0, 0.2, rng=1), 2.0), t=20.0)
    reasons = found["reason"].values
    assert reasons[0, 0] == ""
    assert reasons[1, 0][:40] == single.value.message[:40] == "the solution leaves the finite range nea"
    assert float(found["ended"][1, 0]) == pytest.approx(single.value.t, rel=1e-3)
    assert np.isfinite(found["risk"][1, 0]).values.tolist() == (found["time"] <= found["ended"][1, 0]).values.tolist()
    assert reasons[2, 0] == "the learning rate -1 is -1 at t = 0"
    assert all(reasons[k, 1] for k in range(3))
    assert "cosine is 1.5" in reasons[0, 1]
    assert found.attrs["failed"] == 5

    def posed(a: float) -> hd.Problem:
        return hd.Problem(problem.spectrum, problem.start, learning_rate=1 / a)

    found = hd.sweep(theory, posed, {"a": [10.0, 0.0, 20.0]}, t=1.0)
    assert found["reason"].values.tolist() == ["", "ZeroDivisionError: float division by zero", ""]

    def falling(t: float) -> float:
        return 0.1 if t < 0.5 else {}[t]

    own = hd.Problem(problem.spectrum, problem.start, 0.1, horizon=0.4)
    found = hd.sweep(theory, own, {"learning_rate": [0.1, falling, 0.2]}, t=1.0)
    assert found["reason"].values[[0, 2]].tolist() == ["", ""]
    assert found["reason"].values[1].startswith("KeyError: 0.")
    with pytest.raises(DeclarationError, match="no point of the sweep can be solved; the first: cosine is 2"):
        hd.sweep(theory, problem, {"start.cosine": [2.0, 3.0]}, t=1.0)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"learning_rat": [0.1]}, r"there is no 'learning_rat' .*\n.*did you mean 'learning_rate'\?"),
        ({"start.cosin": [0.1]}, r"did you mean 'start.cosine'\?"),
        ({"spectrum.alpha": [0.1]}, r"there is no 'spectrum.alpha' to sweep over"),
        ({"learning_rate": 0.1}, "the values of learning_rate are 0.1"),
        ({"delta": []}, "the axis delta has no values"),
        ({}, "over is {}"),
        ({"start": [hd.start.random(rng=0)], "start.cosine": [0.1]}, "change the same thing"),
    ],
)
def test_axes_that_have_no_meaning(theory: Any, problem: hd.Problem, over: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        hd.sweep(theory, problem, over, t=1.0)


def test_names_are_those_of_the_problem(theory: Any) -> None:
    problem = hd.Problem(hd.spectrum.two_level(2.0, 0.5, d=10), hd.start.overlaps(1.0, 0.2, 1.0), 0.1)
    names = changes(theory.model, problem)
    wanted = {"noise_std", "noise.std", "start.Q", "start.M", "spectrum.first", "spectrum.share", "spectrum.d"}
    assert wanted <= set(names)
    found = hd.sweep(theory, problem, {"start.M": [0.1, 0.5], "spectrum.share": [0.2, 0.5]}, t=1.0, statistics="cosine")
    assert found["cosine"].isel(time=0).values == pytest.approx(np.array([[0.1, 0.1], [0.5, 0.5]]))


def test_options_that_have_no_meaning(theory: Any, problem: hd.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    over = {"delta": [0.0, 0.1]}
    for options, message in (
        ({"executor": "cluster"}, "executor is 'cluster'"),
        ({"statistics": "angle"}, "has no 'angle'"),
        ({"statistics": ()}, "no statistics are wanted"),
        ({"simulate": {"rng": 1}}, "simulate has rng, which the sweep sets"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"rtol": 2.0}, "rtol = 2.0"),
        (
            {"over": {"learning_rate": [0.1]}, "statistics": "learning_rate"},
            "'learning_rate' is an axis and a stat",
        ),
    ):
        with pytest.raises(DeclarationError, match=message):
            hd.sweep(theory, problem, **{"over": over, "t": 1.0, **options})
    rate = hd.Problem(problem.spectrum, problem.start, learning_rate=lambda t: 0.1)
    with pytest.raises(SweepError, match=r"the sweep cannot be sent to another process"):
        hd.sweep(theory, rate, over, t=1.0, executor="processes")
    for name, option in (("zarr", {"store": "nowhere.zarr"}), ("distributed", {"executor": "tcp://127.0.0.1:9"})):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(SweepError, match=rf"{name}.*\n.*pip install 'hdsym\[sweep\]'"):
            hd.sweep(theory, problem, over, t=1.0, **option)


def test_blocks_are_boxes_of_consecutive_points() -> None:
    for shape, points in (((7,), 3), ((4, 5), 7), ((3, 4, 5), 12), ((3, 4, 5), 25), ((2, 2), 100), ((6, 5), 1)):
        layout = Layout.of(shape, points)
        numbers = np.arange(np.prod(shape)).reshape(shape)
        seen = [numbers[layout.box(k)].ravel() for k in range(layout.count)]
        assert np.array_equal(np.concatenate(seen), numbers.ravel())
        assert max(map(len, seen)) <= points
        assert [layout.bounds(k) for k in range(layout.count)] == [(part[0], part[-1] + 1) for part in seen]


def test_the_phase_diagram(here: Any, theory: Any, problem: hd.Problem) -> None:
    figure = here.plot_phase_diagram("distance", contours=[0.1])
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == (r"learning rate $\gamma$", "cosine at the start")
    assert bar.get_ylabel() == r"distance $\|X - X^\star\|^2$ at t = 20"
    mesh, lost = axes.collections[:2]
    failed = here["reason"].values != ""
    assert np.ma.getmaskarray(mesh.get_array()).sum() == failed.sum() > 0
    assert (~np.ma.getmaskarray(lost.get_array())).sum() == failed.sum()
    line = here.isel({"start.cosine": [3]}).plot_phase_diagram(x="learning_rate", y="start.cosine")
    assert line.axes[0].get_xlabel() == r"learning rate $\gamma$"
    for options, message in (({"statistic": "cosine"}, "no statistic 'cosine'"), ({"x": "delta"}, "no axis 'delta'")):
        with pytest.raises(DeclarationError, match=message):
            here.plot_phase_diagram(**options)
    found = hd.sweep(theory, problem, {"delta": [0.0, 0.1], "start.cosine": [0.1, 0.5], "batch_size": [1, 2]}, t=1.0)
    with pytest.raises(DeclarationError, match="the diagram needs a value of batch_size"):
        found.plot_phase_diagram()
    assert found.plot_phase_diagram(batch_size=2, time=0.5).axes[1].get_ylabel() == "risk at t = 0.5"
