"""What makes a declaration meaningful. Each check names the offender and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from .cas import Expr, Symbol, free_symbols, sp, to_expr
from .errors import DeclarationError
from .followed import Followed, owner
from .forms import covariance, linear_coefficients
from .functions import ANGLES, check_functions
from .labels import Poisson, RandomLabel
from .recognise import recognise
from .roles import LabelSymbol, NoiseSymbol, Parameter, StudentSymbol, TeacherSymbol, TrainedSymbol
from .sums import check_indices

if TYPE_CHECKING:
    from .model import Model

_MAKERS: dict[type, str] = {
    StudentSymbol: "hd.student",
    TeacherSymbol: "hd.teacher",
    LabelSymbol: "hd.label",
    NoiseSymbol: "hd.noise",
    Parameter: "hd.parameter",
    TrainedSymbol: "hd.Trained",
}

_PROBES = (-2.3, -0.71, 0.43, 1.9)
"""Preactivations at which a declaration must give real, finite numbers; no two differ by a round number."""


def expression(value: object, where: str) -> Expr:
    """A part of a declaration in canonical form. Raises :class:`DeclarationError` if it is no expression."""
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(
            f"the {where} is {value!r}, not an expression",
            remedy='build it from hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps"); '
            "text is read by hdsym.parse",
        )
    return recognise(expr)


def check_structure(model: Model) -> None:
    """Raise :class:`DeclarationError` for sums and indices that have no meaning at every size."""
    check_indices(model.loss, "loss")
    for expr in model.link_expressions:
        check_indices(expr, "link")
    for each in model.followed:
        check_indices(each.outer, f"statistic {each.name!r}")
        for _, _, g in each.means:
            check_indices(g, f"statistic {each.name!r}")


def check(model: Model) -> None:
    """Raise :class:`DeclarationError` for the first thing about an explicit `model` that has no meaning."""
    direct = model.link is None
    allowed = (StudentSymbol, TeacherSymbol, NoiseSymbol) if direct else (StudentSymbol, LabelSymbol)
    allowed = (*allowed, TrainedSymbol)
    _check_expression(model.loss, "loss", allowed)
    for expr in model.link_expressions:
        _check_expression(expr, "link", (TeacherSymbol, NoiseSymbol))
    where = "loss" if direct else "link"
    _check_names(model)
    _check_roles(model, where)
    _check_noise(model, where)
    _check_statistics(model)
    _check_real(model)


def _check_expression(expr: Expr, where: str, allowed: tuple[type, ...]) -> None:
    for symbol in free_symbols(expr):
        if isinstance(symbol, (*allowed, Parameter)):
            continue
        makers = ", ".join(f"{_MAKERS[kind]}(...)" for kind in allowed)
        known = type(symbol) in _MAKERS
        what = f"{symbol}, made by {_MAKERS[type(symbol)]}," if known else f"the unknown symbol {symbol}"
        remedy = f"the {where} is written in symbols from {makers} and constants from hd.parameter(...)"
        if not known:
            remedy += f"; if {symbol} is a constant: {symbol} = hd.parameter({symbol.name!r})"
        raise DeclarationError(f"the {where} contains {what} in {expr}", remedy=remedy)
    check_functions(expr, where)
    if expr.has(sp.I, sp.zoo, sp.oo, sp.nan) or expr.is_real is False:
        raise DeclarationError(
            f"the {where} {expr} is not a real, finite expression", remedy=f"write a {where} with real values"
        )


def _check_names(model: Model) -> None:
    symbols = sorted({s for e in model._expressions for s in e.free_symbols}, key=lambda s: str(s.name))
    for first, second in pairwise(symbols):
        if first.name == second.name:
            raise DeclarationError(
                f"two different symbols are called {first.name!r}",
                remedy="give each preactivation, label, noise and parameter a name of its own",
            )


def _check_roles(model: Model, where: str) -> None:
    if not any(sp.diff(model.loss, x) != 0 for x in model.students):
        raise DeclarationError(
            f"the loss {model.loss} does not depend on a student preactivation",
            remedy='use x = hd.student("x") in the loss',
        )
    if not model.teachers:
        raise DeclarationError(
            f"the {where} does not depend on a teacher preactivation", remedy='use s = hd.teacher("s") in it'
        )
    labels = model._symbols(LabelSymbol)
    if model.link is not None and len(labels) != 1:
        names = ", ".join(symbol.name for symbol in labels) or "none"
        raise DeclarationError(
            f"a link is given, but the labels in the loss {model.loss} are: {names}",
            remedy='use one y = hd.label("y") in the loss, or leave the link out and write f(x, s, eps) directly',
        )


def _check_noise(model: Model, where: str) -> None:
    used = model._symbols(NoiseSymbol)
    law = model.noise
    for symbol in used:
        if law is None or symbol != law.symbol:
            raise DeclarationError(
                f"the noise {symbol} has no law",
                remedy=f"give one: Model(..., noise=hd.Normal({symbol}, std=...))",
            )
    if law is not None and law.symbol not in used:
        raise DeclarationError(
            f"the noise law of {law.symbol} is given, but {law.symbol} is not in the {where}",
            remedy=f"use {law.symbol}, or leave the law out",
        )


def _check_statistics(model: Model) -> None:
    """Statistics are functions of the model's own symbols: another preactivation would be one more row of B."""
    for each in model.followed:
        allowed = tuple(kind for kind in _MAKERS if kind is not LabelSymbol or model.label is not None)
        for _, _, g in each.means:
            _check_expression(g, f"statistic {each.name!r}", allowed)
            _check_known(free_symbols(g), each.name, model)
        _check_outer(each, model)


def _check_known(symbols: Iterable[Symbol], name: str, model: Model) -> None:
    strangers = sorted(str(symbol) for symbol in symbols if symbol not in model._free)
    if strangers:
        known = ", ".join(sorted(map(str, model._free)))
        raise DeclarationError(
            f"the statistic {name!r} contains {strangers[0]}, which loss and link do not",
            remedy=f"write it in {known} and numbers",
        )


def _check_outer(each: Followed, model: Model) -> None:
    """What is made of means and overlaps."""
    where, given = f"statistic {each.name!r}", {symbol for _, symbol, _ in each.means}
    for atom in each.overlaps:
        u, v, q = atom.args
        _check_known((*linear_coefficients(u), *linear_coefficients(v)), each.name, model)
        _check_known(q.free_symbols - {covariance}, each.name, model)
    plain = each.outer.xreplace({atom: sp.Symbol("overlap", real=True) for atom in each.overlaps})
    _check_known(plain.free_symbols - given - {sp.Symbol("overlap", real=True)}, each.name, model)
    if plain.has(sp.I):
        raise DeclarationError(
            f"the {where} {each.formula} is complex",
            remedy="declare its real or imaginary part, or its absolute value: sympy.re(...), sympy.im(...), abs(...)",
        )
    check_functions(plain, where, ANGLES)


def _check_real(model: Model) -> None:
    """Evaluate at a few points: assumptions alone do not see that log(x) is not real for negative x."""
    named = (*model.parameters, *model.trained)
    constants = {p: sp.Float(1 if p.default in (None, 0.0) else p.default) for p in named}
    variables = [
        *model.students,
        *model.teachers,
        *((model.noise_symbol,) if model.noise is not None else ()),
    ]
    for shift in range(len(_PROBES)):
        point = {v: sp.Float(_PROBES[(shift + 2 * k + k * shift) % 4]) for k, v in enumerate(variables)}
        at = ", ".join(f"{v} = {float(value):g}" for v, value in point.items())
        _number(model.average(model.loss), {**constants, **point}, "loss", at)
        for name, g in model.means:
            _number(model.average(g), {**constants, **point}, f"statistic {owner(name)!r}", at)
        if isinstance(model.link, RandomLabel):
            _check_chances(model.link, {**constants, **point}, at)


def _number(expr: Expr, values: dict[Expr, Expr], where: str, at: str) -> float:
    value = expr.xreplace(values).evalf(15)
    if not (value.is_Float or value.is_Rational):
        raise DeclarationError(
            f"the {where} {expr} is {value} at {at}: not a real, finite number",
            remedy=f"write a {where} that is real and finite for all preactivations",
        )
    return float(value)


def _check_chances(label: RandomLabel, values: dict[Expr, Expr], at: str) -> None:
    if isinstance(label, Poisson):
        rate = _number(label.rate, values, "rate", at)
        if rate < 0:
            raise DeclarationError(
                f"the rate {label.rate} of the label is {rate:g} at {at}",
                remedy="give a positive expression, for instance sympy.exp(s)",
            )
        return
    total = 0.0
    for expr, _ in label.chances:
        chance = _number(expr, values, "probability", at)
        total += chance
        if not 0 <= chance <= 1:
            raise DeclarationError(
                f"the probability {expr} of the label is {chance:g} at {at}",
                remedy="give an expression with values in [0, 1], for instance hd.sigmoid(s)",
            )
    if abs(total - 1) > 1e-9:
        raise DeclarationError(
            f"the probabilities of the label sum to {total:g} at {at}", remedy="make them sum to 1 for every s"
        )


def check_constraint(given: object) -> None:
    """Raise :class:`DeclarationError` for a constraint that there is not."""
    if given not in (None, "sphere"):
        raise DeclarationError(f"constraint is {given!r}", remedy='it is "sphere" or None')


def check_free(model: Model, what: str) -> None:
    """Raise :class:`DeclarationError` if the trained directions are constrained, and `what` does not know of it."""
    if model.constraint is not None:
        raise DeclarationError(
            f'{what} is not known for constraint="{model.constraint}"',
            remedy="solve and simulate the model, or declare it without the constraint",
        )
