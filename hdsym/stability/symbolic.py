"""The critical learning rate in closed form, for an isotropic covariance K = c 1 and formulas of the overlaps.

There the overlaps alone evolve: B' = gamma (F_1(B) + gamma F_2(B)), and at a fixed point the Jacobian J_1 + gamma J_2
has an eigenvalue zero where det(J_1 + gamma J_2) = 0, a polynomial equation in gamma. For one student and one teacher a
pair of imaginary eigenvalues appears where the trace vanishes. Where the fixed point moves with gamma, the overlaps are
eliminated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..cas import Expr, Matrix, sp
from ..expectation.integral import GaussianIntegral, UnitIntegral
from ..symbols import overlap
from .flow import Flow

if TYPE_CHECKING:
    from ..derive.pipeline import Formulas

__all__ = ["ClosedForm", "closed_form"]

Float = NDArray[np.float64]

GAMMA = sp.Symbol("gamma", positive=True)
T = sp.Symbol("T", positive=True)
"""||X*||^2 of one teacher, times c: E s^2."""

_MOST = 8
"""Overlaps up to which a determinant is expanded."""

_LONG = 1000
"""Operations in gradient and Fisher matrix up to which it is worked out."""

_SAME = 1e-5


@dataclass(frozen=True)
class ClosedForm:
    """A critical rate in symbols.

    Attributes
    ----------
    value:
        The rate, in T = E s^2 of one teacher; ``None`` where the equation has no solution in closed form.
    equation:
        A polynomial in gamma that vanishes there.
    """

    value: Expr | None
    equation: Expr


def closed_form(flow: Flow, C: Float, numeric: float) -> ClosedForm | None:
    """The rate found numerically, recognised as a root of its equation; ``None`` where there are no formulas.

    At X = X* C, or the fixed point next to it, for one eigenvalue and explicit models with formulas throughout.
    """
    entries = getattr(flow.theory.formulas, "gradient", None)
    if entries is None or flow.run.lam.size != 1 or not 0 < numeric < np.inf:
        return None
    variables = [overlap(i, j) for i, j in flow.run._pairs]
    parts = [entry.expr for rows in (entries, flow.theory.formulas.fisher) for row in rows for entry in row]  # type: ignore[union-attr]
    integrals = any(part.has(GaussianIntegral, UnitIntegral) for part in parts)
    if len(variables) > _MOST or integrals or sum(sp.count_ops(part) for part in parts) > _LONG:
        return None
    target, size = _target(flow, C)
    rates = _rates(flow, flow.theory.formulas)  # type: ignore[arg-type]  # explicit, as the gradient shows
    J = _jacobian(rates, variables, target)
    if J is None:
        return _moving(rates, variables, size, numeric)
    return _recognised(_conditions(J), numeric, {T: size})


def _moving(rates: list[Expr], variables: list[Expr], size: Expr, numeric: float) -> ClosedForm | None:
    """The same for a fixed point that depends on gamma, by label noise or regularisation, of one student and teacher.

    Polynomial equations only: a Groebner basis eliminates the overlaps from F = 0 and det J = 0, or tr J = 0.
    """
    still = [sp.expand(rate.subs(overlap(2, 2), size)) for rate in rates]
    if len(variables) != 2 or not all(rate.is_polynomial(*variables, GAMMA) for rate in still):
        return None
    J = sp.Matrix(2, 2, lambda i, j: sp.diff(still[i], variables[j]))
    for condition in (J.det(), J.trace()):
        basis = sp.groebner([*still, sp.expand(condition)], *reversed(variables), GAMMA, order="lex")
        last = basis.exprs[-1]
        if last.free_symbols == {GAMMA}:
            found = _recognised(iter([last]), numeric, {})
            if found is not None:
                return found
    return None


def _target(flow: Flow, C: Float) -> tuple[dict[Expr, Expr], Expr]:
    """Overlaps at X = X* C by symbol; those of one teacher in T, whose value comes second."""
    l, n = flow.students, flow.n
    block = flow.overlaps(flow.start)[0][l:, l:]
    single = block.shape == (1, 1)
    M = sp.Matrix([[T]]) if single else sp.Matrix(*block.shape, [_rational(v) for v in block.ravel()])
    frame = sp.Matrix.hstack(sp.Matrix(n - l, l, [_rational(v) for v in C.ravel()]), sp.eye(n - l))
    placed = frame.T * M * frame
    found = {overlap(i + 1, j + 1): placed[i, j] for i in range(n) for j in range(i, n)}
    return found, _rational(block[0, 0])


def _rational(value: float) -> Expr:
    return sp.nsimplify(round(float(value), 12), rational=True)


def _rates(flow: Flow, formulas: Formulas) -> list[Expr]:
    """B' / gamma for the entries of B that evolve, by parameter values and in gamma."""
    modes, problem = formulas.modes, flow.problem
    c = _rational(float(flow.run.lam[0]))
    n, l = flow.n, flow.students
    values: dict[Expr, Expr] = {modes.gram[i, j]: overlap(i + 1, j + 1) / c for i in range(n) for j in range(i, n)}
    values |= {modes.gradient[i, j]: formulas.gradient[i][j].expr for i in range(n) for j in range(l)}
    values |= {modes.fisher[i, j]: formulas.fisher[i][j].expr for i in range(l) for j in range(i, l)}
    numbers = {modes.lam: c, modes.rho: 1, modes.delta: _rational(problem.delta), modes.batch: problem.batch_size}
    known = flow.model.parameter_values(problem.parameters)
    constants = {p: _rational(known[p.name]) for p in flow.model.parameters}
    return [
        (c * rate.xreplace(values).subs({**numbers, modes.gamma: GAMMA}) / GAMMA).subs(constants)
        for rate in modes.rates
    ]


def _jacobian(rates: list[Expr], variables: list[Expr], target: dict[Expr, Expr]) -> Matrix | None:
    """The Jacobian at the target, if that is a fixed point or the Jacobian is the same everywhere."""
    J = sp.Matrix(len(rates), len(variables), lambda i, j: sp.diff(rates[i], variables[j]))
    constant = not J.free_symbols & set(target)
    if constant:
        return J.applyfunc(sp.expand)
    still = [_limit(rate, target) for rate in rates]
    if any(value is None or sp.simplify(value) != 0 for value in still):
        return None
    found = [_limit(entry, target) for entry in J]
    if any(value is None for value in found):
        return None
    return sp.Matrix(*J.shape, [_collected(value) for value in found])


def _collected(entry: Expr) -> Expr:
    """A polynomial in gamma with short coefficients."""
    coefficients = sp.Poly(sp.expand(entry), GAMMA).all_coeffs()
    return sp.Add(*(_short(c) * GAMMA**k for k, c in enumerate(reversed(coefficients))))


def _short(value: Expr) -> Expr:
    """Roots of products as products of roots, which then cancel."""
    split = value.replace(
        lambda e: e.is_Pow and not e.exp.is_integer, lambda e: sp.expand_power_base(sp.factor(e.base) ** e.exp)
    )
    return sp.factor(sp.cancel(sp.together(split)))


def _limit(expr: Expr, target: dict[Expr, Expr]) -> Expr | None:
    """The value at the target, or where the formula is singular its limit from inside: Q grows a little."""
    bad = (sp.nan, sp.zoo, sp.oo, -sp.oo)
    value = expr.subs(target, simultaneous=True)
    if not value.has(*bad):
        return value
    if len(target) != 3:
        return None
    u = sp.Symbol("u", positive=True)
    near = expr.subs({**target, overlap(1, 1): target[overlap(1, 1)] + u}, simultaneous=True)
    try:
        limit = sp.limit(near, u, 0, "+")
    except (NotImplementedError, ValueError, TypeError):
        return None
    return None if limit.has(*bad, sp.Limit) else limit


def _recognised(conditions: Iterator[Expr], numeric: float, size: dict[Expr, Expr]) -> ClosedForm | None:
    for condition in conditions:
        for factor in _factors(condition):
            found = _root(factor, numeric, size)
            if found is not None:
                return found
    return None


def _conditions(J: Matrix) -> Iterator[Expr]:
    """Determinant, and of a 2 x 2 matrix the trace, as polynomials in gamma."""
    small = J.shape == (2, 2)
    yield _collected(J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0] if small else J.det(method="berkowitz"))
    if small:
        yield _collected(J.trace())


def _factors(condition: Expr) -> list[Expr]:
    """Linear ones as they are: putting radicals over a common denominator would only make them longer."""
    if sp.degree(condition, GAMMA) <= 1:
        return [condition]
    return [factor for factor, _ in sp.factor_list(sp.numer(sp.together(condition)), GAMMA)[1]]


def _root(factor: Expr, numeric: float, size: dict[Expr, Expr]) -> ClosedForm | None:
    """The root next to `numeric`, in closed form up to degree two."""
    if not factor.has(GAMMA) or not factor.is_polynomial(GAMMA):
        return None
    here = sp.Poly(factor.subs(size), GAMMA)
    near = [r for r in here.nroots(n=30, maxsteps=500) if abs(complex(r) - numeric) <= _SAME * numeric]
    if not near:
        return None
    value = None
    if sp.degree(factor, GAMMA) <= 2:
        close = [r for r in sp.roots(factor, GAMMA) if abs(_number(r, size) - numeric) <= _SAME * numeric]
        value = _short(close[0]) if close else None
    linear = value is not None and sp.degree(factor, GAMMA) == 1
    return ClosedForm(value, sp.numer(sp.together(GAMMA - value)) if linear else factor)


def _number(root: Expr, size: dict[Expr, Expr]) -> complex:
    return complex(root.subs(size).evalf(30))
