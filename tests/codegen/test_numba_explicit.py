"""The numba target of explicit models: the numpy target's numbers and interface, compiled and, where that takes long,
as the Python that the compiler is given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import special

import hdsym as hd
from hdsym.codegen.render import environment
from tests.codegen import common

GOLDEN = "logistic_bernoulli_numba"
QUANTITIES = ("risk", "gradient", "fisher")
x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")


def bump_code(u):  # type: ignore[no-untyped-def]
    return np.exp(-u * u)


bump: Any = hd.function("bump", bump_code, derivative=lambda u: -2 * u * bump(u), parity="even")


def constants() -> hd.Model:
    """Panels, and constants under names that compiled code might use itself; lengths are kept."""
    a, b, c = hd.parameter("m", 1.0), hd.parameter("k", 2.0), hd.parameter("fits", 0.5)
    return hd.Model((a * x + b * sp.tanh(c * x) - y) ** 2 / 2, s, constraint="sphere", name="constants")


MODELS: dict[str, Callable[[], hd.Model]] = {
    "least squares": hd.zoo.least_squares,
    "phase retrieval": hd.zoo.phase_retrieval,
    "lipschitz phase retrieval": hd.zoo.lipschitz_phase_retrieval,
    "logistic": hd.zoo.logistic,
    "logistic, sampled labels": lambda: hd.zoo.logistic("bernoulli"),
    "probit": hd.zoo.probit,
    "mixed regression": hd.zoo.mixed_regression,
    "constants": constants,
    "declared by code": lambda: hd.Model((x - y) ** 2 * bump(x) / 2, s),
    "existence": lambda: hd.Model(sp.exp(x**2 / 8) * (x - s) ** 2),
}


def interpreted(source: str) -> ModuleType:
    """A module of the numba target without the compiler: `njit` gives functions back as they are."""
    stub = ModuleType("numba")
    stub.njit = lambda f=None, **_: f if f is not None else lambda g: g  # type: ignore[attr-defined]
    module, before = ModuleType("interpreted"), sys.modules.get("numba")
    module.__file__ = "interpreted.py"
    sys.modules["numba"] = stub
    try:
        exec(compile(source, "interpreted", "exec"), module.__dict__)  # noqa: S102  # our own generator's text
    finally:
        if before is None:
            del sys.modules["numba"]
        else:
            sys.modules["numba"] = before
    return module


def overlaps(n: int, students: int) -> list[np.ndarray]:
    """Random ones, small and large; of rank one; with students that are zero, nearly, or the teachers."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((n, n + 2))
    B, direction = A @ A.T / (n + 2), rng.standard_normal((n, 1))
    small = B.copy()
    small[:students] *= 1e-6
    small[:, :students] *= 1e-6
    T = B[students:, students:]
    cases = [B, 0.05 * B, 9.0 * B, direction @ direction.T, small]
    return cases if n != 2 * students else [*cases, np.block([[T, T], [T, T]])]


def check(found: ModuleType, expected: ModuleType, cases: list[np.ndarray]) -> None:
    for B in cases:
        for name in QUANTITIES:
            one, other = getattr(expected, name)(B), getattr(found, name)(B)
            assert one.shape == other.shape
            least = 1e-12 * max(1.0, np.abs(B).max() ** 2)
            np.testing.assert_allclose(other, one, rtol=1e-10, atol=least, err_msg=name)


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    return common.load_file(common.GOLDEN / f"{GOLDEN}.py")


def test_text_is_the_golden_one() -> None:
    common.check_golden(hd.derive(hd.zoo.logistic("bernoulli")).with_target("numba").source, GOLDEN)
    common.check_lint(common.GOLDEN / f"{GOLDEN}.py")


@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_the_numpy_target(name: str) -> None:
    theory = hd.derive(MODELS[name]())
    found, expected = interpreted(theory.with_target("numba").source), theory.module
    with np.errstate(all="ignore"):
        cases = overlaps(theory.program.size, theory.program.n_student)
        if name == "existence":
            np.testing.assert_array_equal(found.exists(np.stack(cases)), expected.exists(np.stack(cases)))
            cases = [B for B in cases if expected.exists(B)]
        check(found, expected, cases)


def test_numbers_of_integrals_in_four_dimensions() -> None:
    """By Mehler's formula on few nodes: in the interpreter more would take long."""
    theory = hd.derive(hd.zoo.multiclass_logistic(3))
    source = theory.with_target("numba").source
    assert "_mehler(" in source
    check(interpreted(source), theory.module, overlaps(6, 3)[1:2])
    drift = source[source.index("def _drift(") : source.index("def _risks(")]
    assert drift.count("in _plane_nodes(") <= 8  # for thirty integrals: those over one law share a loop


@pytest.mark.slow
def test_numbers_of_averages_over_points() -> None:
    theory = hd.derive(hd.zoo.multiclass_logistic(5))
    source = theory.with_target("numba").source
    assert "_quasi_nodes(" in source
    B = overlaps(10, 5)[0]
    assert float(interpreted(source).risk(B)) == pytest.approx(float(theory.module.risk(B)), rel=1e-12)


def test_compiled_it_gives_the_same(golden: ModuleType) -> None:
    theory = hd.derive(hd.zoo.logistic("bernoulli"))
    cases = overlaps(2, 1)
    check(golden, theory.module, [*cases, np.stack(cases).reshape(2, 3, 2, 2)])
    finer = golden.risk(cases[0], refine=2), theory.module.risk(cases[0], refine=2)
    assert finer[0] == pytest.approx(finer[1], rel=1e-13)


@pytest.mark.nightly
def test_compiled_softmax() -> None:
    """Plane grids and panels, Mehler's formula with its store of rules, several integrals in one loop: minutes."""
    theory = hd.derive(hd.zoo.multiclass_logistic(3))
    found = theory.with_target("numba").module
    check(found, theory.module, overlaps(6, 3))


MODES = np.array([0.5, 1.5]), np.array([0.6, 0.4]), np.array([[[0.5, 0.1], [0.1, 0.6]], [[0.3, 0.05], [0.05, 0.4]]])
TIMES = np.array([0.0, 0.1, 0.15, 0.9, 2.0])


@pytest.mark.parametrize(
    "rate", [0.4, lambda t: 0.4 / (1 + t), lambda t: 0.4 if t < 0.7 else 0.1], ids=["constant", "schedule", "jump"]
)
def test_solutions_of_the_numpy_target(rate: Any, golden: ModuleType) -> None:
    theory = hd.derive(hd.zoo.logistic("bernoulli"))
    options = {"delta": 0.1, "batch": 2.0, "rtol": 1e-11, "atol": 1e-13}
    found, expected = (each.solve(*MODES, rate, TIMES, **options) for each in (golden, theory.module))
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-8, err_msg=key)
    implicit = golden.solve(*MODES, 0.4, TIMES, method="Radau", rtol=1e-7)["risk"]
    np.testing.assert_allclose(implicit, golden.solve(*MODES, 0.4, TIMES)["risk"], rtol=1e-5)


def test_few_nodes_for_many_eigenvalues(golden: ModuleType) -> None:
    lam, rho = np.linspace(0.1, 2.0, 200), np.full(200, 1 / 200)
    modes = lam, rho, rho[:, None, None] * np.array([[1.0, 0.2], [0.2, 1.0]])
    few, full = golden.solve_compressed(*modes, 0.3, TIMES, tol=1e-7), golden.solve(*modes, 0.3, TIMES)
    assert few["compression_error"] <= 1e-7
    np.testing.assert_allclose(few["risk"], full["risk"], rtol=1e-6)


@pytest.fixture(scope="module")
def loop() -> ModuleType:
    """The integrator of any module, for y' = gamma (y2, -y1): a circle, whose time runs as gamma does."""
    module = interpreted(hd.derive(hd.zoo.least_squares()).with_target("numba").source)
    module._flow = lambda y, gamma: gamma * np.array([y[1], -y[0]])  # type: ignore[attr-defined]
    return module


def circle(t: Any) -> np.ndarray:
    return np.array([np.sin(t), np.cos(t)])


def test_orders_of_steps_and_of_what_is_between_them(loop: ModuleType) -> None:
    """Errors of one step fall like h^9, of its interpolant like h^8: orders 8 and 7, by slopes over four step sizes."""
    sizes, ends, between = np.array([0.4, 0.5, 0.64, 0.8]), [], []
    for h in sizes:
        y, K, out = circle(0.3), np.zeros((16, 2)), np.empty(2)
        K[0] = loop._flow(y, 1.0)
        for stage in range(1, 12):
            loop._stage(stage, h, y, K, np.ones(16), ())
        state = loop._stage(12, h, y, K, np.ones(16), ())
        for stage in range(13, 16):
            loop._stage(stage, h, y, K, np.ones(16), ())
        loop._write(0.4, y, loop._interpolant(h, y, state, K), out)
        ends.append(np.linalg.norm(state - circle(0.3 + h)))
        between.append(np.linalg.norm(out - circle(0.3 + 0.4 * h)))
    slopes = [np.polyfit(np.log(sizes), np.log(errors), 1)[0] for errors in (ends, between)]
    assert slopes == pytest.approx([9.0, 8.0], abs=0.3)


@pytest.mark.parametrize("constant", [True, False])
def test_errors_follow_the_tolerance(constant: bool, loop: ModuleType) -> None:
    """Over a hundred times with steps of any length in between; with rates that compiled code has to ask for, too."""
    times = np.linspace(0.0, 20.0, 101)
    phase = times if constant else times + np.sin(times) / 2
    rates: Any = (lambda t: 1.0) if constant else (lambda t: 1.0 + np.cos(t) / 2)
    for rtol in (1e-5, 1e-8, 1e-11):
        states = loop._integrated(circle(0.0), times, rates, constant, rtol, np.full(2, rtol), 1000, ())
        error = np.max(np.abs(states - circle(phase).T))
        assert error < 200 * rtol


def test_ends_that_are_no_solution_are_said(loop: ModuleType) -> None:
    start, tolerance = np.array([1.0]), np.full(1, 1e-8)

    def run(flow: Any, times: Any, most: int = 1000) -> Any:
        loop._flow, before = flow, loop._flow  # type: ignore[attr-defined]
        try:
            return loop._integrated(start, np.array(times), lambda _: 1.0, True, 1e-8, tolerance, most, ())
        finally:
            loop._flow = before  # type: ignore[attr-defined]

    with pytest.raises(RuntimeError, match=r"no finite solution beyond t = (0\.99999|1$)"):
        run(lambda y, gamma: y * y, [2.0])
    with pytest.raises(RuntimeError, match=r"no finite solution beyond t = 0\.\d"):
        run(lambda y, gamma: y if y[0] < 1.5 else np.full(1, np.nan), [1.0])
    with pytest.raises(RuntimeError, match=r"no finite solution beyond t = 6"):  # exp(t) leaves 1e30 behind at t = 69
        run(lambda y, gamma: y, [100.0])
    with pytest.raises(RuntimeError, match=r"50 steps have led to t = 0\.\d+ of 10 only; where"):
        run(lambda y, gamma: -1000.0 * (y - 1.0 - 1e-3), [10.0], 50)
    for times in ([1.0, 0.5], [-1.0, 1.0], [0.5, np.nan]):
        with pytest.raises(ValueError, match="must be finite, not negative, and increase"):
            run(lambda y, gamma: y, times)
    assert run(lambda y, gamma: y, [0.0]).tolist() == [[1.0]]


def test_theory_with_this_target(tmp_path: Any) -> None:
    """Solutions and Jacobians of the library, and an export with everything that the numpy module can have."""
    theory = hd.derive(hd.zoo.phase_retrieval())
    fast = theory.with_target("numba")
    problem = hd.Problem(hd.spectrum.eigenvalues([0.5, 1.5]), hd.start.random(norm=0.8, cosine=0.3, rng=0), 0.1)
    paths = [each.solve(problem, t=5.0, rtol=1e-11, atol=1e-13) for each in (theory, fast)]
    for name in ("risk", "overlaps"):
        np.testing.assert_allclose(paths[1].variable(name), paths[0].variable(name), rtol=1e-8)
    one, other = (each.jacobian(problem).dense() for each in (theory, fast))
    np.testing.assert_allclose(other, one, rtol=1e-12)
    B = paths[0].overlaps.values[3]
    for one, other in zip(*(each.drift(problem)(B, np.zeros(0)) for each in (theory, fast)), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)
    everything = {"adaptive": True, "fluctuations": True}  # and the Jacobian with them
    texts = [theory.export(tmp_path / f"{t}.py", target=t, **everything) for t in ("numpy", "numba")]
    modules = [common.load_file(texts[0]), interpreted(texts[1].read_text(encoding="utf-8"))]
    names = [{name for name in vars(module) if not name.startswith("_")} for module in modules]
    assert names[0] - names[1] <= {"combinations"}
    for one, other in zip(*(module.slopes(B) for module in modules), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-13)
    spread = [module.solve_fluctuations(*MODES, 0.1, [0.1], d=100)["risk_std"] for module in modules]
    np.testing.assert_allclose(spread[1], spread[0], rtol=1e-7)
    rule = [module.solve_adaptive(*MODES, module.polyak(), TIMES[:2])["rate"] for module in modules]
    np.testing.assert_allclose(rule[1], rule[0], rtol=1e-7)


def test_golden_module_as_a_script(golden: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """Without hdsym and sympy; what takes long, compiling it, is done once for all tests here."""
    path = common.GOLDEN / f"{GOLDEN}.py"
    assert any("--learning-rate" in line for line in common.run_alone(path, "--help"))
    golden.main(["--time", "2", "--alpha", "0.5", "--modes", "4"])
    risks = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()[1:]]
    assert len(risks) == 21
    assert risks[-1] < risks[0]


def test_functions_that_numba_lacks() -> None:
    """Within a few units in the last place of scipy's, far into their tails."""
    template = environment("numba").get_template("scalars.j2")
    names = ["_smaller", "_sigmoid", "_softplus", "_logaddexp", "_erfcx", "_log_ndtr", "_inverse_mills", "_owens_t"]
    imports = "import math\nfrom pathlib import Path\nimport numpy as np\nfrom numba import njit\n"
    module = interpreted(imports + template.render(scalars=names))
    u = np.concatenate([np.linspace(-30.0, 30.0, 2001), [-36.0, 0.46875, -0.46875, 4.0, -1.0]])
    expected = {
        "_sigmoid": special.expit(u),
        "_softplus": np.logaddexp(0.0, u),
        "_log_ndtr": special.log_ndtr(u),
        "_inverse_mills": np.sqrt(2 / np.pi) / special.erfcx(-u / np.sqrt(2)),
    }
    for name, values in expected.items():
        found = [getattr(module, name)(v) for v in u]
        np.testing.assert_allclose(found, values, rtol=1e-12, err_msg=name)
    h, a = np.random.default_rng(0).standard_normal((2, 500)) * np.array([[3.0], [30.0]])
    found = [module._owens_t(*pair) for pair in zip(h, a, strict=True)]
    np.testing.assert_allclose(found, special.owens_t(h, a), rtol=0, atol=3e-16)
    assert np.isnan([module._larger(np.nan, 1.0), module._larger(1.0, np.nan), module._smaller(np.nan, 1.0)]).all()
