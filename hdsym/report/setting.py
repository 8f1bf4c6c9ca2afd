"""Setting and notation of every report, in two sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from .sized import preactivations
from .typeset import mathml

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["setting"]

_FIRST = Markup(
    "Each step of SGD draws a fresh sample {a} of dimension {d} and moves the trained weights by {step}, where {f} is "
    "the loss at the preactivations {r} with {W}, and time is {t}."
)
_SECOND = Markup(
    "As {limit} the risk {h} depends on the overlaps {B} alone, with {G} the Gram matrix of {W0} in the eigenspace of "
    "the eigenvalue {lam} of {K}, which has the share {rho} of the dimensions; {H} is the gradient of {h} with {sym} "
    "counted as separate entries, {I} the Fisher matrix, {gamma} the learning rate, {delta} the l2 regularisation and "
    "{b} the batch size."
)


def setting(model: Model) -> list[Markup]:
    """Setting and notation, in two sentences."""
    r = preactivations(model)
    step = r"X_{k+1} = X_k - \frac{\gamma}{d}\left(a\, (\nabla_x f)^\top + \delta X_k\right)"
    parts = {
        **{name: name for name in ("d", "f", "K", "H", "b")},
        "a": r"a \sim \mathcal{N}(0, K)",
        "step": step,
        "r": rf"r = ({r}) = W^\top a",
        "W": r"W = [X \mid X^\star]",
        "t": "t = k / d",
        "limit": r"d \to \infty",
        "h": "h(B)",
        "W0": "W",
        "lam": r"\lambda",
        "G": r"G(\lambda)",
        "B": r"B = W^\top K W = \sum_\lambda \lambda\, G(\lambda)",
        "rho": r"\rho",
        "sym": "B_{ij}, B_{ji}",
        "gamma": r"\gamma",
        "delta": r"\delta",
        "I": r"I = \mathbb{E}[(\nabla_x f)(\nabla_x f)^\top]",
    }
    math = {name: mathml(text) for name, text in parts.items()}
    return [_FIRST.format(**math), _SECOND.format(**math)]
