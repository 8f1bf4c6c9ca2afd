"""Sizes of sized models from a problem, values and rates of families, and what contradicts."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError, ParameterError

K, M, i = hd.size("K"), hd.size("M"), sp.Symbol("i", integer=True)
x, s, y = hd.student("x", size=K), hd.teacher("s", size=M), hd.label("y")
v, a = hd.Trained("v", size=K), hd.parameter("a", size=M, default=1.0)
bias = hd.Trained("b", default=0.0)
MODEL = hd.Model(
    (sp.Sum(v[i] * sp.tanh(x[i]), (i, 1, K)) + bias - y) ** 2 / 2, sp.Sum(a[i] * sp.tanh(s[i]), (i, 1, M)), name="net"
)


def problem(start: object = None, d: int | None = 20, **options: object) -> hd.Problem:
    start = hd.start.overlaps(np.eye(3), np.zeros((3, 2)), np.eye(2)) if start is None else start
    return hd.Problem(hd.spectrum.identity(d), start, 0.5, **options)  # type: ignore[arg-type]


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("start", "options"),
    [
        (None, {}),
        (hd.start.arrays(RNG.standard_normal((20, 3)), RNG.standard_normal((20, 2))), {"sizes": {}}),
        (hd.start.random(rng=0, n_student=3, n_teacher=2), {}),
        (hd.start.random(rng=0), {"sizes": {K: 3, "M": 2}}),
        (hd.start.random(rng=0, n_teacher=2), {"parameters": {"v": [1.0, 2.0, 3.0]}}),
        (hd.start.random(rng=0), {"parameters": {v: np.ones(3), "a": (1, 2)}}),
        (hd.start.random(rng=0, n_student=3), {"parameters": {"v": np.ones(3)}, "sizes": {"M": 2}}),
    ],
)
def test_sizes_come_from_start_arrays_or_are_given(start: object, options: dict[str, object]) -> None:
    posed = problem(start, **options)
    assert posed.explicit(MODEL) is MODEL.at(K=3, M=2)
    assert posed.grams(MODEL).shape == (1, 5, 5)
    assert [part.shape for part in posed.weights(MODEL)] == [(20, 3), (20, 2)]
    assert posed.explicit(posed.explicit(MODEL)) is posed.explicit(MODEL)


def test_one_size_twice_and_single_units() -> None:
    """Two layers of K units and one more make 2 K + 1 directions."""
    u, z = hd.student("u", size=K), hd.student("z")
    model = hd.Model((sp.Sum(x[i] * u[i], (i, 1, K)) + z - hd.teacher("s")) ** 2)
    assert problem(hd.start.random(rng=0, n_student=7)).explicit(model) is model.at(K=3)
    with pytest.raises(DeclarationError, match="2 K \\+ 1 = 6 by the start with 6 student directions"):
        problem(hd.start.random(rng=0, n_student=6)).explicit(model)
    two = hd.Model((sp.Sum(x[i], (i, 1, K)) + sp.Sum(hd.student("u", size=M)[i], (i, 1, M)) - hd.teacher("s")) ** 2)
    assert problem(hd.start.random(rng=0, n_student=7), sizes={"M": 5}).explicit(two) is two.at(K=2, M=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"v": [1.0, 2.0]}}, r"K = 3 by the start with 3 student directions, K = 2 by the array 'v' of"),
        ({"sizes": {"M": 4}}, r"M = 2 by the start with 2 teacher directions, M = 4 by sizes=\{'M': 4\}"),
        ({"parameters": {"a": [1.0]}, "sizes": {"M": 2}}, r"array 'a' of length 1, M = 2 by sizes"),
        ({"sizes": {"N": 4}}, "net has no size 'N'"),
        ({"start": hd.start.random(rng=0)}, "nothing says what K, M of net is"),
        ({"start": hd.start.random(rng=0, n_student=3)}, "nothing says what M of net is"),
        ({"start": hd.start.random(rng=0, n_student=3, n_teacher=2), "sizes": {"K": 2}}, "K = 3 by the start.*K = 2"),
    ],
)
def test_contradictions_name_both_sources(options: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        problem(**options).explicit(MODEL)  # type: ignore[arg-type]
    assert caught.value.remedy


@pytest.mark.parametrize("d", [1, 2, 4])
def test_more_directions_than_dimensions(d: int) -> None:
    """l + l* > d, and l > d."""
    with pytest.raises(DeclarationError, match=f"do not fit into d = {d}"):
        problem(d=d)
    with pytest.raises(DeclarationError, match=f"do not fit into d = {d}"):
        problem(hd.start.random(rng=0, n_student=3, n_teacher=2), d=d)
    posed = problem(hd.start.random(rng=0), d=4, sizes={"K": 3, "M": 2})
    for ask in (posed.explicit, posed.grams, posed.weights):
        with pytest.raises(DeclarationError, match="do not fit into d = 4"):
            ask(MODEL)


def test_a_random_start_knows_its_counts() -> None:
    start = hd.start.random(rng=3, n_student=2, n_teacher=1)
    assert start.directions == (2, 1)
    assert "n_student=2, n_teacher=1" in repr(start)
    plain = hd.start.random(rng=3)
    assert plain.directions == (None, None)
    assert np.array_equal(plain.grams(hd.spectrum.identity(9), 2, 1), start.grams(hd.spectrum.identity(9), 2, 1))
    for spectrum in (hd.spectrum.identity(9), hd.spectrum.identity()):
        with pytest.raises(DeclarationError, match="n_student = 2, the model has 1"):
            start.grams(spectrum, 1, 1)
    with pytest.raises(DeclarationError, match="n_teacher is 0"):
        hd.start.random(n_teacher=0)


def test_values_and_rates_of_families() -> None:
    posed = problem(parameters={v: [1, 2, 3], "a": 2, "b": 0.5}, learning_rates={"v": 0.1, bias: 1 / (1 + hd.t)})
    model = posed.explicit(MODEL)
    assert posed.parameters == {"a": 2.0, "b": 0.5, "v": (1.0, 2.0, 3.0)}
    assert model.trained_values(posed.parameters) == {"b": 0.5, "v1": 1.0, "v2": 2.0, "v3": 3.0}
    assert [rate.describe() for rate in posed.trained_rates(MODEL)] == ["1/(t + 1)", "0.1", "0.1", "0.1"]
    assert posed.describe()["learning_rates"] == {"b": "1/(t + 1)", "v": "0.1"}
    assert "learning_rates" in repr(posed)
    assert "sizes" not in repr(posed)
    assert "learning_rates" not in problem().describe()
    assert [rate.describe() for rate in problem(learning_rates={"v2": 3}).trained_rates(MODEL)][1:] == [
        "0.5",
        "3",
        "0.5",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rates": {"v": -1}}, "is -1 at t = 0"),
        ({"learning_rates": {"v": 1 - hd.t / 10}}, "horizon 20"),
        ({"learning_rates": 0.1}, "learning_rates is 0.1"),
        ({"sizes": {"K": 0}}, "size K is 0"),
        ({"sizes": [3]}, r"sizes is \[3\]"),
        ({"parameters": {"v": [1.0, np.nan]}}, r"'v': entry \(1,\) is nan"),
        ({"parameters": {"v": [[1.0]]}}, "the parameter 'v' is"),
        ({"parameters": {"v": ["a", "b"]}}, "'v'"),
        ({"parameters": {"v": [1.0, [2.0]]}}, "'v'"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        problem(**options)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_rates_of_unknown_scalars() -> None:
    for name in ("w", "a", "x"):
        with pytest.raises(ParameterError, match=f"net has no trained scalar '{name}1?'"):
            problem(learning_rates={name: 1.0}).trained_rates(MODEL)
