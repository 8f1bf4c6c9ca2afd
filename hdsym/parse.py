"""Text to sympy, through Python's syntax tree and a whitelist. Nothing the user wrote is ever executed.

The text is parsed by :mod:`ast` and walked node by node; only what this module knows is turned into sympy. Each piece
carries bounds on what it could cost (degree, number of monomials when expanded, numerical size), checked *before*
sympy sees the piece, so that a short text cannot ask for an astronomically large computation.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from .cas import Expr, sp
from .errors import ParseError
from .families import Family
from .parse_pieces import FUNCTIONS, Function, Piece, Refusal, constant, power, product, quotient, total
from .parse_sums import SUM, Ranges, element, sum_range, summed, units_named

__all__ = ["CONSTANTS", "MAX_DEPTH", "MAX_LENGTH", "MAX_NODES", "function_names", "parse_expression"]

MAX_LENGTH = 4096
MAX_DEPTH = 60
MAX_NODES = 1500
MAX_DIGITS = 300

CONSTANTS: dict[str, Expr] = {"pi": sp.pi, "E": sp.E}
"""Names that stand for numbers, unless the caller gives them another meaning."""

_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Attribute: ("attribute access", "write the function's plain name, e.g. exp(x)"),
    ast.Lambda: ("a lambda", "write the expression itself"),
    ast.Compare: ("a comparison", "write jumps with sign(...) or Heaviside(...)"),
    ast.BoolOp: ("a logical operator", "write jumps with sign(...) or Heaviside(...)"),
    ast.IfExp: ("a conditional", "write jumps with sign(...) or Heaviside(...)"),
    ast.NamedExpr: ("an assignment", "write the expression itself"),
    ast.JoinedStr: ("a string", "use numbers, names and functions only"),
    ast.Tuple: ("a tuple", "write one expression without commas outside of function calls"),
    ast.List: ("a list", "write one expression"),
    ast.Dict: ("a dictionary", "write one expression"),
    ast.Set: ("a set", "write one expression"),
    ast.Starred: ("a starred argument", "write the argument itself"),
}

_OPERATORS: dict[type[ast.AST], str] = {
    ast.BitXor: "^",
    ast.Mod: "%",
    ast.FloorDiv: "//",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Invert: "~",
    ast.Not: "not",
}


def function_names() -> tuple[str, ...]:
    """Names of the functions an expression may call."""
    return tuple(sorted([*FUNCTIONS, SUM]))


def parse_expression(
    text: str,
    names: Mapping[str, Expr] | None = None,
    *,
    where: str = "expression",
    functions: Mapping[str, Function] | None = None,
) -> Expr:
    """Turn text into a sympy expression.

    Allowed are numbers (decimals become exact rationals), ``+ - * / **``, parentheses, the given names, ``pi`` and
    ``E``, and the functions of :func:`function_names`. A family ``x`` of units is indexed, ``x[i]`` or ``x[2]``, and
    summed as sympy writes it: ``Sum(v[i]*erf(x[i]), (i, 1, K))``, with a size or a number for K.

    Parameters
    ----------
    text:
        The expression, at most 4096 characters.
    names:
        What each name stands for: symbols, families, sizes.
    where:
        What the text is, for error messages, e.g. ``"model.loss"``.
    functions:
        Further functions it may call.

    Raises
    ------
    ParseError
        For anything else; the message quotes the offending piece and its column.

    >>> parse_expression("0.1*t + sqrt(4)", {"t": sp.Symbol("t")})
    t/10 + 2
    >>> from hdsym.symbols import size, student
    >>> parse_expression("Sum(x[i]**2, (i, 1, K)) / K", {"x": student("x", size="K"), "K": size("K")})
    Sum(x[i]**2, (i, 1, K))/K
    """
    return _Reader(text, names or {}, where, {**FUNCTIONS, **(functions or {})}).read()


class _Reader:
    """One reading of one text."""

    def __init__(self, text: str, names: Mapping[str, Expr], where: str, functions: Mapping[str, Function]) -> None:
        self.where, self.functions = where, functions
        if not isinstance(text, str):
            raise ParseError(f"{where} is {text!r}, not text", remedy='write it in quotes, e.g. "(x - y)**2 / 2"')
        if len(text) > MAX_LENGTH:
            raise ParseError(
                f"{where} has {len(text)} characters, more than {MAX_LENGTH}; it begins {text[:30]!r}",
                remedy="shorten the expression",
            )
        self.text = "".join(" " if character in "\t\r\n" else character for character in text).strip()
        self.names = names
        self.ranges: Ranges = {}
        self.units = 2

    def read(self) -> Expr:
        self._check_characters()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # python warns about oddities that are refused below
                tree = ast.parse(self.text, mode="eval")
        except SyntaxError as error:
            unfinished = self.text[-1] in "+-*/,"
            column = len(self.text) if unfinished else max((error.offset or 1) - 1, 0)
            raise self._error(
                f"is not an expression ({error.msg})", column, column + 1, "use numbers, names, + - * / ** and ( )"
            ) from None
        except (ValueError, MemoryError, RecursionError):
            raise self._too_deep() from None
        self._check_size(tree.body)
        self.units = units_named(tree.body)
        try:
            return self._visit(tree.body).expr
        except RecursionError:
            raise self._too_deep() from None

    # ---- checks of the whole text

    def _check_characters(self) -> None:
        if not self.text:
            raise ParseError(f"{self.where} is empty", remedy='write an expression, e.g. "(x - y)**2 / 2"')
        for column, character in enumerate(self.text):
            if character in "`#\\;$?!" or not character.isprintable():
                raise self._error(
                    f"contains the character {character!r}, which no formula needs",
                    column,
                    column + 1,
                    "use numbers, names, + - * / ** and ( )",
                )

    def _check_size(self, root: ast.AST) -> None:
        level: list[ast.AST] = [root]
        depth = count = 0
        while level:
            depth, count = depth + 1, count + len(level)
            level = [
                child
                for node in level
                for child in ast.iter_child_nodes(node)
                if not isinstance(child, ast.operator | ast.unaryop | ast.expr_context)
            ]
            if depth > MAX_DEPTH or count > MAX_NODES:
                raise self._too_deep()

    # ---- nodes

    def _visit(self, node: ast.expr) -> Piece:
        try:
            return self._dispatch(node)
        except Refusal as refusal:
            raise self._at(node, str(refusal), refusal.remedy) from None

    def _dispatch(self, node: ast.expr) -> Piece:
        if isinstance(node, ast.Constant):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            piece = self._visit(node.operand)
            return product(constant(-1), piece) if isinstance(node.op, ast.USub) else piece
        if isinstance(node, ast.Call):
            summing = isinstance(node.func, ast.Name) and node.func.id == SUM and SUM not in self.names
            return self._sum(node) if summing else self._call(node)
        if isinstance(node, ast.Subscript):
            return element(node, self.names, self.ranges)
        if isinstance(node, ast.UnaryOp):
            raise Refusal(f"uses the operator {_OPERATORS[type(node.op)]!r}, which is not allowed")
        kind, remedy = _REFUSED.get(type(node), ("this construct", ""))
        raise Refusal(f"uses {kind}, which is not allowed", remedy)

    def _number(self, node: ast.Constant) -> Piece:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            kind = "an imaginary number" if isinstance(value, complex) else f"{value!r}, not a number"
            raise Refusal(f"uses {kind}", "use real numbers")
        digits = (ast.get_source_segment(self.text, node) or repr(value)).replace("_", "")
        try:
            decimal = Decimal(value) if isinstance(value, int) else Decimal(digits)
        except InvalidOperation:
            raise Refusal("contains a number that cannot be read") from None
        if decimal and abs(decimal.adjusted()) > MAX_DIGITS:
            raise Refusal("contains a number that is too large or too small", "keep it between 1e-300 and 1e300")
        return constant(sp.Integer(value) if isinstance(value, int) else sp.Rational(digits))

    def _name(self, node: ast.Name) -> Piece:
        if node.id in self.ranges:
            return Piece(self.ranges[node.id].index, degree=1, terms=1, value=None)
        if isinstance(self.names.get(node.id), Family):
            raise Refusal("is a family without an index", f"write {node.id}[i] in a sum over i, or {node.id}[1]")
        if node.id in self.names:
            return Piece(sp.sympify(self.names[node.id], strict=True), degree=1, terms=1, value=None)
        if node.id in CONSTANTS:
            return Piece(CONSTANTS[node.id], degree=0, terms=1, value=float(CONSTANTS[node.id]))
        if node.id in (*self.functions, SUM):
            raise Refusal("is a function without its argument", f"write {node.id}(...)")
        known = sorted({*self.names, *CONSTANTS})
        raise Refusal(f"contains the unknown name {node.id!r}", _suggest(node.id, known, "names"))

    def _binary(self, node: ast.BinOp) -> Piece:
        operator = type(node.op)
        if operator is ast.BitXor:
            raise Refusal("uses '^', which is not a power here", "write powers with **")
        if operator in _OPERATORS:
            raise Refusal(f"uses the operator {_OPERATORS[operator]!r}, which is not allowed", "use + - * / **")
        left, right = self._visit(node.left), self._visit(node.right)
        if operator is ast.Add:
            return total(left, right)
        if operator is ast.Sub:
            return total(left, product(constant(-1), right))
        if operator is ast.Mult:
            return product(left, right)
        return quotient(left, right) if operator is ast.Div else power(left, right)

    def _call(self, node: ast.Call) -> Piece:
        if not isinstance(node.func, ast.Name):
            self._visit(node.func)
            raise Refusal("calls something that is not a function's name", "write products with *")
        name = node.func.id
        if name not in self.functions:
            if name in self.names:
                raise Refusal(f"calls {name!r}, which is not a function", "write products with *")
            known = sorted([*self.functions, SUM])
            raise self._at(node, f"calls the unknown function {name!r}", _suggest(name, known, "functions"))
        if node.keywords:
            raise Refusal(f"gives {name} a named argument", f"write {name}(...) with plain arguments")
        function = self.functions[name]
        if not function.takes(len(node.args)):
            expected = {0: "at least one argument", 1: "one argument"}.get(
                function.arity, f"{function.arity} arguments"
            )
            raise Refusal(f"gives {name} {len(node.args)} arguments", f"give it {expected}")
        return function.apply([self._visit(argument) for argument in node.args])

    def _sum(self, node: ast.Call) -> Piece:
        over = sum_range(node, self.names, self.ranges)
        if over.index.name in function_names() or over.index.name in CONSTANTS:
            raise Refusal(f"sums over {over.index.name!r}, which stands for something else", "choose another index")
        outer, self.ranges = self.ranges, {**self.ranges, over.index.name: over}
        body = self._visit(node.args[0])
        self.ranges = outer
        return summed(body, over, self.units)

    # ---- messages

    def _at(self, node: ast.expr, what: str, remedy: str) -> ParseError:
        raw = self.text.encode()
        start = len(raw[: node.col_offset].decode())
        stop = len(raw[: node.end_col_offset or node.col_offset + 1].decode())
        return self._error(what, start, stop, remedy)

    def _error(self, what: str, start: int, stop: int, remedy: str) -> ParseError:
        low, high = max(start - 30, 0), min(max(stop, start + 1), start + 60)
        excerpt = self.text[low : high + 20]
        pointer = " " * (start - low) + "^" * max(min(high, len(self.text)) - start, 1)
        piece = self.text[start:high] or "end of the text"
        return ParseError(
            f"{self.where} {what}: {piece!r} at column {start + 1}\n    {excerpt}\n    {pointer}",
            remedy=remedy or "use numbers, names, + - * / ** and the functions " + ", ".join(function_names()),
        )

    def _too_deep(self) -> ParseError:
        return ParseError(
            f"{self.where} is nested more than {MAX_DEPTH} deep or has more than {MAX_NODES} parts; "
            f"it begins {self.text[:30]!r}",
            remedy="simplify the expression",
        )


def _suggest(name: str, known: Sequence[str], kind: str) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listing = f"known {kind}: {', '.join(known) or 'none'}"
    return f"did you mean {near[0]!r}? {listing}" if near else listing
