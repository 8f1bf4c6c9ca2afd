"""Bodies of functions in numba: quadrature as loops over nodes, which integrals over one law share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..cas import Expr, Symbol, free_symbols, sp
from ..ir.nodes import Assign, Integral, LineIntegral, Statement
from .layout import WIDTH
from .numba_nodes import array, canonical, law, nodes, scalar
from .statements import brackets, line

__all__ = ["Body", "scalars"]

_NEEDS = {"_log_ndtr": "_erfcx", "_inverse_mills": "_erfcx", "_arctan2": "_arctan"}
_HELPERS = ("_sigmoid", "_softplus", "_logaddexp", "_log_ndtr", "_inverse_mills", "_owens_t", "_arctan", "_arctan2")

Call = Callable[[Sequence[str]], str]
"""Text of the call of an integrand at nodes given as text."""


def scalars(text: str) -> list[str]:
    """Functions of templates/numba/scalars.j2 that this code calls, and those that they call."""
    found = [name for name in _HELPERS if f"{name}(" in text]
    return [*found, *(_NEEDS[name] for name in found if name in _NEEDS)]


@dataclass
class Body:
    """The body of one function, and the integrands it needs, which are added to those of the module.

    Attributes
    ----------
    owner:
        Name of the function.
    parameters:
        Names of the model's constants that are its arguments.
    integrands:
        Of the module so far: name, arguments, documentation, shared parts and value of each, as text.
    """

    owner: str
    parameters: Sequence[str]
    integrands: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, statements: Sequence[Statement]) -> list[str]:
        """Statements in order; integrals over one law, once all they need is known, in one loop over its nodes."""
        pending, lines = list(statements), []
        while pending:
            statement = pending.pop(0)
            if isinstance(statement, Assign):
                lines.append(line(statement.target.name, scalar(statement.value)))
            elif isinstance(statement, LineIntegral):
                lines += self._line(statement)
            else:
                later = {other.target for other in pending}
                others = [
                    s for s in pending if isinstance(s, Integral) and _alike(s, statement) and not _needs(s) & later
                ]
                pending = [s for s in pending if s not in others]
                plans = [statement, *others]
                lines += self._separable(plans) if statement.rule == "separable" else self._sums(plans)
        return lines

    def _line(self, statement: LineIntegral) -> list[str]:
        variables, target = (statement.variable, *statement.arguments), statement.target.name
        call = self._integrand([statement.integrand], variables, f"{self.owner}, integrated from 0 to 1")
        nearest = f"_nearest({brackets(map(scalar, statement.gaps))})" if statement.gaps else "1.0"
        return [
            f"u, w = _unit_nodes({nearest}, refine)",
            f"{target} = 0.0",
            "for n in range(u.size):",
            f"    {target} += w[n] * {call(['u[n]', *map(scalar, statement.values)])}",
        ]

    def _sums(self, plans: list[Integral]) -> list[str]:
        """Integrands weighted and added up over nodes, which may come line by line."""
        first, targets = plans[0], [plan.target.name for plan in plans]
        call = self._joined(plans, slice(None), [plan.integrand for plan in plans])
        at = ["u[n]"] if first.dimension == 1 else [f"u[{k}, n]" for k in range(first.dimension)]
        start, loop = f"{' = '.join(targets)} = 0.0", ["for n in range(w.size):", *_added(targets, [call(at)])]
        if first.dimension == 1 or first.rule == "quasi":
            return [f"u, w = {nodes(first)}", start, *loop]
        return [start, f"for u, w in {nodes(first)}:", *_indented(loop)]

    def _separable(self, plans: list[Integral]) -> list[str]:
        """Both factors on grids of their own, joined by Mehler's formula; where these are too large a grid over all."""
        first, p, targets = plans[0], plans[0].sizes[0], [plan.target.name for plan in plans]
        parts = (slice(None, p), slice(p, None))
        calls = [self._joined(plans, part, [plan.factors[k] for plan in plans]) for k, part in enumerate(parts)]
        lines = [f"u1, u2, u3, u4, {'fits' if first.dimension <= 4 else '_'} = {canonical(first)}"]
        inside: list[str] = []
        for k, (part, call) in enumerate(zip(parts, calls, strict=True), start=1):
            mean = [scalar(m) for m in first.mean[part]]
            stored = ", ".join(f"q{k}[{i}, n]" for i in range(len(plans)))
            inside += [
                f"u = _factor_nodes({array(mean)}, u{k}, u4, rules)",
                f"q{k} = np.empty(({len(plans)}, u.shape[1]))",
                "for n in range(u.shape[1]):",
                f"    {stored} = {call([f'u[{i}, n]' for i in range(len(mean))])}",
            ]
        inside += [
            f"{target} = _mehler(q1[{i}], q2[{i}], u3, u4, {p}, {first.dimension - p}, rules)"
            for i, target in enumerate(targets)
        ]
        if first.dimension > 4:  # the grids are made to fit
            return [*lines, *inside]
        at = [f"u[{k}, n]" for k in range(first.dimension)]
        loop = [
            "for n in range(w.size):",
            *_added(targets, [call(at[part]) for call, part in zip(calls, parts, strict=True)]),
        ]
        wide = [f"{' = '.join(targets)} = 0.0", f"for u, w in _wide_nodes({law(first)}, refine):", *_indented(loop)]
        return [*lines, "if fits:", *_indented(inside), "else:", *_indented(wide)]

    def _joined(self, plans: list[Integral], part: slice, values: list[Expr]) -> Call:
        """One function of the integrands of some plans in a part of their variables; what they share is found once."""
        variables, renamed = plans[0].variables[part], []
        outside: dict[Symbol, str] = {}
        for plan, value in zip(plans, values, strict=True):
            names = dict(zip(plan.variables[part], variables, strict=True))
            for argument, given in zip(plan.arguments, plan.values, strict=True):
                if argument in free_symbols(value):
                    own = sp.Symbol(f"k{len(outside) + 1}", real=True, positive=argument.is_positive)
                    names[argument], outside[own] = own, scalar(given)
            renamed.append(value.xreplace(names))
        what = f"{', '.join(plan.target.name for plan in plans)} in {self.owner}"
        call = self._integrand(renamed, (*variables, *outside), what)
        return lambda at: call([*at, *outside.values()])

    def _integrand(self, values: list[Expr], arguments: tuple[Symbol, ...], what: str) -> Call:
        """A function of the module that works out these values."""
        temporaries = (sp.Symbol(f"c{k}", real=True) for k in range(1, 10_000))
        shared, reduced = sp.cse(values, symbols=temporaries, order="canonical")
        free = {symbol.name for value in values for symbol in free_symbols(value)}
        own = [name for name in self.parameters if name in free]
        value = ", ".join(map(scalar, reduced))
        code = {
            "arguments": ", ".join([*(symbol.name for symbol in arguments), *own]),
            "body": [line(symbol.name, scalar(value)) for symbol, value in shared],
            "value": value if len(value) <= WIDTH - 16 else f"({value})",
        }
        name = self._named(code, what)
        return lambda at: f"{name}({', '.join([*at, *own])})"

    def _named(self, code: dict[str, Any], what: str) -> str:
        """The name of a function with this code: one that the module has, or a new one."""
        for each in self.integrands:
            if all(each[key] == text for key, text in code.items()):
                each["of"].append(what)
                return str(each["name"])
        self.integrands.append({"name": f"_integrand_{len(self.integrands) + 1}", "of": [what], **code})
        return str(self.integrands[-1]["name"])


def _alike(one: Integral, other: Integral) -> bool:
    """Whether two integrals have the same nodes."""
    if (one.rule, one.sizes) != (other.rule, other.sizes):
        return False
    return canonical(one) == canonical(other) if one.rule == "separable" else nodes(one) == nodes(other)


def _needs(plan: Integral) -> set[Symbol]:
    return {symbol for value in plan.values for symbol in free_symbols(value)}


def _added(targets: list[str], calls: list[str]) -> list[str]:
    """Lines in a loop over nodes: values of the integrands, or products of two of each, are weighted and added."""
    if len(targets) == 1:
        return [f"    {targets[0]} += w[n] * {' * '.join(calls)}"]
    names = [[f"{letter}{k + 1}" for k in range(len(targets))] for letter, _ in zip("rk", calls, strict=False)]
    given = [f"    {', '.join(own)} = {call}" for own, call in zip(names, calls, strict=True)]
    sums = [f"    {target} += w[n] * {' * '.join(own)}" for target, *own in zip(targets, *names, strict=True)]
    return [*given, *sums]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {text}" for text in lines]
