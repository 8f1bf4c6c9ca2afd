"""How long a solution stays near a fixed point, a plateau of the risk, before it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..crossing import first_crossing
from ..errors import DeclarationError
from .points import FixedPoint, FixedPoints, fixed_points

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem
    from ..results import Trajectory

__all__ = ["Escape", "escape_time"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Escape:
    """A stay near a fixed point.

    Attributes
    ----------
    time, entered:
        When the solution leaves the ball around the point, and when it came in; 0 if it starts inside.
    radius:
        Of the ball, in the Frobenius norm of W^T W.
    closest:
        Smallest distance to the point.
    name:
        Of the point.
    rate:
        Growth rate of small deviations, if the point is one that was found: the stay grows like log(radius / start's
        deviation) / rate.
    path:
        The solution.
    """

    time: float
    entered: float
    radius: float
    closest: float
    name: str
    rate: float | None
    path: Trajectory

    def __float__(self) -> float:
        return self.time

    def _repr_html_(self) -> str:
        return self.path._repr_html_() + f"<p>{escape(repr(self))}</p>"

    def __repr__(self) -> str:
        grows = "" if self.rate is None else f", deviations grow like exp({self.rate:.4g} t)"
        return (
            f"Escape({self.time:.6g}: leaves the {self.name}, within {self.radius:.4g} since t = {self.entered:.4g}, "
            f"closest {self.closest:.3g}{grows})"
        )


def escape_time(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    t: float | None = None,
    *,
    point: FixedPoint | ArrayLike | None = None,
    radius: float | None = None,
) -> Escape:
    """The time at which the solution of `problem` leaves a fixed point's neighbourhood after having been in it.

    Parameters
    ----------
    t:
        Horizon of the solution; the problem's by default.
    point:
        A fixed point, or W^T W (n, n) of one; by default the unstable one that the solution comes closest to, of those
        that :meth:`fixed_points` finds.
    radius:
        Of the neighbourhood, in the Frobenius norm of W^T W; by default half the distance to the nearest other fixed
        point found.

    Raises
    ------
    DeclarationError
        If the solution never comes into the neighbourhood, or is still in it at the horizon; or without a `radius` for
        a covariance with several eigenvalues.
    """
    found = fixed_points(theory, problem) if radius is None or point is None else None
    path = theory.solve(problem, t, dense_output=True)
    chosen = _closest(path, found, radius) if point is None else point
    if radius is None and found is not None:
        radius = found.radius(_gram(chosen))
    if radius is None or not 0 < radius < np.inf:
        raise DeclarationError(f"the radius is {radius}", remedy="give the distance in W^T W at which it has escaped")
    return _stay(path, chosen, float(radius))


def _gram(point: FixedPoint | ArrayLike) -> Float:
    return point.gram if isinstance(point, FixedPoint) else np.asarray(point, dtype=np.float64)


def _distances(path: Trajectory, gram: Float) -> Float:
    return np.asarray(np.linalg.norm(path.gram.values - gram, axis=(1, 2)))


def _closest(path: Trajectory, found: FixedPoints | None, radius: float | None) -> FixedPoint:
    unstable = [point for point in found or () if not point.stable]
    if found is None or not unstable:
        raise DeclarationError(
            f"{path.attrs['model']} has no unstable fixed point at this learning rate", remedy="give point= and radius="
        )

    def share(point: FixedPoint) -> float:
        return float(_distances(path, point.gram).min()) / (radius or found.radius(point.gram))

    return min(unstable, key=share)


def _stay(path: Trajectory, point: FixedPoint | ArrayLike, radius: float) -> Escape:
    gram = _gram(point)
    name = point.name if isinstance(point, FixedPoint) else "given point"
    rate = point.rate if isinstance(point, FixedPoint) else None
    if gram.shape != path.gram.shape[1:]:
        raise DeclarationError(f"point has shape {gram.shape}", remedy=f"give W^T W of shape {path.gram.shape[1:]}")
    times, outside = path.time.values, _distances(path, gram) - radius
    k = int(np.argmin(outside))

    def beyond(t: float) -> float:
        return float(np.linalg.norm(path.at(t)["gram"].values - gram)) - radius

    if outside[k] >= 0:
        raise DeclarationError(
            f"the solution never comes within {radius:.4g} of the {name}: at t = {times[k]:g} it is "
            f"{outside[k] + radius:.4g} away",
            remedy="start nearer to it, or give a larger radius",
        )
    left = first_crossing(times[k:], outside[k:], beyond)
    if left is None:
        raise DeclarationError(
            f"the solution is still within {radius:.4g} of the {name} at t = {times[-1]:g}",
            remedy="solve for a longer horizon: escape_time(problem, t=...)",
        )
    before = np.flatnonzero(outside[: k + 1] >= 0)
    entered = 0.0
    if before.size:
        j = int(before[-1])
        entered = first_crossing(times[j : k + 1], outside[j : k + 1], beyond) or float(times[j])
    return Escape(left, entered, radius, float(outside[k] + radius), name, rate, path)
