"""The numba target against the numpy target and plain `solve_ivp`: right-hand sides and whole solutions, by ratios.

python benchmarks/numba_target.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import hdsym as hd

Array = NDArray[np.float64]
TIMES = np.linspace(0.0, 50.0, 101)
MODELS = {
    "phase retrieval": hd.zoo.phase_retrieval,
    "logistic, soft labels": hd.zoo.logistic,
    "logistic, sampled labels": lambda: hd.zoo.logistic("bernoulli"),
}


def seconds(call: Callable[[], Any], repeats: int = 7) -> float:
    """The median of several calls, after one that is not counted: processor time, of one thread."""
    call()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def modes(count: int) -> tuple[Array, Array, Array]:
    """A uniform spectrum on (0, 2) and a start with norm one and cosine 0.3."""
    lam, rho = (np.arange(count) + 0.5) * 2.0 / count, np.full(count, 1.0 / count)
    return lam, rho, rho[:, None, None] * np.array([[1.0, 0.3], [0.3, 1.0]])


def plain(module: Any, given: tuple[Array, Array, Array], rate: float) -> Array:
    """What one writes without the module's `solve`: scipy, with its right-hand side."""
    start = module.pack(given[2])
    rhs = module.make_rhs(*given, lambda _: rate)
    options: dict[str, Any] = {"method": "DOP853", "t_eval": TIMES, "rtol": 1e-8, "atol": 1e-10 / len(given[0])}
    result: Array = solve_ivp(rhs, (0.0, TIMES[-1]), start, **options).y
    return result


def compare(name: str, count: int) -> None:
    """One line: the numpy module, and how many times faster the others are."""
    theory = hd.derive(MODELS[name]())
    slow, start = theory.module, time.perf_counter()
    fast, given = theory.with_target("numba").module, modes(count)
    fast.solve(*given, 0.1, TIMES)
    compiled = time.perf_counter() - start
    rates: dict[str, Any] = {"constant": 0.1, "schedule": lambda t: 0.1 / (1.0 + 0.01 * t)}
    own = {key: [seconds(lambda m=m, r=r: m.solve(*given, r, TIMES)) for m in (slow, fast)] for key, r in rates.items()}
    by_scipy = [seconds(lambda m=m: plain(m, given, 0.1)) for m in (slow, fast)]
    one, other = (module.solve(*given, 0.1, TIMES)["risk"] for module in (slow, fast))
    error = np.max(np.abs(one - other)) / np.max(one)
    once, ratios = own["constant"][0], [own[key][0] / own[key][1] for key in rates]
    print(
        f"{name}, {count} modes: numpy target {1e3 * once:.1f} ms; numba target {ratios[0]:.1f} times faster,"
        f" {ratios[1]:.1f} with a schedule in Python; solve_ivp with its right-hand side {once / by_scipy[1]:.1f}"
        f" times, with numpy's {once / by_scipy[0]:.1f}; risks within {error:.0e}; first call {compiled:.1f} s"
    )


if __name__ == "__main__":
    for model in MODELS:
        for number in (1, 100):
            compare(model, number)
