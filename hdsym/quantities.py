"""What an adaptive learning rate may depend on, as symbols: ``hd.quantities.risk``, ...

All are of order one in high dimension. H = Dh[:, :l] is the gradient of the risk in B, I the Fisher matrix, b the batch
size, delta the regularisation.

=====================  ==============================================================================================
``risk``               R = h(B)
``fisher_trace``       tr I
``squared_gradient``   (tr K / d) tr I / b, the limit of ||grad Psi||^2 / d for one sample (or batch); in the slopes
                       of states SGD has that of each step itself
``alignment``          E<x - s, grad_x f> + delta <X - X*, X>: half of what ||X - X*||^2 loses, to first order in gamma
``descent``            4 tr(H^T W^T K^2 W H) + 2 delta <H, B_x>: what the risk loses, to first order in gamma
``curvature``          (tr K^2 / d) <H_x, I> / b: what the risk gains, to second order in gamma
``norm2``              ||X||^2
``distance2``          ||X - X*||^2
``trace``, ``trace2``  tr K / d, tr K^2 / d
=====================  ==============================================================================================

With them (||X - X*||^2)' = -2 gamma alignment + gamma^2 squared_gradient, and R' = -gamma descent + gamma^2 curvature.
``alignment`` and ``distance2`` need as many students as teachers.
"""

from __future__ import annotations

from .cas import sp

__all__ = [
    "FREE",
    "NAMES",
    "PAIRED",
    "alignment",
    "curvature",
    "descent",
    "distance2",
    "fisher_trace",
    "norm2",
    "risk",
    "squared_gradient",
    "trace",
    "trace2",
]


class _Quantity(sp.Symbol):  # type: ignore[misc]  # sympy is untyped
    """A quantity of the solution; no symbol of a model is equal to it."""

    def __new__(cls, name: str) -> _Quantity:
        symbol: _Quantity = sp.Symbol.__xnew__(cls, name, real=True)
        return symbol

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, bool]]:
        return (self.name,), {}


risk = _Quantity("risk")
fisher_trace = _Quantity("fisher_trace")
squared_gradient = _Quantity("squared_gradient")
alignment = _Quantity("alignment")
descent = _Quantity("descent")
curvature = _Quantity("curvature")
norm2 = _Quantity("norm2")
distance2 = _Quantity("distance2")
trace = _Quantity("trace")
trace2 = _Quantity("trace2")

NAMES = {
    symbol: symbol.name
    for symbol in (
        *(risk, fisher_trace, squared_gradient, alignment, descent),
        *(curvature, norm2, distance2, trace, trace2),
    )
}
"""The symbols, in the order in which compiled rules take them, and their names."""

PAIRED = frozenset({alignment, distance2})
"""Those that need as many students as teachers."""

FREE = frozenset({alignment, descent, curvature})
"""Slopes of unconstrained SGD."""
