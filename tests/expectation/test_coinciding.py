"""Kinks in four variables, rows of which coincide or nearly do: student equal to teacher, students that are copies."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.expectation.integral import UnitIntegral
from hdsym.minors import minor
from tests.expectation.independent import Problem, expected

R = sp.symbols("r1:5", real=True)
theta, relu = sp.Heaviside, (lambda u: (u + sp.Abs(u)) / 2)
KERNELS = {
    "relu": theta(R[0]) * theta(R[1]) * relu(R[2]) * relu(R[3]),
    "signs": R[0] * R[1] * sp.Mul(*map(sp.sign, R)),
    "one absolute value": R[0] ** 2 * sp.Abs(R[1]) * sp.sign(R[2]) * sp.sign(R[3]),
    "three absolute values": R[0] * sp.sign(R[0]) * sp.Mul(*map(sp.Abs, R[1:])),
}
EPSILON = (0.0, 1e-14, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-4, 1e-2)


def partitions(size: int) -> Iterator[tuple[int, ...]]:
    """Which block each of the variables is in, blocks numbered by first appearance."""
    if size == 0:
        yield ()
        return
    for before in partitions(size - 1):
        for block in range(max(before, default=-1) + 2):
            yield (*before, block)


PATTERNS = [pattern for pattern in partitions(4) if len(set(pattern)) < 4]


def rows(pattern: tuple[int, ...], epsilon: float) -> np.ndarray:
    rng = np.random.default_rng(3)
    blocks, noise = rng.standard_normal((4, 5)), rng.standard_normal((4, 5))
    return blocks[list(pattern)] / 2 + epsilon * noise


def covariance(pattern: tuple[int, ...], epsilon: float) -> np.ndarray:
    A = rows(pattern, epsilon)
    return A @ A.T


def case(name: str, pattern: tuple[int, ...]) -> object:
    """Integrals of three variables are slow: all of them nightly."""
    slow = len(set(pattern)) == 3 and (name, pattern) not in (("relu", (0, 1, 2, 2)), ("signs", (0, 1, 0, 2)))
    label = f"{name}-{''.join(map(str, pattern))}"
    return pytest.param(name, pattern, id=label, marks=[pytest.mark.nightly] if slow else [])


@pytest.mark.parametrize(("name", "pattern"), [case(name, pattern) for name in KERNELS for pattern in PATTERNS])
def test_limit_where_rows_coincide(name: str, pattern: tuple[int, ...]) -> None:
    """The expectation of fewer variables, by an integral that knows nothing of the rules.

    The distance to it is at most linear in that of the rows.
    """
    merged = [R[pattern.index(block)] for block in pattern]
    names = tuple(dict.fromkeys(merged))
    chosen = [R.index(symbol) for symbol in names]
    exact = covariance(pattern, 0.0)
    reduced = KERNELS[name].xreplace(dict(zip(R, merged, strict=True)))
    reference, scale, _ = expected(Problem(reduced, names, exact[np.ix_(chosen, chosen)]))
    value = hd.expect(KERNELS[name], R).evaluate(np.array([covariance(pattern, epsilon) for epsilon in EPSILON]))
    for epsilon, found in zip(EPSILON, value, strict=True):
        assert found == pytest.approx(reference, abs=(10 * epsilon + 3e-8) * scale), epsilon


@pytest.mark.nightly
@pytest.mark.parametrize("pattern", PATTERNS[::3], ids=lambda pattern: "".join(map(str, pattern)))
def test_digits_where_rows_nearly_coincide(pattern: tuple[int, ...]) -> None:
    """Against the formula in 100 digits: nothing is lost but what the rounding of the covariance costs, its root."""
    found = hd.expect(KERNELS["relu"], R)
    for epsilon in (1e-10, 1e-8, 1e-5, 1e-2):
        exact = precise(found.expr, rows(pattern, epsilon))
        assert float(found.evaluate(covariance(pattern, epsilon))) == pytest.approx(exact, abs=2e-8), epsilon


def precise(expr: sp.Expr, left: np.ndarray) -> float:
    """A closed form with Plackett's integral at a covariance matrix L L^T, in 100 digits."""
    with mp.workdps(100):
        cov = mp.matrix(left.tolist()) * mp.matrix(left.tolist()).T
        plain = _written_out(expr)
        entries = [sp.Symbol(f"B{i + 1}{j + 1}", real=True) for i in range(4) for j in range(i, 4)]
        own = {s.name: s for s in plain.free_symbols}
        names = [own.get(entry.name, entry) for entry in entries]
        values = [cov[i, j] for i in range(4) for j in range(i, 4)]
        integrals = sorted(plain.atoms(UnitIntegral), key=str)
        total = plain.xreplace({node: sp.Symbol(f"I{k}") for k, node in enumerate(integrals)})
        numbers = [_line(node, names, values) for node in integrals]
        both = [*names, *(sp.Symbol(f"I{k}") for k in range(len(integrals)))]
        return float(sp.lambdify(both, total, "mpmath")(*values, *numbers))


def _line(node: UnitIntegral, names: list[sp.Symbol], values: list[mp.mpf]) -> mp.mpf:
    inside = sp.lambdify([*names, node.variable], _written_out(node.integrand), "mpmath")
    edges = [0, *(mp.mpf(10) ** -k for k in range(40, 0, -2)), 1]
    return mp.quad(lambda s: inside(*values, s), edges)


def _written_out(expr: sp.Expr) -> sp.Expr:
    return expr.replace(lambda e: isinstance(e, minor), lambda e: e.submatrix.det())
