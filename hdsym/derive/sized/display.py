"""How a sized derivation shows itself: sums over units of kernels, and what the kernels are."""

from __future__ import annotations

from typing import Any

from ...cas import Expr, Symbol, latex, sp
from ...expectation.compact import compact
from ...families import Family
from ...model import Model
from .formulas import Quantity, SizedFormulas
from .kernels import Call

__all__ = ["indices", "latex_block", "risk", "sides", "statistics", "text"]

_OVERLAPS = sp.IndexedBase("B", real=True)
_LETTERS = "ijklmnpq"


def risk(model: Model, formulas: SizedFormulas) -> Expr:
    """The risk as sums over units of kernels, functions K1, K2, ... of entries of the overlaps."""
    return _mean("risk", model, formulas)


def statistics(model: Model, formulas: SizedFormulas) -> dict[str, Expr]:
    """Every declared statistic, its means as the risk."""
    means = {key: _mean(key, model, formulas) for key, _ in model.means}
    return {each.name: each.with_means(means) for each in model.followed}


def _mean(name: str, model: Model, formulas: SizedFormulas) -> Expr:
    quantities = [q for q in formulas.quantities if q.name == name]
    return sp.Add(*(_expr(call, model) for q in quantities for call in q.calls))


def text(model: Model, formulas: SizedFormulas) -> str:
    """All formulas as text."""
    lines = [f"{model.name}: every width {', '.join(size.name for size in model.sizes)}".rstrip(), ""]
    lines += [f"{left} = {right}" for left, right in _equations(model, formulas)]
    lines += ["", "with the kernels, functions of the covariance B11, B12, ... of their preactivations"]
    for number, kernel in enumerate(formulas.kernels, start=1):
        pieces = compact(kernel.expectation.expr)
        where = "; ".join(f"{name} = {value}" for name, value in pieces.definitions)
        lines.append(f"K{number} = E[{kernel.expectation.integrand}] = {pieces.expr}" + (f", {where}" if where else ""))
    return "\n".join(lines)


def latex_block(model: Model, formulas: SizedFormulas) -> str:
    """All formulas as one aligned block."""
    lines = [f"{latex(left)} &= {latex(right)}" for left, right in _equations(model, formulas)]
    for number, kernel in enumerate(formulas.kernels, start=1):
        value, where = compact(kernel.expectation.expr).latex()
        integrand = latex(kernel.expectation.integrand)
        tail = rf",\quad {where}" if where else ""
        lines.append(rf"K_{{{number}}} &= \mathbb{{E}}\left[{integrand}\right] = {value}{tail}")
    return r"$\displaystyle\begin{aligned}" + r"\\[4pt] ".join(lines) + r"\end{aligned}$"


def _equations(model: Model, formulas: SizedFormulas) -> list[tuple[Expr, Expr]]:
    """The quantities of the solver, then the statistics."""
    found = [sides(quantity, model) for quantity in formulas.quantities if quantity.name in _NAMES]
    return found + [(sp.Symbol(name), value) for name, value in statistics(model, formulas).items()]


_NAMES = {"risk": "h", "gradient": "H", "fisher": "I", "trained": "T"}


def sides(quantity: Quantity, model: Model) -> tuple[Expr, Expr]:
    """What a block of a quantity is called, h, H[i, j], ..., and the sums over units that it is."""
    own = indices(1 if quantity.diagonal else len(quantity.members))
    places = [_place(m, own[0] if quantity.diagonal else own[k], model) for k, m in enumerate(quantity.members)]
    letter = _NAMES[quantity.name]
    left = sp.IndexedBase(letter, real=True)[tuple(places)] if places else sp.Symbol(letter)
    right = sp.Add(*(_expr(call, model) for call in quantity.calls))
    return left, right


def indices(count: int) -> list[Symbol]:
    """Letters of as many indices."""
    return [sp.Symbol(letter, integer=True) for letter in _LETTERS[:count]]


def _place(member: Any, index: Symbol, model: Model) -> Expr:
    """The row of a unit: students count from one, teachers go on from there."""
    offset, family = sp.S.Zero, isinstance(member, Family)
    for other in (*model.students, *model.teachers):
        if other == member:
            break
        offset += other.size if isinstance(other, Family) else 1
    else:
        offset = sp.S.Zero
    return offset + (index if family else 1)


def _expr(call: Call, model: Model) -> Expr:
    names = indices(len(call.sizes))
    rows = [_place(member, names[index], model) for member, index in call.rows]
    entries = [_OVERLAPS[rows[a], rows[b]] for a in range(len(rows)) for b in range(a, len(rows))]
    entries += [_element(member, names[index]) for member, index in call.extras]
    kernel = sp.S.One if call.kernel is None else sp.Function(f"K{call.kernel + 1}")(*entries)
    weights = [
        _element(member, name) ** power
        for name, weight in zip(names, call.weights, strict=True)
        for member, power in weight
    ]
    apart = [1 - sp.KroneckerDelta(names[a], names[b]) for a, b in call.apart]
    body = sp.Mul(*weights, kernel, *apart)
    summed = [(names[k], 1, call.sizes[k]) for k in range(call.free, len(call.sizes)) if call.sizes[k] != 1]
    return call.coefficient * (sp.Sum(body, *summed) if summed else body)


def _element(member: Any, index: Symbol) -> Expr:
    return member[index] if isinstance(member, Family) else member
