"""Families and sized models: indices, sizes, sums written out, values by array."""

from __future__ import annotations

import pickle

import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError, ParameterError
from hdsym.roles import StudentSymbol, natural_key
from hdsym.symbols import Parameter, Size, TrainedSymbol
from tests.work import calls

K, M = hd.size("K"), hd.size("M")
i, j = sp.Symbol("i", integer=True), sp.Idx("j")
x, s = hd.student("x", size=K), hd.teacher("s", size="M")
y, eps = hd.label("y"), hd.noise("eps")
v = hd.Trained("v", size=K, default=1.0)
a = hd.parameter("a", size=M, positive=True)
sigma = hd.parameter("sigma", default=0.5)


def committee(**changes: object) -> hd.Model:
    parts = {
        "loss": (sp.Sum(v[i] * sp.tanh(x[i]), (i, 1, K)) / sp.sqrt(K) - y) ** 2 / 2,
        "link": sp.Sum(a[j] * sp.tanh(s[j]), (j, 1, M)) / M + eps,
        "noise": hd.Normal(eps, std=sigma),
        "name": "committee",
        "references": ("a paper",),
        **changes,
    }
    return hd.Model(**parts)  # type: ignore[arg-type]


def test_items_are_indexed_and_elements_are_symbols() -> None:
    assert isinstance(x[i], sp.Indexed)
    assert x[i].is_real
    assert a[j].is_positive
    assert x.element(3) == hd.student("x3")
    assert isinstance(v.element(2), TrainedSymbol)
    assert (v.element(2).default, a.element(1).is_positive) == (1.0, True)
    assert hd.student("x1", size=2).element(2) == hd.student("x1_2")
    assert (x.size, x.name, x.explicit) == (K, "x", False)
    assert isinstance(K, Size)
    assert hd.Trained("b") == TrainedSymbol("b", real=True)


def test_families_of_integer_size_are_sequences() -> None:
    three = hd.student("u", size=3)
    first, second, third = three
    assert (len(three), second) == (3, hd.student("u2"))
    assert three[1] == first
    assert three[sp.Integer(3)] == third
    for bad in (0, 4, -1):
        with pytest.raises(DeclarationError, match=rf"u\[{bad}\] is outside 1, ..., 3"):
            three[bad]
    with pytest.raises(DeclarationError, match="size K, which is not known"):
        len(x)
    with pytest.raises(DeclarationError, match="x\\[0\\] is outside"):
        x[0]


@pytest.mark.parametrize("bad", [1.5, "i", slice(2), (i, i), sp.Symbol("r")])
def test_an_index_is_an_integer(bad: object) -> None:
    with pytest.raises(DeclarationError, match="x is given the ind"):
        x[bad]


@pytest.mark.parametrize("bad", [0, -2, 1.5, True, sp.Symbol("K"), "2 K", None.__class__])
def test_a_size_is_a_positive_integer(bad: object) -> None:
    with pytest.raises(DeclarationError):
        hd.student("x", size=bad)


def test_sympy_s_own_symbols_are_left_alone() -> None:
    """Symbols of equal assumptions share a dictionary of them, which IndexedBase would change."""
    hd.student("x", size=K)
    assert sp.Symbol("fresh", real=True)._assumptions_orig == {"real": True}
    assert sp.solveset(sp.Symbol("fresh", real=True) - 1, sp.Symbol("fresh", real=True), sp.S.Reals) == {1}


def test_families_are_values() -> None:
    assert x == hd.student("x", size="K") == hd.student("x", size=sp.Symbol("K", integer=True, positive=True))
    assert x != hd.student("x", size=M) != hd.teacher("x", size=M)
    for family in (x, s, v, a, hd.student("x", size=2)):
        again = pickle.loads(pickle.dumps(family))  # noqa: S301  # our own bytes
        assert (again, again.default, type(again)) == (family, family.default, type(family))
    model = committee()
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301


def test_a_sized_model_says_what_it_holds() -> None:
    model = committee()
    assert model.sized
    assert model.sizes == (K, M)
    assert model.families == (x, s, a, v)
    assert (model.students, model.teachers, model.trained) == ((x,), (s,), (v,))
    assert model.parameters == (a, sigma)
    assert "sum" in model._repr_latex_()
    for ask in (lambda: model.n_student, lambda: model.n_teacher, lambda: model.parameter_values({})):
        with pytest.raises(DeclarationError, match=r"K, M\n.*model\.at\(K=3, M=3\)"):
            ask()


def test_at_writes_the_sums_out() -> None:
    model = committee()
    explicit = model.at(K=2, M=1)
    x1, x2, s1 = hd.student("x1"), hd.student("x2"), hd.teacher("s1")
    v1, v2 = (hd.Trained(name, default=1.0) for name in ("v1", "v2"))
    a1 = Parameter("a1", real=True, positive=True)
    assert explicit.loss == ((v1 * sp.tanh(x1) + v2 * sp.tanh(x2)) / sp.sqrt(2) - y) ** 2 / 2
    assert explicit.link == a1 * sp.tanh(s1) + eps
    assert not explicit.sized
    assert (explicit.students, explicit.teachers) == ((x1, x2), (s1,))
    assert (explicit.parameters, explicit.trained) == ((a1, sigma), (v1, v2))
    assert (explicit.name, explicit.references, explicit.noise) == ("committee", ("a paper",), model.noise)
    assert explicit.at() is explicit
    assert explicit is model.at({"K": 2}, M=1) is model.at({K: 2, M: 1})
    assert model.at(K=3, M=1).n_student == 3


def test_families_of_integer_size_are_written_out_at_once() -> None:
    u, w = hd.student("u", size=2), hd.teacher("w", size=2)
    model = hd.Model((sp.Sum(u[i], (i, 1, 2)) - sp.Sum(w[i] ** 2, (i, 1, 2))) ** 2)
    u1, u2 = u
    assert not model.sized
    assert model.loss == (u1 + u2 - w[1] ** 2 - w[2] ** 2) ** 2
    pairs = sp.Sum(u[i] * u[sp.Symbol("k", integer=True)], (i, 1, 2), (sp.Symbol("k", integer=True), 1, 2))
    assert sp.expand(hd.Model(pairs + w[1]).loss - w[1] - (u1 + u2) ** 2) == 0
    triangle = sp.Sum(u[i] * u[j], (i, 1, j), (j, 1, 2))
    assert sp.expand(hd.Model(triangle + w[1]).loss - w[1] - u1**2 - u1 * u2 - u2**2) == 0
    assert sp.expand(hd.Model(sp.Sum(sp.Sum(u[i], (i, 1, j)), (j, 1, 2)) + w[1]).loss - w[1] - 2 * u1 - u2) == 0
    half = sp.Sum(x[j] * u[i], (i, 1, 2), (j, 1, K))  # one size known, one not
    assert sp.expand(hd.Model(half + w[1]).at(K=1).loss - w[1] - hd.student("x1") * (u1 + u2)) == 0
    nested = sp.Sum(u[i] * sp.Sum(u[i], (i, 1, 2)), (i, 1, 2))
    assert sp.expand(hd.Model(nested + w[1]).loss - w[1] - (u1 + u2) ** 2) == 0


def test_plain_integer_symbols_stand_for_sizes() -> None:
    plain = sp.Symbol("K", integer=True, positive=True)
    model = hd.Model((sp.Sum(x[i], (i, 1, plain)) / plain - hd.teacher("z")) ** 2)
    assert model.sizes == (K,)
    assert model.at(K=4).loss == (sum(hd.student(f"x{k}") for k in range(1, 5)) / 4 - hd.teacher("z")) ** 2


def test_single_units_beside_a_sum() -> None:
    """x[3] needs three units; x.element(3) and x[3] are the same unit."""
    total = sp.Sum(x[i], (i, 1, K))
    for third in (x[3], x.element(3)):
        model = hd.Model((total - third - hd.teacher("z")) ** 2)
        assert model.at(K=3).loss == (hd.student("x1") + hd.student("x2") - hd.teacher("z")) ** 2
        with pytest.raises(DeclarationError, match=r"x\[3\] is outside 1, ..., 2"):
            model.at(K=2)


def test_rows_are_in_natural_order() -> None:
    b, z = hd.student("b", size=M), hd.student("b_extra")
    model = hd.Model(
        (sp.Sum(x[i], (i, 1, K)) + sp.Sum(b[i], (i, 1, M)) + z - hd.teacher("s10") - hd.teacher("s9")) ** 2
    )
    assert model.students == (b, z, x)
    names = [symbol.name for symbol in model.at(K=11, M=2).students]
    assert names == ["b1", "b2", "b_extra", *(f"x{k}" for k in range(1, 12))]
    assert [symbol.name for symbol in model.teachers] == ["s9", "s10"]
    assert sorted(["x10", "x2", "x", "x1_2", "x1_10"], key=natural_key) == ["x", "x2", "x10", "x1_2", "x1_10"]


total = sp.Sum(x[i], (i, 1, K))
z = hd.teacher("z")
BAD_MODELS = [
    (x[i] * z, r"x\[i\] outside of a sum over i"),
    (x * z, "x without an index"),
    (sp.Sum(x[i] * z, (i, 1, M)), "but x has the size K"),
    (sp.Sum(x[i] * z, (i, 0, K)), "sum over i = 0, ..., K"),
    (sp.Sum(x[i] * z, (i, 1, K - 1)), "sum over i = 1, ..., K - 1"),
    (total * z + sp.IndexedBase("q", real=True)[1], "q has no role"),
    (total * z + hd.teacher("x3"), "'x3' and the family 'x'"),
    (total * z + hd.teacher("x"), "'x' and the family 'x'"),
    (total * z + sp.Sum(hd.student("x", size=M)[i], (i, 1, M)), "two different families are called 'x'"),
    (total * z + sp.Symbol("q") * total, "unknown symbol q"),
    (sp.Sum(sp.gamma(x[i]), (i, 1, K)) * z, "'gamma'"),
    (sp.Sum(s[i], (i, 1, M)) * K, "does not depend on a student"),
    (sp.Sum(sp.Sum(x[i], (i, 1, j)), (j, 1, K)) * z, "sum over i = 1, ..., j"),
    (sp.Sum(hd.student("u", size=3)[i], (i, 1, 4)) * z, r"u\[4\] is outside 1, ..., 3"),
]


@pytest.mark.parametrize(("loss", "message"), BAD_MODELS)
def test_bad_sums_name_the_offender(loss: sp.Expr, message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        hd.Model(loss)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"K": 2}, "without a value: M"),
        ({"K": 2, "M": 1, "N": 3}, "no size 'N'"),
        ({"K": 0, "M": 1}, "size K is 0"),
        ({"K": 1.5, "M": 1}, "size K is 1.5"),
    ],
)
def test_bad_sizes(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        committee().at(sizes)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_values_of_a_family_are_an_array_or_one_number() -> None:
    explicit = committee().at(K=2, M=3)
    values = {"a": [1, 2, 3], "v": (0.5, -1.0), "sigma": 0.1}
    assert explicit.parameter_values(values) == {"a1": 1.0, "a2": 2.0, "a3": 3.0, "sigma": 0.1}
    assert explicit.trained_values(values) == {"v1": 0.5, "v2": -1.0}
    assert explicit.parameter_values({a: 2}) == {"a1": 2.0, "a2": 2.0, "a3": 2.0, "sigma": 0.5}
    assert explicit.trained_values({"a": 1, "v2": 7}) == {"v1": 1.0, "v2": 7.0}
    w = hd.parameter("w", size=2)
    direct = hd.Model(sp.Sum(w[i] * hd.student("u", size=2)[i], (i, 1, 2)) * z)
    assert direct.parameter_values({"w": [3, 4]}) == {"w1": 3.0, "w2": 4.0}
    mixed = hd.Model(sp.Sum(w[i] * hd.student("u", size=2)[i], (i, 1, 2)) * z + total)
    assert mixed.at(K=1).parameter_values({"w": [3, 4]}) == {"w1": 3.0, "w2": 4.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": [1, 2]}, r"'a' have shape \(2,\), but committee has 3 units"),
        ({"a": [[1, 2, 3]]}, "'a' have shape"),
        ({"a": 1, "a2": 1}, "'a2' is given twice"),
        ({"a": [1, 2, float("nan")]}, "'a3' is given nan"),
        ({"a": [1, -2, 3]}, "'a2' is given -2.0, but was declared positive"),
        ({}, "'a1' of committee has no value"),
        ({"a": 1, "b": 1}, "no parameter 'b'"),
        ({"a": 1, "x": 1}, "no parameter 'x'"),
        ({"a": 1, "sigma": [1, 2]}, "'sigma' is given"),
    ],
)
def test_bad_values(values: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        committee().at(K=2, M=3).parameter_values(values)
    assert caught.value.remedy


def test_explicit_models_of_several_directions() -> None:
    first, second, t1 = hd.student("x1"), hd.student("x2"), hd.teacher("t")
    model = hd.Model((first * second - t1) ** 2 + hd.Trained("b") * first)
    assert (model.n_student, model.n_teacher) == (2, 1)
    assert model.trained == (hd.Trained("b"),)
    assert model.parameters == ()
    assert isinstance(model.students[0], StudentSymbol)


def test_the_work_of_a_declaration_grows_linearly_with_its_width() -> None:
    """Four times the units: at most four times the calls, with a margin; a quadratic declaration would take sixteen."""

    def work(width: int) -> int:
        model = committee()
        return calls(lambda: model.at(K=width, M=width))

    assert work(128) < 6 * work(32)
