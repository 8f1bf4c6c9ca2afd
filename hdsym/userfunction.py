"""Functions a user declares by Python code: evaluated numerically by every target, differentiated as declared."""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
from collections.abc import Callable
from typing import Any, ClassVar

from .cas import Expr, sp
from .errors import DeclarationError

__all__ = ["UserFunction", "function", "sources"]

_ALLOWED = {"np", "math", "abs", "min", "max", "float"}
_PARITIES = {"even": 1, "odd": -1, None: 0}


class UserFunction(sp.Function):  # type: ignore[misc]  # sympy is untyped
    """Base of the functions made by :func:`function`."""

    source: ClassVar[str] = ""
    code: ClassVar[Callable[[Any], Any] | None] = None
    derivative: ClassVar[Callable[[Expr], Expr] | None] = None
    parity: ClassVar[int] = 0

    @classmethod
    def eval(cls, u: Expr) -> Expr | None:
        if cls.parity and u.could_extract_minus_sign():
            return cls.parity * cls(-u)
        return sp.S.Zero if cls.parity < 0 and u.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        derive = type(self).derivative
        if derive is None:
            raise DeclarationError(
                f"the derivative of {type(self).__name__} is needed and was not declared",
                remedy=f"hd.function({type(self).__name__!r}, ..., derivative=lambda u: ...)",
            )
        return derive(self.args[0])

    def _eval_evalf(self, prec: int) -> Expr | None:
        u = self.args[0].evalf()
        code = type(self).code
        return sp.Float(float(code(float(u)))) if code is not None and u.is_Float else None

    def _eval_is_real(self) -> bool | None:
        return bool(self.args[0].is_extended_real) or None


def function(
    name: str,
    code: Callable[[Any], Any],
    derivative: Callable[[Expr], Expr] | None = None,
    parity: str | None = None,
) -> Any:
    """Declare a smooth function of one real argument by the Python code that computes it.

    Parameters
    ----------
    name:
        Its name in formulas and in generated code.
    code:
        A plain ``def`` of one argument that uses only that argument, ``np`` and ``math``; its source text goes into
        generated modules, which then stand alone, and into compiled simulators. It must work elementwise on arrays.
    derivative:
        Sympy expression of the derivative as a function of a sympy argument; it may use other declared functions.
        Needed for the gradient; twice differentiated losses need that of the derivative too.
    parity:
        "even", "odd" or ``None``.

    Returns
    -------
    A sympy function class.

    Raises
    ------
    DeclarationError
        If the code has no source text, is not such a function, or its declared parity or derivative is not its own.

    Examples
    --------
    >>> import hdsym as hd, sympy as sp
    >>> def bump(u):
    ...     return np.exp(-u * u)
    >>> g = hd.function("bump", bump, derivative=lambda u: -2 * u * g(u), parity="even")  # doctest: +SKIP
    """
    if not str(name).isidentifier() or hasattr(builtins, str(name)) or name in ("np", "math"):
        raise DeclarationError(f"{name!r} is not a name for a function", remedy="use an identifier of your own")
    if parity not in _PARITIES:
        raise DeclarationError(f"parity is {parity!r}", remedy='it is "even", "odd" or None')
    source = _source(name, code)
    derived = None if derivative is None else staticmethod(derivative)
    members = {
        "source": source,
        "code": staticmethod(code),
        "derivative": derived,
        "parity": _PARITIES[parity],
        "__module__": __name__,
    }
    made = type(name, (UserFunction,), members)
    _check_parity(name, code, _PARITIES[parity])
    return made


def sources(*expressions: Expr) -> tuple[str, ...]:
    """Source texts of the declared functions in `expressions`, each once, in the order of their names."""
    found = {type(node) for expr in expressions for node in expr.atoms(UserFunction)}
    return tuple(kind.source for kind in sorted(found, key=lambda kind: str(kind.__name__)))


def _source(name: str, code: Callable[[Any], Any]) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(code))
        tree = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        raise DeclarationError(
            f"the code of {name} has no source text", remedy="write it as a def in a file or a notebook cell"
        ) from None
    if not isinstance(tree, ast.FunctionDef) or len(tree.args.args) != 1 or tree.decorator_list:
        raise DeclarationError(f"the code of {name} is not a plain def of one argument", remedy="write def f(u): ...")
    bound = {tree.args.args[0].arg} | {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and _stored(n)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    strange = sorted(used - bound - _ALLOWED)
    if strange:
        raise DeclarationError(
            f"the code of {name} uses {', '.join(strange)}", remedy="use only its argument, np and math"
        )
    tree.name, tree.returns, tree.args.args[0].annotation = name, None, None
    return ast.unparse(ast.fix_missing_locations(tree))


def _stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _check_parity(name: str, code: Callable[[Any], Any], parity: int) -> None:
    for u in (0.37, 1.9):
        value, mirrored = float(code(u)), float(code(-u))
        if not math.isfinite(value):
            raise DeclarationError(f"{name}({u}) is {value}", remedy="declare a function with finite values")
        if parity and not math.isclose(mirrored, parity * value, rel_tol=1e-9, abs_tol=1e-12):
            word = "even" if parity > 0 else "odd"
            raise DeclarationError(
                f"{name} is declared {word}, but {name}({u}) = {value} and {name}({-u}) = {mirrored}",
                remedy="leave the parity out",
            )
