"""Modules on jax: derivatives, problems side by side, failures, and what a user sees without jax."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.codegen import load_module
from hdsym.errors import CodegenError
from tests.codegen import common

jax = pytest.importorskip("jax")
diffrax = pytest.importorskip("diffrax")

jax.config.update("jax_enable_x64", True)  # as the modules do, which some tests load while they trace

LAM, RHO = np.array([0.5, 1.5]), np.array([0.4, 0.6])
G0 = RHO[:, None, None] * np.array([[1.0, 0.3], [0.3, 1.0]])
TIMES = np.array([0.0, 1.0, 2.0])
SINGULAR = {
    "X = 0": np.array([[0.0, 0.0], [0.0, 1.3]]),
    "X = X*": np.full((2, 2), 1.3),
    "X = -X*": np.array([[1.3, -1.3], [-1.3, 1.3]]),
    "close": np.array([[1.0, 1.0 + 1e-9], [1.0 + 1e-9, 1.0 + 2e-9]]),
}


@cache
def module(model: Any, target: str = "jax") -> ModuleType:
    return load_module(hd.derive(model).written(target), target)


PHASE = hd.zoo.phase_retrieval()
KINKED, LOGISTIC, PROBIT = hd.zoo.lipschitz_phase_retrieval(), hd.zoo.logistic(), hd.zoo.probit()


def final(*given: Any) -> Any:
    """The final risk of learning rate, regularisation, noise and cosine at the start."""
    rate, delta, std, cosine, *adjoint = given
    turn = jax.numpy.array([[0.0, 1.0], [1.0, 0.0]])
    start = RHO[:, None, None] * (jax.numpy.eye(2) + cosine * turn)
    path = module(PHASE).solve(
        LAM, RHO, start, rate, TIMES, delta=delta, noise_std=std, rtol=1e-10, adjoint=adjoint[0] if adjoint else None
    )
    return path["risk"][-1]


@pytest.mark.slow
def test_gradients_through_the_solution_are_those_of_finite_differences() -> None:
    at = (0.2, 0.05, 0.3, 0.3)
    found = np.array(jax.jit(jax.grad(final, argnums=(0, 1, 2, 3)))(*at))
    steps = 1e-4 * np.eye(4)
    expected = [(float(final(*(at + h))) - float(final(*(at - h)))) / 2e-4 for h in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    along = jax.jvp(lambda rate: final(rate, *at[1:], diffrax.ForwardMode()), (at[0],), (1.0,))[1]
    np.testing.assert_allclose(along, found[0], rtol=1e-6)


@pytest.mark.parametrize("model", [KINKED, PROBIT, LOGISTIC], ids=lambda model: model.name)
def test_derivatives_are_numbers_where_overlaps_are_singular(model: Any) -> None:
    """That of the risk is the gradient, by another way, wherever that is finite."""
    own = module(model)
    cases = np.stack([np.array([[1.1, 0.4], [0.4, 0.9]]), *SINGULAR.values()])
    slopes = jax.jit(
        jax.vmap(lambda B: (jax.grad(own.risk)(B), jax.jacfwd(own.gradient)(B), jax.jacfwd(own.fisher)(B)))
    )
    risk, *others = map(np.asarray, slopes(cases))
    assert all(np.isfinite(part).all() for part in (risk, *others))
    gradient = np.asarray(own.gradient(cases))
    kept = np.isfinite(gradient).all(axis=(1, 2))
    assert kept.sum() >= 4  # the kink of |x| at X = 0 has none
    symmetric = (risk + np.swapaxes(risk, 1, 2)) / 2
    np.testing.assert_allclose(symmetric[kept][:, :, :1], gradient[kept], atol=1e-6)


def test_helpers_have_the_values_of_scipy_and_finite_slopes() -> None:
    """Owen's T, phi / Phi, arcsin: those that jax lacks, or whose derivative is infinite somewhere."""
    from scipy import special

    from hdsym.codegen.jax_printer import HELPERS
    from hdsym.codegen.render import environment

    text = environment("jax").get_template("safe.j2").render(helpers=HELPERS)
    imports = "import jax\nimport jax.numpy as jnp\nimport numpy as np\nfrom jax import lax\n"
    own = load_module(f"from __future__ import annotations\n{imports}from jax.scipy import special\n{text}")
    h, a = np.meshgrid(np.linspace(-9, 9, 41), np.concatenate([np.linspace(-4, 4, 33), [1e3, -1e8]]))
    np.testing.assert_allclose(own._owens_t(h, a), special.owens_t(h, a), atol=2e-15)
    u = np.linspace(-40, 8, 97)
    mills = np.sqrt(2.0 / np.pi) / special.erfcx(-u / np.sqrt(2.0))
    np.testing.assert_allclose(own._inverse_mills(u), mills, rtol=1e-14)
    np.testing.assert_allclose(own._log_ndtr(u), special.log_ndtr(u), rtol=1e-13)
    np.testing.assert_allclose(jax.vmap(jax.grad(own._log_ndtr))(u), mills, rtol=1e-12)
    for name, points in {"_sqrt": [0.0, 1e-200, 4.0], "_arcsin": [-1.0, 1.0, 0.5]}.items():
        values = [float(jax.grad(getattr(own, name))(point)) for point in points]
        assert np.isfinite(values).all(), name
    np.testing.assert_allclose(own._arcsin(np.array([-1.0, 1.0, 0.5])), np.arcsin([-1.0, 1.0, 0.5]), rtol=1e-15)
    assert np.isnan(own._sqrt(np.array(-1.0)))
    assert np.isinf(own._ratio(1.0, 0.0))
    assert np.isnan(own._ratio(0.0, 0.0))
    origin = jax.grad(own._arctan2, (0, 1))(0.0, 0.0)
    underflow = jax.grad(lambda v: own._weighted(jax.numpy.exp(own._ratio(-1.0, v)), own._ratio(1.0, v)))(0.0)
    assert [*map(float, origin), float(underflow)] == [0.0, 0.0, 0.0]


def test_problems_side_by_side_are_those_one_by_one_and_say_which_failed() -> None:
    """Learning rates, noise and starts of their own; the last learning rate is far above what is stable."""
    own, plain = module(PHASE), module(PHASE, "numpy")
    rates, noise = np.array([0.05, 0.1, 3.0]), np.array([0.0, 0.5, 0.1])
    starts = np.stack([G0, 0.5 * G0 + 0.5 * np.eye(2), G0])
    many = own.solve_many(LAM, RHO, starts, rates, TIMES, noise_std=noise, rtol=1e-10)
    assert np.asarray(many["ok"]).tolist() == [True, True, False]
    assert np.isnan(many["risk"][2, -1])
    for k in range(2):
        alone = plain.solve(LAM, RHO, starts[k], rates[k], TIMES, noise_std=noise[k], rtol=1e-10)
        np.testing.assert_allclose(many["risk"][k], alone["risk"], rtol=1e-8)
    with pytest.raises(RuntimeError, match="no finite solution beyond t = 0"):
        own.solve(LAM, RHO, G0, 3.0, TIMES, rtol=1e-10)
    with pytest.raises(ValueError, match="no argument has an axis"):
        own.solve_many(LAM, RHO, G0, 0.1, TIMES)


def test_stiff_method_and_schedule_in_the_library_and_alone() -> None:
    """The library's own solver on the same right-hand side, and the module's implicit method."""
    theory = hd.derive(PHASE)
    spectrum = hd.spectrum.two_level(2.0, 0.25, share=0.4)
    start = hd.start.overlaps(Q=1.0, M=0.3, T=1.0)
    problem = hd.Problem(spectrum, start, learning_rate=lambda t: 0.2 / (1.0 + t))
    paths = [each.solve(problem, t=2.0, rtol=1e-10).risk.values for each in (theory, theory.with_target("jax"))]
    np.testing.assert_allclose(paths[1], paths[0], rtol=1e-9)
    gram = np.array([[1.0, 0.3], [0.3, 1.0]])
    lam, rho = np.array([2.0, 0.25]), np.array([0.4, 0.6])
    path = module(PHASE).solve(
        lam, rho, rho[:, None, None] * gram, lambda t: 0.2 / (1.0 + t), [2.0], method="stiff", rtol=1e-9
    )
    np.testing.assert_allclose(path["risk"][-1], paths[0][-1], rtol=1e-6)


def test_trained_scalars_have_rates_of_their_own() -> None:
    model = hd.zoo.committee("erf", trained_second_layer=True)
    W = np.random.default_rng(0).standard_normal((6, 3))
    given = ([1.0], [1.0], (W.T @ W / 6)[None], lambda t: 0.3 / (1.0 + t), TIMES)
    options = {"K": 2, "M": 1, "v": np.array([0.3, 0.2]), "rates": 0.1, "rtol": 1e-10}
    expected, found = (module(model, target).solve(*given, **options) for target in ("numpy", "jax"))
    for key, values in expected.items():
        np.testing.assert_allclose(np.asarray(found[key]), values, rtol=1e-8, atol=1e-8, err_msg=key)


def test_module_runs_alone_as_the_one_on_numpy_does(tmp_path: Path) -> None:
    theory = hd.derive(PHASE)
    printed = []
    for target in ("jax", "numpy"):
        file = theory.export(tmp_path / f"{target}_solver.py", target=target)
        lines = common.run_alone(file, "--time", "2", "--alpha", "0.5", "--modes", "5")
        printed.append(np.array([line.split() for line in lines[1:]], dtype=float))
    assert printed[0].shape == (21, 4)
    np.testing.assert_allclose(*printed, rtol=1e-6)
    assert any("--horizon" in line for line in common.run_alone(tmp_path / "jax_solver.py", "--help"))


def test_a_gpu_gives_the_same_solution() -> None:
    try:
        device = jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("jax sees no GPU here")
    with jax.default_device(device):
        path = module(PHASE).solve_many(LAM, RHO, G0, np.array([0.05, 0.1]), TIMES, rtol=1e-10)
    assert path["risk"].devices() == {device}
    expected = module(PHASE, "numpy").solve(LAM, RHO, G0, 0.1, TIMES, rtol=1e-10)
    np.testing.assert_allclose(path["risk"][1], expected["risk"], rtol=1e-8)


def test_what_it_cannot_express_is_refused_by_name() -> None:
    def bump(u):  # type: ignore[no-untyped-def]
        return np.exp(-u * u)

    x, s = hd.student("x"), hd.teacher("s")
    own = hd.function("bump", bump, derivative=lambda u: -2 * u * sp.exp(-(u**2)), parity="even")
    with pytest.raises(CodegenError, match="bump is declared by its Python code"):
        hd.derive(hd.Model(loss=own(x) * hd.sigmoid(s))).written("jax")
    x1, x2 = hd.student("x", size=2)
    kinked = hd.Model(loss=sp.Abs(x1) * sp.Abs(x2 - s) * sp.Abs(x1 + x2), name="three kinks")
    with pytest.raises(CodegenError, match="three kinks has an integral with kinks in 3 dimensions"):
        hd.derive(kinked, policy="numeric").written("jax")
    with pytest.raises(CodegenError, match="no adaptive learning rates"):
        hd.derive(PHASE).written("jax", adaptive=True)
    with pytest.raises(CodegenError, match="no Jacobian"):
        hd.derive(PHASE).export("solver.py", target="jax", jacobian=True)


def test_written_without_jax_and_loaded_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import hdsym as hd, sys; hd.derive(hd.zoo.probit()).written('jax'); print('jax' in sys.modules)"
    assert common.output(code, "0") == "False\n"
    monkeypatch.setitem(__import__("sys").modules, "diffrax", None)
    with pytest.raises(CodegenError, match=r"need diffrax[\s\S]*pip install hdsym\[jax\]"):
        _ = hd.derive(hd.zoo.least_squares(0.125)).with_target("jax").module


def test_text_is_the_golden_one_lint_clean(tmp_path: Path) -> None:
    common.check_golden(hd.derive(KINKED).written("jax"), "lipschitz_phase_retrieval_jax")
    paths = [hd.derive(m).export(tmp_path / f"m{k}.py", target="jax") for k, m in enumerate((KINKED, LOGISTIC))]
    models = (hd.zoo.multiclass_logistic(3), hd.zoo.committee("relu", trained_second_layer=True))
    paths += [hd.derive(m).export(tmp_path / f"s{k}.py", target="jax") for k, m in enumerate(models)]
    common.check_lint(*paths)


@pytest.mark.slow
def test_modules_are_strictly_typed(tmp_path: Path) -> None:
    models = (LOGISTIC, hd.zoo.committee("erf", trained_second_layer=True))
    common.check_types(
        tmp_path / "cache", *(hd.derive(m).export(tmp_path / f"m{k}.py", "jax") for k, m in enumerate(models))
    )
