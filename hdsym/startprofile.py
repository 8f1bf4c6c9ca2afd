"""Starts given along the spectrum: the size of the weights in each eigendirection as a function of its eigenvalue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks
from .errors import DeclarationError
from .spectrum import Spectrum
from .startbase import Start, check_fits

__all__ = ["ProfileStart", "power", "profile"]

Float = NDArray[np.float64]
Block = Float | Callable[[Float], Any]

_ROUNDING = 1e-10
"""Negative eigenvalues of V down to this many times the largest are rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class ProfileStart(Start):
    """V(lam) = d W^T w w^T W by blocks; see :func:`profile` and :func:`power`."""

    blocks: tuple[Block, Block, Block]
    delta: float
    label: str

    def __repr__(self) -> str:
        return self.label

    @property
    def directions(self) -> tuple[int | None, int | None]:
        sizes = [None if callable(block) else _size(block) for block in (self.blocks[0], self.blocks[2])]
        return sizes[0], sizes[1]

    def check(self, spectrum: Spectrum) -> None:
        if spectrum.d is not None:
            check_fits(spectrum.d, *(count or 1 for count in self.directions))
        for name, block in zip("QMT", self.blocks, strict=True):
            if not callable(block) and block.ndim in (1, 3) and len(block) != len(spectrum.levels):
                raise DeclarationError(
                    f"{name} of the start has {len(block)} entries, the spectrum {spectrum.label} "
                    f"{len(spectrum.levels)} levels",
                    remedy="give one for each of spectrum.levels, in that order, or a function of the eigenvalue",
                )

    def grams(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        G = self._scaled(self._blocks(spectrum, n_student, n_teacher), spectrum.levels, spectrum.fractions)
        with np.errstate(invalid="ignore"):
            size = np.where(spectrum.levels > 0, spectrum.levels * np.trace(G, axis1=1, axis2=2), 0.0)
        if not spectrum.resolves(size):
            raise DeclarationError(
                f"W^T K W of the start {self.label} has no limit on the spectrum {spectrum.label}: it grows with d",
                remedy="give the spectrum a dimension d, or the start less weight at small eigenvalues",
            )
        _check_finite(G, spectrum.levels)
        return G

    def weights(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> tuple[Float, Float]:
        d = spectrum.dimension()
        check_fits(d, n_student, n_teacher)
        values, vectors = np.linalg.eigh(self.moments(spectrum, n_student, n_teacher))
        columns = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        carried = np.flatnonzero(values.max(axis=0) > _ROUNDING * values.max())[::-1]  # columns that are not zero
        level = spectrum.level_of_coordinate()
        place = np.empty(d, dtype=np.int64)
        place[np.argsort(-spectrum.eigenvalues(), kind="stable")] = np.arange(d)
        chosen = columns[level, :, carried[place % max(1, len(carried))] if len(carried) else 0]
        W = chosen * np.sqrt(max(1, len(carried)) / d)
        return W[:, :n_student], W[:, n_student:]

    def moments(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        """V at each level, shape (m, n, n), O(1). Raises :class:`DeclarationError` where it cannot be one."""
        V = self._scaled(self._blocks(spectrum, n_student, n_teacher), spectrum.levels, np.ones(1))
        _check_finite(V, spectrum.levels)
        return V

    def _scaled(self, V: Float, levels: Float, shares: Float) -> Float:
        """lam^-delta times shares times V, where the first two may leave the range of numbers alone."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            power = np.exp(np.log(shares) - self.delta * np.log(levels)) if self.delta else shares
            return np.asarray(power[:, None, None] * V, dtype=np.float64)

    def _blocks(self, spectrum: Spectrum, n_student: int, n_teacher: int) -> Float:
        """V without the power of the eigenvalue."""
        self.check(spectrum)
        m, sizes = len(spectrum.levels), (n_student, n_teacher)
        Q, M, T = (
            _values(name, block, spectrum.levels, (sizes[i], sizes[j]))
            for (name, i, j), block in zip((("Q", 0, 0), ("M", 0, 1), ("T", 1, 1)), self.blocks, strict=True)
        )
        V = np.empty((m, sum(sizes), sum(sizes)))
        V[:, :n_student, :n_student], V[:, n_student:, n_student:] = Q, T
        V[:, :n_student, n_student:], V[:, n_student:, :n_student] = M, np.swapaxes(M, 1, 2)
        self._check_moments(V, spectrum.levels)
        return V

    def _check_moments(self, V: Float, levels: Float) -> None:
        _check_finite(V, levels)
        if not np.allclose(V, np.swapaxes(V, 1, 2), rtol=1e-10, atol=0):
            raise DeclarationError("Q or T of the start is not symmetric", remedy="give symmetric blocks")
        values = np.linalg.eigvalsh(V)
        k = int(np.argmin(values[:, 0] + _ROUNDING * values[:, -1]))
        if values[k, 0] < -_ROUNDING * max(values[k, -1], -values[k, 0]):
            raise DeclarationError(
                f"the start is not positive semi-definite: at the eigenvalue {levels[k]:g} of K the smallest "
                f"eigenvalue of [[Q, M], [M^T, T]] is {values[k, 0]:.6g}",
                remedy="no weights have these moments; for l = l* = 1 choose M^2 <= Q T",
            )


def _check_finite(V: Float, levels: Float) -> None:
    finite = np.isfinite(V).all(axis=(1, 2))
    if not finite.all():
        raise DeclarationError(
            f"the start is not finite at the eigenvalue {levels[int(np.argmin(finite))]:g}",
            remedy="give finite values at every level of the spectrum, zeros among them",
        )


def profile(Q: Any, M: Any, T: Any) -> ProfileStart:
    """Weights by eigendirection: V_i = d W^T w_i w_i^T W = [[Q, M], [M^T, T]] at the eigenvalue of w_i.

    So W^T W = (1/d) sum_i V_i at t = 0, for d -> infinity the integral of V over the spectrum. For l = l* = 1,
    (X - X*)_i^2 = (Q - 2 M + T) / d. Weights drawn for a simulation have these V exactly where V has rank one, else on
    average over adjacent eigendirections.

    Parameters
    ----------
    Q, M, T:
        Blocks of shape (l, l), (l, l*) and (l*, l*), O(1) in d: one for the whole spectrum (a number or a matrix); one
        for each of ``spectrum.levels``, shape (m,) or (m, ., .); or a function of the eigenvalues, shape (m,), that
        gives either.

    Raises
    ------
    DeclarationError
        Here for entries that are not finite; later, with a spectrum at hand, for shapes that do not fit, and where V is
        not finite or not positive semi-definite.
    """
    shown = ", ".join(f"{name}={_shown(block)}" for name, block in zip("QMT", (Q, M, T), strict=True))
    Q, M, T = (_block(name, block) for name, block in zip("QMT", (Q, M, T), strict=True))
    return ProfileStart((Q, M, T), 0.0, f"profile({shown})")


def power(delta: float, Q: ArrayLike = 0.0, M: ArrayLike = 0.0, T: ArrayLike = 1.0) -> ProfileStart:
    """V(lam) = lam^-delta [[Q, M], [M^T, T]]: the teacher's coefficients follow a power law in the eigenvalue.

    By default X = 0 and (X*)_i^2 = lam_i^-delta / d, so that D_i^2 = d (X - X*)_i^2 = lam_i^-delta; delta = 0 spreads
    the blocks evenly. Every eigenvalue must be positive if delta > 0. On a density ~ lam^-beta at zero the risk is
    finite for beta + delta < 2, ||W||^2 only for beta + delta < 1: beyond, results have no norms and distances.

    Raises
    ------
    DeclarationError
        As :func:`profile`.
    """
    delta = checks.finite(delta, "delta")
    shown = ", ".join(f"{name}={_shown(block)}" for name, block in zip("QMT", (Q, M, T), strict=True))
    blocks = tuple(_block(name, block) for name, block in zip("QMT", (Q, M, T), strict=True))
    for name, block in zip("QMT", blocks, strict=True):
        if callable(block) or block.ndim not in (0, 2):
            raise DeclarationError(f"{name} of a power law varies itself", remedy="use hd.start.profile")
    return ProfileStart((blocks[0], blocks[1], blocks[2]), delta, f"power({delta:g}, {shown})")


def _block(name: str, value: Any) -> Block:
    if callable(value):
        return value  # type: ignore[no-any-return]
    array = checks.real_array(value, name)
    if array.ndim > 3 or array.size == 0:
        raise DeclarationError(f"{name} has shape {array.shape}", remedy="give a number, a matrix, or one per level")
    return checks.frozen(array)


def _size(block: Float) -> int:
    return 1 if block.ndim < 2 else block.shape[-1]


def _values(name: str, block: Block, levels: Float, shape: tuple[int, int]) -> Float:
    """The block at each level, (m, *shape)."""
    if callable(block):
        with np.errstate(all="ignore"):
            found = np.asarray(block(levels), dtype=np.float64)
    else:
        found = block
    found = found[..., None, None] if found.ndim in (0, 1) else found
    wanted = (len(levels), *shape)
    if found.shape not in (shape, wanted, (1, 1)):
        raise DeclarationError(
            f"{name} of the start has shape {found.shape}, the model needs {shape} at {len(levels)} levels",
            remedy=f"give {shape}, or {wanted}; numbers, or shape ({len(levels)},), where l = l* = 1",
        )
    if found.shape == (1, 1) and shape != (1, 1) and found[0, 0] != 0:
        raise DeclarationError(
            f"{name} of the start is one number, the model needs shape {shape}", remedy="give the matrix"
        )
    return np.broadcast_to(found, wanted)


def _shown(block: Any) -> str:
    if callable(block):
        return getattr(block, "__name__", "function")
    array = np.asarray(block)
    return f"{float(array):g}" if array.ndim == 0 else f"array {array.shape}"
