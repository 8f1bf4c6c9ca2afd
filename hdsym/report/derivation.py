"""What a report says about the theory: the declaration, the formulas, the rules and the tree of steps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..derive.display import shared_parts
from ..followed import owner
from ..ir.sized import SizedProgram
from ..symbols import entry_name
from . import sized
from .declaration import declared, definitions, linked
from .entries import Entry
from .motion import motion
from .typeset import expression, formula, mathml, name_latex, words

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..expectation.rule import Step
    from ..model import Model

__all__ = [
    "Entry",
    "Node",
    "RuleRow",
    "conditions",
    "formulas",
    "quantities",
    "rules",
]


@dataclass(frozen=True)
class RuleRow:
    """A rule: its name, identity and reference, and how often it was applied."""

    name: str
    identity: Markup
    reference: Markup
    count: int


@dataclass(frozen=True)
class Node:
    """One step of a derivation with the steps below it."""

    rule: str
    math: Markup
    exact: bool
    children: tuple[Node, ...]


@dataclass(frozen=True)
class Quantity:
    """One derived quantity and the number of steps it took."""

    title: str
    symbol: Markup
    exact: bool
    count: int
    root: Node


def formulas(theory: Derivation | SizedDerivation, *, named: bool = False) -> list[Entry]:
    """Risk, gradient, Fisher matrix and the equations of motion, entry by entry.

    With `named`, what long formulas share has names of its own, under the title "where".
    """
    if isinstance(theory.program, SizedProgram):
        return _sized_formulas(theory)
    return _explicit_formulas(theory, named)


def _sized_formulas(theory: Any) -> list[Entry]:
    derived = [kernel.expectation.expr for kernel in theory.formulas.kernels]
    return [*sized.entries(theory), *_overlaps(theory.model), *definitions(derived, declared(theory.model))]


def _overlaps(model: Model) -> list[Entry]:
    """What B is, and what the brackets of statistics are: u and v stand for coefficients of the preactivations."""
    entries = [Entry("overlaps", mathml(r"B = \sum_{\lambda} \lambda\, G(\lambda)", display=True))]
    if any(each.overlaps for each in model.followed):
        brackets = r"\left\langle u, v\right\rangle_{q(K)} = \sum_{\lambda} q(\lambda)\, u^\top G(\lambda)\, v"
        entries.append(Entry("overlaps", mathml(brackets, display=True)))
    return entries


def _explicit_formulas(theory: Any, named: bool) -> list[Entry]:
    whole = [theory.risk, theory.gradient, theory.fisher, *theory.statistics.values()]
    pieces, (risk, gradient, fisher, *means) = shared_parts(theory) if named else ((), whole)
    entries = [Entry("risk", formula("h(B)", risk))]
    for title, letter, matrix in (("gradient", "H", gradient), ("Fisher matrix", "I", fisher)):
        rows, columns = matrix.shape
        for i, j in ((i, j) for i in range(rows) for j in range(columns) if letter == "H" or i <= j):
            entries.append(Entry(title, formula(name_latex(entry_name(letter, i + 1, j + 1)), matrix[i, j])))
    for each, value in zip(theory.model.followed, means, strict=True):
        left = rf"{words(each.name)} = {expression(each.formula)}"
        entries.append(Entry("statistics", formula(left, value)))
    entries += [Entry("where", formula(name_latex(name.name), value)) for name, value in pieces]
    for name, rate in theory.odes.items():
        entries.append(Entry("ODE of a mode", motion(name, rate)))
    entries += _overlaps(theory.model)
    derived = [theory.risk, *theory.gradient, *theory.fisher, *theory.statistics.values()]
    return entries + definitions(derived, declared(theory.model))


def conditions(theory: Derivation | SizedDerivation) -> list[Markup]:
    """Inequalities under which the formulas hold."""
    found = dict.fromkeys(c for _, entry in theory.formulas.all() for c in entry.conditions)
    return [mathml(f"{expression(condition)} > 0") for condition in found]


def rules(theory: Derivation | SizedDerivation) -> list[RuleRow]:
    """Every rule used, in order of first use."""
    counts: dict[tuple[str, str, str], int] = {}
    for root in theory.steps.values():
        for step in _walk(root):
            key = (step.rule, step.identity, step.reference)
            counts[key] = counts.get(key, 0) + 1
    return [RuleRow(name, _identity(identity), linked(ref), n) for (name, identity, ref), n in counts.items()]


def _identity(text: str) -> Markup:
    """An identity and what it defines, each in its own ``math`` element, so that a long list wraps."""
    pieces = re.split(r"(?<=,)\s*(?:\\quad|\\qquad|\\;)", text)
    return Markup(" <wbr>").join(mathml(piece) for piece in pieces)


def _walk(step: Step) -> Iterator[Step]:
    yield step
    for child in step.children:
        yield from _walk(child)


_TITLES = {"r": "risk", "H": "gradient", "I": "Fisher matrix"}


def quantities(theory: Derivation | SizedDerivation) -> list[Quantity]:
    """The tree of steps of every derived quantity."""
    found, means = [], dict(theory.model.means)
    for name, root in theory.steps.items():
        if name.startswith("kernel"):
            title, symbol = "kernel", sized.kernel_symbol(name)
        elif name in means:
            title, symbol = "statistic", mathml(words(owner(name)))
        else:
            title, symbol = _TITLES[name[0]], mathml("h(B)" if name == "risk" else name_latex(name))
        found.append(Quantity(title, symbol, root.exact, sum(1 for _ in _walk(root)), _node(root)))
    return found


def _node(step: Step) -> Node:
    left = rf"\mathbb{{E}}\left[{expression(step.before)}\right]"
    return Node(step.rule, formula(left, step.after, display=False), step.exact, tuple(map(_node, step.children)))
