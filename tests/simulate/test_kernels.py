"""Generated kernels: printed functions, kinks, refusals, several directions, determinism."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
from scipy.special import expit

import hdsym as hd
from hdsym.errors import SimulationError
from hdsym.simulate import declaration, kernels, printer

x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")


NONE = np.empty(0)


class Scalar:
    """The compiled functions of a model with one student and one teacher, called with numbers."""

    def __init__(self, model: hd.Model) -> None:
        self.module = sys.modules[kernels.build(model).path.stem]

    def loss(self, x: float, s: float, y: float, e: float) -> float:
        return self.module.loss(np.array([x]), np.array([s]), y, e, NONE, NONE)

    def gradient(self, x: float, s: float, y: float, e: float) -> float:
        g = np.empty(1)
        self.module.gradient(np.array([x]), np.array([s]), y, e, NONE, NONE, g)
        return float(g[0])


def _module(model: hd.Model) -> Scalar:
    return Scalar(model)


def test_every_function_is_printed_and_its_gradient_is_the_slope():
    """Compiled loss against sympy's own evaluation, compiled gradient against central differences."""
    loss = sum(
        [
            sp.exp(-(x**2)) * sp.sin(x),
            sp.cos(x) / (2 + sp.sinh(x) ** 2),
            sp.tanh(x) * sp.erf(x) + sp.erfc(x / 3) ** 2,
            sp.sqrt(1 + x**2) + (1 + x**2) ** sp.Rational(-3, 2) + sp.log(2 + x**2) ** sp.Rational(5, 3),
            hd.sigmoid(x) * hd.softplus(3 * x) / sp.cosh(x),
            sp.Abs(x - 1) + sp.Max(x, 0, s) + x * sp.Heaviside(x) + x**2 * sp.sign(x) + sp.pi * sp.Min(x, 2, s),
        ]
    )
    module = _module(hd.Model(loss))
    for value in (-2.3, -0.4, 0.7, 1.9):
        exact = float(loss.xreplace({x: sp.Float(value), s: sp.Float(0.31)}).evalf())
        assert module.loss(value, 0.31, 0.0, 0.0) == pytest.approx(exact, rel=1e-13)
        h = 1e-6
        slope = (module.loss(value + h, 0.31, 0.0, 0.0) - module.loss(value - h, 0.31, 0.0, 0.0)) / (2 * h)
        assert module.gradient(value, 0.31, 0.0, 0.0) == pytest.approx(slope, rel=1e-7)


def test_large_arguments_neither_overflow_nor_raise():
    module = _module(hd.zoo.logistic("soft"))
    for value in (-1e4, -800.0, 800.0, 1e4):
        assert module.loss(value, 0.0, 1.0, 0.0) == np.logaddexp(0, value) - value
        assert module.gradient(value, 0.0, 0.0, 0.0) == expit(value)
        assert module.module.softplus(value) == np.logaddexp(0, value)
    assert np.isnan(module.module.sigmoid(np.nan))
    assert np.isnan(module.module.sign(np.nan))


def test_division_by_zero_is_infinite_not_an_exception():
    module = _module(hd.Model((x - s) ** 2 / (x + s)))
    assert np.isinf(module.loss(1.0, -1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("loss", "slope"), [(abs(x), 0.0), (hd.relu(x), 0.5), (x * sp.Heaviside(x), 0.5), (x * sp.sign(x), 0.0)]
)
def test_slope_at_a_kink_is_the_mean_of_both_sides(loss, slope):
    assert _module(hd.Model(loss + s**2)).gradient(0.0, 1.0, 0.0, 0.0) == slope


@pytest.mark.parametrize("loss", [(sp.sign(x) - s) ** 2, sp.Heaviside(x - 1) * x + s, x * sp.sign(x + s)])
def test_a_loss_that_jumps_is_refused(loss):
    with pytest.raises(SimulationError, match="jumps where"):
        kernels.build(hd.Model(loss))


def test_unknown_functions_are_named():
    with pytest.raises(SimulationError, match=r"the function 'gamma', in gamma\(x\), has no compiled form"):
        printer.code(1 + sp.gamma(x), {x: "x0"})
    with pytest.raises(SimulationError, match="the symbol q"):
        printer.code(x + sp.Symbol("q"), {x: "x0"})
    with pytest.raises(SimulationError, match="not a finite number"):
        printer.code(x * sp.Integer(10) ** 400, {x: "x0"})


def test_powers_bind_as_they_should():
    names = {x: "x0"}
    a = sp.Symbol("a", positive=True)
    for expr in (sp.Pow(x**2, sp.Rational(1, 3)), -(x**2), (-x - 1) ** 3, 2**x, x**-2, sp.Pow(a**x, x, evaluate=False)):
        value = eval(printer.code(expr, {**names, a: "a"}), {"x0": 1.7, "a": 1.3, "math": __import__("math")})  # noqa: S307
        assert value == pytest.approx(float(expr.xreplace({x: sp.Float(1.7), a: sp.Float(1.3)}).evalf()), rel=1e-14)


def test_source_is_the_same_in_every_session_and_free_of_names():
    code = (
        "import hdsym as hd; from hdsym.simulate import kernels; import sys; "
        "sys.stdout.write(kernels.source(hd.zoo.logistic('bernoulli')) + kernels.source(hd.zoo.probit()))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1
    plain, named = hd.Model((x - s) ** 2), hd.Model((x - s) ** 2, name='"""; import os')
    assert kernels.source(plain) == kernels.source(named)


def test_several_directions_follow_a_plain_loop():
    """The kernels are written for any l and l*: a committee of two against two teachers, with mini-batches."""
    x2, s2 = hd.student("x2"), hd.teacher("s2")
    loss = (sp.tanh(x) + sp.tanh(x2) - sp.tanh(s) - s2**2) ** 2 / 2
    built = kernels.build(hd.Model(loss))
    d, steps, batch, delta = 6, 25, 3, 0.3
    rng = np.random.default_rng(0)
    X, S, lam = rng.standard_normal((2, d)), rng.standard_normal((2, d)), rng.uniform(0.2, 2, d)
    gamma, W = np.linspace(0.5, 0.1, steps), X.copy()
    code = built.direct(
        np.random.Generator(np.random.SFC64(3)), np.sqrt(lam), W, S, NONE, np.empty(d), np.zeros((2, d)), gamma,
        np.empty((steps, 0)), delta, batch, NONE,
    )  # fmt: skip
    stream = np.random.Generator(np.random.SFC64(3))
    for rate in gamma / d:
        gradient = np.zeros_like(X)
        for _ in range(batch):
            a = np.sqrt(lam) * stream.standard_normal(d)
            (u, v), (p, q) = X @ a, S @ a
            gap = np.tanh(u) + np.tanh(v) - np.tanh(p) - q * q
            gradient += np.outer([gap / np.cosh(u) ** 2, gap / np.cosh(v) ** 2], a) / batch
        X = X - rate * (gradient + delta * X)
    assert code == -1
    np.testing.assert_allclose(W, X, rtol=1e-12)


def test_gradient_does_not_differentiate_the_label():
    """With a link in s the label is data: d/dx sees the loss alone."""
    (slope,) = declaration.gradient(hd.zoo.phase_retrieval())
    assert sp.simplify(slope - x * (x**2 - y)) == 0
