"""Models with sums over units: the one derivation for all widths against the sums written out unit by unit."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError
from tests.derive.committees import (
    NORMAL,
    QUANTITIES,
    K,
    M,
    a,
    b,
    c,
    eps,
    erf,
    j,
    k,
    m,
    point,
    s,
    s0,
    slopes,
    teachers,
    units,
    untrained,
    v,
    w,
    x,
    x0,
    y,
)

ACTIVATIONS = {
    "erf": "erf",
    "square": "square",
    "identity": "identity",
    "third Hermite": lambda u: u**3 - 3 * u,
    "tanh": sp.tanh,
    "softplus": hd.softplus,
}
TARGET = teachers(a[m] * erf(s[m])) + eps
OUTPUT = units(v[k] * erf(x[k]))
MODELS = {
    **{name: hd.zoo.committee(g, True) for name, g in ACTIVATIONS.items()},
    "two activations": hd.zoo.committee("square", teacher_activation="erf"),
    "another two": hd.zoo.committee("erf", True, teacher_activation=lambda u: u**3 / 6),
    "erf, 1/K": hd.zoo.committee("erf", True, normalisation="1/K"),
    "square, 1/sqrt(K)": hd.zoo.committee("square", True, normalisation="1/sqrt(K)"),
    "trained biases": hd.Model((units(v[k] * erf(x[k] + b[k])) - y) ** 2 / 2, TARGET, NORMAL),
    "given slopes": hd.Model((units(erf(c[k] * x[k])) - y) ** 2 / 2, TARGET, NORMAL),
    "two scalars, one index": hd.Model((units(v[k] * x[k] ** 2 + b[k] * x[k]) - y) ** 2 / 2, TARGET, NORMAL),
    "two students, one index": hd.Model(
        (units(x[k] * hd.student("z", size=K)[k]) - y) ** 2 / 2, teachers(s[m] ** 2) + eps, NORMAL
    ),
    "a plain student beside": hd.Model((units(v[k] * x[k] ** 2) + w * x0 - y) ** 2 / 2, s0 + s0**2 / 2 + eps, NORMAL),
    "double sum": hd.Model(
        (sp.Sum(c[k] * c[j] * x[k] * x[j], (k, 1, K), (j, 1, K)) - y) ** 2 / 2, teachers(s[m] ** 2) + eps, NORMAL
    ),
    "third power": hd.Model(units(v[k] * x[k]) ** 3 / 3 - y * units(v[k] * x[k]), teachers(s[m] ** 3) + eps, NORMAL),
    "fourth power": hd.Model((units(v[k] * x[k]) - y) ** 4 / 4, teachers(a[m] * s[m]) + eps, NORMAL),
    "noise inside": hd.Model((OUTPUT - y) ** 2 / 2, teachers(a[m] * erf(s[m] + eps)), NORMAL),
    "signs as noise": hd.Model((OUTPUT - y) ** 2 / 2, teachers(a[m] * erf(s[m])) + eps / 3, hd.Rademacher(eps)),
    "Bernoulli labels": hd.Model((OUTPUT - y) ** 2 / 2, hd.Bernoulli((1 + teachers(erf(s[m])) / M) / 2)),
    "Poisson labels": hd.Model((units(v[k] * x[k] ** 2) - y) ** 2 / 2, hd.Poisson(teachers(s[m] ** 2) / M)),
    "either label": hd.Model(
        (OUTPUT - y) ** 2 / 2, hd.Categorical((eps, teachers(s[m])), (sp.Rational(1, 3), sp.Rational(2, 3))), NORMAL
    ),
    "no sums, a trained bias": hd.Model(hd.softplus(x0 + w) - (x0 + w) * y, hd.Bernoulli(hd.sigmoid(s0))),
}
NUMERICAL = ("tanh", "softplus", "no sums, a trained bias")


@cache
def theory(name: str) -> hd.SizedDerivation:
    return hd.derive(MODELS[name])


@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n == "fourth power")) for n in MODELS])
def test_equals_the_sums_written_out(name: str, widths: tuple[int, int]) -> None:
    at = point(MODELS[name], *widths, seed=sum(widths))
    if widths != (1, 1) and not at.sizes:
        pytest.skip("there is but one width")
    explicit = hd.derive(untrained(at.explicit))
    accuracy = 1e-8 if name in NUMERICAL else 1e-12
    for quantity in QUANTITIES:
        found = getattr(theory(name), quantity)(at.B, at.parameters, at.sizes)
        wanted = getattr(explicit, quantity)(at.B, at.values)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=accuracy * np.max(np.abs(wanted)), err_msg=quantity)
    if at.explicit.trained:
        found = theory(name).trained_gradient_at(at.B, at.parameters, at.sizes)
        np.testing.assert_allclose(found, slopes(explicit, at), rtol=1e-7, atol=1e-9)
    assert theory(name).exact == (name not in NUMERICAL)


@pytest.mark.slow
@pytest.mark.parametrize("widths", [(2, 2), (3, 1)])
@pytest.mark.parametrize("name", ["erf", "square", "trained biases", "third power"])
def test_equals_larger_sums_written_out(name: str, widths: tuple[int, int]) -> None:
    test_equals_the_sums_written_out(name, widths)


def test_batches_of_overlaps() -> None:
    at = point(MODELS["erf"], 2, 1)
    batch = np.stack([at.B, 2 * at.B, at.B + np.eye(3)])[:, None]
    for quantity in (*QUANTITIES, "trained_gradient_at"):
        together = getattr(theory("erf"), quantity)(batch, at.parameters, at.sizes)
        alone = [getattr(theory("erf"), quantity)(B[0], at.parameters, at.sizes) for B in batch]
        np.testing.assert_array_equal(together[:, 0], np.stack(alone))


def test_a_model_without_sums_but_with_a_trained_scalar() -> None:
    """Logistic regression on labels with a bias: stationary at the teacher with that bias, and moves towards it."""
    biased = hd.derive(hd.Model(hd.softplus(x0 + w) - (x0 + w) * y, hd.Bernoulli(hd.sigmoid(s0 + sp.Rational(1, 2)))))
    found = np.ones((2, 2))
    assert biased.trained_gradient_at(found, {"w": 0.5}) == pytest.approx(0.0, abs=1e-9)
    assert 2 * found @ biased.gradient_at(found, {"w": 0.5}) == pytest.approx(np.zeros((2, 1)), abs=1e-9)
    problem = hd.Problem(
        hd.spectrum.identity(), hd.start.overlaps(Q=1.0, M=0.9, T=1.0), 0.01, parameters={"w": 0.0}, horizon=1.0
    )
    path = biased.solve(problem, t_eval=[0.0, 1e-3, 1.0])
    slope = biased.trained_gradient_at(path.overlaps[0].values, {"w": 0.0})
    assert path.dataset["trained"].values[1, 0] == pytest.approx(-0.01 * 1e-3 * slope[0], rel=1e-4)
    assert path.risk[2] < path.risk[0]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (sp.exp(units(x[k])) - y, "inside a function that is no polynomial"),
        (sp.Abs(units(x[k]) - y), "inside a function that is no polynomial"),
        (sp.sqrt(1 + (units(x[k]) - y) ** 2), "inside a function that is no polynomial"),
        (y * units(erf(x[k])) ** 3, "couples 8 preactivations"),
    ],
)
def test_what_has_no_kernels_of_few_preactivations(loss: sp.Expr, message: str) -> None:
    model = hd.Model(loss, teachers(s[m]) + eps, NORMAL)
    with pytest.raises(DeclarationError, match=message) as caught:
        hd.derive(model)
    assert caught.value.remedy


def test_a_probability_that_is_no_polynomial_of_its_sum() -> None:
    model = hd.Model((units(x[k]) - y) ** 2, hd.Bernoulli(hd.sigmoid(teachers(s[m]))))
    with pytest.raises(DeclarationError, match="no polynomial"):
        hd.derive(model)


def test_an_element_outside_its_sum() -> None:
    with pytest.raises(DeclarationError, match=r"x\[k\]") as caught:
        hd.derive(hd.Model((x[k] * units(x[k]) - y) ** 2, teachers(s[m])))
    assert caught.value.remedy


def test_overlaps_of_another_width() -> None:
    at = point(MODELS["erf"], 2, 1)
    with pytest.raises(DeclarationError, match=r"shape \(3, 3\)"):
        theory("erf").risk_at(at.B, at.parameters | {"v": 1.0}, {"K": 3, "M": 1})
