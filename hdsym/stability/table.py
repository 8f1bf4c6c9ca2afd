"""Thresholds of the learning rate as one table, each with the kind of statement it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DeclarationError, SolveError
from . import leastsquares
from .descent import difference, thresholds
from .flow import Flow
from .guarantee import Guarantee, guarantee
from .kinds import along_row, descent_row, linear_row, none, safe_row
from .linear import Crossing, critical_rate
from .row import Row, html_rows, text_rows
from .symbolic import ClosedForm, closed_form
from .target import target_matrix

if TYPE_CHECKING:
    import xarray as xr

    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..results import Trajectory
    from .points import FixedPoint

__all__ = ["KINDS", "Stability", "stability"]

Float = NDArray[np.float64]

KINDS = ("descent", "linear", "guaranteed")

_NEAR = 1e-10
"""Share of its largest value below which E|x - s|^2 is rounding, and so is the descent threshold."""


@dataclass(frozen=True, repr=False)
class Stability:
    """Learning rates up to which SGD is stable: three kinds of statement, which differ.

    Attributes
    ----------
    rows:
        Each names kind, value, formula, assumptions, notes and reference.
    title:
        Of what.
    target:
        C, (l*, l), where training heads for X = X* C; ``None`` if there is no such point.
    crossing, closed_form:
        The linear stability in detail, and in symbols where there is a formula.
    guarantee:
        The region, the contraction rate and the worst overlaps.
    along:
        The descent threshold along the solution, axis ``time``; ``None`` if none was asked for.
    """

    rows: tuple[Row, ...]
    title: str
    target: Float | None = None
    crossing: Crossing | None = None
    closed_form: ClosedForm | None = None
    guarantee: Guarantee | None = None
    along: xr.DataArray | None = None

    @property
    def descent(self) -> float:
        """Up to which rate the distance to X* shrinks at the start; not positive if at none."""
        return self._value("descent")

    @property
    def linear(self) -> float:
        """Critical rate of the fixed point: small deviations from it decay below, grow above."""
        return self._value("linear")

    @property
    def guaranteed(self) -> float:
        """Below this rate the distance shrinks from everywhere in the region; zero if there is none. Numerical."""
        return self._value("guaranteed")

    def _value(self, kind: str) -> float:
        row = next((row for row in self.rows if row.kind == kind), None)
        if row is None:
            raise DeclarationError(f"the {kind} threshold was not asked for", remedy=f"add it to kinds={KINDS}")
        if row.value is None:
            raise DeclarationError(
                f"there is no {kind} threshold: {row.notes[0]}", remedy="see the table for the others"
            )
        return row.value

    def __repr__(self) -> str:
        return text_rows(self.title, self.rows)

    def _repr_html_(self) -> str:
        return html_rows(self.title, self.rows)


def stability(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float | None = None,
    *,
    target: ArrayLike | None = None,
    point: FixedPoint | ArrayLike | None = None,
    radius: float | None = None,
    floor: float | None = None,
    kinds: Sequence[str] = KINDS,
    rng: int = 0,
) -> Stability:
    """Thresholds of the learning rate of `problem`; its own rate serves only the solution and the contraction rate.

    Parameters
    ----------
    t:
        Horizon of the solution along which the descent threshold is followed; the problem's by default, 0 for none.
    target:
        C of shape (l*, l) where training heads for X = X* C. By default for l = l* the signed permutation nearest to
        the start with the risk of X = X*; needed for l != l*.
    point:
        Whose linear stability is asked for, in place of X = X* C: a fixed point, or Gram matrices (m, n, n), or W^T W
        (n, n) spread over the levels by their shares.
    radius, floor:
        Region of the guarantee, in ||X - X* C||: by default within the distance of the start, and with label noise down
        to half of it, since no fixed rate leads to X* then.
    kinds:
        Which of "descent", "linear" and "guaranteed" are worked out; the last takes longest.
    rng:
        Seed of the global optimisation.

    Returns
    -------
    Stability
        A table; ``.descent``, ``.linear`` and ``.guaranteed`` are the plain numbers.

    Raises
    ------
    DeclarationError
        For a target, point or region that has no meaning. What has none for the model is a row that says so.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise DeclarationError(f"kinds are {tuple(kinds)}", remedy=f"choose from {KINDS}")
    flow = Flow(theory, problem)
    C, why = _attempt(lambda: target_matrix(flow, target)) if target is None else (target_matrix(flow, target), "")
    found: list[Row] = []
    along = crossing = form = safe = None
    if "descent" in kinds:
        along = None if C is None else _along(flow, C, theory, problem, t)
        found += _descent_rows(flow, C, why, along)
    if "linear" in kinds:
        crossing, form = _crossing(flow, C, point)
        where = "X = X*" if point is None else "the given point"
        found.append(
            none("linear", "fixed point X = X*", why) if crossing is None else linear_row(flow, crossing, form, where)
        )
    if "guaranteed" in kinds:
        safe, why = (None, why) if C is None else _safe(flow, C, radius, floor, rng)
        found.append(none("guaranteed", "region around X*", why) if safe is None else safe_row(flow, safe))
    found += leastsquares.rows(flow)
    size = f"tr K/d = {flow.mean:.6g}" + (f", batch size {problem.batch_size}" if problem.batch_size > 1 else "")
    title = f"Thresholds of the learning rate, {flow.model.name}, {problem.spectrum.label}, {size}"
    return Stability(tuple(found), title, C, crossing, form, safe, along)


def _descent_rows(flow: Flow, C: Float | None, why: str, along: xr.DataArray | None) -> list[Row]:
    if C is None:
        return [none("descent", "distance to X*", why)]
    B, gram = flow.overlaps(flow.start)
    start = descent_row(flow, float(thresholds(flow, C, B, gram, _trained(flow))))
    return [start] if along is None else [start, along_row(along)]


def _crossing(
    flow: Flow, C: Float | None, point: FixedPoint | ArrayLike | None
) -> tuple[Crossing | None, ClosedForm | None]:
    """The linear stability of the point given, or of X = X* C, in symbols too where there is a formula."""
    if point is not None:
        return critical_rate(flow, C, state_of(flow, point)), None
    if C is None:
        return None, None
    found = critical_rate(flow, C)
    return found, closed_form(flow, C, found.gamma)


def state_of(flow: Flow, point: FixedPoint | ArrayLike) -> Float:
    """The packed state of a fixed point, of Gram matrices (m, n, n), or of W^T W (n, n) spread by shares."""
    given: Any = getattr(point, "gram", point)
    grams = np.asarray(given, dtype=np.float64)
    if grams.shape == (flow.n, flow.n):
        grams = flow.run.rho[:, None, None] * grams
    if grams.shape != flow.run.grams.shape:
        raise DeclarationError(
            f"point has shape {np.shape(given)}", remedy=f"give W^T W {(flow.n, flow.n)} or {flow.run.grams.shape}"
        )
    trained = getattr(point, "trained", None)
    return flow.run.packed(grams, _trained(flow) if trained is None else np.asarray(trained, dtype=np.float64))


def _trained(flow: Flow) -> Float | None:
    return flow.run._split(flow.start)[1]


def _attempt(make: Callable[[], Any]) -> tuple[Any, str]:
    """What is made, or ``None`` and why it has no meaning."""
    try:
        return make(), ""
    except DeclarationError as error:
        return None, f"{error.message}; {error.remedy}"


def _safe(flow: Flow, C: Float, radius: float | None, floor: float | None, rng: int) -> tuple[Guarantee | None, str]:
    if radius is None and floor is None:
        found: tuple[Guarantee | None, str] = _attempt(lambda: guarantee(flow, C, None, None, rng))
        return found
    return guarantee(flow, C, radius, floor, rng), ""


def _along(
    flow: Flow, C: Float, theory: Derivation | SizedDerivation, problem: Problem, t: float | None
) -> xr.DataArray | None:
    if t == 0:
        return None
    path: Trajectory
    try:
        path = theory.solve(problem, t)
    except SolveError as error:
        if error.trajectory is None:
            return None
        path = error.trajectory
    trained = path.dataset["trained"].values if "trained" in path.dataset else None
    values = thresholds(flow, C, path.overlaps.values, path.gram.values, trained)
    E = difference(C)
    spread = np.einsum("ja,tjk,ka->t", E, path.overlaps.values, E)
    kept = spread > _NEAR * spread.max()
    found: xr.DataArray = path.risk.copy(data=values).rename("descent threshold")[kept]
    return found if found.size else None
