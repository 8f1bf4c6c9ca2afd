"""How a derivation shows itself: as text in a terminal, as LaTeX in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cas import Expr, latex, sp
from ..symbols import overlap_matrix

if TYPE_CHECKING:
    from .derivation import Derivation

__all__ = ["equations", "latex_block", "text"]


def equations(derivation: Derivation) -> list[tuple[str, str, str]]:
    """(name, left side in LaTeX, right side in LaTeX) of every formula and mode equation."""
    model = derivation.model
    size = model.n_student + model.n_teacher
    found = [("risk", "h(B)", latex(derivation.risk))]
    found.append(("gradient", r"\nabla h(B)_{:, x}", latex(derivation.gradient)))
    found.append(("Fisher matrix", "I(B)", latex(derivation.fisher)))
    for name, rate in derivation.odes.items():
        found.append(("ODE", rf"\dot {{{name[0]}}}_{{{name[1:]}}}", latex(rate)))
    names = ", ".join(latex(symbol) for symbol in (*model.students, *model.teachers))
    law = rf"\mathbb{{E}}\left[r r^\top\right] = \sum_\lambda \lambda\, G(\lambda),\quad r = ({names})"
    found.append(("overlaps", latex(overlap_matrix(size)), law))
    return found


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
    names = ", ".join(symbol.name for symbol in (*model.students, *model.teachers))
    lines = [
        f"{model.name}: r = ({names}), B = E[r r'], student first",
        "",
        "risk h(B)",
        pretty(derivation.risk),
        "",
        "gradient Dh[:, :l] (B_ab and B_ba counted as separate entries)",
        pretty(derivation.gradient),
        "",
        "Fisher matrix I(B)",
        pretty(derivation.fisher),
        "",
        "ODEs for the Gram matrix G of one eigenvalue lam with share rho of the modes, H = Dh[:, :l]",
        *(f"    d{name}/dt = {rate}" for name, rate in derivation.odes.items()),
    ]
    return "\n".join(lines)
