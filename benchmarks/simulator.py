"""Simulators: time per SGD step and run, memory, compilation.

Direct steps are compared with the time numpy takes to draw the d normals alone, timed in turn on one core, best of
several; reduced steps must not depend on d. Each aim is printed beside what was measured.

Homogenized SGD: steps per second of one run, and against drawing its normals alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

import hdsym as hd
from hdsym.simulate import kernels, methods
from hdsym.simulate.diffusion import Diffusion, Theory

MODELS = ("least_squares", "phase_retrieval", "lipschitz_phase_retrieval", "logistic", "probit")


def best(function: Callable[[], object], repeats: int = 7) -> float:
    """Smallest processor time in seconds: others on the machine do not count."""
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        function()
        times.append(time.thread_time() - began)
    return min(times)


def problem(d: int) -> hd.Problem:
    """Power-law covariance, a small step."""
    return hd.Problem(hd.spectrum.power_law(0.6, d=d), hd.start.random(rng=0), 0.05, horizon=1000.0)


def draw(bits: Callable[[int], np.random.BitGenerator], d: int, steps: int) -> float:
    """Microseconds numpy takes to draw d normals into an array it already has."""
    rng, block = np.random.Generator(bits(0)), np.empty((steps, d))
    return best(lambda: rng.standard_normal(out=block)) / steps * 1e6


def committee(spectrum: hd.Spectrum) -> tuple[hd.Model, hd.Problem]:
    """An erf committee of four students and two teachers."""
    start = hd.start.random(rng=0, norm=0.5, cosine=0.2, n_student=4, n_teacher=2)
    return hd.zoo.committee("erf"), hd.Problem(spectrum, start, 0.05, horizon=1000.0)


def step(model: hd.Model, posed: hd.Problem, steps: int, method: str = "direct") -> float:
    """Microseconds per step of the compiled kernel."""
    model = posed.explicit(model)
    state = methods.make(method, model, posed, kernels.build(model)).begin()
    rates = np.full((steps, len(model.trained)), 0.05)
    rng, gamma = np.random.Generator(np.random.SFC64(0)), np.full(steps, 0.05)
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


def direct() -> None:
    """Time per step over the time to draw."""
    print("direct: microseconds per step and run, one core; ratio to numpy drawing the d normals alone (aim: 1.5)")
    for d, steps in ((1000, 2000), (10_000, 200)):
        pcg, sfc = draw(np.random.PCG64, d, steps), draw(np.random.SFC64, d, steps)
        print(f"  d = {d}: numpy draws alone: PCG64 {pcg:.2f}, SFC64 {sfc:.2f}")
        cases = [(name, hd.zoo.MODELS[name](), problem(d)) for name in MODELS]
        cases.append(("erf committee, 4 and 2", *committee(hd.spectrum.power_law(0.6, d=d))))
        for name, model, posed in cases:
            us = step(model, posed, steps)
            print(f"    {name:<27} {us:7.2f}   ratio {us / pcg:.2f} (PCG64)  {us / sfc:.2f} (SFC64)")


def reduced() -> None:
    """Time per step at dimensions from 10^3 to 10^9, and for more directions."""
    print("reduced, one eigenvalue: microseconds per step at d = 10^3, 10^6, 10^9 (aim: 0.2 for one and one direction)")
    dims = (10**3, 10**6, 10**9)
    start = hd.start.random(rng=0)
    for name in ("least_squares", "phase_retrieval"):
        posed = [hd.Problem(hd.spectrum.identity(d), start, 0.05) for d in dims]
        us = [step(hd.zoo.MODELS[name](), p, 200_000, "reduced") for p in posed]
        print(f"    {name:<27} " + "  ".join(f"{u:.3f}" for u in us))
    model = hd.zoo.committee("erf")
    start = hd.start.random(rng=0, norm=0.5, cosine=0.2, n_student=4, n_teacher=4)
    us = [step(model, hd.Problem(hd.spectrum.identity(d), start, 0.05), 20_000, "reduced") for d in dims]
    print("    erf committee, 4 and 4      " + "  ".join(f"{u:.3f}" for u in us))


def peak(code: str) -> tuple[float, float]:
    """Seconds of a simulation in a process of its own, and by how many MB the process grew over its size before."""
    text = (
        "import resource, time, hdsym as hd\n"
        "def grown(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3\n"
        "least = hd.zoo.least_squares()\n"
        "def go(d, runs, t, **options):\n"
        "    p = hd.Problem(hd.spectrum.identity(d), hd.start.random(rng=0), 0.1)\n"
        "    return hd.simulate(least, p, runs=runs, t=t, rng=0, **options)\n"
        "go(9, 1, 1), go(9, 1, 1, method='reduced')\n"
        f"small, began = grown(), time.perf_counter()\n{code}\n"
        "print(time.perf_counter() - began, grown(), grown() - small)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, check=True, text=True)
    seconds, whole, more = (float(word) for word in done.stdout.split())
    print(f"    {code:<48} {seconds:6.1f} s   peak of the process {whole:.0f} MB, of it for the runs {more:.0f} MB")
    return seconds, whole


def memory() -> None:
    """Peak of the whole process, which does not depend on the number of steps."""
    print("memory (aim: 300 MB for 50 runs at d = 10^4)")
    for code in ("go(10_000, 50, 0.1)", "go(10_000, 50, 1)", "go(10**7, 1, 1, method='reduced')"):
        peak(code)
    print("10^8 steps at d = 10^7 in one call:")
    peak("go(10**7, 1, 10, method='reduced')")


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
    direct()
    reduced()
    memory()
    print_homogenized()
    cores = len(os.sched_getaffinity(0))
    simulate(1, 1, 1)
    one, many = simulate(4 * cores, 5, 1), simulate(4 * cores, 5, cores)
    steps_run = 4 * cores * 5000
    print(f"whole call, d = 1000, {4 * cores} runs x 5000 steps, risk included:")
    print(f"    1 worker  {one / steps_run * 1e6:.2f} us per step and run")
    print(f"    {cores} workers {many / steps_run * 1e6:.2f} us per step and run, speed-up {one / many:.2f}")
    cold, warm = compile_times()
    print(f"compilation of one model: {cold:.2f} s in an empty cache, {warm:.3f} s in the next session")


if __name__ == "__main__":
    main()
