"""The symmetric plateau of soft committees: where it is, and how long it lasts, from the generated equations alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import root

import hdsym as hd
from hdsym.derive.sized import SizedDerivation
from hdsym.integration import State

Array = NDArray[np.float64]
GAMMA = 0.3
VALUES = {"v": 1.0, "a": 1.0, "noise_std": 0.0}
START = {2: (0.3, 0.25, 0.4), 3: (0.25, 0.15, 0.25)}


@cache
def theory() -> SizedDerivation:
    return hd.derive(hd.zoo.committee("erf"))


def gram(K: int, q: float, c: float, r: float, s: float = 0.0) -> Array:
    """K students of norm^2 q and overlap c; each has the overlap r with all K teachers, and s more with its own.

    The sum of a student's overlaps does not depend on s.
    """
    special = s * (np.eye(K) - 1 / K)
    Q = (q - c) * np.eye(K) + c
    return np.block([[Q, r + special], [r + special, np.eye(K)]])


def flow(K: int, gamma: float) -> Callable[[Array], Array]:
    """d(W^T W)/dt for K = I at a Gram matrix, student rows, (K, 2K)."""
    numbers = theory().arguments(VALUES, {"K": K, "M": K})

    def velocity(G: Array) -> Array:
        rhs = theory().module.make_rhs([1.0], [1.0], G[None], lambda _: gamma, **numbers)
        return np.asarray(rhs(0.0, theory().module.pack(G[None], K=K, M=K))).reshape(K, 2 * K)

    return velocity


@cache
def plateau(K: int, gamma: float) -> tuple[float, float, float]:
    """The fixed point (q, c, r) among Gram matrices in which all students are alike."""
    velocity = flow(K, gamma)

    def moves(values: Array) -> Array:
        found = velocity(gram(K, *values))
        return np.array([found[0, 0], found[0, 1], found[0, K]]) / gamma

    q, c, r = root(moves, START[K], tol=1e-13).x
    assert np.max(np.abs(moves(np.array([q, c, r])))) < 1e-12
    return float(q), float(c), float(r)


def growth_rate(K: int, gamma: float, step: float = 1e-5) -> float:
    """Of the specialisation s at the plateau: d s' / d s, by a central difference."""
    up, down = (flow(K, gamma)(gram(K, *plateau(K, gamma), s)) for s in (step, -step))
    return float((up[0, K] - up[0, K + 1]) - (down[0, K] - down[0, K + 1])) / (2 * step)


@pytest.mark.parametrize("K", START)
def test_plateau_of_a_small_learning_rate(K: int) -> None:
    """q = c = 1 / (2K - 1), r = 1 / sqrt(K (2K - 1)) and its risk: Saad and Solla, Phys. Rev. E 52 (1995) 4225."""
    (q, c, r), farther = plateau(K, 1e-3), plateau(K, 2e-3)
    limit = 2 * np.array([q, c, r]) - np.array(farther)  # what is linear in the rate cancels
    assert limit == pytest.approx([1 / (2 * K - 1), 1 / (2 * K - 1), 1 / np.sqrt(K * (2 * K - 1))], abs=1e-6)
    risk = theory().risk_at(gram(K, q, c, r), VALUES, {"K": K, "M": K})
    assert risk == pytest.approx(K / np.pi * (np.pi / 6 - K * np.arcsin(1 / (2 * K))), rel=1e-3)


@pytest.mark.parametrize("K", START)
def test_specialisation_is_the_way_out(K: int) -> None:
    """The whole linearisation at the plateau: its largest eigenvalue is the growth rate of s, which is positive.

    It has more than one such direction (which student takes which teacher), and none grows faster.
    """
    G, velocity, step = gram(K, *plateau(K, GAMMA)), flow(K, GAMMA), 1e-5
    places = [(i, j) for i in range(K) for j in range(i, 2 * K)]
    jacobian = np.empty((len(places), len(places)))
    for column, (i, j) in enumerate(places):
        shift = np.zeros_like(G)
        shift[i, j] = shift[j, i] = step
        change = (velocity(G + shift) - velocity(G - shift)) / (2 * step)
        jacobian[:, column] = [change[place] for place in places]
    rates = np.linalg.eigvals(jacobian)
    assert np.max(rates.real) == pytest.approx(growth_rate(K, GAMMA), rel=1e-5)
    assert growth_rate(K, GAMMA) > 0.003


ASYMMETRIES = np.array([1e-4, 1e-5, 1e-6, 1e-7, 1e-8])


@pytest.mark.parametrize("K", START)
def test_escape_time_grows_like_the_logarithm_of_the_inverse_asymmetry(K: int) -> None:
    """From the plateau: t = const + log(1 / s(0)) / (growth rate of s there), a straight line to a thousandth."""
    escapes = np.array([escape(gram(K, *plateau(K, GAMMA), s)).events[0][0] for s in ASYMMETRIES])
    slope, level = np.polyfit(np.log(1 / ASYMMETRIES), escapes, 1)
    assert slope == pytest.approx(1 / growth_rate(K, GAMMA), rel=1e-3)
    residual = escapes - (level + slope * np.log(1 / ASYMMETRIES))
    assert np.max(np.abs(residual)) < 1e-3 * (escapes[-1] - escapes[0])


@pytest.mark.parametrize("K", START)
def test_the_plateau_is_found_from_elsewhere(K: int) -> None:
    """Students shorter than there: they come closer to the plateau the longer they wait, and so does the slope."""
    paths = [escape(gram(K, 0.3, 0.2, 0.15, s)) for s in ASYMMETRIES]
    escapes = np.array([path.events[0][0] for path in paths])
    excess = np.diff(escapes) / np.log(10) * growth_rate(K, GAMMA) - 1
    assert np.all(np.diff(excess) < 0)
    assert 0 < excess[-1] < 0.02
    there = gram(K, *plateau(K, GAMMA))[:K]
    away = [
        np.max(np.abs(path.at([0.6 * t])["overlaps"].values[0, :K] - there))
        for path, t in zip(paths, escapes, strict=True)
    ]
    assert np.all(np.diff(away) < 0)
    assert away[-1] < 0.012


def escape(G: Array) -> hd.Trajectory:
    """The motion from W^T W = G until students specialise."""
    K = len(G) // 2

    def separated(_: float, state: State) -> float:
        return float(state.overlaps[0, K] - state.overlaps[0, K + 1] - 0.2)

    separated.terminal = True  # type: ignore[attr-defined]
    start = hd.start.overlaps(Q=G[:K, :K], M=G[:K, K:], T=G[K:, K:])
    problem = hd.Problem(hd.spectrum.identity(), start, GAMMA, parameters=VALUES, horizon=20_000.0)
    return theory().solve(problem, t=20_000.0, events=separated, rtol=1e-9, atol=1e-14, dense_output=True)
