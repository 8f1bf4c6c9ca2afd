"""Ready functions for ``Model(..., statistics={...})``: how often a classifier is right or wrong.

Their means are what test sets estimate. Against the teacher a binary one is an angle: the misclassification rate of
sign(x) is arccos(cosine) / pi.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cas import Expr, sp, to_expr
from .errors import DeclarationError
from .families import Family
from .roles import LabelSymbol

__all__ = ["accuracy", "misclassification"]


def misclassification(scores: Any, truth: Any, values: Sequence[Any] | None = None) -> Expr:
    """1 where the predicted class is wrong, 0 where it is right (and between where classes tie).

    Parameters
    ----------
    scores:
        Two classes: an expression, often the preactivation x, whose sign is the prediction. More: a sequence of
        expressions; the class of the largest one is predicted.
    truth:
        The true class, in the same way: an expression whose sign it is, or as many expressions as `scores`, such as
        the teacher's preactivations. Or, with `values`, the label y.
    values:
        The numbers that the label takes, one for each class: for two classes first the one of negative scores, (0, 1)
        or (-1, 1), else in the order of `scores`.

    Raises
    ------
    DeclarationError
        If there are not as many classes on both sides, a label comes without its values, or something is no
        expression.

    Examples
    --------
    >>> import hdsym as hd
    >>> x, s = hd.student("x"), hd.teacher("s")
    >>> model = hd.zoo.logistic().with_statistics(error=hd.statistics.misclassification(x, s))
    >>> hd.derive(model).statistics["error"]
    -atan2(B12, sqrt(B11*B22 - B12**2))/pi + 1/2
    """
    return 1 - accuracy(scores, truth, values)


def accuracy(scores: Any, truth: Any, values: Sequence[Any] | None = None) -> Expr:
    """1 where the predicted class is right, 0 where it is wrong; arguments and errors of :func:`misclassification`."""
    if isinstance(truth, LabelSymbol) and values is None:
        raise DeclarationError(
            f"the true class is the label {truth}, but not which values it takes",
            remedy="give them: values=(0, 1), or as many numbers as there are scores",
        )
    if _several(scores):
        predicted = _largest(_listed(scores))
    else:
        sign = sp.sign(_expression(scores))
        predicted = [(1 - sign) / 2, (1 + sign) / 2]
    if values is None and not _several(scores) and not _several(truth):
        return (1 + sp.sign(_expression(scores)) * sp.sign(_expression(truth))) / 2
    actual = _actual(truth, values)
    if len(actual) != len(predicted):
        raise DeclarationError(
            f"the scores tell {len(predicted)} classes apart, the truth {len(actual)}",
            remedy="give as many expressions, or values of the label, as there are scores (two for a single score)",
        )
    return sp.Add(*(sp.Mul(one, other) for one, other in zip(predicted, actual, strict=True)))


def _actual(truth: Any, values: Sequence[Any] | None) -> list[Expr]:
    """Indicators of the true class."""
    if values is not None:
        return [sp.KroneckerDelta(_expression(truth), _expression(value)) for value in values]
    if _several(truth):
        return _largest(_listed(truth))
    sign = sp.sign(_expression(truth))
    return [(1 - sign) / 2, (1 + sign) / 2]


def _several(given: Any) -> bool:
    return isinstance(given, Family) or (isinstance(given, Sequence) and not isinstance(given, str))


def _listed(given: Any) -> list[Expr]:
    """The entries of a sequence, or of a family of preactivations of known size."""
    if isinstance(given, Family) and not given.explicit:
        raise DeclarationError(
            f"{given.name} has a size that is not known yet", remedy="choose the number of classes: size=3"
        )
    return [_expression(entry) for entry in given]


def _largest(scores: list[Expr]) -> list[Expr]:
    """For each score the indicator that it is the largest."""
    if len(scores) < 2:
        raise DeclarationError(f"{len(scores)} score in a sequence", remedy="give the expression itself, or several")
    return [
        sp.Mul(*((1 + sp.sign(own - other)) / 2 for j, other in enumerate(scores) if j != k))
        for k, own in enumerate(scores)
    ]


def _expression(value: Any) -> Expr:
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(f"{value!r} is not an expression", remedy="give one in the symbols of the model")
    return expr
