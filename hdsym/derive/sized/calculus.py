"""Risk, gradient and Fisher matrix of a sized model as lists of unit terms, before anything is averaged.

The gradient matrix is H[a, k] = E[d_a d_k f] / 2 by Price's theorem. Where the two derivatives meet different sums the
term is valid for every pair (a, k), equal ones included; where they meet in one factor it stands on the diagonal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ...cas import Expr, average_powers, sp
from ...expectation.gaussian import Gaussian
from ...expectation.terms import reduce_signs
from ...followed import owner
from ...labels import RandomLabel
from ...laws import Normal
from ...model import Model
from .coincide import Apart, split
from .terms import Index, Units, UnitTerm

__all__ = ["Block", "blocks"]

Free = tuple[UnitTerm, tuple[Index, ...]]
"""A term and those of its indices that are not summed over, in the order of rows and columns."""
Placed = tuple[UnitTerm, tuple[Index, ...], Apart]
"""The same with the pairs of indices that must differ."""


@dataclass(frozen=True)
class Block:
    """Part of a quantity: rows and columns run over the units of two members.

    Attributes
    ----------
    quantity:
        "risk", "gradient", "fisher", "trained", or the name of a statistic.
    members:
        Whose units the free indices are; none for the risk, one for trained scalars and for a diagonal.
    diagonal:
        Whether rows and columns have one and the same index.
    terms:
        What is to be averaged and summed.
    """

    quantity: str
    members: tuple[Any, ...]
    diagonal: bool
    terms: tuple[Placed, ...]


def blocks(model: Model) -> list[Block]:
    """Everything that has to be averaged for `model`.

    Raises
    ------
    DeclarationError
        If the loss is no polynomial in its sums over units.
    """
    units = Units()
    mean = [_signs_reduced(term) for term in units.terms(_link_put_in(model.loss, model))]
    soft = _soft(units, mean, model)
    found = _blocks(units, "risk", (), False, _averaged(((term, ()) for term in soft), model))
    slopes = {x: [_pointwise(free) for free in _first(mean, x)] for x in (*model.students, *model.trained)}
    for x in model.students:
        first = [(replace(term, body=_reduced(term)), k) for term, k in _first(soft, x)]
        for r in (*model.students, *model.teachers):
            off, diagonal = _second(first, r)
            found += _blocks(units, "gradient", (r, x), False, _averaged(off, model))
            found += _blocks(units, "gradient", (r, x), True, _averaged(diagonal, model))
    for i, x in enumerate(model.students):
        for z in model.students[i:]:
            pairs = (_times(units, one, other) for one in slopes[x] for other in slopes[z])
            labelled = (part for term, free in pairs for part in _labelled(units, term, free, model))
            found += _blocks(units, "fisher", (x, z), False, _averaged(labelled, model))
    for theta in model.trained:
        alone = (part for term, k in slopes[theta] for part in _labelled(units, term, (k,), model))
        found += _blocks(units, "trained", (theta,), False, _averaged(alone, model))
    for name, g in model.means:
        found += _statistic(units, name, g, model)
    return found


def _statistic(units: Units, name: str, g: Expr, model: Model) -> list[Block]:
    """What has to be averaged for a declared statistic; an empty block where that is nothing."""
    terms = [_signs_reduced(term) for term in units.terms(_link_put_in(g, model), f"statistic {owner(name)!r}")]
    soft = _soft(units, terms, model)
    return _blocks(units, name, (), False, _averaged(((term, ()) for term in soft), model))


def _link_put_in(expr: Expr, model: Model) -> Expr:
    """A label that is a function is replaced by it; a sampled one is averaged later."""
    given = model.link is not None and not isinstance(model.link, RandomLabel)
    return expr.xreplace({model.label: model.link}) if given else expr


def _soft(units: Units, terms: list[UnitTerm], model: Model) -> list[UnitTerm]:
    """The mean over a sampled label."""
    return [_signs_reduced(part) for term in terms for part, _ in _labelled(units, term, (), model)]


def _blocks(units: Units, quantity: str, members: tuple[Any, ...], diagonal: bool, terms: list[Free]) -> list[Block]:
    """One block, and one for its diagonal where free indices coincide."""
    placed = [part for term, free in terms for part in split(units, term, free)]
    whole = 1 if diagonal else len(members)
    found = [
        Block(
            quantity, members, kind, tuple(part for part in placed if (len(part[1]) < whole) == (kind and not diagonal))
        )
        for kind in ([diagonal] if diagonal or whole < 2 else [False, True])
    ]
    return [block for block in found if block.terms]


def _labelled(units: Units, term: UnitTerm, free: tuple[Index, ...], model: Model) -> list[Free]:
    """The mean over a sampled label, whose law may depend on the teachers through sums over units."""
    if not isinstance(model.link, RandomLabel) or not term.body.has(model.label):
        return [(term, free)]
    return [(part, free) for part in units.within(term, model.link.average(term.body, model.label))]


def _first(terms: list[UnitTerm], member: Any) -> list[tuple[UnitTerm, Index]]:
    return [pair for term in terms for pair in term.derivatives(member)]


def _second(first: list[tuple[UnitTerm, Index]], member: Any) -> tuple[list[Free], list[Free]]:
    """Half the second derivatives: where the indices differ, and where they are the same."""
    off: list[Free] = []
    diagonal: list[Free] = []
    for term, k in first:
        for derivative, a in term.derivatives(member):
            half = replace(derivative, coefficient=derivative.coefficient / 2)
            (diagonal if a is k else off).append((half, (k,) if a is k else (a, k)))
    return off, diagonal


def _times(units: Units, first: tuple[UnitTerm, Index], second: tuple[UnitTerm, Index]) -> Free:
    """A product of slopes. Where both are those of one plain student, the column has an index of its own, of size 1."""
    (one, k), (other, l) = first, second
    mapping: dict[Index, Index] = {}
    renewed = units.renewed(other, mapping)
    column = mapping.get(l, l)
    return units.joined(one, renewed), (k, Index(sp.S.One) if column is k else column)


def _gaussian(term: UnitTerm) -> Gaussian:
    names = tuple(slot.symbol for slot in term.slots if slot.gaussian)
    return Gaussian(names, (sp.S.Zero,) * len(names), sp.ImmutableMatrix(sp.eye(len(names))))


def _signs_reduced(term: UnitTerm) -> UnitTerm:
    return replace(term, body=_reduced(term))


def _reduced(term: UnitTerm) -> Expr:
    """Ready to be differentiated in the sense of distributions."""
    return reduce_signs(term.body, _gaussian(term))


def _pointwise(pair: tuple[UnitTerm, Index]) -> tuple[UnitTerm, Index]:
    """The gradient SGD uses: at a kink the two sides' mean, without delta functions."""
    term, k = pair
    body = term.body.replace(sp.DiracDelta, lambda *_: sp.S.Zero) if term.body.has(sp.DiracDelta) else term.body
    return replace(term, body=reduce_signs(body, _gaussian(term))), k


def _averaged(terms: Iterable[Free], model: Model) -> list[Free]:
    """Everything averaged but the preactivations: discrete noise, and noise that enters polynomially."""
    result: list[Free] = []
    for term, free in terms:
        body = _over_noise(model.average(term.body), model)
        result += [(replace(term, body=part), free) for part in sp.Add.make_args(body) if part != 0]
    return result


def _over_noise(body: Expr, model: Model) -> Expr:
    law = model.noise
    if law is None or not body.has(law.symbol):
        return body
    if body.is_polynomial(law.symbol):
        return average_powers(body, law.symbol, law.moment)
    return body if isinstance(law, Normal) else body.xreplace({law.symbol: law.as_normal(law.symbol)})
