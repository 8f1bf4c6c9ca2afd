"""Model files of networks: families, sums over units, trained scalars, widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import FileFormatError, HdsymError, ParseError
from hdsym.modelfile import read_text
from hdsym.parse import parse_expression

FILE = """
[model]
name = "network"
loss = "(Sum(v[i]*erf(x[i]/sqrt(2)), (i, 1, K))/sqrt(K) + b - y)**2 / 2"
link = "Sum(a[m]*erf(s[m]/sqrt(2)), (m, 1, M)) + eps"
sizes = ["K", "M"]
[model.symbols]
student = {name = "x", size = "K"}
teacher = {name = "s", size = "M"}
[model.noise]
law = "normal"
std = 0.25
[model.parameters]
a = {size = "M", default = 1.0, positive = true}
[model.trained]
v = {size = "K", default = 0.5}
b = 0.125
[problem]
spectrum = {kind = "identity", d = 50}
start = {kind = "random", norm = 0.5, cosine = 0.25, n_student = 3, n_teacher = 2, rng = 4}
learning_rate = 0.3
learning_rates = {v = "0.2/(1 + t)", b = 0.1}
parameters = {v = [0.3, 0.2, 0.1], a = 2.0}
horizon = 2
"""


def replaced(*pairs: str) -> str:
    text = FILE
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    return text


def network() -> hd.Model:
    K, M, i, m = hd.size("K"), hd.size("M"), *sp.symbols("i m", integer=True)
    x, s, y, eps = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y"), hd.noise("eps")
    v, b = hd.Trained("v", size=K, default=0.5), hd.Trained("b", default=0.125)
    a = hd.parameter("a", 1.0, size=M, positive=True)
    root = sp.sqrt(2)
    student = sp.Sum(v[i] * sp.erf(x[i] / root), (i, 1, K)) / sp.sqrt(K) + b
    return hd.Model(
        (student - y) ** 2 / 2,
        sp.Sum(a[m] * sp.erf(s[m] / root), (m, 1, M)) + eps,
        hd.Normal(eps, std=sp.Rational(1, 4)),
        "network",
    )


def test_declares_what_python_declares() -> None:
    file = read_text(FILE)
    assert file.model == network()
    problem = file.problem
    assert dict(problem.parameters) == {"a": 2.0, "v": (0.3, 0.2, 0.1)}
    assert [rate(np.array([1.0]))[0] for rate in problem.trained_rates(file.model)] == pytest.approx([0.1, *[0.1] * 3])
    made = problem.explicit(file.model)
    assert (made.n_student, made.n_teacher) == (3, 2)
    assert made.trained_values(problem.parameters) == {"b": 0.125, "v1": 0.3, "v2": 0.2, "v3": 0.1}


def test_what_a_model_prints_is_what_a_file_reads() -> None:
    model = network()
    again = replaced(
        "(Sum(v[i]*erf(x[i]/sqrt(2)), (i, 1, K))/sqrt(K) + b - y)**2 / 2",
        str(model.loss),
        "Sum(a[m]*erf(s[m]/sqrt(2)), (m, 1, M)) + eps",
        str(model.link),
    )
    assert read_text(again).model == model


def test_widths_by_sizes() -> None:
    file = read_text(
        replaced("n_student = 3, n_teacher = 2, ", "", "horizon = 2", "horizon = 2\nsizes = {K = 3, M = 4}")
    )
    assert file.problem.explicit(file.model).n_teacher == 4


def test_matrix_starts(tmp_path: Path) -> None:
    np.save(tmp_path / "Q.npy", 0.5 * np.eye(3))
    start = '{kind = "overlaps", Q = "Q.npy", M = [[0.1, 0], [0, 0.1], [0, 0]], T = [[1, 0.2], [0.2, 1]]}'
    random = '{kind = "random", norm = 0.5, cosine = 0.25, n_student = 3, n_teacher = 2, rng = 4}'
    file = read_text(replaced(random, start), path=tmp_path / "network.toml")
    gram = file.problem.grams(file.model).sum(axis=0)
    np.testing.assert_allclose(gram[3:, 3:], [[1, 0.2], [0.2, 1]], atol=1e-12)
    np.testing.assert_allclose(gram[:3, :3], 0.5 * np.eye(3), atol=1e-12)
    columns = {"student": np.eye(50)[:, :3], "teacher": np.eye(50)[:, 3:5]}
    for name, array in columns.items():
        np.savetxt(tmp_path / f"{name}.csv", array, delimiter=",")
    file = read_text(
        replaced(random, '{kind = "arrays", student = "student.csv", teacher = "teacher.csv"}'),
        path=tmp_path / "network.toml",
    )
    np.testing.assert_allclose(file.problem.grams(file.model).sum(axis=0), np.eye(5), atol=1e-12)


def test_families_of_a_number_of_units() -> None:
    file = read_text("""
    [model]
    loss = "(Sum(v[i]*x[i], (i, 1, 2)) + x[3] - y)**2 / 2"
    link = "s"
    symbols = {student = {name = "x", size = 3}}
    parameters = {v = {size = 2}}
    [problem]
    spectrum = {kind = "identity"}
    start = {kind = "random"}
    learning_rate = 0.1
    parameters = {v = [1.0, 2.0]}
    """)
    x1, x2, x3 = hd.student("x", size=3)
    v1, v2 = hd.parameter("v", size=2)
    assert file.model.loss == (v1 * x1 + v2 * x2 + x3 - hd.label("y")) ** 2 / 2
    assert file.model.parameter_values(file.problem.parameters) == {"v1": 1.0, "v2": 2.0}


@pytest.mark.parametrize(
    ("table", "made"),
    [
        ('zoo = "committee", activation = "relu", normalisation = "1/K", noise_std = 0.5', ("relu", False, 0.5)),
        ('zoo = "committee", trained_second_layer = true', ("erf", True, None)),
    ],
)
def test_committees_of_the_zoo(table: str, made: tuple[str, bool, float | None]) -> None:
    problem = FILE[FILE.index("[problem]") :].replace("v = [0.3, 0.2, 0.1], ", "")
    problem = problem.replace('learning_rates = {v = "0.2/(1 + t)", b = 0.1}\n', "")
    scale = "1/K" if "1/K" in table else "1"
    expected = hd.zoo.committee(made[0], made[1], normalisation=scale, noise_std=made[2])
    assert read_text(f"model = {{{table}}}\n{problem}").model == expected


def test_number_of_classes() -> None:
    problem = FILE[FILE.index("[problem]") : FILE.index("learning_rates")].replace("n_student = 3, n_teacher = 2, ", "")
    model = read_text('model = {zoo = "multiclass_logistic", classes = 4}\n' + problem).model
    assert model == hd.zoo.multiclass_logistic(4)
    with pytest.raises(FileFormatError, match=r"model.classes is 1"):
        read_text('model = {zoo = "multiclass_logistic", classes = 1}\n' + problem)


SUM = "Sum(v[i]*erf(x[i]/sqrt(2)), (i, 1, K))"
WRONG: list[tuple[tuple[str, ...], list[str]]] = [
    # (what is in the file and what stands there instead, pieces of the message)
    (("erf(x[i]/", "erf(x[j]/"), ["model.loss gives x an index", "'x[j]'", "indices here: i"]),
    (("(i, 1, K)", "(i, 1, M)"), ["sums v[i] up to M, but v has the size K", "'v[i]'"]),
    (("(i, 1, K)", "(i, 1, L)"), ["not a declared size", "declared sizes: K, M"]),
    (("(i, 1, K)", "(i, 0, K)"), ["a sum that does not start at 1"]),
    (("(i, 1, K)", "(i, 1)"), ["is not a sum over units", "Sum(v[i]*erf(x[i]), (i, 1, K))"]),
    (("(i, 1, K)", "(x, 1, K)"), ["sums over 'x', which stands for something else"]),
    (("(i, 1, K)", "(erf, 1, K)"), ["sums over 'erf', which stands for something else"]),
    (("(i, 1, K)", "(i, 1, K), (j, 1, K)"), ["is not a sum over units"]),
    (("erf(x[i]/", "erf(x/"), ["is a family without an index", "'x'"]),
    (("erf(x[i]/", "erf(x[i + 1]/"), ["gives x an index", "'x[i + 1]'"]),
    (("erf(x[i]/", "erf(x[0]/"), ["uses unit 0 of x, which is outside 1"]),
    (("erf(x[i]/", "erf(x[100000]/"), ["uses unit 100000 of x, which is outside 1, ..., 64"]),
    (("+ b - y", "+ b[1] - y"), ["uses indexing, which only families allow", "'b[1]'"]),
    (("+ b - y", "+ b + x[i] - y"), ["gives x an index", "there is no sum around it"]),
    (('sizes = ["K", "M"]', 'sizes = ["M"]'), ["is 'K', which is not declared", 'model.sizes = ["K"]; there: M']),
    (('sizes = ["K", "M"]', 'sizes = ["K", 2]'), ["model.sizes[1] is 2, not text"]),
    (('sizes = ["K", "M"]', 'sizes = ["K", "M", "v"]'), ["uses the name 'v' twice"]),
    (('{name = "x", size = "K"}', '{name = "x", size = 0}'), ["model.symbols.student.size is 0", "between 1 and"]),
    (('{name = "x", size = "K"}', '{name = "x", width = "K"}'), ["model.symbols.student.width is not a known key"]),
    (('{name = "x", size = "K"}', '{size = "K"}'), ["model.symbols.student.name is missing"]),
    (("b = 0.125", 'b = "0.125"'), ["model.trained.b is '0.125', not a table"]),
    (("[model.trained]", "[model.traned]"), ["model.traned is not a known key", "did you mean 'trained'"]),
    (("b = 0.1}", "c = 0.1}"), ["problem.learning_rates.c is not a known key"]),
    (("b = 0.1}", "b = -0.1}"), ["learning rate"]),
    (("v = [0.3, 0.2, 0.1]", "v = [0.3, 0.2]"), ["my.toml", "the sizes do not fit together"]),
    (("v = [0.3, 0.2, 0.1]", 'v = [0.3, "0.2", 0.1]'), ["problem.parameters.v[1] is '0.2', not a finite number"]),
    (("a = 2.0", "a = -2.0"), ["my.toml", "declared positive"]),
    (("n_student = 3", "n_student = 2"), ["my.toml", "the sizes do not fit together"]),
    (("n_student = 3", "n_student = 1001"), ["problem.start.n_student is 1001", "between 1 and 1000"]),
    (("n_student = 3, n_teacher = 2, ", ""), ["my.toml", "nothing says what M"]),
    (("horizon = 2", "horizon = 2\nsizes = {L = 2}"), ["problem.sizes.L is not a known key", "K, M"]),
    (("horizon = 2", "horizon = 2\nsizes = {K = 5}"), ["my.toml", "the sizes do not fit together"]),
]


@pytest.mark.parametrize(("pairs", "pieces"), WRONG)
def test_refuses_with_key_and_remedy(pairs: tuple[str, ...], pieces: list[str]) -> None:
    with pytest.raises(HdsymError) as caught:
        read_text(replaced(*pairs), path="my.toml")
    message = str(caught.value)
    assert isinstance(caught.value, FileFormatError | ParseError)
    assert message.startswith("my.toml")
    assert "remedy: " in message
    for piece in pieces:
        assert piece in message


@pytest.mark.parametrize(
    "text",
    [
        "Sum(Sum(Sum(Sum(x[i]*x[j]*x[k]*x[l], (l, 1, 9)), (k, 1, 9)), (j, 1, 9)), (i, 1, 9))",
        "Sum(x[i], (i, 1, 10**9))",
        "Sum(x[i], (i, 1, 1000000000))",
        "Sum(1, (i, 1, 1000000000))",
        "(Sum(x[i], (i, 1, K)) + x[64])**20",
        "Sum(Sum(Sum(x[i]*x[j]*x[k], (k, 1, K)), (j, 1, K)), (i, 1, K)) + x[64]",
        "Sum(Sum(x[i], (i, 1, K)), (i, 1, K))",
        "Sum(x[i], (i, 1, K)).doit()",
        "Sum(x[i], [i, 1, K])",
        "Sum(x[(i, 1)], (i, 1, K))",
        "Sum(x[i:2], (i, 1, K))",
        "Sum(x[True], (i, 1, K))",
        "Sum(x[i], (i, 1, K), **x)",
        "x[x[1]]",
        "Sum",
        "Sum()",
    ],
)
def test_sums_stay_small_and_safe(text: str) -> None:
    names: dict[str, Any] = {"x": hd.student("x", size="K"), "K": hd.size("K")}
    with pytest.raises(ParseError) as caught:
        parse_expression(text, names)
    assert caught.value.remedy


def test_a_sum_ends_with_its_index() -> None:
    names: dict[str, Any] = {"x": hd.student("x", size="K"), "K": hd.size("K")}
    with pytest.raises(ParseError, match="unknown name 'i'"):
        parse_expression("Sum(x[i], (i, 1, K)) + i", names)
    assert parse_expression("Sum(i*t, (i, 1, 3))", {"t": hd.t}) == 6 * hd.t
