"""Where SGD starts: student weights X0 and teacher weights X*, or what is known of them.

A start answers two questions that must agree: which weights (for the simulators), and which Gram matrices
G_j = W^T P_j W on each eigenspace of K (for the theory), with W = [X0 | X*] of shape (d, n), student first. Entries of
W are O(d^-1/2), so that W^T W = sum_j G_j and the overlaps B = sum_j lam_j G_j are O(1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .errors import DeclarationError
from .evenly import factor, spread_evenly
from .spectrum import Spectrum
from .startbase import Start, check_fits, columns
from .startprofile import ProfileStart, power, profile
from .startrandom import RandomStart, UninformedStart

__all__ = [
    "ArrayStart",
    "OverlapStart",
    "ProfileStart",
    "RandomStart",
    "Start",
    "UninformedStart",
    "arrays",
    "check_fits",
    "overlaps",
    "power",
    "profile",
    "random",
    "uninformed",
]

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ArrayStart(Start):
    """Given weights; see :func:`arrays`."""

    X0: Float
    Xstar: Float
    basis: str

    def __repr__(self) -> str:
        return f'arrays(X0 {self.X0.shape}, Xstar {self.Xstar.shape}, basis="{self.basis}")'

    @property
    def directions(self) -> tuple[int | None, int | None]:
        return self.X0.shape[1], self.Xstar.shape[1]

    def check(self, spectrum: Spectrum) -> None:
        d = len(self.X0)
        if spectrum.d is None:
            raise DeclarationError(
                f"the start has d = {d}, but the spectrum {spectrum.label} has no dimension",
                remedy=f"give it one, for instance hd.spectrum.identity(d={d})",
            )
        if spectrum.d != d:
            raise DeclarationError(
                f"the start has d = {d}, but the spectrum {spectrum.label} has d = {spectrum.d}",
                remedy="make both the same dimension; weights have shape (d,) or (d, number of directions)",
            )

    def check_other_dimension(self, d: int) -> None:
        if d != len(self.X0):
            raise DeclarationError(
                f"the start is given as arrays with d = {len(self.X0)}, and dimension {d} is wanted",
                remedy="start from hd.start.random(...) or hd.start.overlaps(...), or give a function of d that poses "
                "the problem",
            )

    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        self.check(spectrum)
        check_fits(len(self.X0), n_student, n_teacher)
        for name, array, n in (("X0", self.X0, n_student), ("Xstar", self.Xstar, n_teacher)):
            if array.shape[1] != n:
                raise DeclarationError(
                    f"{name} has {array.shape[1]} columns, the model has {n}", remedy=f"give {name} the shape (d, {n})"
                )
        if self.basis == "original" and spectrum.basis is not None:
            return spectrum.basis.T @ self.X0, spectrum.basis.T @ self.Xstar
        return self.X0.copy(), self.Xstar.copy()


@dataclass(frozen=True, eq=False, repr=False)
class OverlapStart(Start):
    """Given W^T W, spread evenly over the spectrum; see :func:`overlaps`."""

    gram: Float
    n_student: int

    def __repr__(self) -> str:
        return f"overlaps(W^T W = {np.array2string(self.gram, separator=', ', precision=6)})".replace("\n", "")

    @property
    def directions(self) -> tuple[int | None, int | None]:
        return self.n_student, len(self.gram) - self.n_student

    def check(self, spectrum: Spectrum) -> None:
        if spectrum.d is not None:
            check_fits(spectrum.d, self.n_student, len(self.gram) - self.n_student)

    def grams(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        self._check_sizes(n_student, n_teacher)
        return spectrum.fractions[:, None, None] * self.gram

    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        self._check_sizes(n_student, n_teacher)
        check_fits(spectrum.dimension(), n_student, n_teacher)
        W = spread_evenly(self.gram, spectrum.eigenvalues())
        return W[:, :n_student], W[:, n_student:]

    def _check_sizes(self, n_student: int, n_teacher: int) -> None:
        given = (self.n_student, len(self.gram) - self.n_student)
        if given != (n_student, n_teacher):
            raise DeclarationError(
                f"the overlaps are for (l, l*) = {given}, the model has ({n_student}, {n_teacher})",
                remedy="give Q the shape (l, l), M (l, l*) and T (l*, l*)",
            )


def random(
    norm: float = 1.0,
    cosine: float = 0.3,
    teacher_norm: float = 1.0,
    rng: Any = None,
    *,
    n_student: int | None = None,
    n_teacher: int | None = None,
) -> RandomStart:
    """Uniformly random directions; norms and cosines hold exactly for the arrays drawn, not only on average.

    Theory and simulation get the same arrays: the entropy is fixed here and kept in ``.entropy``. For a spectrum
    without dimension the Gram matrices are their limit, spread evenly.

    Parameters
    ----------
    norm, teacher_norm:
        Length of each student and each teacher column.
    cosine:
        Between student i and teacher i; all other pairs are orthogonal.
    rng:
        A non-negative integer, a numpy Generator (one number is drawn from it), or ``None`` for fresh entropy.
    n_student, n_teacher:
        Numbers of directions l and l*; needed only where nothing else says the sizes of a sized model.

    Raises
    ------
    DeclarationError
        If a norm is negative, the cosine outside [-1, 1], a value not finite, or `rng` none of these.
    """
    cosine = checks.finite(cosine, "cosine")
    if abs(cosine) > 1:
        raise DeclarationError(f"cosine is {cosine}", remedy="give a number in [-1, 1]")
    norms = _lengths(norm=norm, teacher_norm=teacher_norm)
    return RandomStart(norms[0], cosine, norms[1], checks.entropy(rng), *_counts(n_student, n_teacher))


def uninformed(
    norm: float = 1.0,
    teacher_norm: float = 1.0,
    rng: Any = None,
    *,
    n_student: int | None = None,
    n_teacher: int | None = None,
) -> UninformedStart:
    """Students that know nothing of the target: every run draws its own, uniformly on the sphere of this norm.

    Their overlaps with the target, and with each other, are random and of order d^-1/2. In the limit, which is what
    theory solves, they vanish; where that is a saddle, as in phase retrieval, runs leave it at a random time of order
    log d (``theory.escape_distribution``).

    Parameters
    ----------
    norm, teacher_norm:
        Length of each student and each teacher column.
    rng:
        Of the target, random and orthogonal directions that all runs have in common, those of :func:`random` with the
        same `rng`: a non-negative integer, a numpy Generator (one number is drawn from it), or ``None``. Students are
        drawn from the stream of their run.
    n_student, n_teacher:
        Numbers of directions l and l*; needed only where nothing else says the sizes of a sized model.

    Raises
    ------
    DeclarationError
        If a norm is negative or not finite, or `rng` none of these.
    """
    norms = _lengths(norm=norm, teacher_norm=teacher_norm)
    return UninformedStart(norms[0], norms[1], checks.entropy(rng), *_counts(n_student, n_teacher))


def _lengths(**given: float) -> list[float]:
    found = [checks.finite(value, name) for name, value in given.items()]
    for name, value in zip(given, found, strict=True):
        if value < 0:
            raise DeclarationError(f"{name} is {value}", remedy="give a length, >= 0")
    return found


def _counts(n_student: int | None, n_teacher: int | None) -> list[int | None]:
    given = {"n_student": n_student, "n_teacher": n_teacher}
    return [None if count is None else checks.dimension(count, name) for name, count in given.items()]


def arrays(X0: ArrayLike, Xstar: ArrayLike, basis: str = "eigen") -> ArrayStart:
    """Given weights, shapes (d, l) and (d, l*); one-dimensional arrays are single columns. Entries O(d^-1/2).

    Parameters
    ----------
    basis:
        ``"eigen"``: coordinates are those of the spectrum; ``"original"``: those of the covariance or data matrix the
        spectrum was made from (the same thing for a spectrum that has no basis).

    Raises
    ------
    DeclarationError
        If an array is empty, not finite, or has no more rows than columns in total; if the two lengths differ; or for
        an unknown basis.
    """
    if basis not in ("eigen", "original"):
        raise DeclarationError(f"basis is {basis!r}", remedy='it is "eigen" or "original"')
    student, teacher = columns(X0, "X0"), columns(Xstar, "Xstar")
    if len(student) != len(teacher):
        raise DeclarationError(
            f"X0 has {len(student)} rows and Xstar {len(teacher)}", remedy="give both the same dimension d"
        )
    check_fits(len(student), student.shape[1], teacher.shape[1])
    return ArrayStart(checks.frozen(student), checks.frozen(teacher), basis)


def overlaps(Q: ArrayLike, M: ArrayLike, T: ArrayLike) -> OverlapStart:
    """W^T W by blocks: Q = X^T X (l, l), M = X^T X* (l, l*), T = X*^T X* (l*, l*); numbers where l = l* = 1.

    Spread evenly over the spectrum: G_j = rho_j W^T W, every V_i(0) the same. Weights drawn for a simulation have
    exactly this W^T W, and W^T K W = (tr K / d) W^T W wherever the eigenvalues permit; single modes differ.

    Raises
    ------
    DeclarationError
        If shapes do not fit, Q or T is not symmetric, or the whole is not positive semi-definite (the message gives
        its smallest eigenvalue).
    """
    blocks = {name: checks.real_array(block, name) for name, block in (("Q", Q), ("M", M), ("T", T))}
    q, m, t = (np.atleast_2d(block) if block.ndim < 2 else block for block in blocks.values())
    n_student, n_teacher = len(q), len(t)
    wanted = {"Q": (n_student, n_student), "M": (n_student, n_teacher), "T": (n_teacher, n_teacher)}
    for (name, shape), block in zip(wanted.items(), (q, m, t), strict=True):
        if block.shape != shape or block.size == 0:
            raise DeclarationError(
                f"{name} has shape {block.shape}, not {shape}", remedy="give blocks that fit together"
            )
    gram = np.block([[q, m], [m.T, t]])
    if not np.allclose(gram, gram.T, rtol=1e-10, atol=1e-14):
        raise DeclarationError("Q or T is not symmetric", remedy="give symmetric blocks")
    gram = (gram + gram.T) / 2
    factor(gram)
    return OverlapStart(checks.frozen(gram), n_student)
