"""How a derivation shows itself: as text in a terminal, as LaTeX in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cas import Expr, latex, sp
from ..expectation.compact import named_parts
from ..symbols import overlap_matrix

if TYPE_CHECKING:
    from .derivation import Derivation

__all__ = ["equations", "latex_block", "shared_parts", "text"]

_SHORT = 150
"""Operations in risk, gradient and Fisher matrix together up to which they are shown whole."""


def equations(derivation: Derivation) -> list[tuple[str, str, str]]:
    """(name, left side in LaTeX, right side in LaTeX) of every formula and mode equation."""
    model = derivation.model
    size = model.n_student + model.n_teacher
    definitions, (risk, gradient, fisher, *means) = shared_parts(derivation)
    found = [("risk", "h(B)", latex(risk))]
    found.append(("gradient", r"\nabla h(B)_{:, x}", latex(gradient)))
    found.append(("Fisher matrix", "I(B)", latex(fisher)))
    found += [
        ("statistic", rf"\text{{{each.name.replace('_', ' ')}}} = {latex(each.formula)}", latex(value))
        for each, value in zip(model.followed, means, strict=True)
    ]
    found += [("where", latex(name), latex(value)) for name, value in definitions]
    for name, rate in derivation.odes.items():
        found.append(("ODE", rf"\dot {{{name[0]}}}_{{{name[1:]}}}", latex(rate)))
    names = ", ".join(latex(symbol) for symbol in (*model.students, *model.teachers))
    law = rf"\mathbb{{E}}\left[r r^\top\right] = \sum_\lambda \lambda\, G(\lambda),\quad r = ({names})"
    found.append(("overlaps", latex(overlap_matrix(size)), law))
    return found


def shared_parts(derivation: Derivation) -> tuple[tuple[tuple[Expr, Expr], ...], list[Expr]]:
    """Risk, gradient, Fisher matrix and statistics, with the parts they share named where they are long."""
    means = derivation.statistics.values()
    return named_parts([derivation.risk, derivation.gradient, derivation.fisher, *means], short=_SHORT)


def latex_block(derivation: Derivation) -> str:
    """All formulas as one aligned block."""
    lines = [f"{left} &= {right}" for _, left, right in equations(derivation)]
    return r"$\displaystyle\begin{aligned}" + r"\\[4pt] ".join(lines) + r"\end{aligned}$"


def text(derivation: Derivation, width: int = 110) -> str:
    """All formulas, pretty-printed for a terminal."""

    def pretty(expr: Expr) -> str:
        shown = sp.pretty(expr, use_unicode=True, num_columns=width, wrap_line=True)
        return "\n".join(f"    {line}" for line in shown.splitlines())

    model = derivation.model
    definitions, (risk, gradient, fisher, *means) = shared_parts(derivation)
    names = ", ".join(symbol.name for symbol in (*model.students, *model.teachers))
    lines = [
        f"{model.name}: r = ({names}), B = E[r r'], student first",
        "",
        "risk h(B)",
        pretty(risk),
        "",
        "gradient Dh[:, :l] (B_ab and B_ba counted as separate entries)",
        pretty(gradient),
        "",
        "Fisher matrix I(B)",
        pretty(fisher),
        "",
        *(
            line
            for each, value in zip(model.followed, means, strict=True)
            for line in (f"statistic {each.name} = {each.formula}", pretty(value), "")
        ),
        *(line for name, value in definitions for line in (f"    {name} =", pretty(value), "")),
        "ODEs for the Gram matrix G of one eigenvalue lam with share rho of the modes, H = Dh[:, :l]",
        *(f"    d{name}/dt = {rate}" for name, rate in derivation.odes.items()),
    ]
    return "\n".join(lines)
