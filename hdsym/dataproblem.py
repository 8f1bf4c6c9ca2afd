"""The Gaussian problem that stands for real rows: spectrum, teacher, and what the label has besides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, spectrum
from .cas import numeric_function, sp
from .errors import DeclarationError
from .labels import Bernoulli
from .rows import Data
from .start import arrays

if TYPE_CHECKING:
    from .model import Model

__all__ = ["gaussian_equivalent"]

Float = NDArray[np.float64]

_OFF = 0.05
"""Accepted difference between the share of ones among the labels and the probability of one in the model."""

_ITERATIONS = 100
"""Newton steps of the maximum likelihood; ten do where classes overlap."""

_CONVERGED = 1e-9
"""Root mean square change of the preactivation that ends them."""


def gaussian_equivalent(
    features: ArrayLike,
    labels: ArrayLike,
    start: ArrayLike | None,
    model: Model | None,
    parameters: Mapping[Any, Any],
    *,
    center: bool,
    scale: bool,
) -> dict[str, Any]:
    """Spectrum, start, parameters and data, as keywords of :class:`hdsym.Problem`; see ``Problem.from_data``."""
    A = checks.data_matrix(features, "the features")
    N, d = A.shape
    y = checks.real_array(labels, "the labels")
    if y.shape != (N,):
        raise DeclarationError(
            f"the labels have shape {y.shape}, the features have {N} rows", remedy=f"give labels of shape ({N},)"
        )
    A = A - A.mean(axis=0) if center else A
    size = float(np.sqrt(np.mean(A**2)))
    if size == 0:
        raise DeclarationError("the features are all zero", remedy="give features that vary")
    divisor = size if scale else 1.0
    A = A / divisor
    covariance = spectrum.from_data(A)
    X0 = np.zeros(d) if start is None else checks.real_array(start, "start").reshape(-1)
    if X0.shape != (d,):
        raise DeclarationError(f"start has {X0.size} entries, the features have d = {d}", remedy=f"give shape ({d},)")
    values = dict(parameters)
    chance = None if model is None else _chance(model, values)
    directions = _white(covariance)
    if chance is not None:
        teacher = directions @ _most_likely(chance, A @ directions, y)
    else:
        teacher = directions @ _least_squares(A @ directions, y)
        if model is None or any(symbol.name == "noise_std" for symbol in model.parameters):
            values.setdefault("noise_std", float(np.sqrt(np.mean((y - A @ teacher) ** 2))))
    return {
        "spectrum": covariance,
        "start": arrays(X0, teacher, basis="original"),
        "parameters": values,
        "data": Data(checks.frozen(A), checks.frozen(y), divisor),
    }


def _white(covariance: spectrum.Spectrum) -> Float:
    """Columns of shape (d, rank), eigenvectors over root eigenvalues, where the data vary.

    Features along them are orthonormal up to rounding, so that small eigenvalues cost no digits, and what is made of
    them has no part where the spectrum says that the data do not vary.
    """
    assert covariance.basis is not None  # from_data always gives one
    values = covariance.eigenvalues()
    kept = values > 0
    return np.asarray(covariance.basis[:, kept] / np.sqrt(values[kept]), dtype=np.float64)


def _least_squares(Z: Float, y: Float) -> Float:
    return np.asarray(np.linalg.lstsq(Z, y, rcond=None)[0], dtype=np.float64)


@dataclass(frozen=True)
class _Chance:
    """The probability of a one given s, and its derivative."""

    p: Callable[[Float], Float]
    slope: Callable[[Float], Float]


def _chance(model: Model, values: Mapping[Any, Any]) -> _Chance | None:
    """The law of a sampled label; ``None`` for y = s + noise.

    Raises
    ------
    DeclarationError
        For a model with another label.
    """
    noise = sp.S.Zero if model.noise_symbol is None else model.noise_symbol
    if len(model.teachers) == 1 and not model.sized:
        (s,) = model.teachers
        if isinstance(model.link, Bernoulli) and model.noise is None:
            given = model.parameter_values(values)
            p = model.link.probability.xreplace({symbol: sp.Float(given[symbol.name]) for symbol in model.parameters})
            return _Chance(numeric_function([s], p), numeric_function([s], sp.diff(p, s)))
        if model.link is not None and not model.sampled and sp.expand(model.link - s - noise) == 0:
            return None
    raise DeclarationError(
        f"from_data estimates labels y = s + eps or Bernoulli ones, of one teacher; {model.name} has "
        f"{'no link' if model.link is None else f'the link {model.link}'}",
        remedy="choose the teacher yourself: hd.Problem(hd.spectrum.from_data(features), hd.start.arrays(X0, Xstar, "
        'basis="original"), learning_rate)',
    )


def _most_likely(chance: _Chance, Z: Float, y: Float) -> Float:
    """Maximum likelihood by Fisher scoring with halved steps, for features with Z^T Z / N = 1; shape (rank,).

    Raises
    ------
    DeclarationError
        If labels are not 0 or 1, or the features separate them, so that there is none of finite length; or if the
        share of ones is not that of the model at Gaussian features.
    """
    if not np.all((y == 0) | (y == 1)):
        raise DeclarationError("the labels are not all 0 or 1", remedy="encode the two classes as 0 and 1")
    c, s = np.zeros(Z.shape[1]), np.zeros(len(y))
    for _ in range(_ITERATIONS):
        step = _scoring_step(chance, Z, y, s)
        moved, half = Z @ step, 1.0
        while _log_likelihood(chance, y, s + half * moved) < _log_likelihood(chance, y, s) and half > 1e-6:
            half /= 2
        c, s = c + half * step, s + half * moved
        if _separated(chance, y, s):
            break
        if half * np.sqrt(np.mean(moved**2)) < _CONVERGED:
            _check_share(chance, y, float(np.sqrt(c @ c)))
            return c
    raise DeclarationError(
        f"{Z.shape[1]} features separate the two classes of {len(y)} rows, or nearly: the most likely teacher is "
        "infinitely long",
        remedy="use fewer features or more rows, or pose least squares (model=None)",
    )


def _scoring_step(chance: _Chance, Z: Float, y: Float, s: Float) -> Float:
    p, slope = np.clip(chance.p(s), 1e-15, 1 - 1e-15), chance.slope(s)
    odds = slope / (p * (1 - p))
    information = (Z.T * (slope * odds)) @ Z
    return np.asarray(np.linalg.lstsq(information, Z.T @ (odds * (y - p)), rcond=1e-13)[0], dtype=np.float64)


def _log_likelihood(chance: _Chance, y: Float, s: Float) -> float:
    p = np.clip(chance.p(s), 1e-300, 1.0)
    return float(np.sum(np.log(np.where(y == 1, p, np.clip(1 - p, 1e-300, 1.0)))))


def _separated(chance: _Chance, y: Float, s: Float) -> bool:
    """Whether s, made longer and longer, would give every row its label for sure."""
    rising = float(chance.p(np.ones(1))[0]) > float(chance.p(-np.ones(1))[0])
    return bool(np.all((s > 0) == ((y == 1) == rising)))


def _check_share(chance: _Chance, y: Float, spread: float) -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    mean = float(weights @ chance.p(spread * nodes) / weights.sum())
    if abs(mean - y.mean()) > _OFF + 3.0 * np.sqrt(mean * (1.0 - mean) / len(y)):  # three errors of the share
        raise DeclarationError(
            f"{y.mean():.3g} of the labels are 1, the model's probability is {mean:.3g} on average",
            remedy="give the link an offset, as in hd.Bernoulli(hd.sigmoid(s + b)), or balance the classes",
        )
