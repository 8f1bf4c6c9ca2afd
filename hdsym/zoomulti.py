"""Well-known models with several directions: committees, softmax regression, mixtures of regressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import checks
from .cas import Expr, sp, to_expr
from .errors import DeclarationError
from .functions import logsumexp, relu
from .labels import Categorical
from .laws import Normal
from .model import Model
from .symbols import Trained, label, noise, parameter, size, student, teacher

__all__ = ["ACTIVATIONS", "committee", "mixed_regression", "multiclass_logistic"]

_HN = "E. Collins-Woodfin, C. Paquette, E. Paquette, I. Seroussi, Hitting the High-Dimensional Notes, arXiv:2308.08977"
_SAAD_SOLLA = "D. Saad, S. A. Solla, On-line learning in soft committee machines, Phys. Rev. E 52 (1995) 4225"
_GOLDT = (
    "S. Goldt, M. S. Advani, A. M. Saxe, F. Krzakala, L. Zdeborová, Dynamics of stochastic gradient descent for "
    "two-layer neural networks in the teacher-student setup, arXiv:1906.08632"
)
_YI = "X. Yi, C. Caramanis, S. Sanghavi, Alternating minimization for mixed linear regression, arXiv:1310.3745"

ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "erf": lambda u: sp.erf(u / sp.sqrt(2)),
    "identity": lambda u: u,
    "relu": relu,
    "square": lambda u: u**2,
}
"""Activations by name; "erf" is that of Saad and Solla, erf(u / sqrt 2)."""

_SCALES: dict[str, Callable[[Expr], Expr]] = {
    "1": lambda _: sp.S.One,
    "1/K": lambda units: 1 / units,
    "1/sqrt(K)": lambda units: 1 / sp.sqrt(units),
}


def committee(
    activation: Any = "erf",
    trained_second_layer: bool = False,
    *,
    teacher_activation: Any = None,
    normalisation: str = "1",
    noise_std: Any = None,
) -> Model:
    """Two-layer networks: a student sum_k v_k g(x_k) of K units learns a teacher sum_m a_m g*(s_m) + eps of M units.

    f = (student - y)^2 / 2. The model is sized: K and M come from the problem, or from ``model.at(K=3, M=2)``.

    Parameters
    ----------
    activation:
        g: "erf" (erf(u / sqrt 2)), "relu", "square", "identity", or a function of a sympy expression, such as
        ``sympy.tanh``.
    trained_second_layer:
        Whether v is trained along with X (its start is given among the problem's parameters; 1 by default), or fixed.
    teacher_activation:
        g*, as `activation`, which it is by default.
    normalisation:
        "1", "1/K" or "1/sqrt(K)": the factor of the student's sum, and with M of the teacher's.
    noise_std:
        Standard deviation of eps: a number, an expression in parameters, or ``None`` for the parameter ``noise_std``
        (default 0). The other parameters are ``v`` and ``a`` (default 1), one number for all units or an array.

    Raises
    ------
    DeclarationError
        For an unknown activation or normalisation.
    """
    if normalisation not in _SCALES:
        raise DeclarationError(
            f"normalisation is {normalisation!r}", remedy=f"it is one of: {', '.join(map(repr, _SCALES))}"
        )
    g, scale = _activation(activation, "activation"), _SCALES[normalisation]
    target = g if teacher_activation is None else _activation(teacher_activation, "teacher_activation")
    K, M = size("K"), size("M")
    k, m = (sp.Symbol(name, integer=True) for name in ("k", "m"))
    x, s, y, eps = student("x", size=K), teacher("s", size=M), label("y"), noise("eps")
    v = Trained("v", size=K, default=1.0) if trained_second_layer else parameter("v", size=K, default=1.0)
    a = parameter("a", size=M, default=1.0)
    output = scale(K) * sp.Sum(v[k] * g(x[k]), (k, 1, K))
    link = scale(M) * sp.Sum(a[m] * target(s[m]), (m, 1, M)) + eps
    named = activation if isinstance(activation, str) else getattr(activation, "__name__", "").strip("<>")
    kind = ", second layer trained" if trained_second_layer else ""
    references = (_SAAD_SOLLA, _GOLDT, _HN)
    return Model((output - y) ** 2 / 2, link, Normal(eps, std=_std(noise_std)), f"{named} committee{kind}", references)


def _activation(given: Any, what: str) -> Callable[[Expr], Expr]:
    function = ACTIVATIONS.get(given) if isinstance(given, str) else given
    value = function(sp.Symbol("u", real=True)) if callable(function) else None
    if to_expr(value) is None:
        known = ", ".join(map(repr, ACTIVATIONS))
        raise DeclarationError(
            f"{what} is {given!r}", remedy=f"give one of {known}, or a function of an expression, such as sympy.tanh"
        )
    return lambda u: to_expr(function(u)) if callable(function) else u


def _std(noise_std: Any) -> Expr:
    return parameter("noise_std", default=0.0, nonnegative=True) if noise_std is None else noise_std


def multiclass_logistic(classes: int = 3, labels: str = "soft") -> Model:
    """Softmax regression with as many students and teachers as classes: f = log sum_k exp(x_k) - sum_k y_k x_k.

    Parameters
    ----------
    classes:
        Number of classes, at least 2. From five on, integrals are averages over points, as
        ``attrs["quadrature_error"]`` shows.
    labels:
        "soft": y_k = softmax(s)_k, the conditional mean. "sampled": y is one class, k with probability softmax(s)_k.
        Risk and gradient agree; the Fisher matrix of sampled labels is larger.

    Raises
    ------
    DeclarationError
        For fewer than two classes, or another value of `labels`.
    """
    count = _count(classes, "classes")
    if labels not in ("soft", "sampled"):
        raise DeclarationError(f"labels is {labels!r}", remedy='it is "soft" or "sampled"')
    students, teachers, y = tuple(student("x", size=count)), tuple(teacher("s", size=count)), label("y")
    chances = [sp.exp(s - logsumexp(*teachers)) for s in teachers]
    name = f"softmax regression, {count} classes, {labels} labels"
    if labels == "soft":
        picked = sp.Add(*(chance * x for chance, x in zip(chances, students, strict=True)))
        return Model(logsumexp(*students) - picked, name=name, references=(_HN,))
    picked = sp.Add(*(sp.KroneckerDelta(y, k) * x for k, x in enumerate(students, start=1)))
    link = Categorical(tuple(range(1, count + 1)), tuple(chances))
    return Model(logsumexp(*students) - picked, link, name=name, references=(_HN,))


def mixed_regression(components: int = 2, noise_std: Any = None) -> Model:
    """Mixture of linear regressions: each label is y = s_z + eps with a component z drawn uniformly and not seen.

    The student that fits best is trained: f = min_k (x_k - y)^2 / 2. `noise_std` as in :func:`committee`.

    Raises
    ------
    DeclarationError
        For fewer than two components.
    """
    count = _count(components, "components")
    students, teachers = tuple(student("x", size=count)), tuple(teacher("s", size=count))
    y, eps = label("y"), noise("eps")
    loss = sp.Min(*((x - y) ** 2 for x in students)) / 2
    link = Categorical(tuple(s + eps for s in teachers), (sp.Rational(1, count),) * count)
    name = f"mixture of {count} linear regressions"
    return Model(loss, link, Normal(eps, std=_std(noise_std)), name, (_YI, _HN))


def _count(value: Any, name: str) -> int:
    count = checks.dimension(value, name)
    if count < 2:
        raise DeclarationError(f"{name} is {count}", remedy="give at least 2")
    return count
