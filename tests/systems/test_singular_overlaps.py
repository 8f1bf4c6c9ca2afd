"""Risk, gradient and Fisher matrix of every model of the zoo where overlaps are singular, tiny or huge.

No NaN, no warning (they are errors here), and the values of integrals that know nothing of the formulas.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError
from tests.expectation.independent import Problem, ambiguous, expected

WIDTHS = (1e-8, 1.0, 1e4)
EDGES = {
    "X = 0": [[0.0, 0.0], [0.0, 1.0]],
    "X = X*": [[1.0, 1.0], [1.0, 1.0]],
    "X = -X*": [[1.0, -1.0], [-1.0, 1.0]],
    "rank one": [[0.25, 0.5], [0.5, 1.0]],
    "rank one, rounded": [[0.1**2, 0.1 * 0.7], [0.1 * 0.7, 0.7**2]],
    "no teacher": [[1.0, 0.0], [0.0, 0.0]],
    "nothing": [[0.0, 0.0], [0.0, 0.0]],
    "small beside large": [[1e-16, 3e-9], [3e-9, 1.0]],
    "large beside small": [[1.0, -1e-8], [-1e-8, 1e-16]],
}
CASES = [(name, edge) for name, edge in itertools.product(hd.zoo.MODELS, EDGES)]


def mean(model: hd.Model, integrand: sp.Expr, cov: np.ndarray) -> tuple[float, float] | None:
    """E and allowed error; ``None`` where a sign has neither mean nor variance."""
    if model.noise is not None:  # without noise by default
        integrand = integrand.xreplace({model.noise.symbol: sp.Integer(0)})
    plain = tuple(sp.Symbol(v.name, real=True) for v in (*model.students, *model.teachers))
    names = dict(zip((*model.students, *model.teachers), plain, strict=True))
    problem = Problem(integrand.xreplace(names), plain, cov)
    if ambiguous(problem):
        return None
    value, size, terms = expected(problem)
    # at width 1e4 determinants of 1e24 are differences that keep few digits beside 1e16
    return value, 1e-7 * size + 1e-10 * terms


@pytest.mark.parametrize(("name", "edge"), CASES)
def test_values(name: str, edge: str) -> None:
    model = hd.zoo.MODELS[name]()
    theory = hd.derive(model)
    x, loss = model.students[0], model.loss
    slope = sp.diff(loss, x)
    for width in WIDTHS:
        cov = np.array(EDGES[edge]) * width**2
        wanted = [(theory.risk_at(cov), loss, 0.0), (theory.fisher_at(cov)[0, 0], slope**2, 0.0)]
        if name != "lipschitz_phase_retrieval" or cov[0, 0] > 0:
            gradient = theory.gradient_at(cov)
            drift, rounding = 2 * cov @ gradient, 1e-15 * np.abs(cov) @ np.abs(gradient)  # E[r d_x f] by Stein's lemma
            variables = (x, *model.teachers)
            wanted += [(drift[i, 0], r * slope, float(rounding[i, 0])) for i, r in enumerate(variables)]
        for found, integrand, rounding in wanted:
            reference = mean(model, model.average(integrand), cov)
            if reference is not None:
                assert abs(float(found) - reference[0]) <= reference[1] + rounding, (width, integrand, found, reference)


def test_an_infinite_gradient_is_an_error() -> None:
    """The risk of Lipschitz phase retrieval, |x| - |s| squared, has the slope E|s| / sqrt(B11) at X = 0."""
    theory = hd.derive(hd.zoo.lipschitz_phase_retrieval())
    with pytest.raises(DeclarationError, match="gradient is not finite"):
        theory.gradient_at([[0.0, 0.0], [0.0, 1.0]])
