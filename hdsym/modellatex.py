"""A declaration as LaTeX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .cas import Expr, latex

if TYPE_CHECKING:
    from .labels import RandomLabel
    from .laws import NoiseLaw
    from .model import Model
    from .schedule import LearningRate

__all__ = ["aligned", "label_latex", "law_latex", "model_latex", "rate_latex"]


def aligned(lines: Iterable[tuple[str, Expr]]) -> str:
    """Equations, one below the other, for a notebook."""
    inside = r"\\ ".join(f"{left} &= {latex(right)}" for left, right in lines)
    return rf"$\displaystyle\begin{{aligned}}{inside}\end{{aligned}}$"


def rate_latex(rate: LearningRate) -> str:
    """A schedule as a function of t."""
    if rate.expr is None:
        return rf"$\displaystyle \gamma(t) = \text{{{escaped(rate.describe())}}}$"
    return aligned([(r"\gamma(t)", rate.expr)])


def escaped(text: str) -> str:
    """Words inside of LaTeX text."""
    return "".join(rf"\{letter}" if letter in "_%$#&{}" else letter for letter in text if letter not in "\\^~")


def label_latex(label: RandomLabel) -> str:
    """LaTeX of the law of a sampled label."""
    inside = ", ".join(map(latex, label.expressions))
    return rf"\mathrm{{{type(label).__name__}}}\left({inside}\right)"


def model_latex(model: Model) -> str:
    """Loss, label and noise as one aligned block."""
    lines = [rf"\text{{loss}} &= {latex(model.loss)}"]
    if model.sampled:
        lines.append(rf"{latex(model.label)} &\sim {label_latex(model.link)}")  # type: ignore[arg-type]  # what sampled says
    elif model.link is not None:
        lines.append(rf"{latex(model.label)} &= {latex(model.link)}")
    if model.noise is not None:
        lines.append(rf"{latex(model.noise.symbol)} &\sim {law_latex(model.noise)}")
    for each in model.followed:
        lines.append(rf"\text{{{each.name.replace('_', ' ')}}} &= {latex(each.formula)}")
    return r"$\displaystyle\begin{aligned}" + r"\\ ".join(lines) + r"\end{aligned}$"


def law_latex(law: NoiseLaw) -> str:
    """LaTeX of a noise law with its constants."""
    return rf"\mathrm{{{type(law).__name__}}}\left({', '.join(latex(c) for c in law.constants)}\right)"
