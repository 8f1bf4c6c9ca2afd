"""What a rule is, what it returns, and the record of the steps taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..cas import Expr, Symbol, sp
from .gaussian import Gaussian
from .terms import Term

__all__ = ["Outer", "Part", "Reduction", "Rule", "Step"]


@dataclass(frozen=True)
class Outer:
    """An integral around an expectation: weight times the inner value, over standard normal `variables`."""

    weight: Expr
    variables: tuple[Symbol, ...]


@dataclass(frozen=True)
class Part:
    """scale * E[term] under `gaussian`: a smaller problem a rule leaves.

    `meaning` says what the symbols that the rule has minted for the covariance stand for; with `shift`, the value is
    to be differentiated `order` times in that symbol, at zero; with `outer`, it is to be integrated, and must be exact.
    """

    scale: Expr
    term: Term
    gaussian: Gaussian
    meaning: tuple[tuple[Expr, Expr], ...] = ()
    shift: Symbol | None = None
    order: int = 0
    outer: Outer | None = None


@dataclass(frozen=True)
class Reduction:
    """What a rule makes of E[term]: value + sum of parts.

    Attributes
    ----------
    value:
        The part already known in closed form (or as a :class:`GaussianIntegral`).
    parts:
        Expectations that remain.
    exact:
        Whether `value` is free of numerical integration.
    condition:
        An expression that must be positive for the expectation to exist, or ``None`` if it always does.
    """

    value: Expr = sp.S.Zero
    parts: tuple[Part, ...] = ()
    exact: bool = True
    condition: Expr | None = None


@dataclass(frozen=True)
class Rule:
    """A named identity with its conditions. `apply` returns ``None`` when it has nothing to say.

    Attributes
    ----------
    name, identity, reference:
        How the rule is shown: a word, the identity in LaTeX, where it comes from.
    tier:
        "reduction", "family" or "numerical"; they are tried in this order.
    """

    name: str
    identity: str
    reference: str
    tier: str
    apply: Callable[[Term, Gaussian], Reduction | None]


@dataclass(frozen=True, repr=False)
class Step:
    """One application of a rule: E[before] = after, with the steps it led to."""

    rule: str
    identity: str
    reference: str
    before: Expr
    after: Expr
    exact: bool = True
    children: tuple[Step, ...] = field(default=())

    def lines(self, depth: int = 0) -> list[str]:
        """The tree as indented text, one line a step."""
        mark = "" if self.exact else "  (numerical)"
        own = f"{'  ' * depth}{self.rule}: E[{self.before}] = {self.after}{mark}"
        return [own, *(line for child in self.children for line in child.lines(depth + 1))]

    def rules(self) -> tuple[tuple[str, str, str], ...]:
        """(name, identity, reference) of every rule used, each once, in order of first use."""
        seen = {(self.rule, self.identity, self.reference): None}
        for child in self.children:
            seen.update(dict.fromkeys(child.rules()))
        return tuple(seen)

    def __repr__(self) -> str:
        below = f", {len(self.lines()) - 1} steps below" if self.children else ""
        return f"Step({self.rule}: E[{self.before}] = {self.after}{below})"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """The tree for a notebook: the rule, the formula it gave, and what it led to, nested."""
        from ..show.formulas import step

        return step(self)
