"""What every start answers: which weights, which Gram matrices, for how many directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .errors import DeclarationError
from .spectrum import Spectrum

__all__ = ["Start", "check_fits", "columns"]

Float = NDArray[np.float64]


class Start(ABC):
    """Weights at t = 0. Made by :func:`random`, :func:`arrays` or :func:`overlaps`."""

    drawn: ClassVar[bool] = False
    """Whether every run draws a start of its own; :meth:`grams` then are those of the limit."""

    note: ClassVar[str] = ""
    """What a reader of a solution from this start should know."""

    def _repr_html_(self) -> str:
        from .show import numbers

        return numbers.start(self)

    @abstractmethod
    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        """X0 (d, l) and X* (d, l*) in the eigenbasis of K, in coordinate order; entries O(d^-1/2).

        Raises
        ------
        DeclarationError
            If the spectrum has no dimension, or the sizes do not fit.
        """

    @property
    @abstractmethod
    def directions(self) -> tuple[int | None, int | None]:
        """Numbers of student and teacher directions; ``None`` where the start serves any number."""

    @abstractmethod
    def check(self, spectrum: Spectrum) -> None:
        """Raise :class:`DeclarationError` if the start cannot belong to the spectrum."""

    def check_other_dimension(self, d: int) -> None:  # noqa: B027  # most starts serve every dimension
        """Raise :class:`DeclarationError` if the start belongs to one dimension that is not `d`."""

    def grams(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        """G_j = W^T P_j W for each level of the spectrum, shape (m, n, n), O(1) when summed over j.

        Exact for the very arrays that :meth:`weights` returns, where the start fixes arrays.
        """
        W = np.concatenate(self.weights(spectrum, n_student, n_teacher), axis=1)
        level, m, n = spectrum.level_of_coordinate(), len(spectrum.levels), W.shape[1]
        G = np.empty((m, n, n))
        for a in range(n):
            for b in range(a, n):
                G[:, a, b] = G[:, b, a] = np.bincount(level, weights=W[:, a] * W[:, b], minlength=m)
        return G

    def draw_weights(
        self, rng: np.random.Generator, spectrum: Spectrum, n_student: int, n_teacher: int
    ) -> tuple[Float, Float]:
        """The weights of one run, as :meth:`weights` has them, which are the same for all unless they are drawn."""
        return self.weights(spectrum, n_student, n_teacher)

    def draw_grams(
        self, rng: np.random.Generator, grams: Float, multiplicities: NDArray[np.int64], n_student: int, count: int
    ) -> Float:
        """The Gram matrices of `count` runs, (count, m, n, n): exact in law, at a cost that does not grow with d.

        `grams` are those of :meth:`grams`, (m, n, n), for eigenvalues of these multiplicities (m,).
        """
        return np.repeat(grams[None], count, axis=0)


def check_fits(d: int, n_student: int, n_teacher: int) -> None:
    """Raise :class:`DeclarationError` if there are more directions than dimensions."""
    if n_student + n_teacher > d:
        raise DeclarationError(
            f"{n_student} student and {n_teacher} teacher directions do not fit into d = {d} dimensions",
            remedy="raise d, or declare fewer directions",
        )


def columns(values: ArrayLike, name: str) -> Float:
    """Weights as a matrix (d, directions); raises :class:`DeclarationError` for another shape."""
    array = checks.real_array(values, name)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.size == 0:
        raise DeclarationError(f"{name} has shape {array.shape}", remedy="give shape (d,) or (d, number of directions)")
    return array
