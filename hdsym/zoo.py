"""Well-known models, each a few declarative lines with its reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cas import Expr, sp
from .errors import DeclarationError
from .functions import sigmoid, softplus
from .labels import Bernoulli
from .laws import Normal
from .model import Model
from .symbols import label, noise, parameter, student, teacher
from .zoomulti import committee, mixed_regression, multiclass_logistic

__all__ = [
    "MODELS",
    "MULTI_INDEX",
    "ZOO",
    "committee",
    "least_squares",
    "lipschitz_phase_retrieval",
    "logistic",
    "mixed_regression",
    "multiclass_logistic",
    "phase_retrieval",
    "probit",
]

_HN = "E. Collins-Woodfin, C. Paquette, E. Paquette, I. Seroussi, Hitting the High-Dimensional Notes, arXiv:2308.08977"

_x, _s, _y, _eps = student("x"), teacher("s"), label("y"), noise("eps")


def _std(noise_std: Any) -> Expr:
    """A given noise level, or the parameter ``noise_std``, whose default is zero."""
    return parameter("noise_std", default=0.0, nonnegative=True) if noise_std is None else noise_std


def _with_noise(loss: Expr, link: Expr, noise_std: Any, name: str, *references: str) -> Model:
    return Model(loss, link + _eps, Normal(_eps, std=_std(noise_std)), name, (_HN, *references))


def least_squares(noise_std: Any = None) -> Model:
    """Linear regression f = (x - y)^2 / 2, y = s + eps.

    `noise_std` is a number, an expression in parameters, or ``None`` for the parameter ``noise_std`` (default 0).
    """
    return _with_noise((_x - _y) ** 2 / 2, _s, noise_std, "least squares")


def phase_retrieval(noise_std: Any = None) -> Model:
    """Real phase retrieval f = (x^2 - y)^2 / 4, y = s^2 + eps; `noise_std` as in :func:`least_squares`."""
    return _with_noise((_x**2 - _y) ** 2 / 4, _s**2, noise_std, "real phase retrieval")


def lipschitz_phase_retrieval(noise_std: Any = None) -> Model:
    """Lipschitz phase retrieval f = (|x| - y)^2 / 2, y = |s| + eps; `noise_std` as in :func:`least_squares`."""
    reference = "Y. S. Tan, R. Vershynin, Online stochastic gradient descent for phase retrieval, arXiv:1910.12837"
    return _with_noise((sp.Abs(_x) - _y) ** 2 / 2, sp.Abs(_s), noise_std, "Lipschitz phase retrieval", reference)


def logistic(labels: str = "soft") -> Model:
    """Binary logistic regression f = log(1 + exp(x)) - y x.

    Parameters
    ----------
    labels:
        "soft": y = sigmoid(s), the conditional mean. "bernoulli": y is 1 with probability sigmoid(s), else 0. Risk
        and gradient agree; the Fisher matrix of sampled labels is larger.

    Raises
    ------
    DeclarationError
        For another value of `labels`.
    """
    if labels not in ("soft", "bernoulli"):
        raise DeclarationError(f"labels is {labels!r}", remedy='it is "soft" or "bernoulli"')
    link = sigmoid(_s) if labels == "soft" else Bernoulli(sigmoid(_s))
    return Model(softplus(_x) - _y * _x, link, None, f"logistic regression, {labels} labels", (_HN,))


def probit(noise_std: Any = None) -> Model:
    """Regression with the probit link: f = (erf(x / sqrt 2) - y)^2 / 2, y = erf(s / sqrt 2) + eps.

    It is the soft committee machine of Saad and Solla with one unit; `noise_std` as in :func:`least_squares`.
    """
    reference = "D. Saad, S. A. Solla, On-line learning in soft committee machines, Phys. Rev. E 52 (1995) 4225"
    root = sp.sqrt(2)
    return _with_noise((sp.erf(_x / root) - _y) ** 2 / 2, sp.erf(_s / root), noise_std, "probit regression", reference)


MODELS: dict[str, Callable[..., Model]] = {
    "least_squares": least_squares,
    "lipschitz_phase_retrieval": lipschitz_phase_retrieval,
    "logistic": logistic,
    "phase_retrieval": phase_retrieval,
    "probit": probit,
}
"""Every single-index model of the zoo by name; called without arguments each gives a complete model."""

MULTI_INDEX: dict[str, Callable[..., Model]] = {
    "committee": committee,
    "mixed_regression": mixed_regression,
    "multiclass_logistic": multiclass_logistic,
}
"""The models with several directions, as :data:`MODELS`."""

ZOO = {**MODELS, **MULTI_INDEX}
"""Every model of the zoo."""
