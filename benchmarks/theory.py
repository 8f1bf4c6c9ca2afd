"""Import, derivation, code generation and ODE: times and ratios taken in one run.

python benchmarks/theory.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import hdsym as hd
from hdsym.codegen import load_module, render
from hdsym.ir import lower

MODELS = {
    "least squares": hd.zoo.least_squares(),
    "phase retrieval": hd.zoo.phase_retrieval(),
    "Lipschitz phase retrieval": hd.zoo.lipschitz_phase_retrieval(),
    "logistic, soft labels": hd.zoo.logistic("soft"),
    "logistic, Bernoulli labels": hd.zoo.logistic("bernoulli"),
    "probit": hd.zoo.probit(),
}


def seconds(call: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def fresh_process(code: str, repeats: int = 7) -> float:
    """Median wall time of a fresh interpreter running `code`."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), repeats)


def imports() -> None:
    """Whole processes, alternating, after one warm-up each that compiles the bytecode."""
    codes = {"import sympy, numpy": "import sympy, numpy", "import hdsym": "import hdsym"}
    codes["import hdsym; hdsym.Model, hdsym.derive"] = "import hdsym; hdsym.Model; hdsym.derive"
    for code in codes.values():
        fresh_process(code, 1)
    base = fresh_process(codes["import sympy, numpy"])
    print("import")
    for name, code in codes.items():
        value = fresh_process(code)
        print(f"  {name:44s} {1e3 * value:7.0f} ms   ratio to import sympy, numpy {value / base:.2f}")


def cold(name: str) -> tuple[float, float]:
    """Derivation, then rendering and loading, each for the first time in a fresh process."""
    code = (
        f"import time, hdsym as hd; m = hd.zoo.{name}; hd.derive; a = time.perf_counter(); t = hd.derive(m);"
        "b = time.perf_counter(); t.module; c = time.perf_counter(); print(b - a, c - b)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    derive, load = map(float, done.stdout.split())
    return derive, load


def derivations() -> None:
    from sympy.core.cache import clear_cache

    print("derive; render, compile and load (warm: sympy's caches cleared, modules imported; cold: a fresh process)")
    calls = ["least_squares()", "phase_retrieval()", "lipschitz_phase_retrieval()", "logistic('soft')"]
    calls += ["logistic('bernoulli')", "probit()"]
    for (name, model), call in zip(MODELS.items(), calls, strict=True):
        clear_cache()
        derive = seconds(lambda model=model: (clear_cache(), hd.derive(model))[1], 3)
        theory = hd.derive(model)
        number = iter(range(1000))
        load = seconds(
            lambda theory=theory: load_module(render(lower(theory.model, theory.formulas)) + f"# {next(number)}\n"), 3
        )
        cold_derive, cold_load = cold(call)
        print(
            f"  {name:28s} derive {1e3 * derive:6.0f} ms (cold {1e3 * cold_derive:5.0f})   "
            f"load {1e3 * load:5.0f} ms (cold {1e3 * cold_load:5.0f})"
        )


def odes() -> None:
    print("ODE, phase retrieval, power law 0.6, d = 2000 modes, t = 20")
    theory = hd.derive(hd.zoo.phase_retrieval())
    problem = hd.Problem(
        spectrum=hd.spectrum.power_law(0.6, d=2000), start=hd.start.random(norm=1, cosine=0.3, rng=0), learning_rate=0.1
    )
    for rtol in (1e-6, 1e-8, 1e-10):
        path = theory.solve(problem, t=20, t_eval=np.linspace(0, 20, 51), rtol=rtol)
        took = seconds(lambda rtol=rtol: theory.solve(problem, t=20, t_eval=np.linspace(0, 20, 51), rtol=rtol))
        print(f"  rtol {rtol:.0e}: {1e3 * took:6.0f} ms, {path.attrs['solver']['rhs_evaluations']} right-hand sides")
    module, grams = theory.module, problem.grams(theory.model)
    rhs = module.make_rhs(problem.spectrum.levels, problem.spectrum.fractions, grams, lambda _: 0.1)
    state = module.pack(grams)
    one = seconds(lambda: [rhs(0.0, state) for _ in range(500)]) / 500
    print(f"  one right-hand side {1e6 * one:.0f} us; numpy copy of its state {1e6 * copy_time(state):.1f} us")


def copy_time(state: np.ndarray) -> float:
    return seconds(lambda: [state.copy() for _ in range(500)]) / 500


if __name__ == "__main__":
    imports()
    derivations()
    odes()
