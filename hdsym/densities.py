"""Spectra that have a density: for d -> infinity as quadrature levels, for finite d as quantiles.

Levels are those of the tanh-sinh rule (H. Takahasi, M. Mori, Publ. RIMS 9 (1974)), lam = a + (b - a) / (1 + exp(-z)),
z = pi sinh(tau), tau uniform: they resolve singular ends, and where the support begins at zero they go down to 1e-290,
so that solutions at any time see the eigenvalues that still move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import checks
from .errors import DeclarationError
from .spectrumbase import Spectrum, from_vector

__all__ = ["from_density", "marchenko_pastur", "power_law_density"]

Float = NDArray[np.float64]

_STEP = 0.01
"""Step in tau."""

_SMALLEST = 1e-290
"""Distance to an end at zero, relative to the length of the support; to another end rounding is the limit."""

_UNRESOLVED, _MASS, _RISE = 1e-8, 1e-6, 1e-14


def power_law_density(beta: float, d: int | None = None) -> Spectrum:
    """Density (1 - beta) lam^-beta on (0, 1), beta < 1; tr K / d = (1 - beta) / (2 - beta).

    With `d`, its quantiles lam_i = ((i - 1/2) / d)^(1 / (1 - beta)), largest first. Raises :class:`DeclarationError` if
    `beta` is not below one.
    """
    beta = checks.finite(beta, "beta")
    if beta >= 1:
        raise DeclarationError(f"beta is {beta:g}", remedy="give beta < 1, so that the density has a finite integral")
    family = partial(power_law_density, beta)
    if d is not None:
        d = checks.dimension(d)
        values = ((np.arange(d, 0, -1) - 0.5) / d) ** (1 / (1 - beta))
        return from_vector(values, f"power_law_density({beta:g}, d={d})", family=family)
    left, _, weights, _ = _rule(0.0, 1.0)
    return _limit(left, (1 - beta) * left**-beta * weights, f"power_law_density({beta:g})", family)


def marchenko_pastur(ratio: float, d: int | None = None) -> Spectrum:
    """Eigenvalues of A^T A / N for A of shape (N, d) with independent entries of variance one, `ratio` = d / N.

    Density sqrt((b - lam)(lam - a)) / (2 pi ratio lam) between a, b = (1 -+ sqrt(ratio))^2, and for ratio > 1 a share
    1 - 1/ratio of zeros (V. Marchenko, L. Pastur, Math. USSR Sb. 1 (1967)); tr K / d = 1. With `d`, its quantiles,
    largest first. Raises :class:`DeclarationError` if `ratio` is not positive.
    """
    ratio = checks.finite(ratio, "ratio")
    if ratio <= 0:
        raise DeclarationError(f"ratio is {ratio:g}", remedy="give d / N, a positive number")
    a, b = (1 - np.sqrt(ratio)) ** 2, (1 + np.sqrt(ratio)) ** 2
    left, right, weights, taus = _rule(a, b)
    masses = np.sqrt(left * right) / (2 * np.pi * ratio * (a + left)) * weights
    zeros = max(0.0, 1 - 1 / ratio)
    masses *= (1 - zeros) / masses.sum()
    label = f"marchenko_pastur({ratio:g})" if d is None else f"marchenko_pastur({ratio:g}, d={d})"
    family = partial(marchenko_pastur, ratio)
    if d is None:
        return _limit(np.append(a + left, 0.0), np.append(masses, zeros), label, family)
    d = checks.dimension(d)
    count = round(zeros * d)
    if count == d:
        raise DeclarationError(f"all d = {d} eigenvalues are zero at ratio = {ratio:g}", remedy="raise d")
    values = np.append(_quantiles([(a, b, masses, taus)], d - count), np.zeros(count))
    return from_vector(values, label, family=family)


def from_density(pdf: Callable[[Float], Any], support: Sequence[float], d: int | None = None) -> Spectrum:
    """Spectrum with density `pdf` on `support`; with `d`, its quantiles, largest first.

    Parameters
    ----------
    pdf:
        Maps eigenvalues (m,) to densities (m,), >= 0, with integral one. It may be singular, integrably, at zero.
    support:
        The ends a < b of the support, 0 <= a, or more points in between, wherever `pdf` jumps or has a kink.

    Raises
    ------
    DeclarationError
        If the support is no such interval, a density is negative or not a number, its integral differs from one (the
        message gives it), or the levels do not resolve it.

    Examples
    --------
    >>> import hdsym as hd
    >>> round(hd.spectrum.from_density(lambda lam: lam / 2, (0, 2)).mean, 12)
    1.333333333333
    """
    points = checks.real_array(support, "support")
    if points.ndim != 1 or points.size < 2 or points[0] < 0 or np.any(np.diff(points) <= 0):
        raise DeclarationError(f"support is {support!r}", remedy="give (a, b) with 0 <= a < b, or more points between")
    panels, coarse = [], 0.0
    for a, b in pairwise(points):
        left, _, weights, taus = _rule(float(a), float(b))
        masses = _density(pdf, a + left) * weights
        coarse += 2 * float(masses[::2].sum())
        panels.append((float(a), float(b), masses, taus))
    mass = float(sum(masses.sum() for *_, masses, _ in panels))
    if abs(mass - coarse) > _UNRESOLVED * max(1.0, mass):
        raise DeclarationError(
            f"the density is not resolved: {mass:.9g} or {coarse:.9g} for its integral",
            remedy="add the points where it jumps, or has a kink or a narrow peak, to the support",
        )
    if abs(mass - 1) > _MASS:
        raise DeclarationError(f"the density has the integral {mass:.9g}", remedy="divide it by that")
    panels = [(a, b, masses / mass, taus) for a, b, masses, taus in panels]
    label = f"density on [{points[0]:g}, {points[-1]:g}]" + ("" if d is None else f" (d={d})")
    family = partial(from_density, pdf, points.tolist())
    if d is not None:
        return from_vector(_quantiles(panels, checks.dimension(d)), label, family=family)
    levels = [a + _place(taus)[0] * (b - a) for a, b, _, taus in panels]
    return _limit(np.concatenate(levels), np.concatenate([masses for *_, masses, _ in panels]), label, family)


def _density(pdf: Callable[[Float], Any], levels: Float) -> Float:
    with np.errstate(all="ignore"):
        values = np.broadcast_to(np.asarray(pdf(levels), dtype=np.float64), levels.shape)
    bad = np.isnan(values) | (values < 0)
    if bad.any():
        k = int(np.argmax(bad))
        raise DeclarationError(f"the density is {values[k]:g} at {levels[k]:g}", remedy="give densities >= 0")
    return np.where(np.isinf(values), 0.0, values)  # at an end that rounding has reached


def _rule(a: float, b: float) -> tuple[Float, Float, Float, Float]:
    """Distances to a and to b of the levels, their weights for integrals over (a, b), and their tau; ascending."""
    smallest = np.log(_SMALLEST if a == 0 else np.finfo(float).eps)
    low, high = np.arcsinh(smallest / np.pi), np.arcsinh(-np.log(np.finfo(float).eps) / np.pi)
    taus = _STEP * np.arange(np.ceil(low / _STEP), np.floor(high / _STEP) + 1)
    left, right = _place(taus)
    return (b - a) * left, (b - a) * right, _STEP * (b - a) * np.pi * np.cosh(taus) * left * right, taus


def _place(taus: Float) -> tuple[Float, Float]:
    """Distances to both ends of the unit interval, each to full relative accuracy."""
    z = np.pi * np.sinh(taus)
    small = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z)))
    return np.where(z < 0, small, 1 - small), np.where(z < 0, 1 - small, small)


def _limit(levels: Float, masses: Float, label: str, family: Callable[[int], Spectrum]) -> Spectrum:
    """The spectrum without dimension, largest level first; levels that rounding has made equal are one."""
    found, where = np.unique(-levels[masses > 0], return_inverse=True)
    fractions = np.bincount(where, weights=masses[masses > 0])
    return Spectrum(np.abs(found), fractions / fractions.sum(), label=label, family=family)


def _quantiles(panels: Sequence[tuple[float, float, Float, Float]], d: int) -> Float:
    """Eigenvalues at the levels (i - 1/2) / d of the distribution function, largest first."""
    from scipy.integrate import cumulative_simpson
    from scipy.interpolate import PchipInterpolator

    wanted = (np.arange(d) + 0.5) / d * sum(masses.sum() for *_, masses, _ in panels)
    result, below = np.empty(d), 0.0
    for a, b, masses, taus in panels:
        total = float(masses.sum())
        inside = (wanted >= below) & (wanted <= below + total * (1 + 1e-12))
        cumulated = cumulative_simpson(masses, initial=0.0)
        cumulated *= total / cumulated[-1]
        rising = np.concatenate([[True], np.diff(cumulated) > _RISE * total])
        inverse = PchipInterpolator(cumulated[rising], taus[rising])
        share = np.clip(wanted[inside] - below, 0.0, cumulated[rising][-1])
        result[inside] = a + (b - a) * _place(inverse(share))[0]
        below += total
    return result[::-1]
