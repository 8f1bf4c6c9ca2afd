"""The zoo's models with several directions: their formulas, their parameters, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError
from hdsym.labels import Categorical

x1, x2, x3 = hd.student("x", size=3)
s1, s2, s3 = hd.teacher("s", size=3)
y, eps = hd.label("y"), hd.noise("eps")
RELU = lambda u: (u + sp.Abs(u)) / 2  # noqa: E731


@pytest.mark.parametrize(
    ("activation", "g"),
    [
        ("erf", lambda u: sp.erf(u / sp.sqrt(2))),
        ("relu", RELU),
        ("square", lambda u: u**2),
        ("identity", lambda u: u),
        (sp.tanh, sp.tanh),
        (hd.softplus, hd.softplus),
        (lambda u: (u**3 - 3 * u) / 6, lambda u: (u**3 - 3 * u) / 6),
    ],
)
def test_committee(activation: object, g: object) -> None:
    model = hd.zoo.committee(activation).at(K=2, M=1)
    assert [p.name for p in model.parameters] == ["a1", "noise_std", "v1", "v2"]
    a1, sigma, v1, v2 = model.parameters
    assert sp.expand(model.loss - (v1 * g(x1) + v2 * g(x2) - y) ** 2 / 2) == 0
    assert sp.expand(model.link - a1 * g(s1) - eps) == 0
    assert model.noise == hd.Normal(eps, std=sigma)
    assert model.parameter_values({}) == {"a1": 1.0, "noise_std": 0.0, "v1": 1.0, "v2": 1.0}
    assert model.trained == ()


@pytest.mark.parametrize(("normalisation", "power"), [("1", 0), ("1/K", 1), ("1/sqrt(K)", sp.Rational(1, 2))])
def test_committee_of_two_activations_with_a_trained_layer(normalisation: str, power: sp.Expr) -> None:
    sized = hd.zoo.committee(
        "relu", True, teacher_activation="square", normalisation=normalisation, noise_std=sp.Rational(1, 5)
    )
    assert [size.name for size in sized.sizes] == ["K", "M"]
    model = sized.at(K=2, M=3)
    v1, v2 = model.trained
    a = model.parameters
    assert [p.name for p in a] == ["a1", "a2", "a3"]
    assert sp.simplify(model.loss - ((v1 * RELU(x1) + v2 * RELU(x2)) / 2**power - y) ** 2 / 2) == 0
    assert sp.simplify(model.link - (a[0] * s1**2 + a[1] * s2**2 + a[2] * s3**2) / 3**power - eps) == 0
    assert model.trained_values({"v": [0.5, 2]}) == {"v1": 0.5, "v2": 2.0}
    assert "trained" in model.name
    assert model.noise.std == sp.Rational(1, 5)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_sampled_and_soft_labels_have_one_mean_loss(classes: int) -> None:
    soft, sampled = hd.zoo.multiclass_logistic(classes), hd.zoo.multiclass_logistic(classes, labels="sampled")
    assert (soft.n_student, soft.n_teacher, sampled.n_student, sampled.n_teacher) == (classes,) * 4
    assert soft.sampled < sampled.sampled
    rng = np.random.default_rng(0)
    for _ in range(3):
        x, s = rng.standard_normal((2, classes))
        point = dict(zip((*soft.students, *soft.teachers), map(sp.Float, (*x, *s)), strict=True))
        p = np.exp(s) / np.exp(s).sum()
        exact = np.log(np.exp(x).sum()) - p @ x
        for model in (soft, sampled):
            assert float(model.average(model.loss).xreplace(point).evalf()) == pytest.approx(exact, rel=1e-12)
        for k, (weight, value) in enumerate(sampled.link.chances, start=1):
            assert value == k
            assert float(weight.xreplace(point).evalf()) == pytest.approx(p[k - 1], rel=1e-12)
            loss = sampled.loss.xreplace({sampled.label: value}).xreplace(point)
            assert float(loss.evalf()) == pytest.approx(np.log(np.exp(x).sum()) - x[k - 1], rel=1e-12)


@pytest.mark.parametrize("components", [2, 3])
def test_mixed_regression(components: int) -> None:
    model = hd.zoo.mixed_regression(components, noise_std=0.1)
    assert isinstance(model.link, Categorical)
    assert model.link.values == tuple(s + eps for s in (s1, s2, s3)[:components])
    assert set(model.link.probabilities) == {sp.Rational(1, components)}
    x, label = np.array([0.3, -1.2, 2.0])[:components], 0.9
    point = {**dict(zip((x1, x2, x3), map(sp.Float, x), strict=False)), y: sp.Float(label)}
    assert float(model.loss.xreplace(point)) == pytest.approx(np.min((x - label) ** 2) / 2)


def test_kinks_of_a_smallest_square_are_affine() -> None:
    """What conditions on a sign, or splits an integral, needs |u - v| |u + v| and not |u^2 - v^2|."""
    inside = {node.args[0] for node in hd.zoo.mixed_regression(2).loss.atoms(sp.Abs)}
    assert {sp.Poly(arg, *sorted(arg.free_symbols, key=str)).total_degree() for arg in inside} == {1}


@pytest.mark.parametrize("name", hd.zoo.MULTI_INDEX)
def test_models_are_complete_and_cited(name: str) -> None:
    model = hd.zoo.MULTI_INDEX[name]()
    assert model.references
    assert all(p.default is not None for p in (*model.parameters, *model.trained))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.zoo.committee("tanh"), "activation is 'tanh'"),
        (lambda: hd.zoo.committee(3), "activation is 3"),
        (lambda: hd.zoo.committee(lambda u: "u"), "activation is <function"),
        (lambda: hd.zoo.committee(teacher_activation="step"), "teacher_activation is 'step'"),
        (lambda: hd.zoo.committee(sp.gamma), "'gamma'"),
        (lambda: hd.zoo.committee(normalisation="K"), "normalisation is 'K'"),
        (lambda: hd.zoo.multiclass_logistic(1), "classes is 1"),
        (lambda: hd.zoo.multiclass_logistic(2.5), "classes is 2.5"),
        (lambda: hd.zoo.multiclass_logistic(3, labels="hard"), "labels is 'hard'"),
        (lambda: hd.zoo.mixed_regression(0), "components is 0"),
    ],
)
def test_mistakes(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.remedy
