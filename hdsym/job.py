"""The main job: derive, generate, solve, simulate, compare, and write everything a reader needs into one folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .modelfile import ModelFile, read
from .progress import bar

if TYPE_CHECKING:
    from .compare import Verdict
    from .derive import Derivation
    from .results import Ensemble, Trajectory

__all__ = ["Outcome", "run_job"]

LOW, HIGH = 0.1, 0.9
"""Quantiles of the band that tables and figures show."""


@dataclass(frozen=True)
class Outcome:
    """What a job computed, and where it wrote it."""

    theory: Derivation
    path: Trajectory
    runs: Ensemble
    verdict: Verdict
    folder: Path
    written: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether theory and simulation agree."""
        return bool(self.verdict.agree)

    @property
    def summary(self) -> str:
        """The verdict, and the files written."""
        return f"{self.verdict}\n\nwrote {self.folder}: {', '.join(self.written)}"

    @property
    def record(self) -> dict[str, Any]:
        """The same for other programs: text, numbers, lists of them."""
        verdict = self.verdict
        return {
            "model": self.theory.model.name,
            "agree": self.agree,
            "words": verdict.words,
            "p_value": float(verdict.p_value),
            "level": float(verdict.level),
            "worst": verdict.worst,
            "runs": int(verdict.runs),
            "diverged": int(verdict.diverged),
            "effective_dimension": float(verdict.d_effective),
            "notes": list(verdict.notes),
            "folder": str(self.folder),
            "files": [str(self.folder / name) for name in self.written],
        }


def run_job(
    source: str | Path,
    *,
    folder: Path | None = None,
    runs: int | None = None,
    seed: int | None = None,
    say: Callable[[str], None] = print,
    progress: bool = True,
    command: str = "",
) -> Outcome:
    """Do everything a model file asks for.

    Parameters
    ----------
    source:
        The model file.
    folder, runs, seed:
        Override the file's output folder, number of runs and seed of the simulation.
    say:
        Receives the lines of the account.
    progress:
        Whether to show progress bars, of the derivation (on a terminal) and the simulation.
    command:
        How to repeat the job, for the report.

    Raises
    ------
    HdsymError
        If the file is wrong, or a computation fails.
    OSError
        If the output folder cannot be written.
    """
    from . import compare, simulate
    from .compare import STATISTICS
    from .derive import derive

    file = read(source)
    destination = folder or file.folder
    destination.mkdir(parents=True, exist_ok=True)
    with _timed(say, f"derive: {file.model.name}"):
        with bar("expectations", shown=progress) as told:
            theory = derive(file.model, progress=told)
        say(f"\n{theory}\n")
    with _timed(say, "generate the solver"):
        theory.export(destination / "solver.py")
    with _timed(say, f"solve the ODEs of {file.problem}"):
        path = theory.solve(file.problem, dense_output=True, fluctuations=file.fluctuations)
    settings = file.simulation
    count, rng = runs or settings.runs, settings.rng if seed is None else seed
    with _timed(say, f"simulate {count} runs of SGD"):
        ensemble = simulate(
            theory,
            file.problem,
            runs=count,
            rng=rng,
            method=settings.method,
            workers=settings.workers,
            record=settings.record,
            progress=progress,
        )
    with _timed(say, "compare and write"):
        declared = [name for name, _ in file.model.declared_statistics]
        verdict = compare(path, ensemble, statistics=(*STATISTICS, *declared))
        outcome = Outcome(theory, path, ensemble, verdict, destination, FILES)
        _write(outcome, file, command or f"hdsym run {source}")
    return outcome


FILES = ("solver.py", "theory.nc", "simulation.nc", "curves.csv", "figure.png", "figure.svg", "report.html")
"""What a job leaves in its folder."""


@contextmanager
def _timed(say: Callable[[str], None], what: str) -> Iterator[None]:
    say(f"> {what}")
    started = time.perf_counter()
    yield
    say(f"  done in {time.perf_counter() - started:.2f} s")


def _write(outcome: Outcome, file: ModelFile, command: str) -> None:
    from . import report
    from .exploring.grid import grid

    folder = outcome.folder
    outcome.path.save(folder / "theory.nc")
    outcome.runs.save(folder / "simulation.nc")
    _curves(outcome, folder / "curves.csv")
    _figure(outcome, folder)
    page = report.render(
        outcome.theory,
        file.problem,
        outcome.path,
        outcome.runs,
        outcome.verdict,
        explorer=grid(outcome.theory, file.problem),
        source_text=file.text,
        command=command,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def _curves(outcome: Outcome, path: Path) -> None:
    """The risk as a table: theory at the recorded times, simulated quantiles."""
    times = np.asarray(outcome.runs.time)
    theory = np.asarray(outcome.path.at(times)["risk"])
    low, middle, high = (np.asarray(outcome.runs.quantiles("risk", q)).reshape(-1) for q in (LOW, 0.5, HIGH))
    table = np.column_stack([times, theory, middle, low, high])
    names = "time,theory_risk,simulated_median,simulated_q10,simulated_q90"
    np.savetxt(path, table, delimiter=",", header=names, comments="", fmt="%.10g")


def _figure(outcome: Outcome, folder: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    outcome.verdict.plot(ax=figure.subplots())
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"figure.{suffix}", dpi=150)
