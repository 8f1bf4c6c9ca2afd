"""Committees of any width: derivation once, time per right-hand side and distinct four-unit tuple, solves, memory.

python benchmarks/committees.py
"""

from __future__ import annotations

import resource
import time

import numpy as np

import hdsym as hd


def seconds(call, repeats: int = 5) -> float:  # type: ignore[no-untyped-def]
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def overlaps(n: int) -> np.ndarray:
    A = np.random.default_rng(0).standard_normal((n, 3 * n))
    return A @ A.T / (3 * n)


def tuples(K: int, M: int) -> int:
    """Distinct (k, l | i, j): pairs of trained units, pairs of all units."""
    return K * (K + 1) // 2 * (K + M) * (K + M + 1) // 2


def derivation() -> None:
    for activation in ("erf", "relu", "square"):
        start = time.perf_counter()
        theory = hd.derive(hd.zoo.committee(activation))
        derived = time.perf_counter() - start
        loaded = time.perf_counter() - start - derived if theory.module else 0.0
        print(f"derive {activation:6s} committee: {derived:.2f} s, then the module {loaded:.2f} s")


def right_hand_sides(theory: hd.derive.SizedDerivation) -> None:  # type: ignore[name-defined]
    for K in (2, 4, 8, 16, 32):
        B = overlaps(2 * K)
        rhs = theory.module.make_rhs([1.0], [1.0], B[None], lambda _: 0.5, K=K, M=K)
        y = theory.module.pack(B[None], K=K, M=K)
        took = seconds(lambda rhs=rhs, y=y: rhs(0.0, y), 5 if K > 8 else 200)
        print(
            f"erf, K = M = {K:2d}: {1e3 * took:8.2f} ms a right-hand side, {1e9 * took / tuples(K, K):6.1f} ns a tuple"
        )


def solves(theory: hd.derive.SizedDerivation) -> None:  # type: ignore[name-defined]
    for K, t, rtol in ((8, 100.0, 1e-6), (2, 1000.0, 1e-6)):
        start = hd.start.random(norm=0.5, cosine=0.1, n_student=K, n_teacher=K, rng=1)
        problem = hd.Problem(
            spectrum=hd.spectrum.identity(), start=start, learning_rate=0.5, parameters={"v": 1.0, "a": 1.0}
        )
        tight = theory.solve(problem, t=t, rtol=1e-10, atol=1e-12)
        took = seconds(lambda p=problem, t=t, r=rtol: theory.solve(p, t=t, rtol=r, atol=1e-9), 3)
        path = theory.solve(problem, t=t, rtol=rtol, atol=1e-9)
        error = float(np.max(np.abs(path.risk.values - tight.risk.values)) / tight.risk.values[0])
        count = path.attrs["solver"]["rhs_evaluations"]
        print(f"erf, K = M = {K}, to t = {t:g}: {took:.2f} s, {count} right-hand sides, error of the risk {error:.0e}")


def widest(theory: hd.derive.SizedDerivation) -> None:  # type: ignore[name-defined]
    K, B = 64, overlaps(128)
    start = time.perf_counter()
    theory.module.gradient(B, K=K, M=K)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"erf, K = M = 64: {took:.2f} s, {1e9 * took / tuples(K, K):.0f} ns a tuple, peak of the process {peak:.2f} GiB"
    )


def softmax() -> None:
    theory = hd.derive(hd.zoo.multiclass_logistic(3))
    B = overlaps(6)
    took = seconds(lambda: theory.module.gradient(B))
    error = max(float(np.max(np.abs(f(B) - f(B, refine=2)))) for f in (theory.module.gradient, theory.module.fisher))
    print(f"softmax, 3 classes: {1e3 * took:.1f} ms a right-hand side, error {error:.0e}")


if __name__ == "__main__":
    derivation()
    erf = hd.derive(hd.zoo.committee("erf"))
    right_hand_sides(erf)
    solves(erf)
    softmax()
    widest(erf)
