"""What every spectrum is: distinct eigenvalues of K, how often each occurs, and where."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import DeclarationError

__all__ = ["Spectrum", "from_vector"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_ENDLESS = 1e-100
"""Smallest level by the largest below which levels stand for all down to zero."""
_NEGLIGIBLE = 1e-9
"""Share of a sum that may be missing."""


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """Spectrum of the data covariance K; usually made by the functions of :mod:`hdsym.spectrum`.

    Parameters
    ----------
    levels:
        (m,) distinct eigenvalues, >= 0, at least one positive.
    fractions:
        (m,) share rho_j of the d coordinates at each level; sums to one.
    multiplicities:
        (m,) number of coordinates at each level, or ``None`` when `d` is ``None``.
    d:
        Dimension, or ``None`` for the limit d -> infinity.
    order:
        (d,) level of each coordinate; ``None`` means ``np.repeat(np.arange(m), multiplicities)``.
    basis:
        (d, d) orthogonal, columns are the eigenvectors in coordinate order; ``None`` if the coordinates are the
        eigenbasis already.
    label:
        How reports call it.
    family:
        The spectrum of the same kind at another dimension, as a function of d; ``None`` if nothing is known but the
        eigenvalues. See :meth:`at`.

    Raises
    ------
    DeclarationError
        If a shape, a sum or a sign is wrong; the message names it.
    """

    levels: Float
    fractions: Float
    multiplicities: Int | None = None
    d: int | None = None
    order: Int | None = None
    basis: Float | None = None
    label: str = "spectrum"
    family: Callable[[int], Spectrum] | None = None

    def __post_init__(self) -> None:
        levels = checks.eigenvalue_vector(self.levels, "levels")
        m = len(levels)
        fractions = np.asarray(self.fractions, dtype=np.float64)
        if fractions.shape != (m,) or not np.all(fractions > 0) or abs(fractions.sum() - 1) > 1e-9:
            raise DeclarationError(
                f"fractions of the spectrum have shape {fractions.shape} and sum {fractions.sum():.6g}",
                remedy=f"give {m} positive numbers, one per level, that sum to one",
            )
        object.__setattr__(self, "levels", checks.frozen(levels))
        object.__setattr__(self, "fractions", checks.frozen(fractions))
        self._check_dimension(m)

    def _check_dimension(self, m: int) -> None:
        if self.d is None:
            if self.multiplicities is not None or self.order is not None or self.basis is not None:
                raise DeclarationError(
                    "a spectrum without d has multiplicities, an order or a basis", remedy="give its dimension d"
                )
            return
        object.__setattr__(self, "d", checks.dimension(self.d))
        counts = np.asarray(self.multiplicities, dtype=np.int64)
        if counts.shape != (m,) or np.any(counts < 1) or counts.sum() != self.d:
            raise DeclarationError(
                f"multiplicities of the spectrum are {self.multiplicities!r}",
                remedy=f"give {m} positive integers that sum to d = {self.d}",
            )
        if not np.allclose(counts / self.d, self.fractions, rtol=1e-9, atol=0):
            raise DeclarationError(
                "fractions and multiplicities disagree", remedy="give fractions = multiplicities / d"
            )
        object.__setattr__(self, "multiplicities", checks.frozen(counts))
        if self.order is not None:
            order = np.asarray(self.order, dtype=np.int64)
            if (
                order.shape != (self.d,)
                or order.min() < 0
                or np.any(np.bincount(order, minlength=m)[:m] != counts)
                or order.max() >= m
            ):
                raise DeclarationError(
                    "order of the spectrum does not match its multiplicities",
                    remedy=f"give {self.d} level indices, each level as often as its multiplicity says",
                )
            object.__setattr__(self, "order", checks.frozen(order))
        if self.basis is not None:
            object.__setattr__(self, "basis", checks.frozen(checks.orthogonal(self.basis, self.d)))

    def __repr__(self) -> str:
        d = "d -> infinity" if self.d is None else f"d={self.d}"
        low, high = float(self.levels.min()), float(self.levels.max())
        distinct = "1 level" if len(self.levels) == 1 else f"{len(self.levels)} levels"
        return f"Spectrum({self.label}: {d}, {distinct} in [{low:.4g}, {high:.4g}], tr K/d={self.mean:.6g})"

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.spectrum(self)

    def eigenvalues(self) -> Float:
        """Eigenvalue of each coordinate, shape (d,).

        Raises
        ------
        DeclarationError
            If the spectrum has no dimension.
        """
        return self.levels[self.level_of_coordinate()]

    def level_of_coordinate(self) -> Int:
        """Index into :attr:`levels` of each coordinate, shape (d,). Raises as :meth:`eigenvalues` does."""
        self.dimension()
        if self.order is not None:
            return self.order
        return np.repeat(np.arange(len(self.levels), dtype=np.int64), self.multiplicities)  # type: ignore[arg-type]

    def dimension(self) -> int:
        """The dimension d as a number. Raises as :meth:`eigenvalues` does."""
        if self.d is None:
            raise DeclarationError(
                f"the spectrum {self.label} has no dimension, and a finite one is needed here",
                remedy="give it one, for instance hd.spectrum.identity(d=2000)",
            )
        return self.d

    def at(self, d: int) -> Spectrum:
        """The spectrum of the same family at dimension `d`: the same formula, or the same share of each eigenvalue.

        Raises
        ------
        DeclarationError
            If nothing says how: single eigenvalues do not tell which others there are at another dimension.
        """
        d = checks.dimension(d)
        if d == self.d:
            return self
        if self.family is not None:
            return self.family(d)
        counts = self.fractions * d
        whole = np.rint(counts).astype(np.int64)
        if self.basis is not None or self.order is not None or not np.allclose(counts, whole, rtol=0, atol=1e-6):
            raise DeclarationError(
                f"the spectrum {self.label} says nothing of dimension {d}",
                remedy=f"give a function of d that poses the problem, or a spectrum with a formula; {self._whole()}",
            )
        name = f"{self.label.partition('(')[0]}(d={d})"
        return Spectrum(self.levels, whole / d, whole, d, label=name)

    def _whole(self) -> str:
        """Which dimensions a finite set of eigenvalues can be repeated to."""
        if self.d is None or self.basis is not None or self.order is not None:
            return "sorted eigenvalues without a basis can be repeated"
        unit = self.d // int(np.gcd.reduce(self.multiplicities))  # type: ignore[arg-type]
        return f"each eigenvalue has its share at multiples of {unit}"

    def resolves(self, weights: Float) -> bool:
        """Whether the sum of `weights` (m,), all >= 0, misses nothing below the smallest level.

        Levels of a density that begins at zero go down to 1e-290: there sums of powers of the level may still grow.
        Other spectra end where their levels do.
        """
        positive = self.levels > 0
        low, high = float(self.levels[positive].min()), float(self.levels.max())
        if self.d is not None or low > _ENDLESS * high:
            return True
        share = weights[positive & (self.levels < np.sqrt(low) * np.sqrt(high))].sum() / weights.sum()
        return bool(share**2 < _NEGLIGIBLE)  # halfway down in log lam, a power is the root of what it is at the end

    @cached_property
    def mean(self) -> float:
        """Mean eigenvalue, tr K / d."""
        return float(self.fractions @ self.levels)

    @cached_property
    def second_moment(self) -> float:
        """Mean squared eigenvalue, tr K^2 / d."""
        return float(self.fractions @ self.levels**2)

    @property
    def effective_dimension(self) -> float:
        """(tr K)^2 / tr K^2: the number of coordinates that carry the fluctuations; inf when d is ``None``."""
        return math.inf if self.d is None else self.d * self.mean**2 / self.second_moment


def from_vector(
    values: Float, label: str, basis: Float | None = None, family: Callable[[int], Spectrum] | None = None
) -> Spectrum:
    """Levels largest first; `order` is left out where the values are sorted that way already."""
    negated, order, counts = np.unique(-values, return_inverse=True, return_counts=True)
    levels, d = np.abs(negated), len(values)
    in_order = bool(np.all(values[1:] <= values[:-1]))
    return Spectrum(levels, counts / d, counts, d, None if in_order else order.reshape(-1), basis, label, family)
