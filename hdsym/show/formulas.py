"""Derivations and expectations as formulas, long ones in named pieces, and the steps that led to them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..cas import sp
from ..report import derivation as report
from ..report.typeset import expression, formula, mathml
from . import parts
from .models import folded, typeset

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..expectation.rule import Step

__all__ = ["derivation", "expectation", "exponent", "step"]

_PARTS = 1500
"""Parts of formulas in trees of steps up to which a derivation shows them: some two seconds of typesetting."""


def derivation(theory: Derivation | SizedDerivation) -> str:
    """Risk, gradient, Fisher matrix and ODEs; then how they were found."""
    pairs = [(entry.title, entry.math) for entry in report.formulas(theory, named=True)]
    exact = "closed form" if theory.exact else "with quadrature"
    body = [parts.rows(folded(pairs))]
    conditions = report.conditions(theory)
    if conditions:
        body.append(parts.note(Markup("These hold where ") + Markup(", ").join(conditions) + "."))
    size = sum(map(len, body))
    return parts.card(f"{theory.model.name}: {exact}", *body, _steps(theory, parts.MOST - size))


def _steps(theory: Derivation | SizedDerivation, room: int) -> Markup:
    """The trees of steps, folded, as far as there is room."""
    trees = theory.steps
    shown: list[Markup] = []
    parts_left = _PARTS
    for name, root in trees.items():
        size = _size(root, parts_left)
        tree = parts.fold(f"{name}: {_count(root)} steps", _tree(root)) if size < parts_left else None
        if tree is None or len(tree) > room:
            shown.append(parts.note(f"{name}: {_count(root)} steps; theory.steps[{name!r}] shows them"))
            continue
        room, parts_left = room - len(tree), parts_left - size
        shown.append(tree)
    count = sum(_count(root) for root in trees.values())
    return parts.fold(f"how they were found: {count} steps", Markup("").join(shown))


def _count(root: Step) -> int:
    return 1 + sum(map(_count, root.children))


def _size(root: Step, most: int) -> int:
    """Parts of all formulas in a tree; beyond `most` the count ends."""
    total = 0
    for expr in (root.before, root.after):
        total += sum(1 for _ in islice(sp.preorder_traversal(expr), most + 1))
    for child in root.children:
        if total > most:
            break
        total += _size(child, most - total)
    return total


def step(root: Step) -> str:
    """A tree of steps; where it is too long to typeset, as text."""
    if _size(root, 4 * _PARTS) < 4 * _PARTS:
        tree = _tree(root)
        if len(tree) < parts.MOST:
            return parts.card(f"{_count(root)} steps", tree)
    text = str(root)
    cut = text if len(text) < parts.MOST // 2 else text[: parts.MOST // 2] + " ..."
    return parts.card(f"{_count(root)} steps", Markup("<pre>{}</pre>").format(cut))


def _tree(root: Step) -> Markup:
    left = rf"\mathbb{{E}}\left[{expression(root.before)}\right]"
    source = Markup(" <small>{}</small>").format(root.reference) if root.reference else Markup("")
    mark = "" if root.exact else " (numerical)"
    math = formula(left, root.after, display=False)
    line = Markup("<strong>{}</strong>{}{} {}").format(root.rule, mark, source, math)
    inner = Markup("").join(Markup("<li>{}</li>").format(_tree(child)) for child in root.children)
    return line + Markup("<ul>{}</ul>").format(inner) if root.children else line


def expectation(found: Any) -> str:
    """The value in pieces, and the steps that led to it."""
    pieces = found.compact
    left = rf"\mathbb{{E}}\left[{expression(found.integrand)}\right]"
    pairs: list[tuple[str, Any]] = [("closed form" if found.exact else "numerical", formula(left, pieces.expr))]
    pairs += [("where", formula(expression(name), value)) for name, value in pieces.definitions]
    pairs += [("exists where", mathml(f"{expression(condition)} > 0")) for condition in found.conditions]
    count = _count(found.steps)
    tree = _tree(found.steps) if _size(found.steps, _PARTS) < _PARTS else Markup("")
    steps = parts.fold(f"{count} steps", tree) if tree else parts.note(f"{count} steps; .steps shows them")
    return parts.card("Expectation", parts.rows(folded(pairs)), steps)


def exponent(found: Any) -> str:
    """The information exponent: what it was read from, and what it means."""
    terms = ",\\; ".join(f"c_{{{j}}} = {expression(c)}" for j, c in enumerate(found.coefficients))
    pairs = [
        ("coefficients", typeset(terms)),
        ("decided", "exactly" if found.exact else "numerically"),
        ("steps from a random start", typeset(expression(found.sample_scale))),
        ("meaning", found.meaning),
    ]
    return parts.card(f"Information exponent {int(found)} of {found.name}", parts.rows(pairs))
