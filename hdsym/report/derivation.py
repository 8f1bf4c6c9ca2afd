"""What a report says about the theory: the declaration, the formulas, the rules and the tree of steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from ..cas import Expr, sp
from ..followed import owner
from ..functions import log_ndtr, logsumexp, owens_t, sigmoid, softplus
from ..ir.sized import SizedProgram
from ..labels import Bernoulli, RandomLabel
from ..laws import Normal, Uniform
from ..symbols import entry_name
from . import sized
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
    "declaration",
    "formulas",
    "quantities",
    "references",
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


def declaration(model: Model) -> list[Entry]:
    """Loss, label and noise of a model."""
    where = _definitions(_declared(model))
    students = ",".join(name_latex(s.name) for s in model.students)
    if model.link is None:
        inside = ", ".join(name_latex(s.name) for s in (*model.students, *model.teachers, *_noise(model)))
        return [Entry("outer function", formula(f"f({inside})", model.loss)), *_noise_entry(model), *where]
    label = name_latex(model.label.name) if model.label is not None else "y"
    entries = [Entry("loss", formula(rf"f({students},{label})", model.loss))]
    if isinstance(model.link, Bernoulli):
        teachers = ",".join(name_latex(s.name) for s in model.teachers)
        left = rf"\mathbb{{P}}({label} = 1 \mid {teachers})"
        entries.append(Entry("label, sampled: 1 or 0", formula(left, model.link.probability)))
    elif isinstance(model.link, RandomLabel):
        inside = r",\; ".join(map(expression, model.link.expressions))
        entries.append(
            Entry("label, sampled", mathml(rf"{label} \sim \mathrm{{{type(model.link).__name__}}}({inside})"))
        )
    else:
        entries.append(Entry("label", formula(label, model.link)))
    return entries + _noise_entry(model) + where


def _noise(model: Model) -> tuple[Expr, ...]:
    return () if model.noise_symbol is None else (model.noise_symbol,)


def _noise_entry(model: Model) -> list[Entry]:
    law = model.noise
    if law is None:
        return []
    name = name_latex(law.symbol.name)
    if isinstance(law, Normal):
        text = rf"{name} \sim \mathcal{{N}}({expression(law.mean)},\, {expression(law.std**2)})"
    elif isinstance(law, Uniform):
        text = rf"{name} \sim \mathcal{{U}}[{expression(law.low)},\, {expression(law.high)}]"
    elif law.chances:
        return [
            Entry(
                "noise, discrete",
                Markup("; ").join(
                    mathml(rf"\mathbb{{P}}({name} = {expression(value)}) = {expression(weight)}")
                    for weight, value in law.chances
                ),
            )
        ]
    else:
        inside = r",\; ".join(map(expression, law.constants))
        text = rf"{name} \sim \mathrm{{{type(law).__name__}}}({inside})"
    return [Entry("noise", mathml(text))]


_MEANINGS = {
    sigmoid: r"\sigma(u) = \frac{1}{1 + e^{-u}}",
    softplus: r"\mathrm{softplus}(u) = \log(1 + e^u)",
    logsumexp: r"\mathrm{logsumexp}(u_1, \dots, u_n) = \log \sum_i e^{u_i}",
    log_ndtr: r"\Phi(u) = \frac{1}{\sqrt{2\pi}} \int_{-\infty}^u e^{-v^2/2}\, \mathrm{d}v",
    owens_t: r"T(h, a) = \frac{1}{2\pi} \int_0^a \frac{e^{-h^2 (1 + v^2)/2}}{1 + v^2}\, \mathrm{d}v",
    sp.atan2: r"\mathrm{atan2}(a, b) = \mathrm{arg}(b + i a)",
}


def _definitions(expressions: Sequence[Expr], known: Sequence[Expr] = ()) -> list[Entry]:
    """What the less common functions in `expressions` mean, apart from those already in `known`."""
    new = [
        text
        for function, text in _MEANINGS.items()
        if any(expr.has(function) for expr in expressions) and not any(expr.has(function) for expr in known)
    ]
    return [Entry("where", mathml(text, display=True)) for text in new]


def _declared(model: Model) -> list[Expr]:
    return [model.loss, *model.link_expressions, *(g for _, g in model.declared_statistics)]


def formulas(theory: Derivation | SizedDerivation) -> list[Entry]:
    """Risk, gradient, Fisher matrix and the equations of motion, entry by entry."""
    if isinstance(theory.program, SizedProgram):
        return _sized_formulas(theory)
    return _explicit_formulas(theory)


def _sized_formulas(theory: Any) -> list[Entry]:
    derived = [kernel.expectation.expr for kernel in theory.formulas.kernels]
    return [*sized.entries(theory), *_overlaps(theory.model), *_definitions(derived, _declared(theory.model))]


def _overlaps(model: Model) -> list[Entry]:
    """What B is, and what the brackets of statistics are: u and v stand for coefficients of the preactivations."""
    entries = [Entry("overlaps", mathml(r"B = \sum_{\lambda} \lambda\, G(\lambda)", display=True))]
    if any(each.overlaps for each in model.followed):
        brackets = r"\left\langle u, v\right\rangle_{q(K)} = \sum_{\lambda} q(\lambda)\, u^\top G(\lambda)\, v"
        entries.append(Entry("overlaps", mathml(brackets, display=True)))
    return entries


def _explicit_formulas(theory: Any) -> list[Entry]:
    entries = [Entry("risk", formula("h(B)", theory.risk))]
    for title, letter, matrix in (("gradient", "H", theory.gradient), ("Fisher matrix", "I", theory.fisher)):
        rows, columns = matrix.shape
        for i, j in ((i, j) for i in range(rows) for j in range(columns) if letter == "H" or i <= j):
            entries.append(Entry(title, formula(name_latex(entry_name(letter, i + 1, j + 1)), matrix[i, j])))
    for each, value in zip(theory.model.followed, theory.statistics.values(), strict=True):
        left = rf"{words(each.name)} = {expression(each.formula)}"
        entries.append(Entry("statistics", formula(left, value)))
    for name, rate in theory.odes.items():
        entries.append(Entry("ODE of a mode", motion(name, rate)))
    entries += _overlaps(theory.model)
    derived = [theory.risk, *theory.gradient, *theory.fisher, *theory.statistics.values()]
    return entries + _definitions(derived, _declared(theory.model))


def conditions(theory: Derivation | SizedDerivation) -> list[Markup]:
    """Inequalities under which the formulas hold."""
    found = dict.fromkeys(c for _, entry in theory.formulas.all() for c in entry.conditions)
    return [mathml(f"{expression(condition)} > 0") for condition in found]


def references(model: Model) -> list[Markup]:
    """The references of a model, arXiv numbers as links."""
    return [linked(reference) for reference in model.references]


def linked(text: str) -> Markup:
    """Escaped text whose arXiv numbers are links; the only links a report has."""
    safe = str(escape(text))
    link = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return Markup(re.sub(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", link, safe))  # escaped above


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
