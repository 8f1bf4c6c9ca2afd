"""The engine: an integrand goes through the ordered rules until every part has a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from ..cas import Expr, average_powers, sp
from ..errors import ExpectationError
from .gaussian import Gaussian
from .integral import GaussianIntegral
from .rule import Part, Reduction, Rule, Step
from .rules import EXACT, INTEGRALS, NUMERICAL, QUASI
from .rules.errorfunction import ERROR_FUNCTION
from .rules.moments import monomial_moment
from .rules.plackett import PLACKETT
from .rules.quasi import quasi_integrals
from .rules.span import opaque_forms
from .separate import separated
from .terms import Term, rewrite_kinks, terms_of

__all__ = ["Engine", "Outcome"]


class _NotExactError(Exception):
    """Raised inside a look-ahead when only rules are left that it does not allow."""


class _Ahead(IntEnum):
    """What a look-ahead allows: any rule, exact ones and integrals over the unit interval, or exact ones alone."""

    ANY = 0
    LINES = 1
    EXACT = 2


@dataclass(frozen=True)
class Outcome:
    """Value of an expectation, the steps that led to it, and the conditions under which it exists."""

    value: Expr
    step: Step
    exact: bool
    conditions: tuple[Expr, ...] = ()


class Engine:
    """Evaluates expectations; remembers every term it has met, so that shared parts are derived once.

    Parameters
    ----------
    policy:
        "auto": exact rules first, quadrature where none applies. "exact": quadrature is an error. "numeric":
        quadrature at once.
    """

    def __init__(self, policy: str = "auto") -> None:
        if policy not in ("auto", "exact", "numeric"):
            raise ExpectationError(f"policy is {policy!r}", remedy='it is "auto", "exact" or "numeric"')
        self.policy = policy
        self._memo: dict[tuple[Term, Gaussian, _Ahead], Outcome] = {}

    def expectation(self, integrand: Expr, gaussian: Gaussian) -> Outcome:
        """E[integrand] under `gaussian`.

        Raises
        ------
        ExpectationError
            If no permitted rule applies; the message shows the part that is left.
        """
        integrand = rewrite_kinks(integrand.replace(sp.erfc, lambda u: 1 - sp.erf(u)), gaussian)
        reduced, inner = _without_independent(integrand, gaussian)
        if self.policy == "numeric" and not reduced.has(sp.DiracDelta) and not _may_diverge(reduced, gaussian):
            outcome = self.whole(reduced, gaussian)
        else:
            outcome = self._sum(reduced, gaussian)
        if inner is None:
            return outcome
        step = Step(*inner, integrand, outcome.value, outcome.exact, (outcome.step,))
        return Outcome(outcome.value, step, outcome.exact, outcome.conditions)

    def _sum(self, integrand: Expr, gaussian: Gaussian) -> Outcome:
        terms = terms_of(integrand, gaussian)
        try:
            parts = [self._term(term, gaussian, ahead=_Ahead.ANY) for term in terms]
        except _NotExactError as error:
            raise ExpectationError(
                f"E[{integrand}] has no closed form by the exact rules: {error} is left",
                remedy='allow quadrature with policy="auto"',
            ) from None
        value = sp.Add(*(part.value for part in parts))
        exact = all(part.exact for part in parts)
        if not exact and self._better_whole(integrand, gaussian, value):
            return self.whole(integrand, gaussian)
        if len(parts) == 1:
            return parts[0]
        if not exact and any(part.exact for part in parts):
            parts = self._joined(terms, parts, gaussian)
            value = sp.Add(*(part.value for part in parts))
        if value.is_polynomial(*value.free_symbols):
            value = sp.expand(value)
        step = Step(
            "linearity",
            r"\mathbb{E}[\alpha p + \beta q] = \alpha\,\mathbb{E}[p] + \beta\,\mathbb{E}[q]",
            "",
            integrand,
            value,
            exact,
            tuple(part.step for part in parts),
        )
        conditions = tuple(dict.fromkeys(c for part in parts for c in part.conditions))
        return Outcome(value, step, exact, conditions)

    def _joined(self, terms: list[Term], parts: list[Outcome], gaussian: Gaussian) -> list[Outcome]:
        """The exact parts, and the others as one integral if that costs no more dimensions."""
        rest = sp.Add(*(t.expr(gaussian.variables) for t, part in zip(terms, parts, strict=True) if not part.exact))
        value = sp.Add(*(part.value for part in parts if not part.exact))
        if not self._better_whole(rest, gaussian, value):
            return parts
        return [*(part for part in parts if part.exact), self.whole(rest, gaussian)]

    @staticmethod
    def _better_whole(integrand: Expr, gaussian: Gaussian, value: Expr) -> bool:
        """Whether one integral of everything costs no more dimensions than the parts, and separates as they may.

        It keeps squares together: (sigmoid(x) - sigmoid(s))^2 stays non-negative and keeps its digits near x = s. And
        it is one: f'(x) f'(y) f(s) f(z) with f' = 1 - f^2 has four parts.
        """
        if integrand.has(sp.DiracDelta) or any(term.exponent != 0 for term in terms_of(integrand, gaussian)):
            return False  # exponentials are absorbed into the Gaussian, term by term, before anything is integrated
        largest: int = max((node.dimension for node in value.atoms(GaussianIntegral)), default=0)
        if len(opaque_forms(integrand, gaussian)) > largest:
            return False
        # beyond two dimensions the parts may separate where the whole does not; an average over points never does
        return largest <= 2 or bool(quasi_integrals(value)) or _separates(integrand, gaussian)

    def whole(self, integrand: Expr, gaussian: Gaussian) -> Outcome:
        """E[integrand] as one integral over all it depends on, by quadrature or, beyond that, over points."""
        term = Term(sp.S.One, (0,) * gaussian.size, opaque=integrand)
        for rule in (NUMERICAL, QUASI):
            reduction = rule.apply(term, gaussian)
            if reduction is not None:
                break
        else:
            raise ExpectationError(f"no rule integrates {integrand}")  # the last rule is total
        return Outcome(reduction.value, _step(rule, integrand, reduction.value, exact=False), exact=False)

    def _term(self, term: Term, gaussian: Gaussian, *, ahead: _Ahead) -> Outcome:
        """E[term], if it comes out by the rules that `ahead` allows."""
        coefficient, bare = term.coefficient, _bare(term)
        key = (bare, gaussian, ahead)
        if key not in self._memo:
            self._memo[key] = self._reduce(bare, gaussian, ahead)
        known = self._memo[key]
        if coefficient == 1:
            return known
        return Outcome(coefficient * known.value, known.step, known.exact, known.conditions)

    def _reduce(self, term: Term, gaussian: Gaussian, ahead: _Ahead) -> Outcome:
        for rule in EXACT:
            reduction = rule.apply(term, gaussian)
            if reduction is not None:
                return self._finish(rule, reduction, term, gaussian, ahead)
        signs = ERROR_FUNCTION.apply(term, gaussian)
        for allowed in (_Ahead.EXACT, _Ahead.LINES):
            if signs is not None and (allowed is _Ahead.EXACT or self._lines(term, gaussian, ahead)):
                try:
                    return self._finish(ERROR_FUNCTION, signs, term, gaussian, allowed)
                except _NotExactError:
                    pass
        if ahead is _Ahead.EXACT or self.policy == "exact":
            raise _NotExactError(f"E[{term.expr(gaussian.variables)}]")
        for rule in INTEGRALS if ahead is _Ahead.ANY else (PLACKETT,):
            reduction = rule.apply(term, gaussian)
            if reduction is not None:
                try:
                    return self._finish(rule, reduction, term, gaussian, ahead)
                except _NotExactError:
                    continue  # what was to be integrated has no closed form
        raise _NotExactError(f"E[{term.expr(gaussian.variables)}]")  # not with `ANY`: the last rule is total

    def _lines(self, term: Term, gaussian: Gaussian, ahead: _Ahead) -> bool:
        """Whether integrals over the unit interval are allowed for error functions, and save a dimension."""
        allowed = ahead is not _Ahead.EXACT and self.policy != "exact"
        return allowed and len(opaque_forms(term.opaque, gaussian)) > 1

    def _finish(self, rule: Rule, reduction: Reduction, term: Term, gaussian: Gaussian, ahead: _Ahead) -> Outcome:
        outcomes = [self._part(part, ahead) for part in reduction.parts]
        scaled = [part.scale * outcome.value for part, outcome in zip(reduction.parts, outcomes, strict=True)]
        value = sp.Add(reduction.value, *scaled)
        exact = reduction.exact and all(outcome.exact for outcome in outcomes)
        conditions = [reduction.condition] if reduction.condition is not None else []
        for outcome in outcomes:
            conditions.extend(outcome.conditions)
        children = tuple(outcome.step for outcome in outcomes)
        step = _step(rule, term.expr(gaussian.variables), value, exact=exact, children=children)
        return Outcome(value, step, exact, tuple(dict.fromkeys(conditions)))

    def _part(self, part: Part, ahead: _Ahead) -> Outcome:
        outcome = self._term(part.term, part.gaussian, ahead=ahead if part.outer is None else _Ahead.EXACT)
        if part.shift is not None:
            value = outcome.value.diff(part.shift, part.order).xreplace({part.shift: sp.S.Zero})
            outcome = replace(outcome, value=value)
        if part.meaning:
            meaning = dict(part.meaning)
            conditions = tuple(condition.xreplace(meaning) for condition in outcome.conditions)
            outcome = replace(outcome, value=outcome.value.xreplace(meaning), conditions=conditions)
        if part.outer is not None:
            size = len(part.outer.variables)
            body = part.outer.weight * outcome.value
            integral = GaussianIntegral(body, part.outer.variables, (sp.S.Zero,) * size, sp.eye(size))
            outcome = replace(outcome, value=integral, exact=False)
        return outcome


def _may_diverge(integrand: Expr, gaussian: Gaussian) -> bool:
    """Whether a quadratic exponent may outgrow the Gaussian: the tilt then has to say under which condition not."""
    return any(
        not (-sp.hessian(term.exponent, gaussian.variables)).is_positive_semidefinite
        for term in terms_of(integrand, gaussian)
        if term.exponent != 0
    )


def _separates(integrand: Expr, gaussian: Gaussian) -> bool:
    variables = tuple(v for v in gaussian.variables if integrand.has(v))
    return not integrand.has(sp.sign, sp.Abs) and bool(separated(integrand, variables))


def _bare(term: Term) -> Term:
    return replace(term, coefficient=sp.S.One)


def _step(rule: Rule, before: Expr, after: Expr, *, exact: bool, children: tuple[Step, ...] = ()) -> Step:
    return Step(rule.name, rule.identity, rule.reference, before, after, exact, children)


def _without_independent(integrand: Expr, gaussian: Gaussian) -> tuple[Expr, tuple[str, str, str] | None]:
    """Replace powers of variables that are independent of all others by their moments, where they enter polynomially.

    Label noise is the usual case: it leaves before anything is expanded, and squares of the rest stay together.
    """
    used = False
    for i, variable in enumerate(gaussian.variables):
        alone = all(gaussian.cov[i, j] == 0 for j in range(gaussian.size) if j != i)
        if not alone or not integrand.has(variable) or gaussian.size == 1 or not integrand.is_polynomial(variable):
            continue

        def moment(order: int, i: int = i) -> Expr:
            return monomial_moment(tuple(order * (k == i) for k in range(gaussian.size)), gaussian)

        integrand, used = average_powers(integrand, variable, moment), True
    if not used:
        return integrand, None
    identity = r"\mathbb{E}[p(r)\,q(\epsilon)] = \mathbb{E}[p(r)]\,\mathbb{E}[q(\epsilon)]"
    return integrand, ("independence", identity, "independence of the noise")
