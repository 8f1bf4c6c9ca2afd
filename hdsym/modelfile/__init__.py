"""One TOML file that declares a model, a problem and how to simulate it.

    [model]
    name = "real phase retrieval"
    loss = "(x**2 - y)**2 / 4"        # in the student x, the label y and the parameters
    link = "s**2 + eps"               # in the teacher s and the noise eps; or a sampled label: {bernoulli = p},
                                      # {poisson = rate}, {values = [...], probabilities = [...]}
    references = ["arXiv:2308.08977"]
    constraint = "sphere"               # projected SGD; left out, directions are free

    [model.symbols]                   # the default names
    student = "x"                     # or several: ["x1", "x2"], and teachers alike
    teacher = "s"
    label = "y"
    noise = "eps"

    [model.noise]                     # normal, uniform, laplace, student_t, rademacher or discrete
    law = "normal"
    std = "noise_std"

    [model.parameters]
    noise_std = {default = 0.1, nonnegative = true}

    [model.statistics]                # means that are followed along with the risk, and judged with it
    misclassification = "(1 - sign(x)*sign(s)) / 2"
    error = "sqrt(overlap(x - s, x - s, covariance**2))"    # of W^T q(K) W; functions of means: sqrt(mean((x - y)**2))

    [problem]
    spectrum = {kind = "power_law", alpha = 0.6, d = 2000}
    start = {kind = "random", norm = 1.0, cosine = 0.3, rng = 1}
    learning_rate = "0.1 / (1 + t)"   # a number, or an expression in t; {rule = "adagrad-norm", eta = 1.0, b = 1.0}
    horizon = 20.0
    parameters = {noise_std = 0.2}

    [solve]
    fluctuations = true               # error bars of single runs, in the figure and the report

    [simulate]
    runs = 30
    rng = 0

    [sweep]                           # for hdsym sweep: names as hd.sweep has them
    t = 50.0
    statistics = ["risk", "distance"]
    [sweep.over]
    learning_rate = {from = 0.01, to = 1.0, count = 40, spacing = "log"}    # or an array, of expressions in t too
    "start.cosine" = [0.1, 0.3, 0.5]

    [output]
    folder = "out/phase_retrieval"

Spectra are of the kinds identity, power_law, eigenvalues, matrix, samples (with shrinkage or rank), two_level, spiked,
marchenko_pastur, power_law_density, density (a pdf in lam on a support) and levels (with fractions, or multiplicities
and d); the limit d -> infinity is one without d.
Starts are of the kinds random, uninformed (every run draws its own), overlaps, arrays, power and profile, whose blocks
may be expressions in lam:
``{kind = "profile", Q = 0, M = 0, T = "1/(1 + lam)"}``.

A network declares its sizes and families, and sums over units as sympy writes them. What is trained along with the
students has a table of its own; the problem says how wide the network is:

    [model]
    loss = "(Sum(v[i]*erf(x[i]/sqrt(2)), (i, 1, K)) - y)**2 / 2"
    link = "Sum(erf(s[m]/sqrt(2)), (m, 1, M)) + eps"
    sizes = ["K", "M"]

    [model.symbols]
    student = {name = "x", size = "K"}    # a size may also be a number: x[1], x[2], ... are then its units
    teacher = {name = "s", size = "M"}

    [model.trained]
    v = {size = "K", default = 1.0}       # or v = 1.0 for a single scalar; parameters take a size, too

    [problem]
    start = {kind = "random", norm = 0.5, cosine = 0.1, n_student = 3, n_teacher = 2}   # or sizes = {K = 3, M = 2}
    parameters = {v = [0.3, 0.2, 0.1]}    # starts of what is trained are given here
    learning_rates = {v = 0.2}            # numbers, or expressions in t; learning_rate serves the others

A model of the zoo is named instead: ``model = {zoo = "logistic", labels = "bernoulli"}``. A table ``[data]`` takes the
place of spectrum and start and builds the problem from real data. Expressions are read by :mod:`hdsym.parse`, never
evaluated.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DeclarationError, FileFormatError
from .table import Table

if TYPE_CHECKING:
    from ..model import Model
    from ..problem import Problem
    from .sweep import SweepSettings

__all__ = ["ModelFile", "Simulation", "read", "read_model", "read_text"]

MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Simulation:
    """How to simulate: number of runs, seed, recorded times, the method, threads."""

    runs: int = 30
    rng: int = 0
    record: int = 50
    method: str = "direct"
    workers: int | None = None


@dataclass(frozen=True)
class ModelFile:
    """What a model file declares, with its text for the report."""

    path: Path
    model: Model
    problem: Problem
    simulation: Simulation
    folder: Path
    text: str
    fluctuations: bool = False
    sweep: SweepSettings | None = None


def read(path: str | Path) -> ModelFile:
    """Read a model file.

    Raises
    ------
    FileFormatError
        If the file is missing, is not TOML, or has a missing, unknown or wrong key, or declares something that has
        no meaning; the message names the file and the key.
    ParseError
        If an expression is not one; the message quotes the offending piece.
    """
    return read_text(_contents(Path(path)), path=path)


def read_model(path: str | Path) -> Model:
    """Only the model of a file, which then needs no problem; raises as :func:`read` does."""
    file = Path(path)
    return _declared(_root(_contents(file), file))


def read_text(text: str, *, path: str | Path = "<text>") -> ModelFile:
    """Read the text of a model file; `path` is for messages, relative data files and the default folder."""
    from .pose import read_problem

    file = Path(path)
    root = _root(text, file)
    model = _declared(root)
    data = root.table("data") if root.has("data") else None
    simulation = _simulation(root.table("simulate", {}), from_data=data is not None)
    folder = _folder(root.table("output", {}), file)
    sweep = _sweep(root)
    try:
        problem = read_problem(root.table("problem"), data, model)
    except DeclarationError as error:
        raise FileFormatError(f"{file}: {error.message}", remedy=error.remedy) from error
    solving = root.table("solve", {})
    fluctuations = solving.boolean("fluctuations", False)
    solving.done()
    return ModelFile(file, model, problem, simulation, folder, text, fluctuations, sweep)


def _contents(file: Path) -> str:
    try:
        raw = file.read_bytes() if file.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileFormatError(f"{file} cannot be read: {reason}", remedy="check the file's name") from None
    if raw is None:
        raise FileFormatError(f"{file} is larger than {MAX_BYTES} bytes", remedy="a model file is a short text")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{file} is not UTF-8 text: {error}", remedy="save it as UTF-8") from None


def _root(text: str, file: Path) -> Table:
    """The file's tables, every name of which is known."""
    try:
        values = tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        raise FileFormatError(f"{file} is not TOML: {error}", remedy="correct the line named above") from None
    root = Table(values, "", str(file))
    for name in ("model", "problem", "data", "solve", "simulate", "sweep", "output"):
        root.get(name, None)
    root.done()
    return root


def _declared(root: Table) -> Model:
    from .declare import read_model as read_table

    try:
        return read_table(root.table("model"))
    except DeclarationError as error:
        raise FileFormatError(f"{root.file}: {error.message}", remedy=error.remedy) from error


def _simulation(table: Table, *, from_data: bool) -> Simulation:
    default = Simulation()
    settings = Simulation(
        runs=table.integer("runs", default.runs, low=3, high=1_000_000),
        rng=table.integer("rng", default.rng),
        record=table.integer("record", default.record, low=2, high=1_000_000),
        method=table.choice("method", ("direct", "reduced", "homogenized", "data"), "data" if from_data else "direct"),
        workers=table.integer("workers", default.workers, low=1, high=1024),
    )
    table.done()
    if settings.method == "data" and not from_data:
        raise table.error("method", "is 'data', but the file has no table [data]", "add [data], or use 'direct'")
    return settings


def _sweep(root: Table) -> SweepSettings | None:
    from .sweep import read_sweep

    return read_sweep(root.table("sweep")) if root.has("sweep") else None


def _folder(table: Table, file: Path) -> Path:
    folder = Path(table.text("folder", f"out/{file.stem}"))
    table.done()
    return folder
