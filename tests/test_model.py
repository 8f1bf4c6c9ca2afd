"""Declarations: what they hold, and what bad ones say."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.cas import exact, numeric_function, to_expr
from hdsym.errors import DeclarationError, ParameterError
from hdsym.recognise import recognise

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


def test_deterministic_link_has_one_outcome() -> None:
    model = hd.Model(loss=(x**2 - y) ** 2 / 4, link=s**2 + eps, noise=hd.Normal(eps, std=0.1))
    assert model.average(model.loss) == (x**2 - s**2 - eps) ** 2 / 4
    assert (model.n_student, model.n_teacher) == (1, 1)
    assert not model.sampled
    assert "Normal" in model._repr_latex_()


def test_sampled_label_is_averaged_over_its_two_values() -> None:
    model = hd.Model(loss=sp.log(1 + sp.exp(x)) - x * y, link=hd.Bernoulli(1 / (1 + sp.exp(-s))))
    assert model.loss == hd.softplus(x) - x * y
    p = hd.sigmoid(s)
    assert model.average(y) == p
    assert model.average(model.loss) == p * (hd.softplus(x) - x) + (1 - p) * hd.softplus(x)
    assert model.sampled


def test_discrete_noise_is_summed() -> None:
    model = hd.Model(loss=(x - y) ** 2, link=s + eps, noise=hd.Discrete(eps, [0, 2], [sp.Rational(3, 4), 0.25]))
    assert model.average(model.loss) == sp.Rational(3, 4) * (x - s) ** 2 + (x - s - 2) ** 2 / 4
    fair = hd.Model(loss=(x - y) ** 2, link=s + eps, noise=hd.Rademacher(eps))
    assert fair.average(fair.loss) == (x - s - 1) ** 2 / 2 + (x - s + 1) ** 2 / 2


def test_outer_function_may_be_declared_directly() -> None:
    model = hd.Model(loss=(sp.Abs(x) - sp.Abs(s)) ** 2 / 2)
    assert model.label is None
    assert model.average(model.loss) == model.loss


def test_parameters_stay_symbolic_and_get_values() -> None:
    slope = hd.parameter("slope", default=1.0, positive=True)
    model = hd.Model(loss=(slope * x - y) ** 2, link=s + eps, noise=hd.Normal(eps, std=hd.parameter("sigma")))
    assert [p.name for p in model.parameters] == ["sigma", "slope"]
    assert model.parameter_values({"sigma": 0.5}) == {"sigma": 0.5, "slope": 1.0}
    with pytest.raises(ParameterError, match="'sigma' of model has no value"):
        model.parameter_values({})
    with pytest.raises(ParameterError, match="no parameter 'noise'"):
        model.parameter_values({"sigma": 1, "noise": 2})
    with pytest.raises(ParameterError, match="positive"):
        model.parameter_values({"sigma": 1, "slope": -1})
    with pytest.raises(ParameterError, match="nan"):
        model.parameter_values({"sigma": float("nan")})


Z = sp.Symbol("z")
BAD = [
    ({"loss": (x - Z) ** 2, "link": s}, "unknown symbol z"),
    ({"loss": y**2, "link": s}, "does not depend on a student"),
    ({"loss": x**2 + y - y, "link": s}, "labels in the loss"),
    ({"loss": sp.log(x) * y, "link": s}, "not a real, finite number"),
    ({"loss": sp.I * x * y, "link": s}, "not a real"),
    ({"loss": sp.gamma(x) * y, "link": s}, "'gamma'"),
    ({"loss": (x - y) ** 2, "link": s + eps}, "noise eps has no law"),
    ({"loss": (x - y) ** 2, "link": s, "noise": hd.Normal(eps, std=1)}, "eps is not in the link"),
    ({"loss": x - y, "link": hd.Bernoulli(s)}, "probability s of the label"),
    ({"loss": "x - y", "link": s}, "not an expression"),
    ({"loss": (x - s) * y, "link": s}, "made by hd.teacher"),
    ({"loss": (x - y) ** 2, "link": x}, "made by hd.student"),
    ({"loss": (x - y) ** 2, "link": sp.Integer(1)}, "does not depend on a teacher"),
    ({"loss": (x - y) ** 2, "link": hd.Trained("b") * s}, "made by hd.Trained"),
    ({"loss": (x * hd.parameter("s") - y) ** 2, "link": s}, "two different symbols are called 's'"),
    ({"loss": 1 / x**2 * y + sp.zoo, "link": s}, "not a real"),
]


@pytest.mark.parametrize(("declaration", "message"), BAD)
def test_bad_declarations_name_the_offender_and_the_remedy(declaration: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        hd.Model(**declaration)  # type: ignore[arg-type]
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.Normal(x, std=1), "not a noise symbol"),
        (lambda: hd.Normal(eps, std=-1), "std of Normal"),
        (lambda: hd.Normal(eps, std=float("inf")), "not a finite number"),
        (lambda: hd.Normal(eps, std=Z), "contains z"),
        (lambda: hd.Uniform(eps, 1, 1), "low"),
        (lambda: hd.Discrete(eps, [1, 2], [0.5, 0.4]), "sum to"),
        (lambda: hd.Discrete(eps, [1], [0.5, 0.5]), "1 values and 2"),
        (lambda: hd.Discrete(eps, [1, 2], [1.5, -0.5]), "negative"),
        (lambda: hd.Bernoulli("p"), "not an expression"),
        (lambda: hd.student("2x"), "not a name"),
        (lambda: hd.parameter("a b"), "not a name"),
    ],
)
def test_bad_laws_and_symbols(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.remedy


def test_symbols_are_values() -> None:
    assert hd.student("x") == x != hd.teacher("x")
    for symbol in (x, s, y, eps, hd.parameter("p", default=0.1, nonnegative=True)):
        again = pickle.loads(pickle.dumps(symbol))  # noqa: S301  # our own bytes
        assert again == symbol
        assert type(again) is type(symbol)
    assert pickle.loads(pickle.dumps(hd.parameter("p", default=0.1))).default == 0.1  # noqa: S301


def test_floats_become_the_rational_they_were_typed_as() -> None:
    assert exact(0.1 * x) == x / 10
    assert to_expr(0.1) == sp.Rational(1, 10)
    assert to_expr(np.float64(2.5)) == sp.Rational(5, 2)
    assert to_expr("1") is None
    assert to_expr(True) is None


def test_stable_functions() -> None:
    u = sp.Symbol("u", real=True)
    assert hd.sigmoid(u).diff(u) == hd.sigmoid(u) * hd.sigmoid(-u)
    assert hd.softplus(u).diff(u) == hd.sigmoid(u)
    assert float(hd.sigmoid(sp.Float(-2.0)).evalf()) == pytest.approx(0.11920292202211755)
    assert float(hd.softplus(sp.Integer(1)).evalf()) == pytest.approx(1.3132616875182228)
    wide = numeric_function([u], hd.softplus(u) + hd.sigmoid(u))(np.array([-1e4, 1e4]))
    np.testing.assert_allclose(wide, [0.0, 10001.0])
    assert recognise(sp.log(sp.cosh(u))) == hd.softplus(2 * u) - u - sp.log(2)
    assert recognise(sp.Max(u, 0)) == (u + sp.Abs(u)) / 2
    assert hd.relu(u) == (u + sp.Abs(u)) / 2


@pytest.mark.parametrize("name", hd.zoo.MODELS)
def test_zoo_models_are_complete_and_cited(name: str) -> None:
    model = hd.zoo.MODELS[name]()
    assert model.references
    assert model.name
    assert all(p.default is not None for p in model.parameters)


def test_zoo_rejects_unknown_labels() -> None:
    with pytest.raises(DeclarationError, match="hard"):
        hd.zoo.logistic(labels="hard")


def test_parameters_declared_twice_are_one_and_sort() -> None:
    """Equal symbols need not be one object; sympy then compares all they are made of."""
    first, second, other = hd.parameter("c"), hd.parameter("c"), hd.parameter("c", default=1.0)
    assert first is not second
    assert first == second != other
    assert first.compare(second) == 0
    assert first.compare(other) == -other.compare(first) != 0
