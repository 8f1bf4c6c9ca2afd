"""Committees of smooth activations at regular and singular overlaps, against a tensor grid of Hermite nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.typing import NDArray
from scipy.special import erf, expit

import hdsym as hd
from hdsym.derive.sized import SizedDerivation

Array = NDArray[np.float64]
Function = Callable[[Array], Array]


def _gelu_slope(u: Array) -> Array:
    return np.asarray((1 + erf(u / np.sqrt(2))) / 2 + u * np.exp(-u * u / 2) / np.sqrt(2 * np.pi))


ACTIVATIONS: dict[str, tuple[Any, Function, Function]] = {
    "gelu": (
        lambda u: u * (1 + sp.erf(u / sp.sqrt(2))) / 2,
        lambda u: u * (1 + erf(u / np.sqrt(2))) / 2,
        _gelu_slope,
    ),
    "silu": (lambda u: u * hd.sigmoid(u), lambda u: u * expit(u), lambda u: expit(u) * (1 + u * expit(-u))),
    "softplus": (hd.softplus, lambda u: np.logaddexp(0, u), expit),
    "tanh": (sp.tanh, np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "sigmoid": (hd.sigmoid, expit, lambda u: expit(u) * expit(-u)),
}
NODES = {"tanh": 48}
UNITS = {"v": 1.0, "a": 1.0, "noise_std": 0.0}
SIZES = {"K": 2, "M": 2}


@cache
def theory(name: str) -> SizedDerivation:
    derived = hd.derive(hd.zoo.committee(ACTIVATIONS[name][0]))
    assert isinstance(derived, SizedDerivation)
    return derived


def on_grid(name: str, B: Array) -> tuple[float, Array, Array]:
    """Risk, drift E[r grad_x f] and Fisher matrix of two students and two teachers, without derivation."""
    _, value, slope = ACTIVATIONS[name]
    size, vectors = np.linalg.eigh(B)
    kept = size > 1e-17
    L = vectors[:, kept] * np.sqrt(size[kept])
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES.get(name, 36))
    rank = L.shape[1]
    z = np.stack([axis.ravel() for axis in np.meshgrid(*[nodes] * rank, indexing="ij")])
    w = np.prod(np.meshgrid(*[weights / np.sqrt(2 * np.pi)] * rank, indexing="ij"), axis=0).ravel()
    r = L @ z
    error = value(r[:2]).sum(axis=0) - value(r[2:]).sum(axis=0)
    steps = error * slope(r[:2])
    return float(w @ error**2) / 2, (w * r) @ steps.T, (w * steps) @ steps.T


def overlaps() -> Iterator[tuple[str, Array]]:
    """Students at, near and far from their teachers, equal, and zero; variances near 0.3."""
    rng = np.random.default_rng(1)
    X, S = rng.standard_normal((4, 6)) / 4, rng.standard_normal((2, 6)) / 4
    yield "generic", X @ X.T
    teachers = X[2:]
    rows = {
        "X = X*": teachers,
        **{f"X* + {eps}": teachers + float(eps) * S for eps in ("1e-12", "1e-10", "1e-8", "1e-6", "1e-4", "1e-2")},
        "equal students": np.stack([X[0], X[0]]),
        "nearly equal students": np.stack([X[0], X[0] + 1e-8 * S[0]]),
        "students along a line": np.stack([X[0], -X[0] / 2]),
        "X = 0": np.zeros((2, 6)),
        "X = 1e-8": 1e-8 * S,
    }
    for label, students in rows.items():
        W = np.concatenate([students, teachers])
        yield label, W @ W.T


CASES = dict(overlaps())


@pytest.mark.parametrize("label", CASES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_smooth_committees(name: str, label: str) -> None:
    B = CASES[label]
    risk, drift, fisher = on_grid(name, B)
    found = theory(name)
    tol = 2e-10 if name == "tanh" else 1e-12
    assert abs(found.risk_at(B, UNITS, SIZES) - risk) < tol
    np.testing.assert_allclose(2 * B @ found.gradient_at(B, UNITS, SIZES), drift, rtol=0, atol=tol)
    np.testing.assert_allclose(found.fisher_at(B, UNITS, SIZES), fisher, rtol=0, atol=tol)


@pytest.mark.parametrize("shared", [0.1, 0.3, 1.0, 1e-12])
def test_gelu_where_all_students_share_a_covariance(shared: float) -> None:
    """One student, one teacher: its Fisher matrix has four equal or pairwise equal preactivations."""
    B = np.eye(2) + shared
    nodes, weights = np.polynomial.hermite_e.hermegauss(220)
    z = np.stack([axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij")])
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    r = np.linalg.cholesky(B) @ z
    _, value, slope = ACTIVATIONS["gelu"]
    wanted = w @ ((value(r[0]) - value(r[1])) * slope(r[0])) ** 2
    found = theory("gelu").fisher_at(B, UNITS, {"K": 1, "M": 1})
    np.testing.assert_allclose(found, [[wanted]], rtol=1e-13)


def test_gelu_kernels_need_no_plane() -> None:
    """Four error functions, also beside polynomials and densities, take an integral over the unit interval at most."""
    assert not theory("gelu").program.dimensions


@pytest.mark.parametrize("name", ["fisher", "gradient", "trained_gradient"])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_quadrature_error_covers_everything(activation: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path's attribute looked at the risk alone, and at integrals over Gaussians alone; GELU's is over [0, 1]."""
    trained = name == "trained_gradient"
    derived = hd.derive(hd.zoo.committee(ACTIVATIONS[activation][0], True)) if trained else theory(activation)
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(),
        start=hd.start.random(norm=0.5, cosine=0.3, n_student=1, n_teacher=1, rng=1),
        learning_rate=0.3,
        parameters={"v": [0.4]} if trained else {},
    )
    assert 0 < derived.solve(problem, t=1).attrs["quadrature_error"] < 1e-9
    function = getattr(derived.module, name)

    def worse(B: Array, *, refine: int = 1, **given: Any) -> Array:
        return np.asarray(function(B, refine=refine, **given) * (1 + 1e-3 / refine))

    monkeypatch.setattr(derived.module, name, worse)
    assert derived.solve(problem, t=1).attrs["quadrature_error"] == pytest.approx(5e-4, rel=1e-2)
