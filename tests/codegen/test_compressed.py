"""Few nodes in place of a large spectrum, by the generated module alone: against all modes, and the error it states."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import hdsym as hd
from tests.codegen import common

D = 100_000
TIMES = np.linspace(0.0, 2.0, 9)


@pytest.fixture(scope="module")
def theory() -> hd.Derivation:
    return hd.derive(hd.zoo.phase_retrieval())


@pytest.fixture(scope="module")
def module(theory: hd.Derivation, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return common.load_file(theory.export(tmp_path_factory.mktemp("exported") / "phase_retrieval.py"))


def spectrum(kind: str) -> np.ndarray:
    return {
        "uniform": np.linspace(1e-5, 2.0, D),
        "with zeros": np.concatenate([np.zeros(D // 4), np.linspace(0.2, 2.0, D - D // 4)]),
        "two levels": np.repeat([0.5, 1.5], D // 2),
        "one level": np.ones(D),
        "wide": np.geomspace(1e-9, 3.0, D),
    }[kind]


def weights(d: int, n: int, seed: int = 1) -> np.ndarray:
    """Gram matrices (d, n, n) of random directions of norm one that overlap."""
    W = np.random.default_rng(seed).normal(size=(d, n)) / np.sqrt(d)
    W[:, 0] = 0.9 * W[:, 0] + 0.4 * W[:, -1]
    return W[:, :, None] * W[:, None]


@pytest.mark.parametrize("kind", ["uniform", "with zeros", "two levels", "one level", "wide"])
def test_agrees_with_all_modes_to_the_error_it_states(kind: str, theory: hd.Derivation, module: ModuleType) -> None:
    lam, grams = spectrum(kind), weights(D, 2)
    rho = np.full(D, 1 / D)
    few = module.solve_compressed(lam, rho, grams, 0.1, TIMES, tol=1e-7, rtol=1e-10)
    if kind == "uniform":  # the library itself, on the same spectrum and start
        W = np.random.default_rng(1).normal(size=(D, 2)) / np.sqrt(D)
        start = hd.start.arrays(0.9 * W[:, 0] + 0.4 * W[:, 1], W[:, 1])
        posed = hd.Problem(hd.spectrum.eigenvalues(lam), start, learning_rate=0.1)
        full = theory.solve(posed, t_eval=TIMES, modes="full", method="DOP853", rtol=1e-10)
        found = {"risk": full.risk.values, "overlaps": full.overlaps.values, "gram": full.gram.values}
    else:
        found = module.solve(lam, rho, grams, 0.1, TIMES, rtol=1e-10)
    assert few["compression_error"] <= 1e-7
    for key in ("risk", "overlaps", "gram"):
        gap = np.max(np.abs(few[key] - found[key])) / np.max(np.abs(found[key]))
        assert gap <= 2 * few["compression_error"] + 1e-8, key


def test_error_falls_geometrically_with_the_nodes(module: ModuleType) -> None:
    """For exp(-20 lam) on pieces of ratio 4 by a factor of 4.7 a node or faster; weights of one keep their sum."""
    lam, rho = np.linspace(0.01, 2.0, 20_000), np.full(20_000, 1 / 20_000)
    errors = []
    for nodes in (4, 6, 8, 10):
        points, shares, grams = module.compress(lam, rho, rho[:, None, None] * np.eye(2), nodes)
        assert points.size == shares.size == 4 * nodes
        assert shares.sum() == pytest.approx(1, rel=1e-13)
        np.testing.assert_allclose(grams, shares[:, None, None] * np.eye(2), rtol=1e-12, atol=1e-16)
        errors.append(abs(shares @ np.exp(-20 * points) - rho @ np.exp(-20 * lam)))
    slope = np.polyfit([4, 6, 8, 10], np.log(errors), 1)[0]
    assert slope < -np.log(4.7)


def test_few_eigenvalues_and_zeros_stay_as_they_are(module: ModuleType) -> None:
    lam = np.array([3.0, 0.0, 1.0, 0.0, 2.0])
    rho, grams = np.full(5, 0.2), weights(5, 2)
    points, shares, few = module.compress(lam, rho, grams, nodes=12)
    assert points.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert shares == pytest.approx([0.4, 0.2, 0.2, 0.2])
    np.testing.assert_array_equal(few, np.array([grams[1] + grams[3], grams[2], grams[4], grams[0]]))
    all_zero = module.compress(np.zeros(3), np.full(3, 1 / 3), weights(3, 2))
    assert all_zero[0].tolist() == [0.0]


def test_a_trained_network_of_any_width(tmp_path: Path) -> None:
    net = hd.derive(hd.zoo.committee(trained_second_layer=True))
    module = common.load_file(net.export(tmp_path / "committee.py"))
    d = 3000
    lam, rho, grams = np.linspace(0.05, 2.0, d), np.full(d, 1 / d), weights(d, 5)
    options = {"K": 3, "M": 2, "v": np.array([0.5, 1.0, 0.7]), "rtol": 1e-9}
    full = module.solve(lam, rho, grams, 0.3, TIMES, **options)
    few = module.solve_compressed(lam, rho, grams, 0.3, TIMES, tol=1e-6, **options)
    for key in ("risk", "overlaps", "gram", "trained"):
        assert np.max(np.abs(few[key] - full[key])) <= 2e-6 * np.max(np.abs(full[key])), key


def test_as_a_script(theory: hd.Derivation, tmp_path: Path) -> None:
    path = theory.export(tmp_path / "phase_retrieval.py")
    arguments = ("--time", "3", "--alpha", "0.5", "--modes")
    lines = common.run_alone(path, *arguments, str(D), "--tol", "1e-6")
    assert float(lines[-1].removeprefix("relative error of the nodes: ")) <= 1e-6
    few, full = (np.array([[float(v) for v in line.split()] for line in table]) for table in (
        common.run_alone(path, *arguments, "3000", "--tol", "1e-6")[1:-1],
        common.run_alone(path, *arguments, "3000")[1:],
    ))  # fmt: skip
    np.testing.assert_allclose(few, full, rtol=1e-5)
