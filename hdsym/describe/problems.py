"""A problem as the table ``[problem]`` of a model file with arrays beside it, and back."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..adaptive import AdaptiveRate
from ..cas import Expr, to_expr
from ..errors import DeclarationError, HdsymError
from ..model import Model
from ..modelfile.pose import RULES, read_problem
from ..modelfile.shapes import read_spectrum
from ..modelfile.table import Table
from ..problem import Data, Problem
from ..quantities import NAMES
from ..schedule import LearningRate
from ..spectrumbase import Spectrum
from ..start import ArrayStart, OverlapStart, ProfileStart, RandomStart, UninformedStart
from ..symbols import t
from .arrays import Arrays, put_in
from .models import number_or_text
from .trees import assumed, written

__all__ = ["problem_of", "problem_table"]

WHERE = "the description of the problem"
_REMEDY = "give the model and the problem themselves, as Python objects"


def problem_table(problem: Problem, model: Model, arrays: Arrays, *, rows: bool) -> tuple[dict[str, Any], list[str]]:
    """The table of a problem, and what in it no file can hold, in words.

    Parameters
    ----------
    arrays:
        Takes the arrays that are too long for the text.
    rows:
        Whether real rows are wanted, and with them the basis they are given in. Without, weights are in the eigenbasis,
        which is all that theory and Gaussian data depend on.
    """
    refused: list[str] = []

    def told(what: str, tell: Callable[[], Any]) -> Any:
        try:
            return tell()
        except HdsymError as error:
            refused.append(error.message)
            return f"({what} cannot be written)"

    explicit = problem.explicit(model)
    spectrum = problem.spectrum if rows else _without_basis(problem.spectrum)
    table: dict[str, Any] = {
        "spectrum": told("spectrum", lambda: _spectrum(spectrum, arrays)),
        "start": told("start", lambda: _start(problem, explicit, arrays, rows)),
        "learning_rate": told("learning rate", lambda: rate_table(problem.learning_rate)),
        "delta": problem.delta,
        "batch_size": problem.batch_size,
        "horizon": problem.horizon,
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value for name, value in problem.parameters.items()
        },
        "learning_rates": {
            name: told(f"learning rate of {name}", partial(rate_table, rate))
            for name, rate in problem.learning_rates.items()
        },
        "sizes": dict(problem.sizes),
    }
    if rows and problem.data is not None:
        table["rows"] = told("real rows", partial(_rows, problem.data, arrays))
    return {key: value for key, value in table.items() if value != {}}, refused


def problem_of(table: Mapping[str, Any], model: Model, arrays: Mapping[str, NDArray[Any]]) -> Problem:
    """The problem of a table; raises :class:`HdsymError` if it is none."""
    given = put_in(table, arrays, WHERE)
    rows, label = given.pop("rows", None), dict(given["start"]).pop("label", None)
    given["start"] = {key: value for key, value in given["start"].items() if key != "label"}
    problem = read_problem(Table(given, "problem", WHERE), None, model)
    changes: dict[str, Any] = {}
    if isinstance(problem.start, ProfileStart) and label is not None:
        changes["start"] = dataclasses.replace(problem.start, label=str(label))
    if rows is not None:
        features, labels = (np.asarray(rows[name], dtype=np.float64) for name in ("features", "labels"))
        changes["data"] = Data(features, labels, float(rows["scale"]))
    return dataclasses.replace(problem, **changes) if changes else problem


def _rows(data: Data, arrays: Arrays) -> dict[str, Any]:
    return {
        "features": arrays.keep("features", data.features, "the table of features"),
        "labels": arrays.keep("labels", data.labels, "the labels"),
        "scale": data.scale,
    }


# ---- spectra


def _without_basis(spectrum: Spectrum) -> Spectrum:
    return spectrum if spectrum.basis is None else dataclasses.replace(spectrum, basis=None)


def _spectrum(spectrum: Spectrum, arrays: Arrays) -> dict[str, Any]:
    """By its formula where that gives exactly the same, else by its levels."""
    for table in _formulas(spectrum):
        try:
            if _same(read_spectrum(Table(table, "spectrum", WHERE)), spectrum):
                return table
        except HdsymError:
            continue  # larger than a model file may ask for
    table = {"kind": "levels", "label": spectrum.label}
    for name in ("levels", "fractions", "multiplicities", "order", "basis"):
        values = getattr(spectrum, name)
        if values is not None:
            table[name] = arrays.keep(f"spectrum_{name}", values, f"the {name} of the spectrum {spectrum.label}")
    return {**table, "d": spectrum.d}


def _formulas(spectrum: Spectrum) -> list[dict[str, Any]]:
    d = {} if spectrum.d is None else {"d": spectrum.d}
    made = spectrum.family
    if not isinstance(made, partial):
        return [{"kind": "identity", **d}]
    given = inspect.signature(made.func).bind(*made.args, **made.keywords).arguments if d == {} else {}
    if d:
        given = inspect.signature(made.func).bind(*made.args, **{**made.keywords, **d}).arguments
    if any(callable(value) for value in given.values()):
        return []
    plain = {key: np.asarray(value).tolist() for key, value in given.items() if value is not None}
    return [{"kind": made.func.__name__, **plain}]


def _same(one: Spectrum, other: Spectrum) -> bool:
    def equal(name: str) -> bool:
        a, b = getattr(one, name), getattr(other, name)
        return a is b if a is None or b is None else bool(np.array_equal(a, b))

    arrays = ("levels", "fractions", "multiplicities", "order", "basis")
    return one.d == other.d and one.label == other.label and all(map(equal, arrays))


# ---- starts


def _start(problem: Problem, explicit: Model, arrays: Arrays, rows: bool) -> dict[str, Any]:
    start = problem.start
    if isinstance(start, RandomStart | UninformedStart):
        numbers = ("norm", "cosine", "teacher_norm", "n_student", "n_teacher")
        told = {name: getattr(start, name, None) for name in numbers}
        kind = "random" if isinstance(start, RandomStart) else "uninformed"
        return {"kind": kind, "rng": start.entropy, **{k: v for k, v in told.items() if v is not None}}
    if isinstance(start, OverlapStart):
        l, gram = start.n_student, start.gram
        blocks = {"Q": gram[:l, :l], "M": gram[:l, l:], "T": gram[l:, l:]}
        return {"kind": "overlaps", **{k: arrays.keep(f"start_{k}", v, f"{k} of the start") for k, v in blocks.items()}}
    if isinstance(start, ArrayStart):
        turned = not rows and start.basis == "original"
        pair = problem.weights(explicit) if turned else (start.X0, start.Xstar)
        names = ("student", "teacher")
        kept = {k: arrays.keep(f"start_{k}", v, f"the {k} weights") for k, v in zip(names, pair, strict=True)}
        return {"kind": "arrays", "basis": start.basis, **kept}
    if isinstance(start, ProfileStart):
        return _profile(start, problem, explicit, arrays)
    raise DeclarationError(f"the start {start!r} is of a kind of its own", remedy=_REMEDY)


def _profile(start: ProfileStart, problem: Problem, explicit: Model, arrays: Arrays) -> dict[str, Any]:
    """Functions of the eigenvalue by their values at the levels: no others are asked for."""
    levels = problem.spectrum.levels
    sizes = explicit.n_student, explicit.n_teacher
    shapes = {"Q": (sizes[0], sizes[0]), "M": sizes, "T": (sizes[1], sizes[1])}
    told: dict[str, Any] = {"kind": "power", "delta": start.delta} if start.delta else {"kind": "profile"}
    for (name, shape), block in zip(shapes.items(), start.blocks, strict=True):
        values = _along(block, levels, shape) if callable(block) else block
        told[name] = arrays.keep(f"start_{name}", values, f"{name} of the start")
    return {**told, "label": start.label}


def _along(block: Callable[..., Any], levels: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        values = np.asarray(block(levels), dtype=np.float64)
    full = (len(levels), *shape)
    return np.broadcast_to(values[..., None, None] if values.ndim < 2 else values, full)


# ---- learning rates


def rate_table(rate: Any) -> Any:
    """A learning rate as a model file has it: a number, an expression in t, or a rule."""
    if isinstance(rate, AdaptiveRate):
        return _rule(rate)
    assert isinstance(rate, LearningRate)  # problems have made it one
    if rate.expr is None:
        raise DeclarationError(f"the learning rate is a Python {rate.describe()}", remedy=_REMEDY)
    return number_or_text(rate.expr, {"t": t}) if rate.value is None else _constant(rate)


def _constant(rate: LearningRate) -> Any:
    assert rate.value is not None and rate.expr is not None  # noqa: PT018  # what its kind says
    return rate.value if to_expr(rate.value) == rate.expr else written(rate.expr, {"t": t})


def _rule(rate: AdaptiveRate) -> dict[str, Any]:
    label = rate.label or ""
    for name, (make, numbers) in RULES.items():
        values = {n: float(v) for s, v in rate.parameters.items() for n in numbers if s.name == n}
        if len(values) == len(numbers) and make(**values) == rate:
            return {"rule": name, **values}
    own: dict[str, Expr] = {symbol.name: symbol for symbol in (*rate.slopes, *rate.parameters)}
    names = {"t": t, **{name: symbol for symbol, name in NAMES.items()}, **own}
    starts = dict(zip(rate.slopes, rate.start.tolist(), strict=True))
    states = {
        u.name: {"start": starts[u], "slope": number_or_text(slope, names), "assumptions": assumed(u)}
        for u, slope in rate.slopes.items()
    }
    values_of = {p.name: {"value": float(value), "assumptions": assumed(p)} for p, value in rate.parameters.items()}
    told = {"rule": "expression", "rate": number_or_text(rate.rate, names), "states": states, "parameters": values_of}
    return {key: value for key, value in {**told, "label": label}.items() if value}
