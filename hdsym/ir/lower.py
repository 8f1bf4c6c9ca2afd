"""Lowering: formulas -> straight-line programs with common subexpressions and quadrature plans."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from itertools import islice, product
from typing import TYPE_CHECKING

from ..cas import Expr, Symbol, free_symbols, sp
from ..expectation.integral import UnitIntegral
from ..expectation.rules.quasi import quasi_integrals
from ..labels import Bernoulli, RandomLabel
from ..model import Model
from ..symbols import entry_name, moment_name, overlap_matrix, slope_name
from .nodes import (
    Assign,
    Function,
    LineIntegral,
    ModeEquation,
    Output,
    ParameterSlot,
    Program,
    RuleNote,
    Statement,
)
from .plans import Prepared, PreparedLine, integrals_in, prepare, prepare_line
from .stable import stabilise

if TYPE_CHECKING:
    from ..derive.pipeline import Formulas
    from ..expectation.expectation import Expectation

__all__ = ["RESERVED", "code_names", "declaration_lines", "lower", "lower_function", "overlap_symbols", "rule_notes"]

_GENERATED = re.compile(r"[cEGHIBkqru]\d+(_\d+)?(_B\d+(_\d+)?)?|kernel_\d+")
"""Names the lowering gives to values of its own."""
_WORDS = """
    adjoint Any argparse Array ArrayLike atol B batch block Callable callable changes constant damping defined
    delta dG dH dI dict diffrax diffusion drift dy each entries evaluate explicit F fisher fits fixed float flow
    formulas G G0 gamma gaussian_mean gaussian_mean_2d given gradient H I int jax jnp kernels lam lax len
    lengths main make_rhs math matrix max_steps method modes n nested_mean np odes ok other overlaps own pack
    PAIRS partial plane_mean product pull quasi_mean rate rates refine rho rhs risk rows rtol rules RuntimeError
    schedule separable_mean shape sizes solution solve solve_ivp sp special split_mean split_mean_2d start
    states statistics str stretch students sum_lam T t tensor_mean theta times tol tolerance total trained
    trained_gradient tuple u unit_integral unpack v value values w y z zip
"""
RESERVED = frozenset(_WORDS.split())
"""Names that generated functions use themselves, where names of a model's constants are arguments."""


def lower(
    model: Model,
    derived: Formulas,
    slopes: Sequence[tuple[str, Expectation]] = (),
    noise: Sequence[tuple[str, Expectation]] = (),
) -> Program:
    """The program of a derivation. Deterministic: the same derivation gives the same program in every session.

    With `slopes`, the derivatives of the drift by name, it gives the exact Jacobian of its mode equations too; with
    `noise`, moments of the gradient by name, the covariance of a step.
    """
    size = model.n_student + model.n_teacher
    inputs = overlap_symbols(size)
    slots = _parameter_slots(model)
    renamed = {slot.symbol: sp.Symbol(slot.name, real=True) for slot in slots}
    points = any(quasi_integrals(entry.expr) for _, entry in derived.solver())
    risk = lower_function("risk", inputs, [("risk", (), [("h(B)", derived.risk.expr)])], renamed, points)
    gradient = [
        (entry_name("H", i, j), entry.expr)
        for i, row in enumerate(derived.gradient, start=1)
        for j, entry in enumerate(row, start=1)
    ]
    fisher = [
        (entry_name("I", i, j), entry.expr)
        for i, row in enumerate(derived.fisher, start=1)
        for j, entry in enumerate(row, start=1)
    ]
    shapes = ((size, model.n_student), (model.n_student, model.n_student))
    groups = [("gradient", shapes[0], gradient), ("fisher", shapes[1], fisher)]
    drift = lower_function("drift", inputs, groups, renamed, points)
    modes = derived.modes
    equations = tuple(ModeEquation(i, j, rate) for (i, j), rate in zip(modes.pairs, modes.rates, strict=True))
    conditions = tuple(dict.fromkeys(c for _, entry in derived.solver() for c in entry.conditions))
    return Program(
        model.name,
        declaration_lines(model),
        model.references,
        rule_notes(entry for _, entry in derived.solver()),
        tuple(symbol.name for symbol in (*model.students, *model.teachers)),
        model.n_student,
        model.n_teacher,
        slots,
        risk,
        drift,
        equations,
        _conditions(conditions, inputs, renamed),
        _slopes(derived, dict(slopes), inputs, renamed) if slopes else None,
        model.constraint == "sphere",
        _noise(derived, dict(noise), inputs, renamed) if noise else None,
    )


def _noise(
    derived: Formulas, found: dict[str, Expectation], inputs: tuple[Symbol, ...], renamed: dict[Symbol, Symbol]
) -> Function:
    """The moments M2, M3 and M4 as one function, every entry of each row by row."""
    n, l = len(derived.gradient), len(derived.fisher)
    groups = []
    for order in (2, 3, 4):
        shape = (n,) * (4 - order) + (l,) * order
        names = [
            moment_name(tuple(i + 1 for i in index[: 4 - order]), tuple(i + 1 for i in index[4 - order :]))
            for index in product(*map(range, shape))
        ]
        groups.append((f"M{order}", shape, [(name, found[name].expr) for name in names]))
    return lower_function("noise", inputs, groups, renamed)


def _slopes(
    derived: Formulas, found: dict[str, Expectation], inputs: tuple[Symbol, ...], renamed: dict[Symbol, Symbol]
) -> Function:
    """dH/dB and dI/dB as one function: for every entry, row by row, the derivatives in the entries of B that evolve."""
    pairs, students = derived.modes.pairs, range(1, len(derived.fisher) + 1)
    every = (("H", range(1, len(derived.gradient) + 1), max, min), ("I", students, min, max))
    groups = []
    for letter, rows, first, second in every:
        names = [
            slope_name(entry_name(letter, first(i, j), second(i, j)), pair)
            for i in rows
            for j in students
            for pair in pairs
        ]
        groups.append((letter, (len(rows), len(students), len(pairs)), [(name, found[name].expr) for name in names]))
    return lower_function("slopes", inputs, groups, renamed)


def _conditions(
    conditions: tuple[Expr, ...], inputs: tuple[Symbol, ...], renamed: dict[Symbol, Symbol]
) -> Function | None:
    """Expressions that must be positive, as a function; ``None`` if the expectations always exist."""
    if not conditions:
        return None
    pairs = [(f"condition {k}", condition) for k, condition in enumerate(conditions, start=1)]
    return lower_function("conditions", inputs, [("conditions", (len(pairs),), pairs)], renamed)


def overlap_symbols(size: int) -> tuple[Symbol, ...]:
    """B11, B12, ..., the upper triangle row by row."""
    matrix = overlap_matrix(size)
    return tuple(matrix[i, j] for i in range(size) for j in range(i, size))


def _parameter_slots(model: Model) -> tuple[ParameterSlot, ...]:
    names = code_names([parameter.name for parameter in model.parameters])
    return tuple(ParameterSlot(p, name, p.default) for p, name in zip(model.parameters, names, strict=True))


def code_names(wanted: Sequence[str], allowed: frozenset[str] = frozenset()) -> list[str]:
    """Names as they are in code: an underscore is added to those that generated code uses itself, unless `allowed`."""
    taken: set[str] = set()
    names = []
    for name in wanted:
        while keyword.iskeyword(name) or name in RESERVED - allowed or name in taken or _GENERATED.fullmatch(name):
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def declaration_lines(model: Model) -> tuple[str, ...]:
    """The model as text, a line for loss, label and noise."""
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
    if model.constraint is not None:
        lines.append("every trained direction gets its length back after each step")
    return tuple(lines)


def rule_notes(entries: Iterable[Expectation]) -> tuple[RuleNote, ...]:
    """The rules used, each once."""
    notes = dict.fromkeys(rule for entry in entries for rule in entry.steps.rules())
    return tuple(RuleNote(*note) for note in notes)


def lower_function(
    name: str,
    inputs: tuple[Symbol, ...],
    groups: Sequence[tuple[str, tuple[int, ...], list[tuple[str, Expr]]]],
    renamed: dict[Symbol, Symbol],
    points: bool = False,
) -> Function:
    """Straight-line code for groups of (name, shape, [(left side, expression)]), sharing their subexpressions.

    With `points`, integrals in four dimensions and more are averages over points rather than sums over grids.
    """
    formulas = [pair for _, _, pairs in groups for pair in pairs]
    expressions = [expr.xreplace(renamed) for _, expr in formulas]
    integrals = integrals_in(expressions)
    lines = sorted({node for expr in expressions for node in expr.atoms(UnitIntegral)}, key=str)
    names = {node: sp.Symbol(f"E{k}", real=True) for k, node in enumerate([*integrals, *lines], start=1)}
    plain = [stabilise(expr.xreplace(names)) for expr in expressions]
    batch = frozenset(inputs)
    prepared: list[Prepared | PreparedLine] = [
        *(prepare(node, batch) for node in integrals),
        *(prepare_line(node, batch) for node in lines),
    ]
    laws = [entry for item in prepared for entry in item.entries]
    temporaries = (sp.Symbol(f"c{k}", real=True) for k in range(1, 10_000))
    shared, reduced = sp.cse([*laws, *plain], symbols=temporaries, order="canonical")
    law_values, values = iter(reduced[: len(laws)]), reduced[len(laws) :]
    plans: list[Statement] = [
        item.plan(names[item.source], list(islice(law_values, len(item.entries))), points) for item in prepared
    ]
    assigns = [Assign(symbol, value) for symbol, value in shared]
    body = _order([*assigns, *plans])
    outputs, position = [], 0
    for group, shape, pairs in groups:
        outputs.append(Output(group, shape, tuple(values[position : position + len(pairs)])))
        position += len(pairs)
    return Function(name, inputs, body, tuple(outputs), tuple(formulas))


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
        exprs: tuple[Expr, ...] = (statement.integrand, *statement.values, *statement.gaps)
        return {s for expr in exprs for s in free_symbols(expr)} - {statement.variable, *statement.arguments}
    exprs = (*statement.mean, *statement.cov, statement.integrand, *statement.values)
    return {s for expr in exprs for s in free_symbols(expr)} - {*statement.variables, *statement.arguments}
