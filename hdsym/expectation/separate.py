"""Integrands that are products f(u) g(v) without a variable in common."""

from __future__ import annotations

from itertools import combinations

from ..cas import Expr, Symbol, sp

__all__ = ["LARGEST_BLOCK", "separated"]

LARGEST_BLOCK = 3
"""Most variables of one factor."""

Side = tuple[Expr, tuple[Symbol, ...]]
"""A factor and its variables."""


def separated(integrand: Expr, variables: tuple[Symbol, ...]) -> tuple[Side, Side] | tuple[()]:
    """The integrand as f(u) g(v), sizes as equal as can be; empty if it is no such product or a factor is too large."""
    groups: list[Side] = []
    constant = sp.S.One
    for factor in _pieces(integrand):
        own = factor.free_symbols & set(variables)
        touched = [group for group in groups if own & set(group[1])]
        names = own.union(*(group[1] for group in touched))
        merged = factor * sp.Mul(*(group[0] for group in touched))
        if own:
            rest = [group for group in groups if group not in touched]
            groups = [*rest, (merged, tuple(v for v in variables if v in names))]
        else:
            constant *= factor
    chosen = _halves(groups, len(variables))
    if not chosen:
        return ()
    left, right = (_joined([g for k, g in enumerate(groups) if (k in chosen) == side], variables) for side in (1, 0))
    if max(len(left[1]), len(right[1])) > LARGEST_BLOCK:
        return ()
    return (constant * left[0], left[1]), right


def _pieces(integrand: Expr) -> list[Expr]:
    """Factors, and those of exponentials of sums: sympy writes exp(a) exp(b) as exp(a + b)."""
    pieces: list[Expr] = []
    for factor in sp.Mul.make_args(integrand):
        exponential = isinstance(factor, sp.exp)
        pieces += [sp.exp(term) for term in sp.Add.make_args(factor.args[0])] if exponential else [factor]
    return pieces


def _halves(groups: list[Side], size: int) -> tuple[int, ...]:
    """The groups of one side, so that the two sides are as equal as they can be."""
    candidates = (chosen for count in range(1, len(groups)) for chosen in combinations(range(len(groups)), count))
    return min(
        candidates, key=lambda chosen: (abs(2 * sum(len(groups[k][1]) for k in chosen) - size), chosen), default=()
    )


def _joined(groups: list[Side], variables: tuple[Symbol, ...]) -> Side:
    names = {name for _, own in groups for name in own}
    return sp.Mul(*(factor for factor, _ in groups)), tuple(v for v in variables if v in names)
