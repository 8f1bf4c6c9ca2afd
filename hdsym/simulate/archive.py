"""Runs that are there already: of an ensemble that is to grow, or of a file that outlives an interruption."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import storage
from ..errors import FileFormatError, SimulationError
from .identity import difference
from .run import Record
from .streams import Stream, stream

if TYPE_CHECKING:
    import xarray as xr

    from ..results import Ensemble

__all__ = ["Archive"]

_KIND = "Checkpoint"
_PAUSE = 1.0
"""Seconds between two writings of a checkpoint; twenty times longer than writing takes, if that is more."""

_AXES = {
    "overlaps": ("run", "time", "row", "col"),
    "gram": ("run", "time", "row", "col"),
    "trained": ("run", "time", "theta"),
    "risk": ("run", "time"),
    "forms": ("run", "time", "form"),
    "means": ("run", "time", "mean"),
    "diverged": ("run",),
}


class Archive:
    """Records of finished runs by number, read from what a call resumes, written as they come in.

    Parameters
    ----------
    identity:
        What the runs of this call belong to; see :mod:`.identity`.
    steps:
        (T,) recorded steps.
    d:
        Number of coordinates.
    """

    def __init__(self, identity: Mapping[str, Any], steps: NDArray[np.int64], d: int) -> None:
        self.identity, self.steps, self.d = dict(identity), steps, d
        self.finished: dict[int, Record] = {}
        self.stream: Stream | None = None
        self._path: Path | None = None
        self._written, self._pause, self._fresh = 0.0, _PAUSE, False

    def resume(self, ensemble: Ensemble, runs: int) -> None:
        """Take over the runs of an ensemble.

        Raises
        ------
        SimulationError
            If they are runs of something else, or as many as are wanted.
        """
        attrs = ensemble.attrs
        if "identity" not in attrs or attrs.get("runs") != ensemble.runs:
            raise SimulationError(
                f"the ensemble to resume holds {ensemble.runs} runs of {attrs.get('runs')} that hd.simulate made"
                if "identity" in attrs
                else "the ensemble to resume does not say what it belongs to",
                remedy="give what hd.simulate returned, whole, as saved and loaded by this version",
            )
        if ensemble.runs >= runs:
            raise SimulationError(
                f"the ensemble to resume has {ensemble.runs} runs, and runs={runs} are wanted",
                remedy="runs counts them all, old and new: ask for more, or call runs.more(n)",
            )
        there = np.rint(ensemble.time.values * self.d).astype(np.int64)
        self._accept("the ensemble to resume", attrs["identity"], there, Stream.of(attrs))
        values = {name: ensemble.dataset[name].values for name in ("overlaps", "gram", "risk", "diverged")}
        shape = values["risk"].shape
        for name in ("trained", "forms", "means"):
            values[name] = ensemble.dataset[name].values if name in ensemble.dataset else np.empty((*shape, 0))
        self.finished |= dict(enumerate(_records(values)))

    def open(self, file: str | os.PathLike[str]) -> None:
        """Read a checkpoint if it is there, and write to it from now on.

        Raises
        ------
        SimulationError
            If its runs belong to something else, or the file cannot be written.
        FileFormatError
            If it is no checkpoint.
        """
        self._path = Path(file)
        if self._path.is_file():
            kind, dataset = storage.read(self._path)
            if kind != _KIND:
                raise FileFormatError(
                    f"{file} holds a result of kind {kind!r}, not a checkpoint", remedy="choose another file"
                )
            attrs = storage.decode(dataset.attrs)
            self._accept(str(file), attrs["identity"], dataset["step"].values, Stream.of(attrs))
            records = _records({name: dataset[name].values for name in _AXES})
            self.finished |= dict(zip(dataset["run"].values.tolist(), records, strict=True))
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK) or self._path.is_dir():
            raise SimulationError(f"the checkpoint {file} cannot be written", remedy="choose a file in another folder")

    def seeds(self, rng: Any, runs: int) -> dict[int, np.random.SeedSequence]:
        """Seeds of the runs still to be made, by number.

        Raises
        ------
        SimulationError
            If `rng` is not that of the runs which are there.
        DeclarationError
            If `rng` has no meaning.
        """
        if self.stream is None or rng is not None:
            asked = stream(rng, runs)
            if self.stream not in (None, asked):
                raise SimulationError(
                    f"the runs that are there have the seed {self.stream}, not {asked}",
                    remedy="leave rng out: the recorded seed is used",
                )
            self.stream = asked
        return {i: self.stream.seed(i) for i in range(runs) if i not in self.finished}

    @property
    def attrs(self) -> dict[str, Any]:
        """What results record: the seed, and what the runs belong to."""
        return {**(self.stream.attrs if self.stream else {}), "identity": self.identity}

    def keep(self, i: int, record: Record) -> None:
        """Take in a run that has ended."""
        self.finished[i], self._fresh = record, True
        if time.monotonic() - self._written >= self._pause:
            self.flush()

    def flush(self) -> None:
        """Write the checkpoint, if there is one and it lacks a run; the file changes whole or not at all."""
        if self._path is None or not self._fresh:
            return
        began = time.monotonic()
        storage.write(self._dataset(), self._path, _KIND)
        self._written, self._fresh = time.monotonic(), False
        self._pause = max(_PAUSE, 20 * (self._written - began))

    def _accept(self, what: str, identity: Mapping[str, Any], steps: NDArray[np.int64], there: Stream) -> None:
        found = difference(self.identity, identity)
        if found is None and not np.array_equal(steps, self.steps):
            times = " and ".join(f"{len(k)} up to t = {k[-1] / self.d:g}" for k in (steps, self.steps))
            found = f"recorded times: {times}"
        if found is None and self.stream not in (None, there):
            found = f"seed: {there} there, {self.stream} here"
        if found is not None:
            raise SimulationError(
                f"{what} belongs to other runs. They differ in {found}",
                remedy="give the model, problem and settings that it was made with, or begin anew",
            )
        self.stream = there

    def _dataset(self) -> xr.Dataset:
        import xarray as xr

        numbers = sorted(self.finished)
        stacked = {
            name: (axes, np.array([getattr(self.finished[i], name) for i in numbers])) for name, axes in _AXES.items()
        }
        return xr.Dataset({**stacked, "step": (("time",), self.steps)}, {"run": numbers}, storage.encode(self.attrs))


def _records(values: Mapping[str, Any]) -> list[Record]:
    names = [name for name in _AXES if name != "diverged"]
    left = np.asarray(values["diverged"]).tolist()
    return [Record(**{name: np.array(values[name][i]) for name in names}, diverged=gone) for i, gone in enumerate(left)]
