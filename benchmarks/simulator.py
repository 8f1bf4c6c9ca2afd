"""Direct simulator: time per SGD step and run against the time numpy takes to draw the d normals alone.

Homogenized SGD: steps per second of one run, and against drawing its normals alone.

Both are timed in turn in one run, best of several, on one core; then threads, memory and compilation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import hdsym as hd
from hdsym.simulate import kernels, methods
from hdsym.simulate.diffusion import Diffusion, Theory

MODELS = ("least_squares", "phase_retrieval", "lipschitz_phase_retrieval", "logistic", "probit")


def best(function: Callable[[], object], repeats: int = 7) -> float:
    """Smallest time in seconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def problem(d: int) -> hd.Problem:
    """Power-law covariance, a small step."""
    return hd.Problem(hd.spectrum.power_law(0.6, d=d), hd.start.random(rng=0), 0.05, horizon=1000.0)


def draw(bits: Callable[[int], np.random.BitGenerator], d: int, steps: int) -> float:
    """Microseconds numpy takes to draw d normals into an array it already has."""
    rng, block = np.random.Generator(bits(0)), np.empty((steps, d))
    return best(lambda: rng.standard_normal(out=block)) / steps * 1e6


def step(name: str, d: int, steps: int) -> float:
    """Microseconds per step of the compiled kernel."""
    model = hd.zoo.MODELS[name]()
    state = methods.make("direct", model, problem(d), kernels.build(model)).begin()
    rng, gamma, rates = np.random.Generator(np.random.SFC64(0)), np.full(steps, 0.05), np.empty((steps, 0))
    state.advance(rng, gamma[:1], rates[:1])
    return best(lambda: state.advance(rng, gamma, rates)) / steps * 1e6


def homogenized(theory: Theory, posed: hd.Problem, scheme: str) -> float:
    """Microseconds per step of one run of homogenized SGD."""
    explicit, steps = posed.explicit(theory.model), 50
    asked = Diffusion(theory, scheme, 1000)
    state = methods.make("homogenized", explicit, posed, kernels.build(explicit), diffusion=asked).begin()
    rng, gamma = np.random.Generator(np.random.SFC64(0)), np.full(steps, 0.05)
    rates = np.zeros((steps, len(explicit.trained)))
    state.advance(rng, gamma[:0], rates[:0])
    return best(lambda: state.advance(rng, gamma, rates)) / steps * 1e6


def print_homogenized(d: int = 10_000) -> None:
    """All d eigenvalues different, and all equal; one direction, and a committee."""
    sizes = {"n_student": 4, "n_teacher": 2}
    committee = hd.derive(hd.zoo.committee("erf"))
    cases = (
        ("phase retrieval", hd.derive(hd.zoo.phase_retrieval()), 1, {}),
        ("erf committee, 4 and 2", committee, 4, sizes),
        ("erf committee, compiled", committee.with_target("numba"), 4, sizes),
    )
    print(f"homogenized SGD, one run on one core, d = {d}")
    for name, theory, l, sizes in cases:
        drawn = draw(np.random.SFC64, d * l, 50)
        for spectrum in (hd.spectrum.power_law(0.6, d=d), hd.spectrum.identity(d=d)):
            posed = hd.Problem(spectrum, hd.start.random(rng=0, **sizes), 0.05)
            for scheme in ("exponential", "euler"):
                us = homogenized(theory, posed, scheme)
                levels = len(spectrum.levels)
                normals = f", {us / drawn:.1f} times drawing d l normals alone" if levels > 1 else ""
                print(f"    {name:<28} {levels:>6} eigenvalues, {scheme:<11} {1e6 / us:8.0f} steps per second{normals}")


def simulate(runs: int, t: float, workers: int, d: int = 1000) -> float:
    """Seconds of a whole call."""
    began = time.perf_counter()
    hd.simulate(hd.zoo.phase_retrieval(), problem(d), runs=runs, t=t, rng=0, workers=workers, record=10)
    return time.perf_counter() - began


def compile_times() -> tuple[float, float]:
    """Seconds to compile in an empty cache, and to load in the next session."""
    code = (
        "import hdsym as hd; p = hd.Problem(hd.spectrum.identity(d=9), hd.start.random(rng=0), 0.1); "
        "hd.simulate(hd.zoo.least_squares(), p, runs=1, t=1); "
        "print(hd.simulate(hd.zoo.phase_retrieval(), p, runs=1, t=1).attrs['compile_seconds'])"
    )
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "HDSYM_CACHE_DIR": folder}
        run = [subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True) for _ in range(2)]
    return float(run[0].stdout), float(run[1].stdout)


def main() -> None:
    """Print everything."""
    print("microseconds per step and run, one core; ratio to numpy drawing the d normals alone")
    for d, steps in ((1000, 2000), (10_000, 200)):
        pcg, sfc = draw(np.random.PCG64, d, steps), draw(np.random.SFC64, d, steps)
        print(f"  d = {d}: numpy draws alone: PCG64 {pcg:.2f}, SFC64 {sfc:.2f}")
        for name in MODELS:
            us = step(name, d, steps)
            print(f"    {name:<27} {us:7.2f}   ratio {us / pcg:.2f} (PCG64)  {us / sfc:.2f} (SFC64)")
    print_homogenized()
    cores = len(os.sched_getaffinity(0))
    simulate(1, 1, 1)
    one, many = simulate(4 * cores, 5, 1), simulate(4 * cores, 5, cores)
    steps_run = 4 * cores * 5000
    print(f"whole call, d = 1000, {4 * cores} runs x 5000 steps, risk included:")
    print(f"    1 worker  {one / steps_run * 1e6:.2f} us per step and run")
    print(f"    {cores} workers {many / steps_run * 1e6:.2f} us per step and run, speed-up {one / many:.2f}")
    peaks = []
    for t in (100, 10_000):
        tracemalloc.start()
        simulate(1, t, 1, d=100)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
    print(f"peak of allocations, d = 100: 10^4 steps {peaks[0]:.1f} MB, 10^6 steps {peaks[1]:.1f} MB")
    cold, warm = compile_times()
    print(f"compilation of one model: {cold:.2f} s in an empty cache, {warm:.3f} s in the next session")


if __name__ == "__main__":
    main()
