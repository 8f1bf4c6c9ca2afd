"""Lowering: formulas -> straight-line programs with common subexpressions and quadrature plans."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cas import Expr, Symbol, free_symbols, sp
from ..expectation.integral import GaussianIntegral, UnitIntegral
from ..labels import Bernoulli, RandomLabel
from ..model import Model
from ..symbols import overlap_matrix
from .features import features, frequency, growth
from .nodes import (
    Assign,
    Function,
    Integral,
    LineIntegral,
    ModeEquation,
    Output,
    ParameterSlot,
    Program,
    RuleNote,
    Statement,
)
from .stable import stabilise, stabilise_law, with_inverse_mills

if TYPE_CHECKING:
    from ..derive.pipeline import Formulas

__all__ = ["lower", "lower_function"]

_RESERVED = frozenset({"np", "special", "u", "v", "w", "z", "t", "lam", "rho", "rate", "delta", "batch", "refine", "B"})


def lower(model: Model, derived: Formulas) -> Program:
    """The program of a derivation. Deterministic: the same derivation gives the same program in every session."""
    size = model.n_student + model.n_teacher
    inputs = _overlaps(size)
    slots = _parameter_slots(model)
    renamed = {slot.symbol: sp.Symbol(slot.name, real=True) for slot in slots}
    risk = lower_function("risk", inputs, [("risk", (), [("h(B)", derived.risk.expr)])], renamed)
    gradient = [
        (f"H{i}{j}", entry.expr)
        for i, row in enumerate(derived.gradient, start=1)
        for j, entry in enumerate(row, start=1)
    ]
    fisher = [
        (f"I{i}{j}", entry.expr)
        for i, row in enumerate(derived.fisher, start=1)
        for j, entry in enumerate(row, start=1)
    ]
    shapes = ((size, model.n_student), (model.n_student, model.n_student))
    drift = lower_function("drift", inputs, [("gradient", shapes[0], gradient), ("fisher", shapes[1], fisher)], renamed)
    modes = derived.modes
    equations = tuple(ModeEquation(i, j, rate) for (i, j), rate in zip(modes.pairs, modes.rates, strict=True))
    conditions = tuple(dict.fromkeys(c for _, entry in derived.all() for c in entry.conditions))
    return Program(
        model.name,
        _declaration(model),
        model.references,
        _rules(derived),
        tuple(symbol.name for symbol in (*model.students, *model.teachers)),
        model.n_student,
        model.n_teacher,
        slots,
        risk,
        drift,
        equations,
        _conditions(conditions, inputs, renamed),
    )


def _conditions(
    conditions: tuple[Expr, ...], inputs: tuple[Symbol, ...], renamed: dict[Symbol, Symbol]
) -> Function | None:
    """Expressions that must be positive, as a function; ``None`` if the expectations always exist."""
    if not conditions:
        return None
    pairs = [(f"condition {k}", condition) for k, condition in enumerate(conditions, start=1)]
    return lower_function("conditions", inputs, [("conditions", (len(pairs),), pairs)], renamed)


def _overlaps(size: int) -> tuple[Symbol, ...]:
    matrix = overlap_matrix(size)
    return tuple(matrix[i, j] for i in range(size) for j in range(i, size))


def _parameter_slots(model: Model) -> tuple[ParameterSlot, ...]:
    taken = {symbol.name for symbol in _overlaps(model.n_student + model.n_teacher)}
    slots = []
    for parameter in model.parameters:
        name = parameter.name
        while keyword.iskeyword(name) or name in _RESERVED or name in taken:
            name += "_"
        taken.add(name)
        slots.append(ParameterSlot(parameter, name, parameter.default))
    return tuple(slots)


def _declaration(model: Model) -> tuple[str, ...]:
    lines = [f"loss  {model.loss}"]
    if isinstance(model.link, Bernoulli):
        lines.append(f"label {model.label} = 1 with probability {model.link.probability}, else 0")
    elif isinstance(model.link, RandomLabel):
        inside = ", ".join(map(str, model.link.expressions))
        lines.append(f"label {model.label} ~ {type(model.link).__name__}({inside})")
    elif model.link is not None:
        lines.append(f"label {model.label} = {model.link}")
    if model.noise is not None:
        constants = ", ".join(map(str, model.noise.constants))
        lines.append(f"noise {model.noise.symbol} ~ {type(model.noise).__name__}({constants})")
    return tuple(lines)


def _rules(derived: Formulas) -> tuple[RuleNote, ...]:
    notes = dict.fromkeys(rule for _, entry in derived.all() for rule in entry.steps.rules())
    return tuple(RuleNote(*note) for note in notes)


def lower_function(
    name: str,
    inputs: tuple[Symbol, ...],
    groups: Sequence[tuple[str, tuple[int, ...], list[tuple[str, Expr]]]],
    renamed: dict[Symbol, Symbol],
) -> Function:
    """Straight-line code for groups of (name, shape, [(left side, expression)]), sharing their subexpressions."""
    formulas = [pair for _, _, pairs in groups for pair in pairs]
    expressions = [expr.xreplace(renamed) for _, expr in formulas]
    integrals = _integrals(expressions)
    lines = sorted({node for expr in expressions for node in expr.atoms(UnitIntegral)}, key=str)
    names = {node: sp.Symbol(f"E{k}", real=True) for k, node in enumerate([*integrals, *lines], start=1)}
    plain = [stabilise(expr.xreplace(names)) for expr in expressions]
    laws = [stabilise_law(entry) for node in integrals for entry in (*node.mean, *node.cov)]
    temporaries = (sp.Symbol(f"c{k}", real=True) for k in range(1, 10_000))
    shared, reduced = sp.cse([*laws, *plain], symbols=temporaries, order="canonical")
    law_values, values = reduced[: len(laws)], reduced[len(laws) :]
    assigns = [Assign(symbol, value) for symbol, value in shared]
    over_unit = [LineIntegral(names[node], stabilise(node.integrand), node.variable) for node in lines]
    body = _order([*assigns, *_plans(integrals, names, law_values), *over_unit])
    outputs, position = [], 0
    for group, shape, pairs in groups:
        outputs.append(Output(group, shape, tuple(values[position : position + len(pairs)])))
        position += len(pairs)
    return Function(name, inputs, body, tuple(outputs), tuple(formulas))


def _integrals(expressions: list[Expr]) -> list[GaussianIntegral]:
    nodes = {node for expr in expressions for node in expr.atoms(GaussianIntegral)}
    return sorted(nodes, key=lambda node: (node.dimension, sp.default_sort_key(node.integrand), str(node)))


def _plans(integrals: list[GaussianIntegral], names: dict[Expr, Symbol], values: list[Expr]) -> list[Integral]:
    plans, position = [], 0
    for node in integrals:
        count = node.dimension
        mean = tuple(values[position : position + count])
        cov = tuple(values[position + count : position + count + count**2])
        position += count + count**2
        forms = features(node.integrand, node.variables)
        slopes, waves = growth(node.integrand, node.variables), frequency(node.integrand, node.variables)
        integrand = with_inverse_mills(node.integrand)
        plans.append(Integral(names[node], integrand, node.variables, mean, cov, forms, slopes, waves))
    return plans


def _order(statements: list[Statement]) -> tuple[Statement, ...]:
    """Each statement after those it needs: shared subexpressions may contain integrals and the other way round."""
    pending = list(statements)
    own = {statement.target for statement in pending}
    done: set[Symbol] = set()
    ordered: list[Statement] = []
    while pending:
        ready = next(s for s in pending if not (_needs(s) & own) - done)
        pending.remove(ready)
        ordered.append(ready)
        done.add(ready.target)
    return tuple(ordered)


def _needs(statement: Statement) -> set[Symbol]:
    if isinstance(statement, Assign):
        return set(free_symbols(statement.value))
    if isinstance(statement, LineIntegral):
        return set(free_symbols(statement.integrand)) - {statement.variable}
    exprs = (*statement.mean, *statement.cov, statement.integrand)
    return {symbol for expr in exprs for symbol in free_symbols(expr)} - set(statement.variables)
