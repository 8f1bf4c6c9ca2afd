"""The tables ``spectrum`` and ``start`` of a problem, by their kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import spectrum as spectra
from .. import start as starts
from ..cas import Symbol, numeric_function, sp
from ..spectrumbase import Spectrum
from .declare import read_expression
from .names import MAX_SIZE
from .table import REQUIRED, Table, is_number

__all__ = ["read_spectrum", "read_start"]

MAX_D = 10_000_000
LAM: Symbol = sp.Symbol("lam", real=True, nonnegative=True)
"""What an eigenvalue is called in a density or a start."""


def read_spectrum(table: Table) -> Spectrum:
    """The spectrum. Raises :class:`FileFormatError`, :class:`ParseError` or :class:`DeclarationError`."""
    made: Spectrum = _one_of(table, _SPECTRA)
    return made


def read_start(table: Table) -> Any:
    """The start; raises as :func:`read_spectrum` does."""
    return _one_of(table, _STARTS)


def _one_of(table: Table, kinds: dict[str, Callable[[Table], Any]]) -> Any:
    made = kinds[table.choice("kind", tuple(kinds))](table)
    table.done()
    return made


def _identity(table: Table) -> Any:
    return spectra.identity(_dimension(table))


def _power_law(table: Table) -> Any:
    trace = float(table.number("trace", 1.0))
    return spectra.power_law(float(table.number("alpha")), table.integer("d", low=1, high=MAX_D), trace=trace)


def _eigenvalues(table: Table) -> Any:
    return spectra.eigenvalues(_array(table, "values"))


def _matrix(table: Table) -> Any:
    return spectra.from_matrix(_array(table, "values"))


def _samples(table: Table) -> Any:
    shrinkage = table.get("shrinkage", 0.0)
    if is_number(shrinkage):
        shrinkage = float(shrinkage)
    else:
        shrinkage = table.choice("shrinkage", ("ledoit-wolf",))
    rank = table.integer("rank", None, low=1)
    values, center = _array(table, "values"), table.boolean("center", False)
    return spectra.from_data(values, center=center, shrinkage=shrinkage, rank=rank)


def _two_level(table: Table) -> Any:
    first, second = float(table.number("first")), float(table.number("second"))
    share = float(table.number("share", 0.5))
    return spectra.two_level(first, second, share=share, d=_dimension(table))


def _spiked(table: Table) -> Any:
    d, bulk = table.integer("d", low=1, high=MAX_D), float(table.number("bulk", 1.0))
    return spectra.spiked(table.numbers("spikes"), d, bulk=bulk)


def _marchenko_pastur(table: Table) -> Any:
    return spectra.marchenko_pastur(float(table.number("ratio")), d=_dimension(table))


def _power_law_density(table: Table) -> Any:
    return spectra.power_law_density(float(table.number("beta")), d=_dimension(table))


def _density(table: Table) -> Any:
    return spectra.from_density(_function(table, "pdf"), table.numbers("support"), d=_dimension(table))


def _dimension(table: Table) -> int | None:
    """The dimension, if there is one: without it the limit d -> infinity."""
    d: int | None = table.integer("d", None, low=1, high=MAX_D)
    return d


def _levels(table: Table) -> Any:
    """Distinct eigenvalues, the share or the number of coordinates of each, and where they are: what results keep."""
    levels, fractions = _array(table, "levels"), _array(table, "fractions")
    given: dict[str, Any] = {"d": table.integer("d", None, low=1), "label": table.text("label", "levels")}
    for name, kind in (("multiplicities", np.int64), ("order", np.int64), ("basis", np.float64)):
        if table.has(name):
            given[name] = _array(table, name).astype(kind)
    return spectra.Spectrum(levels, fractions, **given)


_SPECTRA: dict[str, Callable[[Table], Any]] = {
    "identity": _identity,
    "power_law": _power_law,
    "eigenvalues": _eigenvalues,
    "matrix": _matrix,
    "samples": _samples,
    "two_level": _two_level,
    "spiked": _spiked,
    "marchenko_pastur": _marchenko_pastur,
    "power_law_density": _power_law_density,
    "density": _density,
    "levels": _levels,
}


def _random(table: Table) -> Any:
    return starts.random(cosine=float(table.number("cosine", 0.3)), **_directions(table))


def _uninformed(table: Table) -> Any:
    return starts.uninformed(**_directions(table))


def _directions(table: Table) -> dict[str, Any]:
    """What random directions have in common."""
    return {
        "norm": float(table.number("norm", 1.0)),
        "teacher_norm": float(table.number("teacher_norm", 1.0)),
        "rng": table.integer("rng", 0),
        "n_student": table.integer("n_student", None, low=1, high=MAX_SIZE),
        "n_teacher": table.integer("n_teacher", None, low=1, high=MAX_SIZE),
    }


def _overlaps(table: Table) -> Any:
    return starts.overlaps(**{name: _number_or_array(table, name) for name in ("Q", "M", "T")})


def _number_or_array(table: Table, name: str, default: Any = REQUIRED) -> Any:
    value = table.get(name, default)
    return float(value) if is_number(value) else _array(table, name)


def _arrays(table: Table) -> Any:
    basis = table.choice("basis", ("eigen", "original"), "eigen")
    return starts.arrays(_array(table, "student"), _array(table, "teacher"), basis=basis)


def _profile(table: Table) -> Any:
    """Blocks that are numbers, arrays, or expressions in lam, for a single direction each."""
    return starts.profile(**{name: _along(table, name) for name in ("Q", "M", "T")})


def _along(table: Table, name: str) -> Any:
    value = table.get(name)
    if isinstance(value, str) and Path(value).suffix not in _FILES:
        return _function(table, name)
    return _number_or_array(table, name)


def _function(table: Table, name: str) -> Callable[..., NDArray[np.float64]]:
    """An expression in lam as a function, which is called by its text."""
    expr = read_expression(table, name, {"lam": LAM}, number=True)
    made = numeric_function([LAM], expr)
    made.__name__ = str(expr)
    return made


def _power(table: Table) -> Any:
    blocks = {name: _number_or_array(table, name, default) for name, default in (("Q", 0.0), ("M", 0.0), ("T", 1.0))}
    return starts.power(float(table.number("delta")), **blocks)


_STARTS: dict[str, Callable[[Table], Any]] = {
    "random": _random,
    "uninformed": _uninformed,
    "overlaps": _overlaps,
    "arrays": _arrays,
    "profile": _profile,
    "power": _power,
}

_FILES = (".npy", ".csv", ".txt")
"""What the name of a file ends with."""


def _array(table: Table, name: str) -> NDArray[np.float64]:
    """Numbers in the file, or the name of a ``.npy`` or text file beside it."""
    value = table.get(name)
    if isinstance(value, np.ndarray):  # beside the text, where a description has it
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, str):
        return _load(table, name, Path(table.file).parent / value)
    rows = value if isinstance(value, list) else None
    flat = _flat(rows or [], 3)
    if not flat or not all(is_number(entry) for entry in flat):
        raise table.error(
            name, "is not an array of finite numbers", "write numbers in square brackets, or a file's name"
        )
    try:
        return np.asarray(rows, dtype=np.float64)
    except ValueError:
        raise table.error(name, "has rows of different lengths", "make all rows equally long") from None


def _flat(rows: list[Any], depth: int) -> list[Any]:
    """The entries of lists in lists, down to a depth."""
    nested = [_flat(row, depth - 1) if isinstance(row, list) and depth > 1 else [row] for row in rows]
    return [entry for entries in nested for entry in entries]


def _load(table: Table, name: str, file: Path) -> NDArray[np.float64]:
    try:
        if file.suffix == ".npy":
            values = np.load(file, allow_pickle=False)  # a pickle would run code
        else:
            values = np.loadtxt(file, delimiter="," if file.suffix == ".csv" else None, ndmin=1)
        array = np.asarray(values, dtype=np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise table.error(
            name, f"names {file}, which cannot be read: {error}", "give a .npy, .csv or .txt file"
        ) from None
    if not array.size or not np.all(np.isfinite(array)):
        raise table.error(name, f"names {file}, which is empty or not finite", "give finite numbers")
    return array
