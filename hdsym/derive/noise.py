r"""Moments of the gradient that the noise of single runs needs, of any explicit model.

With u = grad_x f and p_j = W^T P_j a, which are independent and sum to r, a step moves the Gram matrices by
-gamma (p_j u^T + u p_j^T) + gamma^2 lam_j rho_j u u^T, over d. Its covariance takes, beside H and I = E[u u^T],

    M4_abcd = E[u_a u_b u_c u_d],   M3_i,abc = E[d_i (u_a u_b u_c)],   M2_ij,ab = E[d_i d_j (u_a u_b)],

since Stein's identity gives E[p_j g(r)] = lam_j G_j E[grad g] and, for second moments, E[p_j p_k^T g(r)] =
(j = k) lam_j G_j E[g] + lam_j lam_k G_j E[hess g] G_k: no inverse of B appears, so singular overlaps are no exception.
Derivatives are in the sense of distributions where u has jumps.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from ..cas import Expr, sp
from ..errors import DeclarationError, ExpectationError
from ..expectation.engine import Engine
from ..expectation.expectation import Expectation
from ..expectation.rules.quasi import quasi_integrals
from ..expectation.terms import reduce_signs
from ..symbols import moment_name
from .integrands import Integrands, integrands

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["MANY", "noise_moments", "symbolic_noise"]

Named = tuple[tuple[str, Expectation], ...]

MANY = 40
"""Moments that need integrals beyond which solvers take averages over points: deriving them would take longer."""


def noise_moments(model: Model) -> Named:
    """M2, M3 and M4 by name: ``M2_11_11`` is E[d_1 d_1 (u_1 u_1)]; they are symmetric, and each entry stands once.

    Raises
    ------
    ExpectationError
        If one of them does not exist, or no rule computes it.
    DeclarationError
        If it needs a derivative of a function of the user's that was not declared.
    """
    parts, engine = integrands(model), Engine()
    return tuple((name, _expect(engine, g, parts)) for name, g in _integrands(model, parts))


def symbolic_noise(model: Model) -> tuple[Named, str]:
    """The moments a solver evaluates, or none of them and the reason for taking averages over points instead."""
    students, n = model.n_student, model.n_student + model.n_teacher
    count = sum(1 for _ in _names(students, n))
    if count > MANY and not model.loss.is_polynomial(*model.loss.free_symbols):
        return (), f"there are {count} moments to be derived"
    try:
        found = noise_moments(model)
    except (ExpectationError, DeclarationError) as error:  # the latter: a declared function's derivative is unknown
        return (), f"not all moments have a formula: {error.message}"
    if any(quasi_integrals(entry.expr) for _, entry in found):
        return (), "some moments are integrals in too many dimensions"
    return found, ""


def _names(students: int, n: int) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Name, derivatives and factors of every moment, counted from one."""
    for order in (2, 3, 4):
        for along in combinations_with_replacement(range(1, n + 1), 4 - order):
            for factors in combinations_with_replacement(range(1, students + 1), order):
                yield moment_name(along, factors), along, factors


def _integrands(model: Model, parts: Integrands) -> Iterator[tuple[str, Expr]]:
    slopes, variables = parts.slopes, parts.gaussian.variables
    averaged: dict[tuple[int, ...], Expr] = {}
    for name, along, factors in _names(model.n_student, model.n_student + model.n_teacher):
        if factors not in averaged:
            product = sp.Mul(*(slopes[k - 1] for k in factors))
            averaged[factors] = reduce_signs(model.average(product), parts.gaussian)
        g = averaged[factors]
        for k, i in enumerate(along):
            g = sp.diff(g if k == 0 else reduce_signs(g, parts.gaussian), variables[i - 1])
        yield name, parts.over_noise(g)


def _expect(engine: Engine, integrand: Expr, parts: Integrands) -> Expectation:
    return Expectation.of(integrand, parts.gaussian, engine.expectation(integrand, parts.gaussian))
