"""Long formulas shown in named pieces."""

from __future__ import annotations

import numpy as np
import sympy as sp

import hdsym as hd
from hdsym.expectation.compact import compact, named_parts
from hdsym.expectation.integral import GaussianIntegral

X, S = sp.symbols("x s", real=True)


def test_names_resolve_to_the_formula_and_shorten_it() -> None:
    found = hd.expect(sp.erf(X) * sp.erf(S) * X**2 * S**2, [X, S])
    pieces = found.compact
    assert pieces.full == found.expr
    assert pieces.operations < 0.7 * sp.count_ops(found.expr)
    assert all(sp.count_ops(value) >= 7 for _, value in pieces.definitions)


def test_short_formulas_stay_as_they_are() -> None:
    found = hd.expect(abs(X) * abs(S), [X, S])
    assert found.compact.definitions == ()
    assert "where" not in str(found.compact)
    assert found.compact.expr == found.expr


def test_integrals_are_named_as_wholes() -> None:
    integrand = sp.tanh(X) ** 2 * S**2 * X**2 + hd.sigmoid(X) * abs(S) + sp.erf(X) ** 2 * S**4
    found = hd.expect(integrand, [X, S])
    pieces = compact(found.expr, short=10)
    named = [str(name) for name, value in pieces.definitions if isinstance(value, GaussianIntegral)]
    assert named == [f"E{k}" for k in range(1, len(found.expr.atoms(GaussianIntegral)) + 1)]
    assert pieces.full == found.expr
    for _, value in pieces.definitions:  # no integration variable outside its integral
        assert isinstance(value, GaussianIntegral) or not value.has(sp.Symbol("u", real=True))


def test_names_do_not_collide_with_symbols_of_the_formula() -> None:
    c1 = sp.Symbol("c1", real=True)
    shared = sp.sqrt(c1 * X + S * X + c1**2 + S**2)
    _, (reduced,) = named_parts([sp.exp(shared) + sp.sin(shared) * c1], short=3)
    assert reduced.has(sp.Symbol("c2", real=True))
    assert reduced.has(c1)


def test_notebooks_and_terminals_show_the_pieces() -> None:
    theory = hd.derive(hd.zoo.probit())
    assert r"c_{1} &= " in theory._repr_latex_()
    assert "c1 =" in str(theory)
    B = np.array([[1.0, 0.3], [0.3, 0.8]])
    values = dict(zip(sp.symbols("B11 B12 B22"), (B[0, 0], B[0, 1], B[1, 1]), strict=True))
    definitions, (risk, *_) = named_parts([theory.risk, theory.gradient, theory.fisher], short=150)
    for name, value in reversed(definitions):
        risk = risk.xreplace({name: value})
    at = {s: values.get(sp.Symbol(s.name), 0.0) for s in risk.free_symbols}
    assert float(risk.xreplace(at)) == float(theory.risk.xreplace(at))
