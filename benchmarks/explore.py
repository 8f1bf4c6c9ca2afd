"""What a move of a slider costs: median and 90 % over moves of all sliders, wall clock and processor time.

    python benchmarks/explore.py [--moves 40]

A move poses the problem anew, chooses nodes for its spectrum, solves, evaluates the descent threshold along the
solution and draws. The ratio: processor time of ``theory.solve`` alone, with its own tolerances on all levels, at the
same values.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import hdsym as hd
from hdsym.errors import SolveError


def measured(call: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of wall clock and of the processor."""
    wall, work = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - work)


def moves(name: str, theory: Any, count: int, rng: np.random.Generator) -> None:
    explorer = hd.explore(theory)
    names = list(explorer.sliders)
    found, full = [], []
    for k in range(count):
        slider = explorer.sliders[names[k % len(names)]]
        low, high = (
            (10.0**slider.min, 10.0**slider.max) if names[k % len(names)] == "learning_rate" else (0.0, slider.max)
        )
        share = rng.uniform(0.05, 0.6)
        value = low * (high / low) ** share if low else high * share

        def move(slider: Any = slider, value: float = value) -> None:
            slider.value = value

        found.append(measured(move))
        if k % 8 == 0:
            full.append(measured(lambda: _solved(theory, explorer)))
    wall, work = np.array(found).T
    own = float(np.median([spent for _, spent in full]))
    print(
        f"{name:<42} {np.median(wall):6.0f} {np.quantile(wall, 0.9):6.0f} ms wall, {np.median(work):6.0f} "
        f"{np.quantile(work, 0.9):6.0f} ms processor, theory.solve alone {own / np.median(work):4.1f} x"
    )


def _solved(theory: Any, explorer: Any) -> None:
    with contextlib.suppress(SolveError):
        theory.solve(explorer.problem, t_eval=explorer.quick.times, modes="full")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=40)
    count = parser.parse_args().moves
    rng = np.random.default_rng(0)
    print(f"{'d = 500, power law; median and 90 % of a move':<42}")
    for name, model in {
        "least squares": hd.zoo.least_squares(),
        "phase retrieval": hd.zoo.phase_retrieval(),
        "Lipschitz phase retrieval": hd.zoo.lipschitz_phase_retrieval(),
        "probit": hd.zoo.probit(),
        "logistic, sampled labels (quadrature)": hd.zoo.logistic("bernoulli"),
        "committee, 3 units, trained (numpy)": hd.zoo.committee("erf", True),
    }.items():
        moves(name, hd.derive(model), count, rng)
    moves("the same, compiled (numba)", hd.derive(hd.zoo.committee("erf", True)).with_target("numba"), count, rng)


if __name__ == "__main__":
    main()
