"""The jax target: many problems side by side by jax.vmap against one after another, and on a GPU where there is one.

Phase retrieval with an isotropic covariance to t = 20 at rtol 1e-6, 100,000 problems that differ in learning rate and
noise. The loop runs over some of them, each a call of the compiled solver, and of the numpy module's; wall times are
those of the better of two calls, compilation apart.

python benchmarks/jax_target.py [--problems 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import hdsym as hd
from hdsym.codegen import load_module

LAM, RHO = np.ones(1), np.ones(1)
G0 = np.array([[[1.0, 0.3], [0.3, 1.0]]])
TIMES = np.array([0.0, 5.0, 10.0, 20.0])
LOOPED = 200
OPTIONS = {"rtol": 1e-6, "atol": 1e-8}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the better of two calls, and the result."""
    best, result = np.inf, None
    for _ in range(2):
        began = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - began)
    return best, result


def main() -> None:
    """Print seconds, problems a second, and the ratios of a loop to vmap."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--problems", type=int, default=100_000)
    count = parser.parse_args().problems
    import jax

    theory = hd.derive(hd.zoo.phase_retrieval())
    own, plain = (load_module(theory.written(target), target) for target in ("jax", "numpy"))
    rng = np.random.default_rng(0)
    rates, noise = rng.uniform(0.01, 0.2, count), rng.uniform(0.0, 0.5, count)
    some = range(min(LOOPED, count))

    def together() -> np.ndarray:
        path = own.solve_many(LAM, RHO, G0, rates, TIMES, noise_std=noise, **OPTIONS)
        assert bool(path["ok"].all())
        return np.asarray(path["risk"])

    def looped(module: Any) -> np.ndarray:
        paths = [module.solve(LAM, RHO, G0, rates[k], TIMES, noise_std=noise[k], **OPTIONS) for k in some]
        return np.array([path["risk"] for path in paths])

    loops = {
        f"loop, {name}": timed(lambda module=module: looped(module))
        for name, module in (("jax", own), ("numpy", plain))
    }
    (exact,) = (risk for name, (_, risk) in loops.items() if name.endswith("numpy"))
    print(f"{'':<14} {'seconds':>9} {'problems/s':>12} {'error of the risk':>18}")
    for name, (seconds, risk) in loops.items():
        print(f"{name:<14} {seconds:9.3f} {len(some) / seconds:12.0f} {np.abs(risk - exact).max():18.1e}")
    for kind in ("cpu", "gpu"):
        try:
            device = jax.devices(kind)[0]
        except RuntimeError:
            print(f"{kind}: jax sees none here")
            continue
        with jax.default_device(device):
            seconds, risk = timed(together)
        error = np.abs(risk[: len(some)] - exact).max()
        print(f"{f'vmap, {kind}':<14} {seconds:9.3f} {count / seconds:12.0f} {error:18.1e}")
        for name, (alone, _) in loops.items():
            print(f"    {name} / vmap, {kind}: {alone / len(some) / (seconds / count):.0f} times the time of a problem")


if __name__ == "__main__":
    main()
