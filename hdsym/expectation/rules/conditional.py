"""Signs and error functions given the opaque variables: their conditional mean has a closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...cas import Expr, Matrix, Symbol, sp
from ...special import offzero, residual
from ..gaussian import Form, Gaussian
from ..integral import integration_variables
from ..rule import Outer, Part, Reduction, Rule
from ..terms import Term
from .errorfunction import error_functions
from .span import Direction, independent, opaque_forms, spanned

__all__ = ["CONDITIONAL"]

_CLOSED = 2
"""Signs and error functions whose product has a closed form at any mean."""


@dataclass(frozen=True)
class _Split:
    """A term as weight(outer forms) * inner term."""

    directions: list[Direction]
    weight: Term
    inner: Term


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[f(v) p] = E_z[f(v) E[p | v]], v = m + L z: the integral runs over the opaque v alone.

    Conditioning one direction after another is a Cholesky factorisation; every loading c / sqrt(v) is bounded, and
    what conditioning leaves of a variance is kept above rounding errors, so it holds at singular covariances.
    """
    if term.deltas or term.exponent != 0:
        return None
    split = _split(term, gaussian)
    if split is None:
        return None
    variables = integration_variables(len(split.directions))
    law, values, meaning = _condition(split.directions, gaussian, variables)
    weight = split.weight.expr(gaussian.variables).xreplace(_lift(split.directions, gaussian, values))
    return Reduction(parts=(Part(sp.S.One, split.inner, law, meaning, outer=Outer(weight, variables)),), exact=False)


def _split(term: Term, gaussian: Gaussian) -> _Split | None:
    """Opaque factors and what depends on their variables go outside, and of signs and error functions all but two."""
    factors = sp.Mul.make_args(term.opaque)
    closed = [f for f in factors if f != 1 and error_functions(f, gaussian) is not None]
    opaque = [f for f in factors if f not in closed and f != 1]
    directions = independent([d for f in opaque for d in opaque_forms(f, gaussian)])
    free: list[Expr | Form] = [f for f in sorted(term.signs, key=str) if not spanned(f.coefficients, directions)]
    free += [f for f in closed if not spanned(opaque_forms(f, gaussian)[0], directions)]
    while sum(map(_count, free)) > _CLOSED:
        moved = free.pop(0)
        new = moved.coefficients if isinstance(moved, Form) else opaque_forms(moved, gaussian)[0]
        directions = independent([*directions, new])
        free = [f for f in free if not spanned(_direction(f, gaussian), directions)]
    if not free or not directions:
        return None
    size = gaussian.size
    outer_powers = tuple(p if p and spanned(_unit(i, size), directions) else 0 for i, p in enumerate(term.powers))
    inner_powers = tuple(p - q for p, q in zip(term.powers, outer_powers, strict=True))
    signs = frozenset(f for f in free if isinstance(f, Form))
    inner_opaque = sp.Mul(*(f for f in free if not isinstance(f, Form)))
    weight = replace(
        term, powers=outer_powers, signs=term.signs - signs, opaque=sp.Mul(*(f for f in factors if f not in free))
    )
    return _Split(directions, weight, Term(sp.S.One, inner_powers, signs, opaque=inner_opaque))


def _count(factor: Expr | Form) -> int:
    return 1 if isinstance(factor, Form) else int(factor.as_base_exp()[1])


def _direction(factor: Expr | Form, gaussian: Gaussian) -> Direction:
    return factor.coefficients if isinstance(factor, Form) else opaque_forms(factor, gaussian)[0]


def _condition(
    directions: list[Direction], gaussian: Gaussian, variables: tuple[Symbol, ...]
) -> tuple[Gaussian, list[Expr], tuple[tuple[Expr, Expr], ...]]:
    """The law of r given v = D r, the v as functions of standard normals, and what the law's symbols mean.

    The conditional law is in symbols of its own, with positive variances, as everything else that rules are given.
    """
    size = gaussian.size
    cov = {(i, j): gaussian.cov[i, j] for i in range(size) for j in range(i, size)}
    mean = list(gaussian.mean)
    meaning: dict[Expr, Expr] = {}
    values = [gaussian.mean_of(Form(direction, sp.S.Zero)) for direction in directions]
    for step, (direction, z) in enumerate(zip(directions, variables, strict=True), start=1):
        current, form = Gaussian(gaussian.variables, tuple(mean), _matrix(cov, size)), Form(direction, sp.S.Zero)
        spread = sp.sqrt(_variance(form, current).xreplace(meaning))
        covariances = [c.xreplace(meaning) for c in current.cov_with(form)]
        a = [_named(f"a{step}{i + 1}", c / offzero(spread), meaning) for i, c in enumerate(covariances)]
        mean = [m + loading * z for m, loading in zip(mean, a, strict=True)]
        for (i, j), before in cov.items():
            fixed = any(spanned(_unit(k, size), directions[:step]) for k in (i, j))
            taken = sp.S.Zero if fixed else a[i] * a[j]
            left = residual(before, taken) if i == j and taken != 0 else before - taken
            left = sp.S.Zero if fixed else left.xreplace(meaning)
            cov[i, j] = _named(f"R{step}_{i + 1}{j + 1}", left, meaning, positive=i == j)
        values[step - 1] += spread * z
        for k in range(step, len(directions)):
            values[k] += z * sp.Add(*(c * loading for c, loading in zip(directions[k], a, strict=True))).xreplace(
                meaning
            )
    return Gaussian(gaussian.variables, tuple(mean), _matrix(cov, size)), values, tuple(meaning.items())


def _variance(form: Form, gaussian: Gaussian) -> Expr:
    """Of a form, above the level of its rounding errors: those of a covariance over it would pass all bounds."""
    variance = gaussian.cov_of(form, form)
    own = sp.Add(*(c**2 * gaussian.cov[i, i] for i, c in enumerate(form.coefficients)))
    return variance if variance == own else residual(own, own - variance)


def _unit(index: int, size: int) -> Direction:
    return tuple(sp.Integer(int(k == index)) for k in range(size))


def _named(name: str, value: Expr, meaning: dict[Expr, Expr], *, positive: bool = False) -> Expr:
    """A symbol for a value that is not a plain number; variances are positive, so that their roots combine."""
    if value.is_Rational:
        return value
    symbol = sp.Symbol(f"{name}_", real=True, positive=positive or None)
    meaning[symbol] = value
    return symbol


def _matrix(cov: dict[tuple[int, int], Expr], size: int) -> Matrix:
    return sp.ImmutableMatrix(size, size, lambda i, j: cov[min(int(i), int(j)), max(int(i), int(j))])


def _lift(directions: list[Direction], gaussian: Gaussian, values: list[Expr]) -> dict[Symbol, Expr]:
    """An r with D r = v: the same value for every function of v."""
    matrix = sp.Matrix([list(direction) for direction in directions])
    lift = matrix.T * (matrix * matrix.T).inv()
    rows = (sp.Add(*(lift[i, k] * v for k, v in enumerate(values))) for i in range(gaussian.size))
    return dict(zip(gaussian.variables, rows, strict=True))


CONDITIONAL = Rule(
    "condition on the opaque variables",
    r"\mathbb{E}[f(v)\,p] = \mathbb{E}_z\left[f(v)\;\mathbb{E}[p \mid v]\right],\quad v = m + L z,\;"
    r" z \sim \mathcal{N}(0, 1)",
    "tower property; Gaussian conditioning",
    "numerical",
    _apply,
)
