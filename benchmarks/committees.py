"""Committees of any width: derivation once, time per right-hand side and distinct four-unit tuple, solves, memory.

python benchmarks/committees.py
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

import hdsym as hd

Array = NDArray[np.float64]


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


def plain_rhs(T: Array, K: int, gamma: float) -> Callable[[float, Array], Array]:
    """The erf committee for v = a = 1 and identity covariance, as one writes it from the paper: kernels at all tuples.

    dy/dt for y = (Q, M) flattened, with teacher overlaps T of shape (M, M).
    """
    signs = np.concatenate([np.ones(K), -np.ones(len(T))])

    def rhs(_: float, y: Array) -> Array:
        Q, M = y[: K * K].reshape(K, K), y[K * K :].reshape(K, len(T))
        C = np.block([[Q, M], [M.T, T]])
        rows, d = C[:K], np.diag(C)
        a = 1 + d[:K, None, None]
        L3 = a * (1 + d) - rows[:, None, :] ** 2
        I3 = 2 / np.pi * (C * a - rows[:, :, None] * rows[:, None, :]) / np.sqrt(L3) / a
        drift = -gamma * (I3 @ signs)
        a, b = 1 + d[:K, None, None, None], 1 + d[None, :K, None, None]
        c, e = rows[:, None, :, None], rows[:, None, None, :]
        f, g = rows[None, :, :, None], rows[None, :, None, :]
        q = Q[:, :, None, None]
        L4 = a * b - q**2
        L0 = L4 * C - f * g * a - c * e * b + q * (c * g + e * f)
        L1 = L4 * (1 + d[:, None]) - f**2 * a - c**2 * b + 2 * q * c * f
        L2 = L4 * (1 + d) - g**2 * a - e**2 * b + 2 * q * e * g
        I4 = 4 / np.pi**2 * np.arcsin(L0 / np.sqrt(L1 * L2)) / np.sqrt(L4)
        dQ = drift[:, :K] + drift[:, :K].T + gamma**2 * (I4 @ signs @ signs)
        return np.concatenate([dQ.ravel(), drift[:, K:].ravel()])

    return rhs


def against_plain(theory: hd.derive.SizedDerivation) -> None:  # type: ignore[name-defined]
    """The same flow by numpy as one writes it by hand, and scipy's DOP853: ratios at equal tolerances, in one run."""
    compiled = theory.with_target("numba")
    for K, t in ((2, 1000.0), (8, 100.0)):
        start = hd.start.random(norm=0.5, cosine=0.1, n_student=K, n_teacher=K, rng=1)
        problem = hd.Problem(spectrum=hd.spectrum.identity(), start=start, learning_rate=0.5)
        G = problem.grams(theory.model)[0]
        plain = plain_rhs(G[K:, K:], K, 0.5)
        y = np.concatenate([G[:K, :K].ravel(), G[:K, K:].ravel()])
        state = theory.module.pack(G[None], K=K, M=K)
        own = [each.module.make_rhs([1.0], [1.0], G[None], lambda _: 0.5, K=K, M=K) for each in (theory, compiled)]
        hand, *times = (seconds(lambda f=f, z=z: f(0.0, z), 200) for f, z in ((plain, y), *((f, state) for f in own)))
        print(
            f"K = M = {K}: a right-hand side {1e6 * hand:.0f} us by hand, numpy target {hand / times[0]:.1f} times "
            f"faster, numba target {hand / times[1]:.1f} ({1e9 * times[1] / tuples(K, K):.1f} ns a tuple)"
        )
        for rtol in (1e-6, 1e-8):
            options = {"rtol": rtol, "atol": 1e-2 * rtol}
            hand = seconds(lambda f=plain, y=y, t=t, o=options: solve_ivp(f, (0, t), y, method="DOP853", **o), 5)
            times = [
                seconds(lambda e=e, p=problem, t=t, o=options: e.solve(p, t=t, **o), 5) for e in (theory, compiled)
            ]
            print(
                f"K = M = {K}, to t = {t:g} at rtol {rtol:g}: {hand:.3f} s by hand without output times; with 201 of "
                f"them numpy target {times[0]:.3f} s, {hand / times[0]:.1f} times faster, numba target "
                f"{times[1]:.3f} s, {hand / times[1]:.1f} times"
            )


def widest(theory: hd.derive.SizedDerivation) -> None:  # type: ignore[name-defined]
    K, B = 64, overlaps(128)
    compiled = theory.with_target("numba")
    compiled.module.gradient(overlaps(4), K=2, M=2)
    for target, each in (("numba", compiled), ("numpy", theory)):
        start = time.perf_counter()
        each.module.gradient(B, K=K, M=K)
        took = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        each_tuple = 1e9 * took / tuples(K, K)
        print(
            f"erf, K = M = 64, {target}: {took:.2f} s, {each_tuple:.1f} ns a tuple, peak of the process {peak:.2f} GiB"
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
    against_plain(erf)
    softmax()
    widest(erf)
