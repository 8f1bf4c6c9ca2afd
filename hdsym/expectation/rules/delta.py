"""Delta functions: condition on the form being zero."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement

from ...cas import Expr, sp
from ...errors import ExpectationError
from ..gaussian import Entry, Form, Gaussian, Origin, root, tidy
from ..rule import Part, Reduction, Rule
from ..terms import Term

__all__ = ["DELTA"]

_MANY = 2
"""Variables left from which conditional covariances are given names instead of being multiplied out."""
_TOO_MANY = 9
"""Variables that minors have room for."""
_SHIFT = sp.Symbol("tau_", real=True)


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[delta(u) p] = density of u at 0 times E[p | u = 0]; delta'(u) = d/dtau delta(u + tau) at tau = 0."""
    if not term.deltas:
        return None
    (form, order), *rest = term.deltas
    if order:
        if term.opaque != 1 and term.signs and not rest and not any(_parallel(f, form) for f in term.signs):
            return _by_parts(term, gaussian)
        shifted = replace(form, constant=form.constant + _SHIFT)
        plain = replace(term, deltas=((shifted, 0), *rest))
        return Reduction(parts=(Part(sp.S.One, plain, gaussian, shift=_SHIFT, order=order),))
    variance = tidy(gaussian.cov_of(form, form))
    if variance == 0:
        if tidy(gaussian.mean_of(form)).is_nonzero:
            return Reduction()  # delta(s) delta(s - 1), from two jumps at different places
        raise ExpectationError(
            f"delta({form.expr(gaussian.variables)}) has no variance left to integrate against",
            remedy="two delta functions of the same form are not a distribution; check the integrand",
        )
    others = frozenset(f for f in term.signs if not _parallel(f, form))
    if len(others) != len(term.signs):
        return Reduction()  # sgn(u) delta(u) is odd in u: its integral vanishes
    remaining = replace(term, deltas=tuple(rest))
    active = remaining.active(gaussian.variables)
    if _is_long(gaussian, form, active):
        return Reduction(parts=(_named(remaining, gaussian, form.variables[0], active),))
    mean = gaussian.mean_of(form)
    density = sp.exp(-(mean**2) / (2 * variance)) / (sp.sqrt(2 * sp.pi) * root(variance))
    conditioned = gaussian.rank_one(gaussian.cov_with(form), 1 / variance, -mean / variance, active)
    return Reduction(parts=(Part(density, remaining, conditioned),))


def _is_long(gaussian: Gaussian, form: Form, active: frozenset[int]) -> bool:
    if len(form.variables) != 1 or not gaussian.centred or form.constant != 0:
        return False
    return gaussian.origin is not None or _MANY <= len(active - set(form.variables)) < _TOO_MANY


def _named(term: Term, gaussian: Gaussian, given: int, active: frozenset[int]) -> Part:
    """Given r_i = 0, with a name for every covariance: in many variables, fractions of fractions would fill pages.

    A name means a ratio of minors of the covariance matrix the first condition was put on. So the law does not depend
    on the order of the conditions, in rounding either: what differs by it cancels where variables nearly coincide.
    """
    size = gaussian.size
    before = gaussian.origin or Origin(gaussian.cov, tuple(sorted(active | {given})), ())
    origin = replace(before, conditions=tuple(sorted((*before.conditions, given))))
    variance = gaussian.cov[given, given] if before.conditions else origin.determinant
    label = "".join(str(i + 1) for i in origin.conditions)
    meaning: dict[Expr, Expr] = {}
    cov = {}
    for j, k in combinations_with_replacement(range(size), 2):
        if not {j, k} <= active - {given}:
            cov[j, k] = sp.S.Zero
            continue
        cov[j, k] = Entry(f"C{j + 1}{k + 1}|{label}", real=True, positive=(j == k) or None)
        meaning[cov[j, k]] = origin.covariance(j, k)
    matrix = sp.ImmutableMatrix(size, size, lambda j, k: cov[min(int(j), int(k)), max(int(j), int(k))])
    conditioned = Gaussian(gaussian.variables, gaussian.mean, matrix, origin)
    return Part(1 / sp.sqrt(2 * sp.pi * variance), term, conditioned, tuple(meaning.items()))


def _by_parts(term: Term, gaussian: Gaussian) -> Reduction:
    """With v, mu variance and mean of u and c its covariances with r: v E[delta^(n)(u) p] is the negative of
    mu E[delta^(n-1)(u) p] + (n-1) E[delta^(n-2)(u) p] + sum_j c_j E[delta^(n-1)(u) d_j p].

    Stein's lemma for u delta^(n-1)(u) p; p may have kinks, with which an integral cannot be differentiated in tau.
    """
    ((form, order),) = term.deltas
    variance, mean, direction = gaussian.cov_of(form, form), gaussian.mean_of(form), gaussian.cov_with(form)
    smooth = replace(term, deltas=())

    def part(factor: Expr, rest: Term, lower: int) -> Part:
        return Part(tidy(-factor / variance), replace(rest, deltas=((form, lower), *rest.deltas)), gaussian)

    parts = [part(mean, smooth, order - 1)] if mean != 0 else []
    if order > 1:
        parts.append(part(sp.Integer(order - 1), smooth, order - 2))
    for j, covariance in enumerate(direction):
        if covariance != 0:
            parts.extend(part(covariance, d, order - 1) for d in smooth.diff(j, gaussian.variables))
    return Reduction(parts=tuple(parts))


def _parallel(first: Form, second: Form) -> bool:
    """Whether one is a nonzero multiple of the other, constants included."""
    pairs = [*zip(first.coefficients, second.coefficients, strict=True), (first.constant, second.constant)]
    return all(sp.cancel(a * d - b * c) == 0 for i, (a, b) in enumerate(pairs) for c, d in pairs[i + 1 :])


DELTA = Rule(
    "condition on a delta function",
    r"\mathbb{E}[\delta(u)\,p] = \frac{e^{-\mu^2/2v}}{\sqrt{2\pi v}}\;\mathbb{E}[p \mid u = 0],"
    r"\quad u \sim \mathcal{N}(\mu, v)",
    "Gaussian conditioning",
    "reduction",
    _apply,
)
