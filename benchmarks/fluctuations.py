"""What error bars cost: a solution with them over the same without, for states of several sizes, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import hdsym as hd


def seconds(run: Callable[[], object]) -> float:
    """The shorter of two runs."""
    found = []
    for _ in range(2):
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    start = hd.start.random(norm=1.0, cosine=0.5, rng=0)
    wide = hd.start.random(norm=1.0, cosine=0.5, rng=0, n_student=4, n_teacher=4)
    cases = [
        ("phase retrieval, identity", hd.zoo.phase_retrieval(), hd.spectrum.identity(d=1000), start, 0.1),
        ("phase retrieval, power law", hd.zoo.phase_retrieval(), hd.spectrum.power_law(0.6, d=1000), start, 0.1),
        ("logistic, two levels", hd.zoo.logistic("bernoulli"), hd.spectrum.two_level(0.5, 1.5, d=1000), start, 1.0),
        ("committee 4 and 4, identity", hd.zoo.committee(), hd.spectrum.identity(d=1000), wide, 0.5),
        ("committee 4 and 4, power law", hd.zoo.committee(), hd.spectrum.power_law(0.6, d=1000), wide, 0.5),
    ]
    print(f"{'':30} {'entries':>8} {'plain s':>9} {'bars s':>9} {'mean s':>9}  method")
    for name, model, spectrum, begin, gamma in cases:
        theory = hd.derive(model)
        problem = hd.Problem(spectrum=spectrum, start=begin, learning_rate=gamma)
        times = np.linspace(0.0, 5.0, 101)
        path = theory.solve(problem, t_eval=times, fluctuations=True)
        plain = seconds(lambda: theory.solve(problem, t_eval=times))
        bars = seconds(lambda: theory.solve(problem, t_eval=times, fluctuations=True))
        small = path.grams[0].size <= 200
        mean = seconds(lambda: theory.solve(problem, t_eval=times, finite_d="mean")) if small else float("nan")
        shown = f"{mean:9.3g}" if small else f"{'-':>9}"
        method = path.attrs["fluctuations"]["method"]
        print(f"{name:30} {path.grams[0].size:8d} {plain:9.3g} {bars:9.3g} {shown}  {method}")


if __name__ == "__main__":
    main()
