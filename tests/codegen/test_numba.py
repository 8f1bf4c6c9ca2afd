"""The numba target: the numpy target's numbers, on its own, and said no where it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import CodegenError, DeclarationError
from tests.codegen.test_numba_explicit import interpreted
from tests.derive.committees import point

k = sp.Symbol("k", integer=True)
x, s, y = hd.student("x", size="K"), hd.teacher("s", size="M"), hd.label("y")
b, w = hd.Trained("b", size="K", default=0.1), hd.parameter("w", size="K")
QUANTITIES = ("risk_at", "gradient_at", "fisher_at")


def phases() -> hd.Model:
    """A parameter and trained phases inside the kernels, under names that generated code uses itself."""
    gain = hd.parameter("first", default=1.0)
    output = sp.Sum(w[k] * sp.cos(gain * x[k] + b[k]), (k, 1, hd.size("K")))
    return hd.Model((output - y) ** 2 / 2, hd.teacher("s"), name="phases")


def rectified() -> hd.Model:
    """Kernels with line integrals, and sums over units that must differ."""
    output = sp.Sum(sp.Max(x[k], 0), (k, 1, hd.size("K")))
    return hd.Model((output - y) ** 2 / 2, hd.teacher("s"), name="rectified")


MODELS = {
    "erf": hd.zoo.committee("erf"),
    "erf, trained": hd.zoo.committee("erf", trained_second_layer=True),
    "identity": hd.zoo.committee("identity"),
    "square": hd.zoo.committee("square", normalisation="1/K"),
    "phases": phases(),
    "rectified": rectified(),
}


@pytest.fixture(scope="module")
def theories() -> dict[str, Any]:
    return {name: hd.derive(model) for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_the_numpy_target(name: str, theories: dict[str, Any]) -> None:
    """At random overlaps of three widths, and at singular ones: two students that are one, and none at all."""
    theory = theories[name]
    fast = theory.with_target("numba")
    quantities = (*QUANTITIES, *["trained_gradient_at"] * bool(theory.model.trained))
    for sizes in ((1, 1), (3, 2), (2, 5)):
        at = point(theory.model, *sizes, seed=sum(sizes))
        cases = [at.B]
        if sizes == (3, 2):
            twins, none = at.B.copy(), at.B.copy()
            twins[0], twins[:, 0], twins[0, 0] = at.B[1], at.B[:, 1], at.B[1, 1]
            twins[0, 1] = twins[1, 0] = at.B[1, 1]
            none[0], none[:, 0] = 0.0, 0.0
            cases += [twins, none]
        for B in cases:
            for quantity in quantities:
                try:
                    expected = getattr(theory, quantity)(B, at.parameters, at.sizes)
                except DeclarationError:  # the kink of a unit that is zero: no derivative
                    with pytest.raises(DeclarationError, match="not finite"):
                        getattr(fast, quantity)(B, at.parameters, at.sizes)
                    continue
                found = getattr(fast, quantity)(B, at.parameters, at.sizes)
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["erf", "erf, trained"])
def test_solutions_are_the_same(name: str, theories: dict[str, Any]) -> None:
    """On a spectrum with two levels, regularised, with a schedule and mini-batches; the Jacobian too."""
    theory, start = theories[name], hd.start.random(norm=0.5, cosine=0.2, n_student=3, n_teacher=2, rng=0)
    problem = hd.Problem(
        spectrum=hd.spectrum.eigenvalues([0.5] * 3 + [1.5] * 3),
        start=start,
        learning_rate=lambda t: 0.4 / (1 + t),
        delta=0.1,
        batch_size=2,
        parameters={"a": [1.0, 0.5], "noise_std": 0.2},
    )
    paths = [each.solve(problem, t=3.0, rtol=1e-10) for each in (theory, theory.with_target("numba"))]
    np.testing.assert_allclose(paths[1].overlaps.values, paths[0].overlaps.values, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(paths[1].risk.values, paths[0].risk.values, rtol=1e-8, atol=1e-9)
    one, other = (each.jacobian(problem).dense() for each in (theory, theory.with_target("numba")))
    np.testing.assert_allclose(other, one, atol=1e-7)


def test_exported_module_runs_alone(theories: dict[str, Any], tmp_path: Path) -> None:
    printed = []
    for target in ("numpy", "numba"):
        file = theories["erf"].export(tmp_path / f"{target}_solver.py", target=target)
        command = [
            sys.executable,
            "-W",
            "error",
            str(file),
            "--time",
            "2",
            "--K",
            "3",
            "--alpha",
            "0.5",
            "--modes",
            "4",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stderr == ""
        printed.append(np.array([line.split() for line in done.stdout.splitlines()[1:]], dtype=float))
    assert printed[0].shape == (21, 4)
    np.testing.assert_allclose(printed[1], printed[0], rtol=1e-6)


def test_the_angle_of_a_point(theories: dict[str, Any]) -> None:
    """Within two units in the last place of numpy's, over all quadrants, axes and sizes; NaN stays NaN."""
    angle = theories["erf"].with_target("numba").module._arctan2
    rng = np.random.default_rng(0)
    points = rng.standard_normal((20_000, 2)) * 10.0 ** rng.uniform(-12, 12, (20_000, 2))
    axes = [(0.0, 0.0), (0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (1.0, 1.0), (-1.0, 1.0), (1e-300, 1.0)]
    for v, u in [*points, *axes]:
        expected = np.arctan2(v, u)
        assert abs(angle(v, u) - expected) <= 2 * np.spacing(abs(expected)), (v, u)
    assert np.isnan([angle(np.nan, 1.0), angle(1.0, np.nan)]).all()


def test_kernels_with_quadrature() -> None:
    """In two and in four dimensions, where the compiler takes long and Python does not."""
    theory = hd.derive(hd.zoo.committee(sp.tanh))
    source = theory.with_target("numba").source
    assert "_gaussian_nodes_2d(" in source
    assert "_mehler(" in source
    at = point(theory.model, 1, 1, seed=1)
    given = theory.arguments(at.parameters, at.sizes)
    for B in (0.05 * at.B, np.full((2, 2), 0.1)):
        for name in ("risk", "gradient", "fisher"):
            found, expected = (getattr(module, name)(B, **given) for module in (interpreted(source), theory.module))
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("rates", [None, 0.2, lambda t: [0.2, 0.1 + t]], ids=["one", "own", "schedule"])
def test_loop_with_trained_scalars(rates: Any, theories: dict[str, Any]) -> None:
    theory, lam, rho = theories["erf, trained"], np.array([0.5, 1.5]), np.array([0.5, 0.5])
    grams = np.tile(0.25 * (np.eye(4) + 0.3), (2, 1, 1))
    options = {"K": 2, "M": 2, "v": [0.4, 0.3], "delta": 0.1, "rtol": 1e-10, "atol": 1e-12, "rates": rates}
    modules = (theory.module, interpreted(theory.with_target("numba").source))
    paths = [module.solve(lam, rho, grams, 0.3, [0.1, 0.4], **options) for module in modules]
    for key, value in paths[0].items():
        np.testing.assert_allclose(paths[1][key], value, rtol=1e-8, err_msg=key)


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(CodegenError, match="there is no target 'nunba'"):
        hd.derive(hd.zoo.committee("erf")).with_target("nunba")
