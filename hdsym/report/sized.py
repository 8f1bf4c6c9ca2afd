"""What a report says about models with sums over units: the sums, the kernels they call, and the ODEs as matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..derive.sized.display import sides
from ..expectation.compact import compact
from ..families import Family
from .entries import Entry
from .typeset import expression, formula, mathml, name_latex, words

if TYPE_CHECKING:
    from markupsafe import Markup

    from ..derive.sized import SizedDerivation
    from ..model import Model

__all__ = ["entries", "kernel_symbol", "preactivations"]

_TITLES = {
    "risk": "risk",
    "gradient": "gradient",
    "fisher": "Fisher matrix",
    "trained": "trained scalars",
}
_MOTION = (
    r"\frac{\mathrm{d}G}{\mathrm{d}t} = -2 \gamma \lambda \left(G H + H^\top G\right)"
    r" - \gamma \delta \left(G P + P G\right) + \frac{\gamma^2 \lambda \rho}{b} I"
)
_TRAINED = r"\frac{\mathrm{d}\theta}{\mathrm{d}t} = -\gamma_\theta T,\quad T = \mathbb{E}[\partial_\theta f]"


def entries(theory: SizedDerivation) -> list[Entry]:
    """Risk, gradient, Fisher matrix and derivatives in trained scalars, the kernels, the equations of motion."""
    found = []
    for quantity in (q for q in theory.formulas.quantities if q.name in _TITLES):
        left, right = sides(quantity, theory.model)
        found.append(Entry(_TITLES[quantity.name], formula(expression(left), right)))
    for each, value in zip(theory.model.followed, theory.statistics.values(), strict=True):
        found.append(Entry("statistics", formula(rf"{words(each.name)} = {expression(each.formula)}", value)))
    for number, kernel in enumerate(theory.formulas.kernels, start=1):
        pieces = compact(kernel.expectation.expr)
        left = rf"K_{{{number}}} = \mathbb{{E}}\left[{expression(kernel.expectation.integrand)}\right]"
        found.append(Entry("kernels", formula(left, pieces.expr)))
        named = [formula(name_latex(name.name), value) for name, value in pieces.definitions]
        found += [Entry("kernels", math) for math in named]
    found.append(Entry("ODE of a mode", mathml(_MOTION, display=True)))
    if theory.model.trained:
        found.append(Entry("ODE of trained scalars", mathml(_TRAINED, display=True)))
    return found


def kernel_symbol(name: str) -> Markup:
    """The symbol of "kernel 1"."""
    return mathml(f"K_{{{name.removeprefix('kernel ')}}}")


def preactivations(model: Model) -> str:
    """All preactivations in LaTeX, students first; of a family the first and the last."""
    texts = []
    for member in (*model.students, *model.teachers):
        name = name_latex(str(member.name))
        several = isinstance(member, Family)
        texts.append(rf"{name}_1, \dots, {name}_{{{member.size}}}" if several else name)
    return ", ".join(texts)
