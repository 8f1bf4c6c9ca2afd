"""The reduced simulator has the law of the direct one, at small d on purpose: mean, spread and distribution.

Every case compares 400 runs of either by Welch's test, Brown and Forsythe's test and Kolmogorov and Smirnov's, for the
trace of W^T W, every overlap that moves and the trained scalars, at three times. Bonferroni: a case fails by chance
with probability below LEVEL.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import stats

import hdsym as hd
from hdsym.simulate import methods, streams
from hdsym.simulate.kernels import build
from hdsym.simulate.run import stacked_rates

LEVEL = 1e-3
"""Of the 11 cases below, one in 90 sets of new seeds would fail."""
RUNS = 400
TIMES = (0.5, 1.5, 3.0)
K, M, i = hd.size("K"), hd.size("M"), sp.Symbol("i", integer=True)
x, s, y, eps = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y"), hd.noise("eps")
v = hd.Trained("v", size=K)


def erf_committee(second: Any) -> hd.Model:
    out = sp.Sum(second(i) * sp.erf(x[i] / sp.sqrt(2)), (i, 1, K))
    link = sp.Sum(sp.erf(s[i] / sp.sqrt(2)), (i, 1, M)) + eps
    return hd.Model((out - y) ** 2 / 2, link, hd.Normal(eps, std=0.2))


COMMITTEE, TRAINED = erf_committee(lambda _: 1), erf_committee(lambda k: v[k])
BIAS = hd.Trained("b", default=0.1)
ONE, TARGET = hd.student("x"), hd.teacher("s")
KINKED = hd.Model((hd.relu(ONE) - BIAS - y) ** 2 / 2, hd.relu(TARGET) + eps, hd.StudentT(eps, 5))


def levels(d: int, *shares: tuple[float, float]) -> hd.Spectrum:
    """Eigenvalues with their shares of the d coordinates; shares from one on are numbers of coordinates."""
    counts = [max(1, round(share * d)) if share < 1 else int(share) for _, share in shares]
    counts[0] += d - sum(counts)
    return hd.spectrum.eigenvalues(np.repeat([value for value, _ in shares], counts))


TWO = ((1.4, 0.5), (0.4, 0.5))
FEW = ((1.0, 0.5), (0.3, 0.4), (2.5, 2), (3.0, 1))
"""Two eigenvalues of low multiplicity: 2 and 1, below n in every case here."""

CASES: dict[str, tuple[hd.Model, tuple[int, int], Any, dict[str, Any]]] = {
    "phase retrieval": (hd.zoo.phase_retrieval(0.2), (1, 1), TWO, {"learning_rate": 0.12}),
    "phase retrieval, batch 3, delta": (
        hd.zoo.phase_retrieval(0.2),
        (1, 1),
        TWO,
        {"learning_rate": 0.5 / (1 + hd.t), "batch_size": 3, "delta": 0.3},
    ),
    "kinked, trained bias, heavy tails": (KINKED, (1, 1), FEW, {"learning_rate": 0.3, "learning_rates": {"b": 0.1}}),
    "erf committee, low multiplicities": (COMMITTEE, (3, 2), FEW, {"learning_rate": 0.8}),
    "erf committee, batch 2, delta": (COMMITTEE, (3, 2), TWO, {"learning_rate": 1.0, "batch_size": 2, "delta": 0.1}),
    "erf committee, batch 7": (COMMITTEE, (3, 2), FEW, {"learning_rate": 2.0, "batch_size": 7}),
    "trained second layer": (
        TRAINED,
        (2, 1),
        TWO,
        {"learning_rate": 0.6, "parameters": {"v": (0.5, 1.0)}, "learning_rates": {"v": 0.3}},
    ),
    "softmax, sampled labels": (hd.zoo.multiclass_logistic(3, "sampled"), (3, 3), TWO, {"learning_rate": 1.5}),
}


def problem(d: int, name: str) -> tuple[hd.Model, hd.Problem]:
    model, (l, m), shares, settings = CASES[name]
    start = hd.start.random(norm=0.8, cosine=0.4, rng=3, n_student=l, n_teacher=m)
    return model, hd.Problem(levels(d, *shares), start, **settings)


def sample(method: str, model: hd.Model, posed: hd.Problem, seed: int) -> np.ndarray:
    """Every overlap that moves and every trained scalar, (statistic, run, time)."""
    model = posed.explicit(model)
    plan = methods.make(method, model, posed, build(model))
    d, l, n = posed.spectrum.dimension(), model.n_student, model.n_student + model.n_teacher
    steps = np.rint(np.array([0.0, *TIMES]) * d).astype(int)
    stacked = stacked_rates(posed.trained_rates(model), d, int(steps[-1]))
    rows = []
    for stream in np.random.SeedSequence(seed).spawn(RUNS):
        rng, seen = streams.generator(stream), []
        state = plan.begin(rng)
        for first, last in pairwise(steps):
            rates = posed.learning_rate(np.arange(first, last) / d), stacked(first, last - first)
            assert state.advance(rng, *rates) == -1
            found = state.observe()
            moving = [found.overlaps[a, b] for a in range(l) for b in range(a, n)]
            seen.append([*moving, np.trace(found.gram), *found.trained])
        rows.append(seen)
    return np.array(rows).transpose(2, 0, 1)


def smallest_p(first: np.ndarray, second: np.ndarray) -> float:
    """Bonferroni-corrected over statistics, times and the three tests."""
    values = []
    for a, b in zip(first, second, strict=True):
        for k in range(a.shape[1]):
            values += [
                stats.ttest_ind(a[:, k], b[:, k], equal_var=False).pvalue,
                stats.levene(a[:, k], b[:, k], center="median").pvalue,
                stats.ks_2samp(a[:, k], b[:, k]).pvalue,
            ]
    return float(min(values)) * len(values)


def both(d: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    return tuple(sample(method, *problem(d, name), seed) for method, seed in (("direct", 21), ("reduced", 22)))


@pytest.mark.parametrize("name", CASES)
def test_same_law(name: str) -> None:
    p = smallest_p(*both(60, name))
    assert p > LEVEL, p


@pytest.mark.parametrize("name", ["phase retrieval", "erf committee, low multiplicities", "softmax, sampled labels"])
def test_same_law_in_more_dimensions(name: str) -> None:
    p = smallest_p(*both(400, name))
    assert p > LEVEL, p


def test_other_laws_are_told_apart() -> None:
    """The tests can fail: another dimension, and more noise."""
    name = "phase retrieval, batch 3, delta"
    direct = sample("direct", *problem(60, name), 21)
    assert smallest_p(direct, sample("reduced", *problem(68, name), 22)) < LEVEL
    assert smallest_p(direct, sample("reduced", hd.zoo.phase_retrieval(1.5), problem(60, name)[1], 22)) < LEVEL
