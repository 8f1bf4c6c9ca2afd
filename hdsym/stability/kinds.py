"""The three kinds of thresholds as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..cas import latex
from .flow import Flow
from .guarantee import Guarantee
from .linear import Crossing
from .row import HL, HN, Row
from .symbolic import ClosedForm, T

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["along_row", "descent_row", "linear_row", "none", "safe_row"]


def none(kind: str, name: str, why: str) -> Row:
    """A threshold that there is not, and why."""
    return Row(kind, name, None, "", "", (), (why,))


def descent_row(flow: Flow, value: float) -> Row:
    """The descent threshold at the start."""
    notes = () if value > 0 else ("the distance grows at every rate: the start is not in the basin of this X*",)
    fixed = ("trained scalars are held fixed",) if flow.model.trained else ()
    return Row(
        "descent",
        "distance to X*, at the start",
        value,
        "2 A / ((tr K / d) tr I / batch), A = E<x - s, grad f> = 2 tr(B Dh)_(x - s)",
        r"\bar\gamma = \frac{2A}{(\operatorname{tr} K / d)\operatorname{tr} I},\quad "
        r"A = \mathbb{E}\langle x - s, \nabla_x f\rangle",
        ("||X - X*||^2 shrinks at this instant exactly for smaller rates", *fixed),
        notes,
        (HL,),
    )


def along_row(along: xr.DataArray) -> Row:
    """Its minimum along a solution."""
    k = int(np.argmin(along.values))
    start, end = (float(along["time"][i]) for i in (0, -1))
    return Row(
        "descent",
        f"its minimum along the solution, t in [{start:g}, {end:.4g}]",
        float(along[k]),
        "min over t of the same",
        r"\min_t \bar\gamma(B(t))",
        (f"at the problem's own rate; attained at t = {float(along['time'][k]):.4g}",),
        (),
        (HL,),
    )


def linear_row(flow: Flow, crossing: Crossing, form: ClosedForm | None, where: str) -> Row:
    """The linear stability of a fixed point."""
    formula, typeset = (
        "largest gamma at which no eigenvalue of the Jacobian J_1 + gamma J_2 has a positive real part",
        "",
    )
    if form is not None:
        root = "" if form.value is None else f"gamma = {form.value}, "
        symbols = " (T = E s^2)" if form.equation.has(T) else ""
        formula = f"{root}root of {form.equation} = 0{symbols}"
        typeset = rf"\gamma_c = {latex(form.value)}" if form.value is not None else rf"{latex(form.equation)} = 0"
    notes = [_lost(crossing)]
    if crossing.direction is not None:
        notes.append(f"unstable direction: {crossing.direction}" + ("; it oscillates" if crossing.oscillates else ""))
    if crossing.error:
        notes.append(f"nodes stand for the spectrum, relative error {crossing.error:.1g}")
    scaled = ("rates of trained scalars keep their ratio to gamma",) if flow.model.trained else ()
    moved = ("with label noise the fixed point moves with gamma and is followed",) if crossing.moves else ()
    return Row(
        "linear",
        f"fixed point {where}",
        None if crossing.how == "no fixed point" else crossing.gamma,
        formula,
        typeset,
        ("small deviations from the fixed point", *scaled, *moved),
        tuple(notes),
        (HN,),
    )


def _lost(crossing: Crossing) -> str:
    if crossing.how == "none":
        return "stable at every rate that was tried"
    if crossing.how == "instability" and crossing.gamma == 0:
        return "unstable at every small rate"
    return {
        "instability": "from the eigenvalues of the exact Jacobian",
        "the fixed point ends": "beyond it there is no such fixed point: it moves to infinity or meets another",
        "no fixed point": "there is no fixed point at or next to it, even for small rates",
    }[crossing.how]


def safe_row(flow: Flow, safe: Guarantee) -> Row:
    """The guarantee over a region."""
    notes = [
        f"worst overlaps B = {np.round(safe.worst, 4).tolist()}, found by global optimisation: numerical, not proved"
    ]
    if safe.gamma > 0:
        best = safe.gamma / 2
        own = "" if flow.gamma is None else f"{safe.contraction(flow.gamma):.4g} at the problem's rate {flow.gamma:g}, "
        notes.append(
            f"||X - X*||^2 falls at least like exp(-c t): c = {own}at best {safe.contraction(best):.4g} at {best:.4g}"
        )
    else:
        notes.append("somewhere in the region no rate makes the distance fall: choose a smaller radius")
    low = f" >= {safe.floor:.4g}" if safe.floor else ""
    return Row(
        "guaranteed",
        f"region ||X - X*|| <= {safe.radius:.4g}{low and ' and' + low}",
        safe.gamma,
        "inf of 2 A / ((tr K / d) tr I / batch) over all overlaps with E|x - s|^2 <= lam_max radius^2",
        r"\gamma_g = \inf_{\mathbb{E}|x - s|^2 \le \lambda_{\max} r^2} "
        r"\frac{2A}{(\operatorname{tr} K / d)\operatorname{tr} I}",
        ("gamma below it at all times", "any start in the region; the teachers are those of the problem"),
        tuple(notes),
        (HN, HL),
    )
