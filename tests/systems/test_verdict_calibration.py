"""The verdict in use: p-values uniform where the theory is right, small where it is wrong. True nulls from SGD."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest

import hdsym as hd

Float = NDArray[np.float64]

START = hd.start.random(norm=0.8, cosine=0.4, rng=1)
REPEATS, RUNS = 200, 12


def posed(d: int, gamma: float) -> hd.Problem:
    return hd.Problem(hd.spectrum.identity(d), START, gamma, horizon=3.0)


def simulated(model: hd.Model, problem: hd.Problem, seed: int) -> list[hd.Ensemble]:
    """Independent ensembles: one large one, cut up."""
    runs = hd.simulate(model, problem, runs=REPEATS * RUNS, rng=seed, record=6)
    return [hd.Ensemble(runs.dataset.isel(run=slice(i * RUNS, (i + 1) * RUNS))) for i in range(REPEATS)]


def exact_mean_risk(d: int, gamma: float, noise: float, steps: NDArray[np.int64], distance: float) -> Float:
    """E risk of least squares, K = 1, at finite d: E||a||^4 = d (d + 2) closes the recursion of E||X - X*||^2."""
    found = [distance]
    for _ in range(int(steps[-1])):
        found.append(found[-1] * (1 - 2 * gamma / d + gamma**2 * (d + 2) / d**2) + gamma**2 * noise**2 / d)
    return (np.array(found)[steps] + noise**2) / 2


def test_uniform_p_values_where_the_mean_is_known_at_finite_dimension() -> None:
    """200 true nulls: the theory is replaced by the exact mean at d = 60. Kolmogorov-Smirnov fails once in 1000 seeds.

    Against the ODE the same runs keep the level with the allowance, which only makes p-values larger.
    """
    d, gamma, noise = 60, 0.6, 0.3
    model, problem = hd.zoo.least_squares(noise), posed(60, 0.6)
    ensembles = simulated(model, problem, seed=3)
    times = ensembles[0].time.values
    solved = hd.derive(model).solve(problem, t_eval=times)
    steps = np.rint(times * d).astype(np.int64)
    mean = exact_mean_risk(d, gamma, noise, steps, float(solved.distance.values[0]))
    path = hd.Trajectory.build(time=times, overlaps=solved.overlaps.values, gram=solved.gram.values, risk=mean)
    p = np.array([hd.compare(path, runs, "risk", bias=0).p_value for runs in ensembles])
    assert kstest(p, "uniform").pvalue > 1e-3
    allowed = np.array([hd.compare(solved, runs).p_value for runs in ensembles])
    assert np.mean(allowed <= 0.05) <= 0.05


def test_uniform_p_values_with_the_bias_estimated_from_two_dimensions() -> None:
    """200 true nulls against the ODE itself, risk and norm at once, no mean in closed form; fails once in 1000 seeds.

    At d = 100 alone the O(1/d) bias of the risk is no chance: with bias=0 p-values are not uniform.
    """
    model = hd.zoo.phase_retrieval(0.1)
    theory, pairs = hd.derive(model), []
    for d in (100, 300):
        problem = posed(d, 0.15)
        ensembles = simulated(model, problem, seed=d)
        pairs.append((theory.solve(problem, t_eval=ensembles[0].time.values), ensembles))
    (small, few), (large, many) = pairs
    p = np.array([hd.compare(large, a, bias=(small, b)).p_value for a, b in zip(many, few, strict=True)])
    assert kstest(p, "uniform").pvalue > 1e-3
    ignored = np.array([hd.compare(small, runs, "risk", bias=0).p_value for runs in few])
    assert kstest(ignored, "uniform").pvalue < 1e-3


def test_five_percent_in_the_learning_rate_are_found() -> None:
    """50 runs at d = 2000, level 0.01: found in each of 10 repetitions, with the bias allowed for and estimated.

    The largest |z| scatters by about one from one set of runs to the next. That all ten lie beyond 6, where 4 suffices,
    means a power above 0.95 by far; without the error none of the ten is found.
    """
    model, rate = hd.zoo.least_squares(0.3), 0.3
    theory, found = hd.derive(model), {}
    for d in (500, 2000):
        runs = hd.simulate(model, posed(d, rate), runs=500, rng=d, record=6)
        found[d] = [hd.Ensemble(runs.dataset.isel(run=slice(50 * i, 50 * i + 50))) for i in range(10)]
    times = {d: ensembles[0].time.values for d, ensembles in found.items()}
    for factor in (1.0, 1.05):
        path, small = (theory.solve(posed(d, factor * rate), t_eval=times[d]) for d in (2000, 500))
        allowed = [hd.compare(path, runs) for runs in found[2000]]
        pairs = zip(found[2000], found[500], strict=True)
        estimated = [hd.compare(path, runs, bias=(small, few)) for runs, few in pairs]
        for verdict in (*allowed, *estimated):
            assert verdict.agree == (factor == 1.0), verdict.words
            assert factor == 1.0 or abs(verdict.worst["z"]) > 6


def test_five_percent_are_found_where_the_risk_does_not_see_them() -> None:
    """50 runs of logistic regression at d = 2000: with the norm in each of 6 repetitions, beyond 6 standard errors.

    Measured on 40: all are found, |z| from 9 on, and without the error none; the risk alone finds 5 %.
    """
    model = hd.zoo.logistic("bernoulli")
    theory = hd.derive(model)
    runs = hd.simulate(model, posed(2000, 1.0), runs=300, rng=2000, record=3, method="reduced")
    ensembles = [hd.Ensemble(runs.dataset.isel(run=slice(50 * i, 50 * i + 50))) for i in range(6)]
    for factor in (0.95, 1.0, 1.05):
        path = theory.solve(posed(2000, factor), t_eval=runs.time.values)
        verdicts = [hd.compare(path, found) for found in ensembles]
        assert all(verdict.agree == (factor == 1.0) for verdict in verdicts)
        if factor != 1.0:
            assert {verdict.worst["statistic"] for verdict in verdicts} == {"norm"}
            assert all(abs(verdict.worst["z"]) > 6 for verdict in verdicts)
            assert sum(hd.compare(path, found, "risk").agree for found in ensembles) >= 4
