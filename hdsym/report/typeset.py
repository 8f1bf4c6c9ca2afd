"""From sympy expressions to MathML that browsers draw without scripts, in pieces that may wrap between terms."""

from __future__ import annotations

from functools import lru_cache

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

from ..cas import Expr, latex, sp
from ..symbolnames import name_latex
from ..symbols import overlap_matrix
from .mathtree import serialise

__all__ = ["expression", "formula", "mathml", "name_latex", "words"]


def expression(expr: Expr) -> str:
    """LaTeX of an expression in the report's notation: a covariance that is the whole of B is written B."""
    expr = _plain(expr)
    names = {symbol: name_latex(symbol.name) for symbol in expr.atoms(sp.Symbol)}
    text = str(sp.latex(expr, symbol_names=names, inv_trig_style="full", long_frac_ratio=6))
    for size in range(2, 5):
        overlaps = overlap_matrix(size)
        text = text.replace(str(sp.latex(overlaps, symbol_names=_indexed(size))), "B").replace(latex(overlaps), "B")
    return text.replace(r"\operatorname{atan}_{2}", r"\mathrm{atan2}")


def _plain(expr: Expr) -> Expr:
    """Declared symbols sort by their role, plain ones by name: x^2 - y, not -y + x^2."""
    units = {e: sp.IndexedBase(str(e.base.label), real=True)[e.indices] for e in expr.atoms(sp.Indexed)}
    expr = expr.xreplace(units)
    declared = [symbol for symbol in expr.atoms(sp.Symbol) if type(symbol) is not sp.Symbol]
    return expr.xreplace({symbol: sp.Symbol(symbol.name, **symbol.assumptions0) for symbol in declared})


@lru_cache
def _indexed(size: int) -> dict[Expr, str]:
    return {symbol: name_latex(symbol.name) for symbol in overlap_matrix(size).free_symbols}


def formula(left: str, expr: Expr, *, display: bool = True) -> Markup:
    """The equation left = expr as several ``math`` elements, one a term, so that it wraps like text."""
    pieces = [mathml(f"{left} =", display=display)] if left else []
    for k, term in enumerate(_plain(expr).as_ordered_terms()):
        text = expression(term)
        signed = text if k == 0 or text.startswith("-") else f"+ {text}"
        pieces.append(mathml(signed, display=display, infix=k > 0))
    return Markup("<wbr>").join(pieces)


def words(name: str) -> str:
    """A name that is a word, upright, its underscores as spaces."""
    return rf"\text{{{name.replace('_', ' ')}}}"


@lru_cache(maxsize=4096)
def mathml(text: str, *, display: bool = False, infix: bool = False) -> Markup:
    """LaTeX as one MathML element.

    Parameters
    ----------
    display:
        Full-size fractions, sums and integrals.
    infix:
        The leading sign joins this piece to the one before it and is spaced accordingly.
    """
    tree = convert_to_element(text, display="block" if display else "inline")
    return Markup(serialise(tree, display=display, infix=infix))  # escaped by it
