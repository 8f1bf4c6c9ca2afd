"""Computing a result again from what it says of itself, and comparing the two bit for bit."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import storage, tables
from .errors import DeclarationError, SolveError

if TYPE_CHECKING:
    from .describe.origin import Call
    from .ensembles import Ensemble
    from .results import Trajectory

__all__ = ["Difference", "Rerun", "rerun"]

_NOT_NUMBERS = ("versions", "seconds", "compile_seconds", "identity", "grams_omitted", "solver")
"""Attributes that tell nothing of the numbers, or that are compared apart."""


@dataclass(frozen=True)
class Difference:
    """One variable, or attribute, that did not come out the same.

    Attributes
    ----------
    name:
        Which.
    words:
        How it differs.
    count, size:
        How many of its numbers differ; 0 of 0 if they cannot be compared.
    largest, relative:
        Largest absolute and relative difference; NaN if there is none.
    """

    name: str
    words: str
    count: int = 0
    size: int = 0
    largest: float = np.nan
    relative: float = np.nan


@dataclass(frozen=True, repr=False)
class Rerun:
    """A result computed again.

    Attributes
    ----------
    identical:
        Whether every number has come out the same, bit for bit.
    differences:
        What has not.
    changed:
        Name, then and now of every version that is not the same.
    result:
        The new result.
    """

    result: Trajectory | Ensemble
    differences: tuple[Difference, ...]
    changed: tuple[tuple[str, str, str], ...]
    same_code: bool | None = None

    @property
    def identical(self) -> bool:
        return not self.differences

    @property
    def words(self) -> str:
        """The outcome in plain words."""
        dataset = self.result.dataset
        numbers = sum(int(array.size) for array in dataset.data_vars.values())
        listing = ", ".join(f"{name} {then} then, {now} now" for name, then, now in self.changed)
        if self.identical:
            head = f"identical, bit for bit: {numbers} numbers of {len(dataset.data_vars)} variables"
            return f"{head} (with other versions: {listing})" if listing else head
        lines = [f"{len(self.differences)} differ:"]
        lines += [f"  {difference.name}: {difference.words}" for difference in self.differences]
        return "\n".join([*lines, self._why(listing)])

    def _why(self, listing: str) -> str:
        code = " and the generated solver is another one" if self.same_code is False else ""
        if listing:
            return f"other versions: {listing}{code}; another version may change the last digits, or the formulas"
        if code:
            return "the versions are the same, but the generated solver is another one: model or library have changed"
        return "the versions are the same: the file was changed, or another kind of processor rounds differently"

    def __repr__(self) -> str:
        return f"Rerun: {self.words}"

    def _repr_html_(self) -> str:
        if self.identical:
            return f"<p><strong>Rerun</strong>: {escape(self.words)}</p>"
        columns: dict[str, Any] = {
            "variable": [d.name for d in self.differences],
            "differing": [d.count for d in self.differences],
            "largest": [d.largest for d in self.differences],
            "relative": [d.relative for d in self.differences],
        }
        return tables.html("Rerun", columns, self.words.splitlines())


def rerun(
    source: str | os.PathLike[str] | Trajectory | Ensemble,
    *,
    model: Any = None,
    problem: Any = None,
    progress: Any = False,
) -> Rerun:
    """Compute a saved result again, from what its file says, and compare every number.

    On the same machine with the same versions they are the same, bit for bit. The file's description is a text that is
    parsed, never executed.

    Parameters
    ----------
    source:
        A file written by ``.save``, or a result itself.
    model, problem:
        Model or derivation, and problem, in place of those of the description: where these hold what no file can,
        Python functions for instance.
    progress:
        As for :func:`hdsym.simulate`.

    Returns
    -------
    Rerun
        ``.identical``, ``.differences``, ``.words``, and the new ``.result``.

    Raises
    ------
    FileNotFoundError, FileFormatError
        If there is no such file, or it is none of hdsym's.
    DeclarationError
        If the result does not say how it was computed, or something in that has no text: the message names it.
    SolveError, SimulationError
        If it cannot be computed any more.
    """
    from .results import load

    old = load(source) if isinstance(source, str | os.PathLike) else source
    if old.origin is None:
        raise DeclarationError(
            f"this {type(old).__name__} does not say how it was computed: an earlier version saved it, or it was "
            "built from arrays",
            remedy="compute it once more with this version, and save that",
        )
    call = _with(old, model, problem)
    new = _solved(call) if call.solves else _simulated(call, old.attrs, progress)
    then, now = old.attrs.get("versions", {}), storage.versions()
    changed = tuple((name, str(then.get(name, "unknown")), now[name]) for name in now if then.get(name) != now[name])
    codes = [record.attrs.get("solver", {}).get("code") for record in (old, new)]
    return Rerun(new, tuple(_differences(old, new)), changed, None if None in codes else codes[0] == codes[1])


def _with(old: Trajectory | Ensemble, model: Any, problem: Any) -> Call:
    """The call, with model and problem if they are given; only what is not given has to be in the file."""
    from .describe.origin import Call

    assert old.origin is not None  # checked by the caller
    if model is None and problem is None:
        return old.origin.call
    if model is not None and problem is not None:
        return Call(model, problem, old.origin.options)
    call = old.origin.call
    return Call(call.subject if model is None else model, call.problem if problem is None else problem, call.options)


def _solved(call: Call) -> Trajectory:
    from .derive import derive
    from .solve import solve

    options = {name: value for name, value in call.options.items() if name != "function"}
    contour = options.get("contour")
    if isinstance(contour, dict):
        from .contour import Ellipse

        options["contour"] = Ellipse(**contour)
    theory = call.subject if hasattr(call.subject, "model") else derive(call.subject)
    try:
        return solve(theory, call.problem, **options)
    except SolveError as error:
        if error.trajectory is None:
            raise
        found: Trajectory = error.trajectory  # of a solution that ended early: as the first time
        return found


def _simulated(call: Call, attrs: dict[str, Any], progress: Any) -> Ensemble:
    from . import simulate
    from .simulate.streams import Stream

    known = set(inspect.signature(simulate).parameters)
    options = {name: value for name, value in call.options.items() if name in known}
    seed = Stream.of(attrs).sequence()
    return simulate(call.subject, call.problem, **{**options, "runs": attrs["runs"]}, rng=seed, progress=progress)


def _differences(old: Trajectory | Ensemble, new: Trajectory | Ensemble) -> list[Difference]:
    omitted = {"grams", "eigenvalue"} if "grams_omitted" in old.attrs else set()
    names = dict.fromkeys([*map(str, old.dataset.variables), *map(str, new.dataset.variables)])
    found = [_variable(name, old, new) for name in names if name not in omitted]
    found += [_attribute(name, old.attrs, new.attrs) for name in dict.fromkeys([*old.attrs, *new.attrs])]
    return [difference for difference in found if difference is not None]


def _variable(name: str, old: Trajectory | Ensemble, new: Trajectory | Ensemble) -> Difference | None:
    for record, when in ((old, "there"), (new, "in the new result")):
        if name not in record.dataset.variables:
            return Difference(name, f"is not {when}")
    first, second = old.dataset[name].values, new.dataset[name].values
    if first.shape != second.shape:
        return Difference(name, f"shape {first.shape} then, {second.shape} now")
    if first.dtype.kind not in "fiu":
        return None if np.array_equal(first, second) else Difference(name, f"{first.tolist()} then, {second.tolist()}")
    a, b = (np.ascontiguousarray(values, dtype=np.float64) for values in (first, second))
    unequal = (a.view(np.int64) != b.view(np.int64)) & ~(np.isnan(a) & np.isnan(b))
    if not unequal.any():
        return None
    return _numbers(name, a, b, unequal, old.dataset[name].dims, old.time.values)


def _numbers(
    name: str,
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    unequal: NDArray[np.bool_],
    dims: tuple[Any, ...],
    times: NDArray[np.float64],
) -> Difference:
    gap, scale = np.abs(a - b)[unequal], np.maximum(np.abs(a), np.abs(b))[unequal]
    largest = float(np.max(gap, initial=0.0)) if np.isfinite(gap).all() else np.inf
    relative = float(np.max(gap[scale > 0] / scale[scale > 0], initial=0.0)) if np.isfinite(largest) else np.inf
    where = ""
    if "time" in dims:
        axes = tuple(k for k, dim in enumerate(dims) if dim != "time")
        where = f", first at t = {times[int(np.argmax(unequal.any(axis=axes)))]:.6g}"
    words = f"{int(unequal.sum())} of {unequal.size} numbers, by at most {largest:.3g} (relative {relative:.2g}){where}"
    return Difference(name, words, int(unequal.sum()), unequal.size, largest, relative)


def _attribute(name: str, old: dict[str, Any], new: dict[str, Any]) -> Difference | None:
    if name in _NOT_NUMBERS:
        return None
    texts = [json.dumps(attrs[name], sort_keys=True) if name in attrs else "nothing" for attrs in (old, new)]
    if texts[0] == texts[1]:
        return None
    then, now = (text if len(text) <= 60 else text[:57] + "..." for text in texts)
    return Difference(f"attribute {name}", f"{then} then, {now} now")
