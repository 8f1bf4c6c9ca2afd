"""Nodes of quadrature in numba: the call that gives those of a plan, and what it looks up."""

from __future__ import annotations

from collections.abc import Sequence

from ..cas import Expr
from ..ir.nodes import Feature, Function, Integral
from .numba_printer import NumbaPrinter
from .statements import POINTS, brackets

__all__ = ["array", "canonical", "law", "nodes", "scalar", "tables"]

scalar = NumbaPrinter()
_NODES = {
    ("trapezoid", 1): "_gaussian_nodes",
    ("panels", 1): "_split_nodes",
    ("trapezoid", 2): "_gaussian_nodes_2d",
    ("panels", 2): "_split_nodes_2d",
}


def tables(*functions: Function) -> dict[str, str]:
    """Arguments of compiled functions in which their quadrature looks something up, and how they are made."""
    plans = [plan for function in functions for plan in function.integrals()]
    found = {"rules": "_rules()"} if any(plan.rule == "separable" for plan in plans) else {}
    points = sorted({(plan.dimension, POINTS[plan.sharp]) for plan in plans if plan.rule == "quasi"})
    return found | {f"points_{size}_{level}": f"_points({size}, {level}, refine)" for size, level in points}


def nodes(plan: Integral) -> str:
    """The call that gives the nodes and weights of a plan, or lines of them one after another."""
    if plan.rule == "quasi":
        return f"_quasi_nodes({law(plan)}, points_{plan.dimension}_{POINTS[plan.sharp]})"
    name = _NODES.get((plan.rule, plan.dimension), f"_{plan.rule}_nodes")
    if plan.rule == "trapezoid":
        return f"{name}({law(plan)}, refine)"
    if plan.rule in ("plane", "tensor"):
        return f"{name}({law(plan)}, {_forms(plan)}, {plan.steepness}, refine)"
    slopes = ", ".join(_slopes(values) for values in (plan.growth, plan.frequency))
    return f"{name}({law(plan)}, {_forms(plan)}, {slopes}, refine)"


def canonical(plan: Integral) -> str:
    """The call that gives the canonical axes of the two factors of a plan, and the nodes on them."""
    return f"_canonical({law(plan)}, {plan.sizes[0]}, {_forms(plan)}, {plan.steepness}, refine, rules)"


def law(plan: Integral) -> str:
    """Mean and covariance, by its upper triangle: numbers in one dimension, else arrays."""
    size = plan.dimension
    if size == 1:
        return f"{scalar(plan.mean[0])}, {scalar(plan.cov[0])}"
    upper = [scalar(plan.cov[i * size + j]) for i in range(size) for j in range(i, size)]
    return f"{array([scalar(m) for m in plan.mean])}, {array(upper)}"


def array(rows: Sequence[str], columns: int = 0) -> str:
    """A numpy array of numbers, or of rows of so many of them."""
    return f"np.array({brackets(rows)})" if rows else f"np.empty((0, {columns}))"


def _forms(plan: Integral) -> str:
    return array([_form(feature) for feature in plan.features], plan.dimension + 2)


def _form(feature: Feature) -> str:
    numbers = [scalar(c) for c in (*feature.coefficients, feature.constant)]
    return f"({', '.join([*numbers, '0.0' if feature.sharp else '1.0'])})"


def _slopes(values: tuple[Expr, ...]) -> str:
    texts = [scalar(value) for value in values]
    return texts[0] if len(texts) == 1 else array(texts)
