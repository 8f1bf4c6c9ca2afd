"""Spectra of any size: a million eigenvalues at the price of a thousand, and spectra of data.

Phase retrieval on a spectrum drawn uniformly from [0.5, 1.5], t = 20. The time to solve is that of all integrations,
over both sets of nodes; setup is everything else: spectrum, start, Gram matrices, choice of nodes and their weights.

python benchmarks/spectra.py
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from stiff import integrations

import hdsym as hd

SIZES = (10**3, 10**4, 10**5, 10**6)
REPEATS = 7
ONE_FULL = 10**5
"""Dimension up to which all levels are feasible: the output alone takes gigabytes beyond."""


def posed(d: int) -> hd.Problem:
    values = np.random.default_rng(0).uniform(0.5, 1.5, d)
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    return hd.Problem(spectrum=hd.spectrum.eigenvalues(values), start=start, learning_rate=0.1)


def sizes() -> None:
    print(f"phase retrieval, uniform spectrum, t = 20, rtol = 1e-8; best of {REPEATS}, sizes in turn")
    theory = hd.derive(hd.zoo.phase_retrieval())
    theory.solve(posed(100), t=20)
    solved, set_up = dict.fromkeys(SIZES, np.inf), dict.fromkeys(SIZES, np.inf)
    paths = {}
    for _ in range(REPEATS):
        for d in SIZES:
            began = time.perf_counter()
            with integrations() as found:
                paths[d] = theory.solve(posed(d), t=20)
            within = sum(seconds for _, seconds in found)
            solved[d] = min(solved[d], within)
            set_up[d] = min(set_up[d], time.perf_counter() - began - within)
    for d in SIZES:
        modes, error = paths[d].attrs["modes"], paths[d].attrs.get("compression_error", 0.0)
        line = f"  d = {d:8d}: solve {1e3 * solved[d]:5.1f} ms = {solved[d] / solved[SIZES[0]]:.2f} of the first"
        line += f", setup {set_up[d]:.3f} s, {modes['count']:4d} modes, error estimate {error:.0e}"
        print(line + (f", against full {against_full(theory, d):.0e}" if d <= ONE_FULL else ""))


def against_full(theory: hd.Derivation, d: int) -> float:
    """Largest error of the risk with nodes, relative to the largest risk, where both are integrated to 1e-11."""
    options = {"t_eval": np.linspace(0.0, 20.0, 6), "rtol": 1e-11, "atol": 1e-14}
    count = theory.solve(posed(d), t=20).attrs["modes"]["count"] if d > SIZES[0] else 16
    few, full = (theory.solve(posed(d), modes=modes, **options).risk.values for modes in (count, "full"))
    return float(np.max(np.abs(few - full)) / np.max(full))


FRESH = """
import resource, time
import hdsym as hd, numpy as np, scipy.integrate, xarray
sys_peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
theory = hd.derive(hd.zoo.phase_retrieval())
theory.solve(hd.Problem(hd.spectrum.identity(), hd.start.overlaps(1.0, 0.3, 1.0), 0.1), t=1)
values = np.random.default_rng(0).uniform(0.5, 1.5, 10**6)
before, began = sys_peak(), time.perf_counter()
problem = hd.Problem(hd.spectrum.eigenvalues(values), hd.start.random(norm=1.0, cosine=0.3, rng=1), 0.1)
theory.solve(problem, t=20)
print(time.perf_counter() - began, sys_peak(), sys_peak() - before)
"""


def memory() -> None:
    done = subprocess.run([sys.executable, "-c", FRESH], check=True, capture_output=True, text=True)
    seconds, peak, more = map(float, done.stdout.split())
    print(f"d = 10^6, a fresh process: setup and solution {seconds:.2f} s; peak {peak:.2f} GiB, {more:.2f} for them")


def data(N: int = 20_000, d: int = 2_000) -> None:
    """In turn: what from_data takes, an eigendecomposition alone, and the product that comes before it."""
    A = np.random.default_rng(0).standard_normal((N, d))
    K = A.T @ A / N
    calls: dict[str, Callable[[], object]] = {
        "from_data": lambda: hd.spectrum.from_data(A),
        "eigendecomposition": lambda: np.linalg.eigh(K),
        "product": lambda: A.T @ A,
    }
    best = dict.fromkeys(calls, np.inf)
    for _ in range(3):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - began)
    ours, eigen, product = best.values()
    print(f"data, {N} x {d}: from_data {ours:.2f} s; one eigendecomposition {eigen:.2f} s, product A'A {product:.2f} s")
    print(f"  ratio to product and eigendecomposition {ours / (product + eigen):.2f}, to the latter {ours / eigen:.2f}")


if __name__ == "__main__":
    memory()  # first: a new process inherits the peak of this one
    sizes()
    data()
