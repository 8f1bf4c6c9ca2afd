"""The equations of motion, written the way a person would: common factors in front."""

from __future__ import annotations

from markupsafe import Markup

from ..cas import Expr, sp
from .typeset import expression, mathml, name_latex

__all__ = ["motion"]

_FRONT = ("gamma", "lam", "delta", "rho")
"""Factors written in front of a bracket, in this order; the batch size stays in the denominator."""


def motion(name: str, rate: Expr) -> Markup:
    """dG_ij/dt = rate, one ``math`` element a group of terms with the same factors in front."""
    left = rf"\frac{{\mathrm{{d}}{name_latex(name)}}}{{\mathrm{{d}}t}} ="
    pieces = [mathml(left, display=True)]
    for k, (front, rest) in enumerate(_grouped(rate)):
        number, bracket = rest.as_content_primitive()
        if bracket.could_extract_minus_sign():
            number, bracket = -number, -bracket
        sign = "-" if number < 0 else "+" if k else ""
        scale = "" if abs(number) == 1 else expression(abs(number))
        body = rf"\left({expression(bracket)}\right)" if bracket.is_Add else expression(bracket)
        pieces.append(mathml(f"{sign} {scale} {front} {body}", display=True, infix=k > 0))
    return Markup("<wbr>").join(pieces)


def _grouped(rate: Expr) -> list[tuple[str, Expr]]:
    """The terms of `rate` by the LaTeX of their common factors."""
    groups: dict[str, Expr] = {}
    for term in sp.Add.make_args(sp.expand(rate)):
        powers = {symbol.name: power for symbol, power in term.as_powers_dict().items() if symbol.is_Symbol}
        taken = [(factor, int(powers[factor])) for factor in _FRONT if factor in powers]
        front = " ".join(name_latex(factor) + (rf"^{{{power}}}" if power > 1 else "") for factor, power in taken)
        rest = term / sp.Mul(*(symbol ** powers[symbol.name] for symbol in term.free_symbols if symbol.name in _FRONT))
        groups[front] = groups.get(front, sp.S.Zero) + rest
    return sorted(groups.items(), key=lambda group: ("^" in group[0], "delta" in group[0]))
