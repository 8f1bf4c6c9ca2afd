"""Stiff spectra: right-hand sides and wall time of the automatic method against explicit ones at the same accuracy.

Power law lam_i ~ i^-0.6 in d = 100,000 dimensions. Accuracy is the largest error of the risk along the path relative to
the largest risk, measured against Radau at 1e-11 with more nodes. Every method runs at the loosest power of ten that
reaches it, on nodes chosen alike; then at the default tolerance. Last, what steps cost, on which "auto" rests.

python benchmarks/stiff.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.integrate import DOP853

import hdsym as hd
from hdsym.integration import Run
from hdsym.solve import _run
from hdsym.stepping.exponential import Exponential
from hdsym.stepping.rosenbrock import Rodas

ACCURACY = 1e-6
CASES = {
    "phase retrieval": (hd.zoo.phase_retrieval(), 0.1),
    "least squares": (hd.zoo.least_squares(), 0.3),
    "logistic": (hd.zoo.logistic("soft"), 0.3),
}
TIMES = np.linspace(0.0, 100.0, 101)


@contextmanager
def integrations() -> Iterator[list[tuple[int, float]]]:
    """(right-hand sides, seconds) of every integration within: one for each set of nodes."""
    original, found = Run.integrate, []

    def integrate(run: Run, *arguments: Any) -> hd.Trajectory:
        began = time.perf_counter()
        path = original(run, *arguments)
        found.append((path.attrs["solver"]["rhs_evaluations"], time.perf_counter() - began))
        return path

    Run.integrate = integrate  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Run.integrate = original  # type: ignore[method-assign]


def posed(rate: float, d: int = 100_000) -> hd.Problem:
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    return hd.Problem(spectrum=hd.spectrum.power_law(0.6, d=d), start=start, learning_rate=rate)


def measured(theory: Any, problem: hd.Problem, exact: np.ndarray, method: str, rtol: float) -> dict[str, Any]:
    """Error, right-hand sides (of one solution, of all sets of nodes), wall time of the better of two calls."""
    options = {"t_eval": TIMES, "method": method, "rtol": rtol, "atol": 1e-2 * rtol}
    seconds = []
    for _ in range(2):
        with integrations() as found:
            began = time.perf_counter()
            path = theory.solve(problem, **options)
            seconds.append(time.perf_counter() - began)
    error = float(np.max(np.abs(path.risk.values - exact)) / np.max(exact))
    counts = [count for count, _ in found]
    return {"rtol": rtol, "error": error, "one": max(counts), "all": sum(counts), "seconds": min(seconds), "path": path}


def at_accuracy(*arguments: Any) -> dict[str, Any]:
    """At the loosest power of ten for a tolerance that reaches ACCURACY."""
    for rtol in 10.0 ** -np.arange(4.0, 9.0):
        found = measured(*arguments, rtol)
        if found["error"] <= ACCURACY:
            return found
    return found


def show(method: str, found: dict[str, Any], base: dict[str, Any] | None = None) -> None:
    line = f"  {method:11s} rtol {found['rtol']:.0e}  error {found['error']:.0e}  right-hand sides {found['one']:6d}"
    line += f" (all node sets {found['all']:6d})  {1e3 * found['seconds']:6.0f} ms"
    if base is not None:
        line += (
            f"   {found['one'] / base['one']:.0f} times as many, {found['seconds'] / base['seconds']:.1f} times as long"
        )
    print(line)


def solutions() -> None:
    for name, (model, rate) in CASES.items():
        theory, problem = hd.derive(model), posed(rate)
        print(f"{name}, learning rate {rate}, t = {TIMES[-1]:g}; times are for all node sets, with setup")
        reference = theory.solve(problem, t_eval=TIMES, method="Radau", rtol=1e-11, atol=1e-14, modes=70)
        exact = reference.risk.values
        ours = at_accuracy(theory, problem, exact, "auto")
        show("auto", ours)
        for method in ("exponential", "stiff", "DOP853", "RK45"):
            show(method, at_accuracy(theory, problem, exact, method), ours)
        default = measured(theory, problem, exact, "auto", 1e-8)
        show("auto", default)
        show("DOP853", measured(theory, problem, exact, "DOP853", 1e-8), default)
        print("  " + "; ".join(default["path"].attrs["solver"]["used"]))


def step_costs() -> None:
    """Wall time of steps in right-hand sides of the same size, and how many steps tolerances take."""
    print("what a step costs: in ms, and in right-hand sides of the problem")
    theory = hd.derive(hd.zoo.phase_retrieval())
    for modes in (20, 100, 1000, 10_000):
        run = _run(theory, posed(0.1, modes))
        each = 1e3 * step_seconds(run, DOP853) / 12
        row = ""
        for kind in (Exponential, Rodas):
            took = 1e3 * step_seconds(run, kind, **run.structure())
            row += f"   {kind.__name__} {took:6.2f} ms = {took / each:3.0f}"
        print(f"  {modes:6d} modes: right-hand side {1e3 * each:5.0f} us{row}")
    for rtol in (1e-4, 1e-6, 1e-8):
        row = f"  steps at rtol {rtol:.0e}:"
        for method, power in (("exponential", 5), ("stiff", 4)):
            solver = theory.solve(posed(0.1), t_eval=TIMES, method=method, rtol=rtol, atol=1e-2 * rtol, modes=40).attrs
            steps = solver["solver"]["jacobians"]
            row += f"   {method} {steps:4d} = {steps * rtol ** (1 / power):.1f} rtol^(-1/{power})"
        print(row)


def step_seconds(run: Run, kind: Any, **options: Any) -> float:
    """Mean wall time of the first twenty steps, best of five."""
    start, best = run._start(), np.inf
    for _ in range(5):
        solver = kind(run.rhs, 0.0, start, 1e9, rtol=1e-8, atol=1e-10, first_step=1e-4, **options)
        began = time.perf_counter()
        for _ in range(20):
            solver.step()
        best = min(best, (time.perf_counter() - began) / 20)
    return best


if __name__ == "__main__":
    solutions()
    step_costs()
