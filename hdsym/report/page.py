"""The page: what the templates are given, and nothing decided in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..paths import templates_dir
from . import declaration, derivation, tables
from .figure import figure, specialisation
from .noise import noise
from .numbers import number
from .recipe import recipe
from .setting import setting

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..exploring.grid import Grid
    from ..problem import Problem
    from ..results import Ensemble, Trajectory
    from ..verdict import Verdict

__all__ = ["render"]


@dataclass(frozen=True)
class Judgement:
    """The verdict as the page shows it: "agree" or "disagree", a headline, and the words below it."""

    kind: str
    headline: str
    paragraphs: tuple[str, ...]


def render(
    theory: Derivation | SizedDerivation,
    problem: Problem | None = None,
    path: Trajectory | None = None,
    runs: Ensemble | None = None,
    verdict: Verdict | None = None,
    *,
    explorer: Grid | None = None,
    source_text: str | None = None,
    command: str = "",
) -> str:
    """The report as one HTML page that needs nothing else: no network, no font; formulas are MathML.

    Parameters
    ----------
    theory:
        What was derived. Alone it gives a report of the formulas and how they were found.
    problem, path, runs, verdict:
        What it was solved on, the solution, the simulation and their comparison, as far as they exist.
    explorer:
        Curves for a pair of sliders, from :func:`hdsym.exploring.grid.grid`; the page has a script for them alone.
    source_text:
        The text of the model file, printed at the end.
    command:
        The command line that repeats the job.

    Returns
    -------
    str
        HTML, to be written as UTF-8. The same arguments give the same text.
    """
    context = {
        "version": _version(),
        "title": theory.model.name,
        "lead": _lead(problem, path, runs),
        "verdict": None if verdict is None else _judgement(verdict),
        "figures": [drawn for drawn in (figure(path, runs, verdict), specialisation(path)) if drawn is not None],
        "explorer": explorer,
        "declaration": declaration.declaration(theory.model),
        "references": declaration.references(theory.model),
        "setting": setting(theory.model),
        "formulas": derivation.formulas(theory),
        "exactness": _exactness(theory, path),
        "conditions": derivation.conditions(theory),
        "noise": noise(theory, path),
        "rules": derivation.rules(theory),
        "quantities": derivation.quantities(theory),
        "parameters": [] if problem is None else tables.parameters(theory, problem, path, runs),
        "risk_table": tables.risk_table(path, runs, verdict),
        "recipe": recipe(theory.model, problem, runs, from_file=source_text is not None),
        "source_text": source_text,
        "command": command,
    }
    text: str = _environment().get_template("page.html.j2").render(context)
    return text.rstrip() + "\n"


@cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir() / "report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )


def _version() -> str:
    from .. import __version__

    return __version__


def _judgement(verdict: Verdict) -> Judgement:
    agree = bool(verdict.agree)
    headline, _, words = verdict.words.partition(": ")
    chance = (
        f"p = {number(verdict.p_value, 2)}; theory and simulation count as agreeing from {number(verdict.level)} on."
    )
    return Judgement("agree" if agree else "disagree", _sentence(headline), (f"{_sentence(words)}.", chance))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lead(problem: Problem | None, path: Trajectory | None, runs: Ensemble | None) -> str:
    if problem is None:
        return "The high-dimensional limit of one-pass SGD, derived from the declaration of the model."
    d = problem.spectrum.d
    where = "" if d is None else f" in dimension d = {d}"
    if runs is not None and path is not None and runs.attrs.get("method") == "data":
        rows = f"SGD on resampled rows of real data{where}, {runs.runs} runs"
        return f"{rows}, against the high-dimensional limit for Gaussian data of the same covariance."
    if runs is not None and path is not None:
        what = "Homogenized SGD" if runs.attrs.get("method") == "homogenized" else "One-pass SGD"
        return f"{what}{where}, {runs.runs} runs, against its high-dimensional limit."
    return f"The high-dimensional limit of one-pass SGD{where}, {'solved' if path is not None else 'derived'}."


def _exactness(theory: Derivation | SizedDerivation, path: Trajectory | None) -> str:
    if theory.exact:
        return "Every expectation is in closed form: nothing is integrated numerically."
    text = "The expectations left in these formulas have no closed form here and are integrated numerically"
    error = None if path is None else path.attrs.get("quadrature_error")
    return f"{text}." if error is None else f"{text}; the estimated error is under Parameters."
