"""Sixty-six Gaussian expectations: time to derive, size, time per covariance, error; beside sympy.stats on request.

python benchmarks/expectations.py [--sympy-stats]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from itertools import product

import numpy as np
import sympy as sp

import hdsym as hd
from hdsym.errors import ExpectationError
from hdsym.expectation import Gaussian, GaussianIntegral
from hdsym.expectation.rules.moments import monomial_moment
from hdsym.symbols import overlap_matrix

x, s, z, w = sp.symbols("x s z w", real=True)
COV = np.array([[1.2, 0.3, -0.2, 0.1], [0.3, 0.8, 0.4, 0.2], [-0.2, 0.4, 1.5, -0.3], [0.1, 0.2, -0.3, 1.0]])
LIMIT = 20
"""Seconds given to sympy.stats."""


def cdf(u: sp.Expr) -> sp.Expr:
    return (1 + sp.erf(u / sp.sqrt(2))) / 2


def he(k: int, u: sp.Expr) -> sp.Expr:
    return sp.hermite_prob(k, u)


def g(u: sp.Expr) -> sp.Expr:
    return sp.erf(u / sp.sqrt(2))


relu, sigmoid, softplus, th, sgn = hd.relu, hd.sigmoid, hd.softplus, sp.Heaviside, sp.sign

INTEGRANDS: list[sp.Expr] = [
    *(
        x**4 * s**2,
        x**4 * s**2 * z**2,
        (x**2 - s**2) ** 2 * x**2,
        (x - s) ** 6,
        x * s * z * w,
        x**8 * s**4 * z**2 * w**2,
    ),
    *(he(3, x) * he(3, s), he(4, x) * he(2, s), he(5, x) * s),
    *(sp.exp(x), sp.exp(x - s) * x**2, sp.exp(-(x**2)), sp.exp(-(x**2) - s**2 / 2 + x) * s, sp.exp(-x * x) * s**4),
    *(sp.cos(x), sp.sin(x) * s, sp.cos(x) ** 2 * s**2, sp.cosh(x) * s**4, sp.sinh(x - s) * x),
    *(g(x) * g(s), g(x) ** 2, sp.diff(g(x), x) * s * g(z), sp.diff(g(x), x) * sp.diff(g(s), s) * g(z) * g(w)),
    *(x * cdf(x) * s * cdf(s), cdf(1 + 2 * x), cdf(1 + x) ** 2, x * cdf(x - s), sp.erfc(x) * s**2),
    *(sgn(x), sgn(x) * sgn(s), sgn(x - s) * x, th(x - 1), th(x) * th(s), sgn(x) * sgn(s) * sgn(z) * sgn(w)),
    *(sp.Abs(x), sp.Abs(x) * sp.Abs(s), sp.Abs(x - s), sp.Abs(x**2 - s**2), sp.Abs(x) ** 3 * s**2),
    *(relu(x) * relu(s), relu(x) ** 2 * s**2, th(x) * relu(s) * z, th(x) * th(s) * relu(z) * relu(w)),
    *(sp.Max(0, 1 - x), sp.Max(0, 1 - x) ** 2, sp.Max(0, 1 - x) * sgn(s), sp.Max(x, s), sp.Min(1, sp.Max(-1, x))),
    *(sp.DiracDelta(x) * sp.Abs(s), sp.DiracDelta(x - 1) * s**2),
    *(sigmoid(x), softplus(x) - x * sigmoid(s), sigmoid(x) * sigmoid(s), (sigmoid(x) - sigmoid(s)) ** 2),
    *(sp.tanh(x) ** 2, sp.tanh(x) * sp.tanh(s), sp.log(sp.cosh(x - s)), sp.log(1 + sp.exp(x) + sp.exp(s))),
    *(x * sigmoid(x) * s, sigmoid(x) * sp.Abs(s)),
    *(softplus(-x * sgn(s)), sp.tanh(x) ** 2 * sgn(s) * sgn(z), sigmoid(x) * sigmoid(s) * sgn(z)),
    *(sp.tanh(x) * sp.tanh(s) * sp.tanh(z) * sp.tanh(w), sigmoid(x + s) * sigmoid(s + z) * sigmoid(z + x)),
    sp.exp(x - hd.logsumexp(x, s, 0)) * sp.exp(z - hd.logsumexp(z, w, 0)),
]


def operations(expr: sp.Expr) -> int:
    shared, (reduced,) = sp.cse([expr])
    return int(sp.count_ops(reduced) + sum(sp.count_ops(value) for _, value in shared))


def seconds(call, repeats: int = 3) -> float:  # type: ignore[no-untyped-def]
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def row(integrand: sp.Expr) -> float:
    variables = [v for v in (x, s, z, w) if integrand.has(v)]
    start = time.perf_counter()
    try:
        found = hd.expect(integrand, variables)
    except ExpectationError as error:
        print(f"  {integrand!s:46.46} {error.message:.60}")
        return time.perf_counter() - start
    took = time.perf_counter() - start
    places = [(x, s, z, w).index(v) for v in variables]
    cov = COV[np.ix_(places, places)]
    largest = max((node.dimension for node in found.expr.atoms(GaussianIntegral)), default=0)
    batch = cov * np.linspace(0.5, 2.0, 10_000 if largest < 2 else 200)[:, None, None]
    found.evaluate(cov)
    one = seconds(lambda: [found.evaluate(cov) for _ in range(10)]) / 10
    many = seconds(lambda: found.evaluate(batch), 1) / len(batch)
    kind = "closed" if found.exact else f"{max(largest, 1)}-D"
    print(
        f"  {integrand!s:46.46} {1e3 * took:7.0f} ms {kind:8s} {operations(found.expr):5d} ops "
        f"{1e6 * one:7.0f} us {1e6 * many:8.2f} us {float(found.error(cov)):8.1e}"
    )
    return took


def moments() -> None:
    """All monomials of degree eight in four variables."""
    cov = overlap_matrix(4)
    gaussian = Gaussian((x, s, z, w), (sp.S.Zero,) * 4, cov)
    powers = [p for p in product(range(9), repeat=4) if sum(p) == 8]
    start = time.perf_counter()
    for p in powers:
        monomial_moment(p, gaussian)
    print(f"all {len(powers)} monomials of degree 8 in 4 variables: {time.perf_counter() - start:.2f} s one by one")
    start = time.perf_counter()
    monomial_moment((2, 2, 2, 2), gaussian)
    print(f"x^2 s^2 z^2 w^2 alone: {1e3 * (time.perf_counter() - start):.0f} ms")


def sympy_stats() -> None:
    """The same by sympy.stats, each in a process that is stopped after the limit."""
    print(f"sympy.stats, limit {LIMIT} s, start of its process (0.4 s) included, and independent variables only")
    for text in ("X**4*S**2", "abs(X)", "abs(X)*abs(S)", "exp(X - S)*X**2", "log(1 + exp(X))", "erf(X)*S**2"):
        code = (
            "from sympy import *; from sympy.stats import Normal, E; X, S = Normal('X', 0, 1), Normal('S', 0, 1);"
            f"print(E({text}))"
        )
        start = time.perf_counter()
        try:
            done = subprocess.run(
                [sys.executable, "-c", code], timeout=LIMIT, capture_output=True, text=True, check=True
            )
            outcome = done.stdout.strip()[:50]
        except subprocess.TimeoutExpired:
            outcome = "stopped"
        except subprocess.CalledProcessError as error:
            outcome = error.stderr.strip().splitlines()[-1][:60]
        took = time.perf_counter() - start
        names = {"X": x, "S": s, "abs": sp.Abs, "exp": sp.exp, "log": sp.log, "erf": sp.erf}
        integrand = eval(text, {"__builtins__": {}}, names)  # noqa: S307  # the texts above
        ours = seconds(lambda integrand=integrand: hd.expect(integrand, [x, s], cov=sp.eye(2)), 1)
        print(f"  {text:20s} {took:6.1f} s {outcome:52s} hdsym {1e3 * ours:5.0f} ms, ratio {took / ours:7.0f}")


if __name__ == "__main__":
    print(f"{len(INTEGRANDS)} integrands: time to derive, form, operations, one covariance, one of a batch, error")
    times = [row(integrand) for integrand in INTEGRANDS]
    times.sort()
    fast = sum(took < 0.2 for took in times) / len(times)
    print(f"under 0.2 s: {100 * fast:.0f} %; slowest {times[-1]:.2f} s; median {1e3 * statistics.median(times):.0f} ms")
    moments()
    if "--sympy-stats" in sys.argv:
        sympy_stats()
