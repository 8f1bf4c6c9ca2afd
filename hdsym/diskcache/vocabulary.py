"""What a cached file may contain: kinds of symbols, constants, functions and records, each by its name.

The text of a file chooses among these tables and gives integers, and names for symbols; nothing in it is ever parsed as
an expression. What has no place here is not cached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from .. import labels, laws, special
from ..cas import Expr, sp
from ..families import ParameterFamily, StudentFamily, TeacherFamily, TrainedFamily
from ..forms import CovarianceSymbol, Mean, ModeSum, Overlap
from ..functions import ANGLES, KNOWN
from ..roles import LabelSymbol, NoiseSymbol, Parameter, Size, StudentSymbol, TeacherSymbol, TrainedSymbol

__all__ = ["CONSTANTS", "DECLARED", "VALUED", "compounds", "plain_symbols", "records"]

Build = Callable[..., Expr]
"""Makes an expression of its arguments without evaluating it."""

DECLARED: Mapping[str, type] = {
    kind.__name__: kind for kind in (StudentSymbol, TeacherSymbol, LabelSymbol, NoiseSymbol, Size)
}
"""Symbols that are their name."""
VALUED: Mapping[str, type] = {kind.__name__: kind for kind in (Parameter, TrainedSymbol)}
"""Symbols with a default and assumptions."""
CONSTANTS: Mapping[str, Expr] = {
    "pi": sp.pi,
    "E": sp.E,
    "I": sp.I,
    "EulerGamma": sp.EulerGamma,
    "oo": sp.oo,
    "-oo": -sp.oo,
    "zoo": sp.zoo,
    "nan": sp.nan,
    "true": sp.true,
    "false": sp.false,
    "covariance": CovarianceSymbol(),
}


@cache
def plain_symbols() -> dict[str, type]:
    """Symbols with assumptions and nothing else."""
    from ..expectation.gaussian import Entry

    return {"Symbol": sp.Symbol, "Entry": Entry}


@cache
def compounds() -> dict[str, tuple[type, Build]]:
    """Expressions with arguments: class and maker, by name."""
    from ..expectation.integral import GaussianIntegral, UnitIntegral
    from ..ir import guards
    from ..minors import minor

    found: dict[str, tuple[type, Build]] = {
        "Add": (sp.Add, _from_args(sp.Add)),
        "Mul": (sp.Mul, _from_args(sp.Mul)),
        "Indexed": (sp.Indexed, lambda base, index: base[index]),
        "ImmutableDenseMatrix": (sp.ImmutableDenseMatrix, _matrix),
    }
    calls: list[Any] = [special.logsumexp, special.log_ndtr, special.owens_t, special.sigmoid, special.softplus]
    calls += [special.offzero, special.residual, minor, sp.Pow, sp.re, sp.im, sp.conjugate, sp.atan2]
    calls += [getattr(guards, name) for name in guards.__all__]
    calls += [value for value in (*KNOWN.values(), *ANGLES.values()) if isinstance(value, type)]
    found |= {kind.__name__: (kind, _unevaluated(kind)) for kind in calls}
    nodes = (GaussianIntegral, UnitIntegral, Overlap, Mean, ModeSum)
    found |= {kind.__name__: (kind, _node(kind)) for kind in nodes}
    families = (StudentFamily, TeacherFamily, ParameterFamily, TrainedFamily)
    found |= {kind.__name__: (kind, kind) for kind in (sp.Tuple, sp.Sum, sp.Idx, *families)}
    return found


def _from_args(kind: Any) -> Build:
    return lambda *args: kind._from_args(args)


def _unevaluated(kind: Any) -> Build:
    return lambda *args: kind(*args, evaluate=False)


def _node(kind: Any) -> Build:
    """Our own nodes, whose arguments are all that they are."""
    return lambda *args: sp.Expr.__new__(kind, *args)


def _matrix(rows: Expr, columns: Expr, entries: Expr) -> Expr:
    return sp.ImmutableDenseMatrix(int(rows), int(columns), list(entries))


@cache
def records() -> dict[str, type]:
    """Frozen dataclasses by name."""
    from ..derive import odes, pipeline
    from ..derive.sized import formulas, kernels
    from ..expectation import expectation, gaussian, rule
    from ..ir import nodes, sized

    kinds: list[type] = [getattr(nodes, name) for name in nodes.__all__ if name != "Statement"]
    kinds += [getattr(sized, name) for name in sized.__all__]
    kinds += [expectation.Expectation, gaussian.Gaussian, gaussian.Origin, rule.Step]
    kinds += [pipeline.Formulas, odes.ModeSystem]
    kinds += [formulas.SizedFormulas, formulas.Quantity, kernels.Kernel, kernels.Call]
    kinds += [getattr(laws, name) for name in laws.__all__]  # of models: in keys only
    kinds += [getattr(labels, name) for name in labels.__all__]
    return {kind.__name__: kind for kind in kinds}
