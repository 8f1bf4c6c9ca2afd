"""Looking at what a problem's numbers do: sliders in a notebook, and a grid of curves for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DeclarationError

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from .widget import Explorer

__all__ = ["explore"]


def explore(
    theory: Derivation | SizedDerivation | Any,
    problem: Problem | None = None,
    t: float | None = None,
    *,
    statistic: str = "risk",
) -> Explorer:
    """Sliders for learning rate, regularisation, cosine of the start and exponent of a power law, in a notebook.

    With every move the limit is solved again, with few modes and a tolerance of 1e-4 (:mod:`hdsym.exploring.quick`),
    and drawn with the learning rate up to which the distance to X* shrinks. ``benchmarks/explore.py`` measures a move.

    Parameters
    ----------
    theory:
        A derivation, or a model, which is derived.
    problem:
        Where to begin; by default a power law with exponent 0.6 in d = 500 dimensions, and a random start. There are
        sliders for what it has: a cosine for :func:`hdsym.start.random`, an exponent for power laws.
    t:
        Horizon; the problem's by default.
    statistic:
        What is drawn: "risk", "distance", "cosine", or a declared statistic.

    Returns
    -------
    Explorer
        Shows itself in a notebook. ``.sliders`` are ipywidgets by name, ``.path`` is the solution at their values.

    Raises
    ------
    DeclarationError
        If ipywidgets is not installed, or the problem does not fit the model.
    """
    from ..model import Model
    from .knobs import default_problem
    from .quick import Quick
    from .widget import Explorer

    if isinstance(theory, Model):
        from ..derive import derive

        theory = derive(theory)
    if not hasattr(theory, "solve"):
        raise DeclarationError(f"{theory!r} is no derivation", remedy="give hd.derive(model), or a model")
    posed = default_problem(theory.model) if problem is None else problem
    return Explorer(Quick(theory, posed.horizon if t is None else t), posed, statistic)
