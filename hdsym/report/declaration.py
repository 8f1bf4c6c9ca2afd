"""What a report says about a model: the declaration, what its functions mean, its sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from ..cas import Expr, sp
from ..functions import log_ndtr, logsumexp, owens_t, sigmoid, softplus
from ..labels import Bernoulli, RandomLabel
from ..laws import Normal, Uniform
from .entries import Entry
from .typeset import expression, formula, mathml, name_latex

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["declaration", "declared", "definitions", "linked", "references"]


def declaration(model: Model) -> list[Entry]:
    """Loss, label and noise of a model."""
    where = definitions(declared(model))
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


def definitions(expressions: Sequence[Expr], known: Sequence[Expr] = ()) -> list[Entry]:
    """What the less common functions in `expressions` mean, apart from those already in `known`."""
    new = [
        text
        for function, text in _MEANINGS.items()
        if any(expr.has(function) for expr in expressions) and not any(expr.has(function) for expr in known)
    ]
    return [Entry("where", mathml(text, display=True)) for text in new]


def declared(model: Model) -> list[Expr]:
    """Loss, label and statistics."""
    return [model.loss, *model.link_expressions, *(g for _, g in model.declared_statistics)]


def references(model: Model) -> list[Markup]:
    """The references of a model, arXiv numbers as links."""
    return [linked(reference) for reference in model.references]


def linked(text: str) -> Markup:
    """Escaped text whose arXiv numbers are links; the only links a report has."""
    safe = str(escape(text))
    link = r'<a href="https://arxiv.org/abs/\1">arXiv:\1</a>'
    return Markup(re.sub(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", link, safe))  # escaped above
