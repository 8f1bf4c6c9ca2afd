"""Nodes of the representation that guard a formula where, evaluated as it stands, it would lose its value."""

from __future__ import annotations

from typing import Any

from ..cas import sp

__all__ = ["bounded", "clipped", "difference", "floored", "inverse_mills", "weighted"]


class clipped(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as max(u, 0)
    """max(u, 0): a quantity that is non-negative by theory but not always after rounding, such as det B."""

    def _eval_is_nonnegative(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = rf"\left({printer._print(self.args[0])}\right)_+"
        return body if exp is None else f"{body}^{{{exp}}}"


class difference(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as (a - b)
    """difference(a, b) = a - b, worked out before anything is added to it: where a = b to the last bit it is 0."""

    def _eval_is_real(self) -> bool:
        return True


class floored(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation, printed as max(u, floor)
    """max(u, floor): a variance that may vanish, kept above the level of its own rounding errors."""

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(self.args[0])
        return rf"\left({body}\right)" + ("" if exp is None else f"^{{{exp}}}")


class weighted(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """weighted(w, u): w * u, but 0 where the weight w has underflowed to 0, whatever u is there."""

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(sp.Mul(*self.args))
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class bounded(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """bounded(v, floor, c, ...): max(v, floor) where some \\|c\\| <= sqrt(floor), else v."""

    def _eval_is_positive(self) -> bool:
        return True

    def _eval_is_real(self) -> bool:
        return True

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        body = printer._print(self.args[0])
        return body if exp is None else rf"\left({body}\right)^{{{exp}}}"


class inverse_mills(sp.Function):  # type: ignore[misc]  # noqa: N801  # a node of the representation
    """phi(u) / Phi(u) = (log Phi)'(u): in the tail, where it is close to -u, to all digits."""

    def _eval_is_real(self) -> bool:
        return True
