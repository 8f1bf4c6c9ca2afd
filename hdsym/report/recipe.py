"""How to get the same numbers again, as Python that can be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..adaptive import AdaptiveRate
from ..cas import Expr, sp
from ..families import Family
from ..functions import KNOWN
from ..labels import Categorical, RandomLabel
from ..laws import Discrete, Laplace, Normal, StudentT, Uniform
from ..schedule import LearningRate
from ..start import OverlapStart, RandomStart, UninformedStart
from ..symbols import Parameter, t

if TYPE_CHECKING:
    from ..model import Model
    from ..problem import Problem
    from ..results import Ensemble

__all__ = ["declaration", "recipe"]


class _Python(sp.StrPrinter):  # type: ignore[misc]  # sympy is untyped
    """Expressions as Python that needs ``import sympy as sp`` and ``import hdsym as hd``; rationals stay exact."""

    printmethod = "_python"  # not that of text, which some of our expressions bring along

    def _print_Function(self, expr: Expr) -> str:
        name = type(expr).__name__
        home = "hd.functions" if name in KNOWN and not hasattr(sp, name) else "sp"
        return f"{home}.{name}({', '.join(self._print(arg) for arg in expr.args)})"

    _print_Max = _print_Min = _print_Function

    def _print_Rational(self, expr: Expr) -> str:
        return f"sp.Rational({expr.p}, {expr.q})"

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        if expr.exp == sp.Rational(1, 2):
            return f"sp.sqrt({self._print(expr.base)})"
        return str(super()._print_Pow(expr, rational=True))

    def _print_Sum(self, expr: Expr) -> str:
        ranges = ", ".join(f"({', '.join(map(self._print, limit))})" for limit in expr.limits)
        return f"sp.Sum({self._print(expr.function)}, {ranges})"

    def _print_Indexed(self, expr: Expr) -> str:
        return f"{expr.base.label.name}[{', '.join(map(self._print, expr.indices))}]"

    def _print_Overlap(self, expr: Expr) -> str:
        u, v, q = expr.args
        return f"hd.overlap({', '.join(map(self._print, (u, v) if q == 1 else (u, v, q)))})"

    def _print_Mean(self, expr: Expr) -> str:
        return f"hd.mean({self._print(expr.args[0])})"

    def _print_CovarianceSymbol(self, _: Expr) -> str:
        return "hd.covariance"

    def _print_Pi(self, _: Expr) -> str:
        return "sp.pi"

    def _print_Exp1(self, _: Expr) -> str:
        return "sp.E"

    def _print_Symbol(self, expr: Expr) -> str:
        return "hd.t" if expr == t else str(expr.name)


def _code(expr: Expr) -> str:
    return str(_Python().doprint(expr))


def recipe(model: Model, problem: Problem | None, runs: Ensemble | None, from_file: bool) -> str:
    """The lines that repeat a report: from the model file it prints, or from the declaration written out."""
    if from_file:
        lines = ["import hdsym as hd", "from hdsym.modelfile import read", ""]
        lines += ['file = read("model.toml")  # the model file printed below', "theory = hd.derive(file.model)"]
        names = ("file.model", "file.problem")
    else:
        lines = [declaration(model), "theory = hd.derive(model)"]
        lines += [] if problem is None else [_problem(problem)]
        names = ("model", "problem")
    if problem is not None:
        lines.append(f"path = theory.solve({names[1]})")
    if runs is not None:
        given = {"runs": runs.runs, "rng": runs.attrs.get("entropy"), "method": runs.attrs.get("method")}
        given |= {name: runs.attrs.get(name) for name in ("scheme", "steps_per_time")}
        given["record"] = runs.time.size - 1
        settings = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        lines.append(f"runs = hd.simulate({', '.join(names)}, {settings})")
        lines.append("print(hd.compare(path, runs))")
    return "\n".join(lines)


def declaration(model: Model) -> str:
    """Python that declares `model` again."""
    lines = ["import sympy as sp", "", "import hdsym as hd", ""]
    roles = [("student", s) for s in model.students] + [("teacher", s) for s in model.teachers]
    roles += [("label", model.label)] if model.label is not None else []
    roles += [("noise", model.noise_symbol)] if model.noise_symbol is not None else []
    lines += _sizes(model)
    lines += [f'{symbol.name} = hd.{role}("{symbol.name}"{_size(symbol)})' for role, symbol in roles]
    lines += [_parameter(parameter) for parameter in model.parameters]
    lines += [f"{s.name} = hd.Trained({s.name!r}{_size(s)}, default={s.default!r})" for s in model.trained]
    link = _label(model.link) if isinstance(model.link, RandomLabel) else None
    lines += ["model = hd.Model(", f"    loss={_code(model.loss)},"]
    lines += [f"    link={link or _code(model.link)},"] if model.link is not None else []
    lines += [f"    noise={_law(model.noise)},"] if model.noise is not None else []
    pairs = ", ".join(f"{name!r}: {_code(g)}" for name, g in model.declared_statistics)
    lines += [f"    statistics={{{pairs}}},"] if pairs else []
    lines += [f"    constraint={model.constraint!r},"] * (model.constraint is not None)
    lines += [f"    name={model.name!r},", f"    references={tuple(model.references)!r},", ")"]
    return "\n".join(lines)


def _sizes(model: Model) -> list[str]:
    """Sizes, and the indices of the sums."""
    lines = [f'{size.name} = hd.size("{size.name}")' for size in model.sizes]
    written = (model.loss, *model.link_expressions, *(g for _, g in model.declared_statistics))
    sums = [e for expr in written for e in expr.atoms(sp.Sum)]
    indices = sorted({str(limit[0]) for total in sums for limit in total.limits})
    return lines + [f'{name} = sp.Symbol("{name}", integer=True)' for name in indices]


def _size(member: Any) -> str:
    return f", size={member.size}" if isinstance(member, Family) else ""


def _parameter(parameter: Parameter | Family) -> str:
    symbol = parameter.label if isinstance(parameter, Family) else parameter
    assumption = "positive" if symbol.is_positive else "nonnegative" if symbol.is_nonnegative else None
    given = [f"default={parameter.default!r}"] if parameter.default is not None else []
    given += [f"{assumption}=True"] if assumption else []
    return f"{parameter.name} = hd.parameter({', '.join([repr(parameter.name) + _size(parameter), *given])})"


def _label(label: RandomLabel) -> str:
    if isinstance(label, Categorical):
        values, weights = (", ".join(map(_code, part)) for part in (label.values, label.probabilities))
        return f"hd.Categorical([{values}], [{weights}])"
    return f"hd.{type(label).__name__}({', '.join(map(_code, label.expressions))})"


def _law(law: Any) -> str:
    name = law.symbol.name
    if isinstance(law, Normal):
        return f"hd.Normal({name}, std={_code(law.std)}, mean={_code(law.mean)})"
    if isinstance(law, Uniform):
        return f"hd.Uniform({name}, low={_code(law.low)}, high={_code(law.high)})"
    if isinstance(law, Laplace):
        return f"hd.Laplace({name}, scale={_code(law.scale)}, mean={_code(law.mean)})"
    if isinstance(law, StudentT):
        return f"hd.StudentT({name}, dof={_code(law.dof)}, scale={_code(law.scale)}, mean={_code(law.mean)})"
    if isinstance(law, Discrete):
        values, weights = (", ".join(_code(value) for value in values) for values in (law.values, law.probabilities))
        return f"hd.Discrete({name}, values=[{values}], probabilities=[{weights}])"
    return f"hd.{type(law).__name__}({name})"


def _problem(problem: Problem) -> str:
    """The problem as a call; what was made from arrays is named in a comment, since a report does not hold it."""
    spectrum, start = _spectrum(problem), _start(problem)
    gamma = _rate(problem.learning_rate)
    known = None not in (spectrum, start, gamma, *map(_rate, problem.learning_rates.values()))
    if not known or problem.data is not None:
        described = "; ".join(f"{name}: {value}" for name, value in problem.describe().items())
        return f"problem = ...  # made from arrays or functions that a page cannot hold: {described}"
    extra = {"delta": problem.delta, "batch_size": problem.batch_size, "parameters": dict(problem.parameters)}
    extra["sizes"] = dict(problem.sizes)
    plain = {"delta": 0.0, "batch_size": 1, "parameters": {}, "sizes": {}}
    lines = ["problem = hd.Problem(", f"    spectrum={spectrum},", f"    start={start},", f"    learning_rate={gamma},"]
    lines += [f"    {name}={value!r}," for name, value in extra.items() if value != plain[name]]
    rates = ", ".join(f"{name!r}: {_rate(rate)}" for name, rate in problem.learning_rates.items())
    lines += [f"    learning_rates={{{rates}}},"] if rates else []
    return "\n".join([*lines, f"    horizon={problem.horizon!r},", ")"])


def _rate(rate: LearningRate | AdaptiveRate) -> str | None:
    if isinstance(rate, AdaptiveRate):
        return rate.label if rate.label is not None and rate.label.startswith("hd.") else None
    return None if rate.expr is None else _code(rate.expr) if rate.kind == "expression" else repr(rate.value)


def _spectrum(problem: Problem) -> str | None:
    label = problem.spectrum.label
    if label == "identity":
        return "hd.spectrum.identity()"
    return f"hd.spectrum.{label}" if label.startswith(_WRITTEN) and "..." not in label else None


_WRITTEN = ("identity(", "power_law(", "power_law_density(", "two_level(", "marchenko_pastur(", "spiked(")
"""Spectra whose label is the call that makes them."""


def _start(problem: Problem) -> str | None:
    start = problem.start
    if isinstance(start, RandomStart | UninformedStart):
        kind, cosine = ("random", {"cosine": start.cosine}) if isinstance(start, RandomStart) else ("uninformed", {})
        values = {"norm": start.norm, **cosine, "teacher_norm": start.teacher_norm, "rng": start.entropy}
        counts = {"n_student": start.n_student, "n_teacher": start.n_teacher}
        values |= {name: count for name, count in counts.items() if count is not None}
        return f"hd.start.{kind}({', '.join(f'{name}={value!r}' for name, value in values.items())})"
    if isinstance(start, OverlapStart):
        k, gram = start.n_student, start.gram
        blocks = {"Q": gram[:k, :k], "M": gram[:k, k:], "T": gram[k:, k:]}
        return f"hd.start.overlaps({', '.join(f'{name}={block.tolist()!r}' for name, block in blocks.items())})"
    return None
