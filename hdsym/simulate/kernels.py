"""From a model to compiled kernels: declaration -> code blocks -> template -> module on disk -> numba."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..adaptive import AdaptiveRate
from ..cas import Expr, Symbol
from ..labels import Poisson
from ..laws import StudentT
from ..model import Model
from ..modulecache import load_source
from ..paths import templates_dir
from ..userfunction import sources
from . import declaration
from .printer import Block, block, code
from .rules import code_of

__all__ = ["Kernels", "Means", "build", "mean_source", "means", "source", "template"]

Branches = tuple[tuple[str, str], ...]
"""(condition's threshold, value) of a draw from finitely many outcomes, the last one excluded."""


@dataclass(frozen=True)
class Kernels:
    """The compiled functions of one model; see ``templates/simulate`` for their code.

    Attributes
    ----------
    direct, data, reduced:
        Steps of SGD in place, with Gaussian data, with rows of a matrix, and up to rotations of the eigenspaces.
    population:
        Average of the loss over weighted points, per covariance factor and values of the trained scalars.
    empirical:
        Mean of the loss over the rows of a matrix.
    overlaps, rotate:
        W^T diag(lam) W, and the product of a basis with vectors, in plain loops: the same bits on any thread.
    text:
        The source of the generated module, from which another process makes the same kernels.
    path:
        The generated module.
    """

    direct: Callable[..., int]
    data: Callable[..., int]
    reduced: Callable[..., int]
    population: Callable[..., None]
    empirical: Callable[..., float]
    overlaps: Callable[..., None]
    rotate: Callable[..., None]
    text: str
    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return _kernels, (self.text,)


def build(model: Model, rate: AdaptiveRate | None = None) -> Kernels:
    """Kernels of a model, with the rule of an adaptive rate, from the cache if they were generated before.

    Compilation happens at the first call.

    Raises
    ------
    SimulationError
        If the model uses a function without compiled form, or a loss with a jump.
    """
    return _kernels(source(model, rate))


def _kernels(text: str) -> Kernels:
    module: Any = load_source(text, "hdsym_kernels")
    return Kernels(
        direct=module.direct,
        data=module.data,
        reduced=module.reduced,
        population=module.population,
        empirical=module.empirical,
        overlaps=module.overlaps,
        rotate=module.rotate,
        text=text,
        path=Path(module.__file__),
    )


def source(model: Model, rate: AdaptiveRate | None = None) -> str:
    """The text of the kernel module: the same for the same declaration in every session."""
    rule = None if rate is None else code_of(rate)
    return str(template("kernels.py.j2").render(**_context(model), rule=rule))


@dataclass(frozen=True)
class Means:
    """The compiled averages of a declared statistic: over weighted points and over rows, as in :class:`Kernels`."""

    population: Callable[..., None]
    empirical: Callable[..., float]
    text: str

    def __reduce__(self) -> tuple[Any, ...]:
        return _means, (self.text,)


def means(model: Model, g: Expr) -> Means:
    """Averages of a function g of an explicit model's symbols; raises as :func:`build` does."""
    return _means(mean_source(model, g))


def _means(text: str) -> Means:
    module: Any = load_source(text, "hdsym_means")
    return Means(module.population, module.empirical, text)


def mean_source(model: Model, g: Expr) -> str:
    """The text of a module with the averages of g."""
    names, expected = _names(model), declaration.expected(model, g)
    context = {
        "text": str(g),
        "loss": block((g,), names),
        "expected": block((expected,), names),
        "declared_code": sources(g, expected),
    }
    return str(template("means.py.j2").render(**context))


@cache
def template(name: str) -> Any:
    """A template of ``templates/simulate``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates_dir() / "simulate"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python is written, not HTML
    )
    return environment.get_template(name)


def _context(model: Model) -> dict[str, Any]:
    names, gradient = _names(model), declaration.gradient(model)
    return {
        "legend": [f"{name} = {symbol.name}" for symbol, name in names.items() if symbol != declaration.draw_symbol],
        "loss_text": str(model.loss),
        "sphere": model.constraint == "sphere",
        "link_text": str(model.link),
        "noise_text": str(model.noise),
        "gradient": block(gradient, names),
        "loss": block((model.loss,), names),
        "expected": block((declaration.expected_loss(model),), names),
        "noise": _noise(model, names),
        "noise_branches": _branches(declaration.noise_chances(model), names),
        "label": _label(model, names),
        "declared_code": sources(*gradient, declaration.expected_loss(model), model.loss),
        "label_branches": _branches(declaration.label_chances(model), names),
    }


def _names(model: Model) -> dict[Symbol, str]:
    arrays = {"x": model.students, "s": model.teachers, "p": model.parameters, "theta": model.trained}
    names = {symbol: f"{array}[{i}]" for array, symbols in arrays.items() for i, symbol in enumerate(symbols)}
    if model.label is not None:
        names[model.label] = "y"
    if model.noise_symbol is not None:
        names[model.noise_symbol] = "e"
    return names | {declaration.draw_symbol: "z"}


def _noise(model: Model, names: dict[Symbol, str]) -> dict[str, Any]:
    """How continuous noise is drawn: the standard draw, then the value."""
    draws = {"normal": "rng.standard_normal()", "uniform": "rng.random()"}
    if isinstance(model.noise, StudentT):
        dof = code(model.noise.dof, names)
        draws["student_t"] = f"rng.standard_normal() * math.sqrt({dof} / rng.chisquare({dof}))"
    kind = "" if model.noise is None else model.noise.draw
    return {"draw": draws.get(kind), "value": block((declaration.noise_value(model),), names)}


def _label(model: Model, names: dict[Symbol, str]) -> Block:
    """A label that is a function of (s, eps), or a count drawn with a rate that is one."""
    if isinstance(model.link, Poisson):
        rate = block((model.link.rate,), names)
        return Block(rate.lines, (f"poisson(rng, {rate.results[0]})",))
    return Block((), ("0.0",)) if model.link is None or model.sampled else block((model.link,), names)


def _branches(chances: tuple[declaration.Chance, ...], names: dict[Symbol, str]) -> dict[str, Any]:
    """Cumulative probabilities and values; every probability is checked when a label is drawn."""
    total = "0.0"
    rows = []
    for i, (weight, value) in enumerate(chances):
        rows.append({"weight": f"w{i}", "code": code(weight, names), "value": code(value, names)})
        total = f"w{i}" if i == 0 else f"{total} + w{i}"
        rows[-1]["threshold"] = total
    return {"rows": rows}
