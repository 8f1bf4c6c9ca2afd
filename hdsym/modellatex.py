"""A declaration as LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .cas import latex
from .labels import RandomLabel
from .laws import NoiseLaw

if TYPE_CHECKING:
    from .model import Model

__all__ = ["law_latex", "model_latex"]


def model_latex(model: Model) -> str:
    """Loss, label and noise as one aligned block."""
    lines = [rf"\text{{loss}} &= {latex(model.loss)}"]
    if isinstance(model.link, RandomLabel):
        inside = ", ".join(map(latex, model.link.expressions))
        lines.append(rf"{latex(model.label)} &\sim \mathrm{{{type(model.link).__name__}}}\left({inside}\right)")
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
