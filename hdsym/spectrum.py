"""Covariance spectra: the distinct eigenvalues of K, how often each occurs, and where.

The module is its own namespace: ``hd.spectrum.power_law(0.6, d=2000)``. A spectrum without a dimension, such as
``hd.spectrum.identity()`` or ``hd.spectrum.marchenko_pastur(0.5)``, stands for the limit d -> infinity and serves the
theory alone.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from . import checks
from .densities import from_density, marchenko_pastur, power_law_density
from .errors import DeclarationError
from .shrinkage import intensity
from .spectrumbase import Spectrum, from_vector

__all__ = [
    "Spectrum",
    "eigenvalues",
    "from_data",
    "from_density",
    "from_matrix",
    "identity",
    "marchenko_pastur",
    "power_law",
    "power_law_density",
    "spiked",
    "two_level",
]


def identity(d: int | None = None) -> Spectrum:
    """K = I. Without `d`, the limit d -> infinity, in which the theory needs no dimension.

    Takes no memory that grows with `d`. Raises :class:`DeclarationError` if `d` is not a positive integer.
    """
    if d is None:
        return Spectrum(np.ones(1), np.ones(1), label="identity")
    d = checks.dimension(d)
    return Spectrum(np.ones(1), np.ones(1), np.array([d]), d, label=f"identity(d={d})")


def eigenvalues(values: ArrayLike) -> Spectrum:
    """Explicit eigenvalues, shape (d,), in the order of the coordinates; equal values are one level.

    Raises
    ------
    DeclarationError
        If there are none, one is not finite, one is negative beyond rounding, or all are zero.
    """
    vector = checks.eigenvalue_vector(values, "eigenvalues")
    return from_vector(vector, f"eigenvalues(d={len(vector)})")


def power_law(alpha: float, d: int, trace: float = 1.0) -> Spectrum:
    """lam_i proportional to i^-alpha for i = 1..d, scaled so that tr K / d = `trace`.

    Raises
    ------
    DeclarationError
        If `alpha` is not finite, `d` not a positive integer, `trace` not positive, or if the powers overflow.

    Examples
    --------
    >>> import hdsym as hd
    >>> hd.spectrum.power_law(0.5, d=4).eigenvalues().round(4)
    array([1.4365, 1.0158, 0.8294, 0.7183])
    """
    d = checks.dimension(d)
    alpha, trace = checks.finite(alpha, "alpha"), checks.finite(trace, "trace")
    if trace <= 0:
        raise DeclarationError(f"trace of the power law is {trace}", remedy="give tr K / d, a positive number")
    with np.errstate(all="ignore"):
        powers = np.arange(1, d + 1, dtype=np.float64) ** -alpha
        values = powers * (trace / powers.mean())
    if not np.all(np.isfinite(values)) or values.min() <= 0:
        raise DeclarationError(
            f"alpha={alpha} over d={d} coordinates leaves the range of floating-point numbers",
            remedy="choose a smaller exponent",
        )
    label = f"power_law({alpha:g}, d={d})" if trace == 1 else f"power_law({alpha:g}, d={d}, trace={trace:g})"
    family = partial(power_law, alpha, trace=trace)
    if alpha == 0:
        return Spectrum(values[:1], np.ones(1), np.array([d]), d, label=label, family=family)
    return Spectrum(values, np.full(d, 1 / d), np.ones(d, dtype=np.int64), d, label=label, family=family)


def two_level(first: float, second: float, share: float = 0.5, d: int | None = None) -> Spectrum:
    """Eigenvalue `first` on a share of the coordinates, `second` on the others; `d` may be left out.

    With `d`, the number of coordinates at `first` is `share` * d, rounded.

    Raises
    ------
    DeclarationError
        If the levels are not two different numbers >= 0, or one of them gets no coordinate.
    """
    levels = checks.eigenvalue_vector([first, second], "the two levels")
    share = checks.finite(share, "share")
    if levels[0] == levels[1]:
        raise DeclarationError(f"both levels are {levels[0]:g}", remedy="give two levels, or use hd.spectrum.identity")
    if not 0 < share < 1:
        raise DeclarationError(f"share is {share:g}", remedy="give a number between 0 and 1")
    fractions, family = np.array([share, 1 - share]), partial(two_level, first, second, share)
    if d is None:
        return Spectrum(levels, fractions, label=f"two_level({first:g}, {second:g}, share={share:g})", family=family)
    d = checks.dimension(d)
    count = round(share * d)
    if not 0 < count < d:
        raise DeclarationError(
            f"a share of {share:g} of d = {d} coordinates is {count}", remedy="raise d, or give a share between"
        )
    counts, label = np.array([count, d - count]), f"two_level({first:g}, {second:g}, share={share:g}, d={d})"
    return Spectrum(levels, counts / d, counts, d, label=label, family=family)


def spiked(spikes: ArrayLike, d: int, bulk: float = 1.0) -> Spectrum:
    """A few eigenvalues, the `spikes`, one coordinate each and first; the other coordinates have eigenvalue `bulk`.

    Raises
    ------
    DeclarationError
        If an eigenvalue is not finite or negative, or there are not fewer spikes than dimensions.

    Examples
    --------
    >>> import hdsym as hd
    >>> hd.spectrum.spiked([9, 4], d=5).eigenvalues()
    array([9., 4., 1., 1., 1.])
    """
    d, bulk = checks.dimension(d), checks.finite(bulk, "bulk")
    given = np.atleast_1d(checks.real_array(spikes, "spikes"))
    if given.ndim != 1 or not 0 < given.size < d:
        raise DeclarationError(
            f"spikes have shape {given.shape}, in d = {d} dimensions", remedy="give one to d - 1 eigenvalues"
        )
    values = checks.eigenvalue_vector(np.append(given, bulk), "spikes and bulk")
    shown = ", ".join(f"{value:g}" for value in given[:3]) + (", ..." if given.size > 3 else "")
    return from_vector(
        np.append(given, np.full(d - given.size, values[-1])),
        f"spiked([{shown}], d={d}, bulk={bulk:g})",
        family=partial(spiked, given, bulk=bulk),
    )


def from_matrix(K: ArrayLike, label: str | None = None) -> Spectrum:
    """Spectrum and eigenbasis of a covariance matrix K, shape (d, d).

    Eigenvalues come largest first. Those below d * eps * max are rounding and become exactly zero.

    Raises
    ------
    DeclarationError
        If K is empty, not square, not finite, not symmetric (the message gives the largest asymmetry) or not
        positive semi-definite (the message gives the smallest eigenvalue).
    """
    matrix = checks.real_array(K, "the covariance")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise DeclarationError(f"the covariance has shape {matrix.shape}", remedy="give a square matrix, shape (d, d)")
    asymmetry = float(np.abs(matrix - matrix.T).max())
    if asymmetry > 1e-8 * float(np.abs(matrix).max()):
        raise DeclarationError(
            f"the covariance is not symmetric: its largest asymmetry is {asymmetry:.3g}", remedy="give (K + K.T) / 2"
        )
    values, basis = np.linalg.eigh((matrix + matrix.T) / 2)
    values, basis = values[::-1], basis[:, ::-1]
    d = len(values)
    vector = checks.eigenvalue_vector(values, "eigenvalues of the covariance")
    vector[vector < d * np.finfo(np.float64).eps * vector.max()] = 0.0
    return from_vector(vector, label or f"matrix(d={d})", basis)


def from_data(A: ArrayLike, center: bool = False, *, shrinkage: float | str = 0.0, rank: int | None = None) -> Spectrum:
    """Spectrum of the covariance K = A^T A / N of data whose rows are samples, shape (N, d).

    Parameters
    ----------
    center:
        Subtract the column means first.
    shrinkage:
        s in (1 - s) K + s (tr K / d) I: a number in [0, 1], or "ledoit-wolf" for their estimate of the best one (O.
        Ledoit, M. Wolf, J. Multivariate Anal. 88 (2004), equations 9 to 14).
    rank:
        Keep this many of the largest eigenvalues; the others become exactly zero.

    Raises
    ------
    DeclarationError
        If A is not a finite matrix with at least one row and column, or is zero; for a shrinkage without meaning; if
        there are fewer rows, or columns, than the rank asked for, or shrinkage comes with a rank.
    """
    data = checks.data_matrix(A, "the data")
    if center:
        data = data - data.mean(axis=0)
    N, d = data.shape
    label = f"data(N={N}, d={d})"
    if rank is not None:
        _check_rank(checks.dimension(rank, "rank"), data.shape, center, shrinkage)
    K = data.T @ data / N
    s = intensity(shrinkage, data, K)
    if s > 0:
        K *= 1 - s
        K[np.diag_indices(d)] += s * np.trace(K) / d / (1 - s) if s < 1 else s * np.mean(data**2)
        label = f"data(N={N}, d={d}, shrinkage={s:.4g})"
    made = from_matrix(K, label=label if rank is None else f"data(N={N}, d={d}, rank={rank})")
    return made if rank is None else _truncated(made, rank)


def _check_rank(rank: int, shape: tuple[int, ...], center: bool, shrinkage: float | str) -> None:
    N, d = shape
    if shrinkage != 0:
        raise DeclarationError(
            f"rank = {rank} is given with shrinkage = {shrinkage!r}, which makes every eigenvalue positive",
            remedy="leave one of them out",
        )
    most = min(N - 1 if center else N, d)
    if rank > most:
        raise DeclarationError(
            f"rank = {rank} is asked for, but {N} rows of {d} features have a rank of at most {most}"
            + (" after centring" if center else ""),
            remedy=f"give more rows, or a rank up to {most}",
        )


def _truncated(spectrum: Spectrum, rank: int) -> Spectrum:
    values = spectrum.eigenvalues().copy()
    values[np.argsort(-values, kind="stable")[rank:]] = 0.0
    return from_vector(values, spectrum.label, spectrum.basis)
