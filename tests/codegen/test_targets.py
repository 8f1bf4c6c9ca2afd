"""Every target against numpy's, on every model of the zoo: risk, gradient, Fisher matrix and solutions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import hdsym as hd
from hdsym.codegen import load_module

QUANTITIES = ("risk", "gradient", "fisher")
LEFT_OUT: dict[tuple[str, ...], str] = {
    ("numba", "multiclass_logistic"): "compiles for long; compared without the compiler in test_numba_explicit.py",
    ("numba", "mixed_regression"): "compiles for long; compared without the compiler in test_numba_explicit.py",
    ("sympy", "multiclass_logistic", "fisher"): "integrals over four variables, a million points each",
    ("jax", "multiclass_logistic", "solve"): "compiles for long; gradient and Fisher matrix are its right-hand side",
    ("jax", "mixed_regression", "solve"): "compiles for long; gradient and Fisher matrix are its right-hand side",
}
"""What agrees, but takes long."""
SIZES = {"committee": {"K": 2, "M": 2}}
DEAR = ("mixed_regression", "multiclass_logistic")


def cases(*targets: str) -> list[Any]:
    """Target and model, the models that compile slowly marked."""
    return [
        pytest.param(target, name, marks=[pytest.mark.slow] if name in DEAR else [], id=f"{target}-{name}")
        for target in targets
        for name in sorted(hd.zoo.ZOO)
        if (target, name) not in LEFT_OUT
    ]


@cache
def theory(name: str) -> Any:
    return hd.derive(hd.zoo.ZOO[name]())


@cache
def module(name: str, target: str) -> ModuleType:
    if target in ("jax", "numba"):
        pytest.importorskip(target)
    return load_module(theory(name).written(target), target)


def directions(name: str) -> tuple[int, int]:
    """Numbers of students and of all directions."""
    explicit = theory(name).model.at(SIZES[name]) if name in SIZES else theory(name).model
    return explicit.n_student, explicit.n_student + explicit.n_teacher


def overlaps(name: str) -> NDArray[np.float64]:
    """At random, close to X = X*, and close to X = 0, where all of det B and of the variances of students vanish."""
    students, n = directions(name)
    W = np.random.default_rng(1).standard_normal((n + 2, n))
    near, small = W.copy(), W.copy()
    near[:, :students] = W[:, students : 2 * students] + 1e-4 * W[:, :students]
    small[:, :students] *= 1e-4
    return np.stack([V.T @ V / n for V in (W, near, small)])


def by_arrays(name: str, target: str, B: NDArray[np.float64]) -> dict[str, Any]:
    found: Callable[..., Any] = module(name, target)
    return {quantity: np.asarray(getattr(found, quantity)(B, **SIZES.get(name, {}))) for quantity in QUANTITIES}


def by_formulas(name: str, B: NDArray[np.float64]) -> dict[str, Any]:
    """The numbers of the sympy module's expressions, one matrix of overlaps after another."""
    own, sizes = module(name, "sympy"), SIZES.get(name, {})
    found: dict[str, list[Any]] = {}
    for matrix in B:
        values = named(matrix, "_" if sizes else "")
        for quantity in QUANTITIES:
            if ("sympy", name, quantity) not in LEFT_OUT:
                found.setdefault(quantity, []).append(number(own, quantity, values, sizes))
    return {quantity: np.array(values) for quantity, values in found.items()}


def named(matrix: NDArray[np.float64], between: str) -> dict[str, float]:
    """Every entry of B by name, and the constants of the zoo's models at their defaults."""
    n = len(matrix)
    entries = {f"B{between}{i + 1}{between}{j + 1}": float(matrix[i, j]) for i in range(n) for j in range(i, n)}
    return {**entries, "noise_std": 0.0, "v_1": 1.0, "v_2": 1.0, "a_1": 1.0, "a_2": 1.0}


def number(own: Any, quantity: str, values: dict[str, float], sizes: dict[str, int]) -> Any:
    expr = getattr(own, quantity)
    if not sizes:
        entries = np.array(expr.tolist() if quantity != "risk" else expr, dtype=object)
        return np.vectorize(lambda entry: own.evaluate(entry, values), otypes=[float])(entries)
    if quantity == "risk":
        return own.evaluate(own.explicit(expr, **sizes), values)
    entries = own.matrix(expr, **sizes)
    result = np.zeros(tuple(max(place[axis] for place in entries) for axis in (0, 1)))
    for place, entry in entries.items():
        result[place[0] - 1, place[1] - 1] = own.evaluate(entry, values)
    return result


@pytest.mark.parametrize(("target", "name"), cases("jax", "numba", "sympy"))
def test_risk_gradient_and_fisher_matrix(target: str, name: str) -> None:
    B = overlaps(name)
    expected = by_arrays(name, "numpy", B)
    found = by_formulas(name, B) if target == "sympy" else by_arrays(name, target, B)
    assert set(found) == {q for q in QUANTITIES if (target, name, q) not in LEFT_OUT}
    for quantity, values in found.items():
        size = max(1.0, np.abs(expected[quantity]).max())
        np.testing.assert_allclose(values, expected[quantity], rtol=0, atol=1e-8 * size, err_msg=quantity)


def modes(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Two eigenvalues, their shares, and random Gram matrices."""
    _, n = directions(name)
    W = 0.7 * np.random.default_rng(2).standard_normal((2, n + 2, n))
    return np.array([0.5, 1.5]), np.array([0.4, 0.6]), np.einsum("mki,mkj->mij", W, W) / (2 * n)


@pytest.mark.parametrize(("target", "name"), cases("jax", "numba"))
def test_solutions(target: str, name: str) -> None:
    if (target, name, "solve") in LEFT_OUT:
        return
    times, options = np.array([0.0, 0.5, 1.5]), {"delta": 0.1, "batch": 2.0, "rtol": 1e-10, "atol": 1e-12}
    given = (*modes(name), 0.2, times)
    expected, found = (module(name, each).solve(*given, **options, **SIZES.get(name, {})) for each in ("numpy", target))
    for key, values in expected.items():
        np.testing.assert_allclose(np.asarray(found[key]), values, rtol=1e-8, atol=1e-8, err_msg=key)
