"""Printing expressions as LaTeX, and how wide what was printed is."""

from __future__ import annotations

import re
from typing import Any

from sympy.printing.latex import LatexPrinter

from ..cas import Expr, sp
from ..symbolnames import name_latex

__all__ = ["AppendixPrinter", "escaped", "width"]

_KERNEL = re.compile(r"K(\d+)")


class AppendixPrinter(LatexPrinter):  # type: ignore[misc]  # sympy is untyped
    """The house's names, and kernels by the units whose block of B they are a function of."""

    def __init__(self) -> None:
        super().__init__({"inv_trig_style": "full"})

    def _print_Symbol(self, expr: Expr, style: str = "plain") -> str:  # sympy's name
        return name_latex(expr.name)

    def _print_Indexed(self, expr: Expr) -> str:  # sympy's name
        inside = ",".join(self._print(index) for index in expr.indices)
        return f"{self._print(expr.base.args[0])}_{{{inside}}}"

    def _print_Function(self, expr: Expr, exp: str | None = None) -> str:  # sympy's name
        found = _KERNEL.fullmatch(type(expr).__name__)
        if found is None:
            return str(super()._print_Function(expr, exp))
        body = rf"\kappa_{{{found[1]}}}\left[{self._units(expr)}\right]"
        return body if exp is None else f"{body}^{{{exp}}}"

    def _units(self, expr: Expr) -> str:
        """Rows of B, from the entries on the diagonal of the block, then the scalars that a kernel is given."""
        count = next(k for k, arg in enumerate([*expr.args, None]) if not _is_overlap(arg))
        size = int(((8 * count + 1) ** 0.5 - 1) / 2)
        diagonal = [k * size - k * (k - 1) // 2 for k in range(size)]
        rows = ", ".join(self._print(expr.args[k].indices[0]) for k in diagonal)
        extras = ", ".join(map(self._print, expr.args[count:]))
        return rows + (f"; {extras}" if extras else "")


def _is_overlap(arg: Any) -> bool:
    return isinstance(arg, sp.Indexed) and str(arg.base.label) == "B"


def escaped(text: str) -> str:
    """Plain text in LaTeX."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, f"\\{c}" if c in "&%$#_{}" else c) for c in text)


_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_&]|\s+|.", re.S)
_BIG = {r"\sum", r"\int", r"\prod"}
_SILENT = {r"\left", r"\right", r"\limits", r"\displaystyle", r"\!", r"\bigl", r"\bigr", r"\Bigl", r"\Bigr"}
_SPACES = {r"\,": 0.3, r"\;": 0.5, r"\ ": 0.5, r"\quad": 2.0, r"\qquad": 4.0}
_NAMES = {r"\log": 2.2, r"\exp": 2.4, r"\sin": 2.0, r"\cos": 2.2, r"\tanh": 3.2, r"\arctan": 4.2, r"\arcsin": 4.0}
_UPRIGHT = {r"\operatorname", r"\mathrm", r"\text"}


def width(tex: str) -> float:
    """About how wide displayed LaTeX is, in letters."""
    return _Reader([token for token in _TOKEN.findall(tex) if not token.isspace()]).sequence()


class _Reader:
    """Reads tokens and adds up what they take."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def sequence(self, stop: str = "") -> float:
        total = 0.0
        while self.at < len(self.tokens):
            if self.peek() == stop:
                self.next()
                break
            total += self.one()
        return total

    def group(self) -> float:
        """A group in braces, or one token."""
        if self.peek() == "{":
            self.next()
            return self.sequence("}")
        return self.one()

    def one(self) -> float:
        token = self.next()
        if token in ("^", "_"):
            return 0.7 * self.group()
        if token == "{":
            return self.sequence("}")
        if token in (r"\frac", r"\tfrac", r"\dfrac"):
            return max(self.group(), self.group()) + 0.5
        if token == r"\sqrt":
            return 1.5 + self.group()
        if token in _BIG:
            return self._limits()
        if token == r"\begin":
            return self._table()
        if token in _UPRIGHT:
            return 0.9 * self.group() + 0.5
        if token in _SILENT:
            return 0.0
        if token in ("+", "-", "="):
            return 2.4
        return _SPACES.get(token, _NAMES.get(token, 0.9 if len(token) == 1 and not token.isalpha() else 1.1))

    def _limits(self) -> float:
        widest = 2.0
        while self.peek() in ("_", "^"):
            self.next()
            widest = max(widest, 0.7 * self.group())
        return widest

    def _name(self) -> str:
        self.next()
        letters = []
        while self.peek() not in ("}", ""):
            letters.append(self.next())
        self.next()
        return "".join(letters)

    def _table(self) -> float:
        """Columns as wide as their widest entry."""
        self._name()
        columns: list[float] = []
        column, entry = 0, 0.0
        while self.at < len(self.tokens):
            end = self.peek() == r"\end"
            if end or self.peek() in ("&", r"\\"):
                columns += [0.0] * (column + 1 - len(columns))
                columns[column] = max(columns[column], entry)
                column, entry = (column + 1 if self.next() == "&" else 0), 0.0
                if end:
                    self._name()
                    break
            else:
                entry += self.one()
        return sum(columns) + 2.0 * len(columns)
