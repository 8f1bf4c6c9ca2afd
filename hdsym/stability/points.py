"""Fixed points of the overlaps for an isotropic covariance: all that many starts find, with their stability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import tables
from ..errors import DeclarationError
from .directions import Direction, meaning
from .flow import Flow
from .naming import name_of, tidy
from .search import search

if TYPE_CHECKING:
    from ..derive import Derivation
    from ..derive.sized import SizedDerivation
    from ..problem import Problem

__all__ = ["FixedPoint", "FixedPoints", "fixed_points"]

Float = NDArray[np.float64]

_ALIKE = 1e-6
"""Relative difference of risk, eigenvalues and norms below which points are images of each other."""

_OWN = 1e-4
"""Relative distance up to which a point is the one that is asked about."""


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Overlaps that do not move.

    Attributes
    ----------
    name:
        What it is: "minimiser", "uninformed saddle", "symmetric plateau", "origin", "saddle", "attractor".
    gram, overlaps:
        W^T W and B, (n, n), student first.
    trained:
        Trained scalars, or ``None``.
    risk:
        h(B).
    eigenvalues:
        Of the Jacobian, per unit of t, leading first.
    unstable, neutral:
        How many of them have a positive real part, and one that is zero up to rounding.
    direction:
        What grows fastest if it is unstable, else ``None``.
    images:
        W^T W of the points found that are equivalent to it (students exchanged, signs flipped), itself first.
    """

    name: str
    gram: Float
    overlaps: Float
    trained: Float | None
    risk: float
    eigenvalues: NDArray[np.complex128]
    unstable: int
    neutral: int
    direction: Direction | None
    images: tuple[Float, ...]
    n_student: int

    @property
    def norms(self) -> Float:
        """||x_k|| of each student, (l,)."""
        return np.sqrt(np.maximum(np.diagonal(self.gram)[: self.n_student], 0.0))

    @property
    def stable(self) -> bool:
        """Whether no eigenvalue has a positive real part, up to rounding."""
        return self.unstable == 0

    @property
    def rate(self) -> float:
        """The leading eigenvalue's real part: small deviations grow like exp(rate t), or shrink."""
        return float(self.eigenvalues[0].real)

    def _repr_html_(self) -> str:
        from ..show import numbers

        facts = {"risk": f"{self.risk:.6g}", "W^T W": np.round(self.gram, 6).tolist(), "rate": f"{self.rate:.4g}"}
        stable = "yes" if self.stable else f"no, {self.unstable} unstable: {self.direction}"
        return numbers.fields(f"Fixed point: {self.name}", {**facts, "stable": stable})

    def __repr__(self) -> str:
        kind = "stable" if self.stable else f"{self.unstable} unstable: {self.direction}"
        W = np.round(self.gram, 6).tolist()
        return f"FixedPoint({self.name}, risk {self.risk:.6g}, W'W = {W}, rate {self.rate:.4g}, {kind})"


@dataclass(frozen=True, repr=False)
class FixedPoints(Sequence[FixedPoint]):
    """What was found, lowest risk first: a sequence, and ``points["uninformed saddle"]`` by name.

    Attributes
    ----------
    points:
        The points; equivalent ones are one, with its `images`.
    gamma:
        The learning rate they belong to.
    title:
        Of which model.
    starts:
        From how many starts.
    """

    points: tuple[FixedPoint, ...]
    gamma: float
    title: str
    starts: int

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[FixedPoint]:
        return iter(self.points)

    def __getitem__(self, key: int | slice | str) -> FixedPoint:  # type: ignore[override]  # no slices, but names
        if isinstance(key, str):
            for point in self.points:
                if point.name == key:
                    return point
            raise DeclarationError(
                f"there is no fixed point {key!r}", remedy=f"there are {[point.name for point in self.points]}"
            )
        return self.points[key]  # type: ignore[return-value]

    def radius(self, gram: Float) -> float:
        """Half the distance from W^T W (n, n) to the nearest other point or image; infinite if there is none."""
        distances = [float(np.linalg.norm(image - gram)) for point in self.points for image in point.images]
        own = _OWN * float(np.linalg.norm(gram))
        return min((distance for distance in distances if distance > own), default=np.inf) / 2.0

    def _text(self) -> tuple[str, dict[str, list[str]], list[str]]:
        columns = {
            "fixed point": [point.name for point in self.points],
            "risk": [f"{point.risk:.6g}" for point in self.points],
            "stable": ["yes" if point.stable else f"no, {point.unstable} unstable" for point in self.points],
            "rate": [f"{point.rate:.4g}" for point in self.points],
            "images": [str(len(point.images)) for point in self.points],
            "norms": [" ".join(f"{norm:.4g}" for norm in point.norms) for point in self.points],
        }
        title = f"Fixed points of {self.title} at gamma = {self.gamma:g}, from {self.starts} starts"
        return title, columns, [f"{p.name}: {p.direction}" for p in self.points if p.direction is not None]

    def __repr__(self) -> str:
        return tables.text(*self._text())

    def _repr_html_(self) -> str:
        return tables.html(*self._text())


def fixed_points(
    theory: Derivation | SizedDerivation,
    problem: Problem,
    *,
    starts: int = 24,
    rng: int = 0,
) -> FixedPoints:
    """Fixed points of the overlaps at the problem's learning rate at t = 0, for one eigenvalue.

    By least squares from `starts` random overlaps, and from points that symmetry suggests: no overlap with the
    teachers, all students alike, X = X*. Whatever is found is a fixed point, to 1e-11; that all are
    found cannot be promised.

    Parameters
    ----------
    starts:
        Random overlaps to start from, besides the symmetric ones.
    rng:
        Their seed.

    Raises
    ------
    DeclarationError
        If the covariance has several eigenvalues: modes then have fixed points of their own.
    """
    flow = Flow(theory, problem)
    gamma = flow.gamma
    if flow.run.lam.size != 1:
        raise DeclarationError(
            f"the spectrum {problem.spectrum.label} has {flow.run.lam.size} eigenvalues",
            remedy="fixed points are searched for one: give hd.spectrum.identity()",
        )
    if not gamma:
        raise DeclarationError("the learning rate is adaptive, or zero at t = 0", remedy="give a positive number")
    states, count = search(flow, gamma, starts, rng)
    found = sorted((_point(flow, y, gamma) for y in states), key=lambda point: (round(point.risk, 9), -point.rate))
    return FixedPoints(_named(flow, _grouped(found)), gamma, flow.model.name, count)


def _point(flow: Flow, y: Float, gamma: float) -> FixedPoint:
    overlaps, gram = (tidy(part) for part in flow.overlaps(y))
    values, vectors, rounding = flow.spectrum(y, gamma)
    unstable = int(np.sum(values.real > rounding))
    neutral = int(np.sum(np.abs(values.real) <= rounding))
    direction = meaning(flow, gram, np.real(vectors[:, 0])) if unstable else None
    trained = flow.run._split(y)[1]
    return FixedPoint(
        "", gram, overlaps, trained, flow.risk(y), values, unstable, neutral, direction, (gram,), flow.students
    )


def _grouped(points: list[FixedPoint]) -> list[FixedPoint]:
    """Points that differ by an exchange of students or signs as one: equal risk, eigenvalues and norms."""
    groups: list[FixedPoint] = []
    for point in points:
        for k, other in enumerate(groups):
            if _images(other, point):
                groups[k] = replace(other, images=(*other.images, point.gram))
                break
        else:
            groups.append(point)
    return groups


def _images(first: FixedPoint, second: FixedPoint) -> bool:
    pairs = (
        (np.array([first.risk]), np.array([second.risk])),
        (np.sort(first.eigenvalues.real), np.sort(second.eigenvalues.real)),
        (np.sort(first.norms), np.sort(second.norms)),
    )
    return all(np.max(np.abs(a - b)) <= _ALIKE * (1.0 + np.max(np.abs(a))) for a, b in pairs)


def _named(flow: Flow, points: list[FixedPoint]) -> tuple[FixedPoint, ...]:
    return tuple(
        replace(point, name=name_of(flow, point.gram, point.risk, point.stable, k == 0))
        for k, point in enumerate(points)
    )
