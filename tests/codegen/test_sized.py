"""Generated modules of sized models: golden files, lint and types, on their own, and the rates of trained scalars."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray

import hdsym as hd
from hdsym.errors import DeclarationError
from hdsym.ir.lower import RESERVED, code_names
from tests.codegen import common

GOLDEN = {
    "committee_erf": hd.zoo.committee("erf"),
    "committee_erf_trained": hd.zoo.committee("erf", trained_second_layer=True),
}
OTHERS = {
    "committee_relu_trained": hd.zoo.committee("relu", trained_second_layer=True),
    "committee_square": hd.zoo.committee("square", normalisation="1/K"),
    "committee_tanh": hd.zoo.committee(sp.tanh),
}
MODELS = GOLDEN | OTHERS
OWN = {"K", "M", "v", "a", "b", "c", "w", "noise_std", "gain"}
"""Names of sizes, parameters and trained scalars in the models of this file."""


def overlaps(K: int, M: int) -> NDArray[np.float64]:
    A = np.random.default_rng(0).standard_normal((3, K + M, K + M + 2))
    B: NDArray[np.float64] = A @ np.swapaxes(A, -1, -2) / (K + M)
    return B


def biased() -> hd.Model:
    """A slope and biases inside the activation, a scalar outside: everything that can be trained or given."""
    k = sp.Symbol("k", integer=True)
    x, s, y = hd.student("x", size="K"), hd.teacher("s"), hd.label("y")
    b, c, w = hd.Trained("b", size="K", default=0.1), hd.Trained("c", default=0.5), hd.parameter("w", size="K")
    gain = hd.parameter("gain", default=1.0)
    output = c + sp.Sum(w[k] * sp.tanh(gain * x[k] + b[k]), (k, 1, hd.size("K")))
    return hd.Model((output - y) ** 2 / 2, s, name="biased")


@pytest.mark.parametrize("name", GOLDEN)
def test_text_is_the_golden_one(name: str) -> None:
    common.check_golden(hd.derive(GOLDEN[name]).source, name)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 2)])
def test_golden_module_gives_the_numbers_of_the_library(name: str, sizes: tuple[int, int]) -> None:
    module, theory, B = common.load_file(common.GOLDEN / f"{name}.py"), hd.derive(GOLDEN[name]), overlaps(*sizes)
    K, M = sizes
    for quantity in ("risk", "gradient", "fisher"):
        expected = getattr(theory, f"{quantity}_at")(B, sizes={"K": K, "M": M})
        found = getattr(module, quantity)(B, K=K, M=M)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_an_empty_batch_keeps_its_shape() -> None:
    module = common.load_file(common.GOLDEN / "committee_erf_trained.py")
    empty = np.zeros((0, 5, 5))
    shapes = [getattr(module, f)(empty, K=3, M=2).shape for f in ("risk", "gradient", "fisher", "trained_gradient")]
    assert shapes == [(0,), (0, 5, 3), (0, 3, 3), (0, 3)]


@pytest.mark.parametrize("name", MODELS)
def test_runs_alone_in_a_clean_process(name: str, tmp_path: Path) -> None:
    path = hd.derive(MODELS[name]).export(tmp_path / f"{name}.py")
    time = "0.05" if "tanh" in name else "2"
    lines = common.run_alone(path, "--time", time, "--K", "3", "--M", "2", "--alpha", "0.5", "--modes", "8")
    assert len(lines) == 22
    risks = [float(line.split()[1]) for line in lines[1:]]
    assert risks[-1] < risks[0]


def test_help_names_sizes_parameters_and_rates(tmp_path: Path) -> None:
    path = hd.derive(GOLDEN["committee_erf_trained"]).export(tmp_path / "solver.py")
    text = "\n".join(common.run_alone(path, "--help"))
    assert all(option in text for option in ("--K", "--M", "--a ", "--v ", "--noise-std", "--trained-rate"))


@pytest.mark.slow
def test_are_lint_clean_and_strictly_typed(tmp_path: Path) -> None:
    paths = [hd.derive(model).export(tmp_path / f"{name}.py") for name, model in OTHERS.items()]
    paths += [common.GOLDEN / f"{name}.py" for name in GOLDEN]
    paths.append(hd.derive(biased()).export(tmp_path / "biased.py"))
    common.check_lint(*paths)
    common.check_types(tmp_path / "cache", *paths)


def test_text_is_the_same_in_every_process() -> None:
    expected = hd.derive(GOLDEN["committee_erf_trained"]).source
    code = "import hdsym as hd, sys; sys.stdout.write(hd.derive(hd.zoo.committee('erf', True)).source)"
    for seed in ("1", "2"):
        assert common.output(code, seed) == expected


def test_a_constant_kernel_is_part_of_the_coefficient() -> None:
    theory = hd.derive(GOLDEN["committee_erf"])
    assert all(value.free_symbols for value in theory.kernels.values())
    assert "E[1]" not in theory.source
    assert "E[1]" not in str(theory)
    B, sizes = overlaps(2, 1), {"K": 2, "M": 1}
    with_noise, without = (theory.risk_at(B, {"noise_std": std}, sizes) for std in (0.3, 0.0))
    np.testing.assert_allclose(with_noise - without, 0.3**2 / 2, rtol=1e-12)


def test_sums_without_preactivations_keep_their_weights_and_sizes() -> None:
    """With sgn(x)^2 = 1 on average, E[(sum_k (v_k - 1) sgn(x_k)^2 - s)^2] / 2 is ((sum v - K)^2 + E s^2) / 2."""
    k, K = sp.Symbol("k", integer=True), hd.size("K")
    x, s, y, v = hd.student("x", size="K"), hd.teacher("s"), hd.label("y"), hd.parameter("v", size="K")
    units = sp.Sum((v[k] - 1) * sp.sign(x[k]) ** 2, (k, 1, K))
    theory = hd.derive(hd.Model((units - y) ** 2 / 2, s))
    values, B = np.array([0.5, 2.0, -1.5]), overlaps(3, 1)
    found = theory.risk_at(B, {"v": values}, {"K": 3})
    np.testing.assert_allclose(found, ((values.sum() - 3) ** 2 + B[:, 3, 3]) / 2, rtol=1e-13)


def test_trained_scalars_have_their_own_rates() -> None:
    module = common.load_file(common.GOLDEN / "committee_erf_trained.py")
    gram = np.eye(4)
    gram[:2, 2:] = gram[2:, :2] = 0.3 * np.eye(2)

    def end(**options: Any) -> Any:
        path = module.solve([1.0], [1.0], gram[None], 0.5, [1.0, 3.0], K=2, M=2, v=[1.0, 0.5], **options)
        return path["trained"][-1]

    same, faster = end(), end(rates=1.5)
    np.testing.assert_allclose(end(rates=0.5), same, rtol=1e-12)
    np.testing.assert_allclose(end(rates=lambda _: 1.5), faster, rtol=1e-12)
    np.testing.assert_allclose(end(rates=[1.5, 1.5]), faster, rtol=1e-12)
    assert np.abs(faster - same).max() > 0.01
    np.testing.assert_allclose(end(rates=0.0), [1.0, 0.5], rtol=1e-12)
    first, second = end(rates=[0.0, 1.5])
    assert first == pytest.approx(1.0, rel=1e-12)
    assert abs(second - 0.5) > 0.01


def test_the_library_solves_by_the_module() -> None:
    theory = hd.derive(GOLDEN["committee_erf_trained"])
    Q, M, T = np.eye(2), 0.3 * np.eye(2), np.eye(2)
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(),
        start=hd.start.overlaps(Q=Q, M=M, T=T),
        learning_rate=0.5,
        learning_rates={"v": 1.5},
        parameters={"v": [1.0, 0.5]},
    )
    path = theory.solve(problem, t_eval=[0.0, 1.0, 3.0])
    gram = np.block([[Q, M], [M.T, T]])
    alone = theory.module.solve([1.0], [1.0], gram[None], 0.5, [0.0, 1.0, 3.0], rates=1.5, K=2, M=2, v=[1.0, 0.5])
    np.testing.assert_allclose(path.trained.values, alone["trained"], rtol=1e-10)
    np.testing.assert_allclose(path.risk.values, alone["risk"], rtol=1e-10)


def test_without_trained_scalars_nothing_is_said_of_them() -> None:
    theory = hd.derive(GOLDEN["committee_erf"])
    assert "theta" not in theory.source
    with pytest.raises(DeclarationError, match="no trained scalars"):
        theory.trained_gradient_at(np.eye(2), sizes={"K": 1, "M": 1})


def names_used(source: str) -> set[str]:
    """Every name in functions that have sizes, parameters or trained scalars among their arguments."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any(a.arg in OWN for a in [*node.args.args, *node.args.kwonlyargs]):
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            found |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
            found |= {n.name for n in ast.walk(node) if isinstance(n, ast.alias)}
    return found


@pytest.mark.parametrize("name", ["erf, trained", "tanh", "biased", "phase retrieval"])
def test_no_name_of_a_constant_can_shadow_one_of_the_module(name: str) -> None:
    """Every name is reserved or has a pattern of its own, but for indices: letters that the model does not use."""
    models = {
        "erf, trained": GOLDEN["committee_erf_trained"],
        "tanh": OTHERS["committee_tanh"],
        "biased": biased(),
        "phase retrieval": hd.zoo.phase_retrieval(),
    }
    used = {n for n in names_used(hd.derive(models[name]).source) - OWN if not n.startswith("_")}
    assert len(used) > 20
    assert {n for n in used if code_names([n]) == [n]} - set("ijkmpqrs") == set()


def test_awkward_names_work() -> None:
    """Ten constants of value 1.1 with names that generated code uses itself, each at its own place in the loss."""
    k = sp.Symbol("k", integer=True)
    x, s, y, b = hd.student("x", size="K"), hd.teacher("s"), hd.label("y"), hd.Trained("b", size="K", default=0.1)
    names = ["gamma", "rows", "i", "values", "solve", "rtol", "B11", "q1", "c1", "n"]
    theories = []
    for factors in ([hd.parameter(name, default=1.1) for name in names], [sp.Rational(11, 10)] * len(names)):
        inside, outside = sp.Mul(*factors[5:]), sp.Mul(*factors[:5])
        output = outside * sp.Sum(sp.cos(inside * x[k]) + b[k], (k, 1, hd.size("K")))
        theories.append(hd.derive(hd.Model((output - y) ** 2 / 2, s)))
    start = hd.start.overlaps(Q=0.1 * np.eye(2), M=np.full((2, 1), 0.1), T=[[1.0]])
    problem = hd.Problem(spectrum=hd.spectrum.identity(), start=start, learning_rate=0.1)
    named, plain = (theory.solve(problem, t=0.2).risk.values for theory in theories)
    np.testing.assert_allclose(named, plain, rtol=1e-9)
    assert all(name not in RESERVED or f"{name}_" in theories[0].source for name in names)
