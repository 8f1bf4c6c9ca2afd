"""Model files: what they declare is what python declares; everything else is refused with key, file and remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import hdsym as hd
from hdsym.errors import FileFormatError, HdsymError, ParseError
from hdsym.modelfile import read, read_model, read_text
from hdsym.zoo import MODELS, ZOO

MODEL = """
[model]
name = "phase retrieval"
loss = "(x**2 - y)**2 / 4"
link = "s**2 + eps"
references = ["a paper"]
[model.noise]
law = "normal"
std = "sigma"
[model.parameters]
sigma = {default = 0.1, nonnegative = true}
"""
PROBLEM = """
[problem]
spectrum = {kind = "power_law", alpha = 0.6, d = 50}
start = {kind = "random", norm = 1.5, cosine = 0.25, rng = 4}
learning_rate = "0.2 / (1 + t)"
delta = 0.01
horizon = 5
batch_size = 2
parameters = {sigma = 0.3}
"""
REST = """
[simulate]
runs = 7
rng = 11
record = 20
[output]
folder = "results"
"""
FULL = MODEL + PROBLEM + REST


def replaced(old: str, new: str) -> str:
    assert old in FULL
    return FULL.replace(old, new)


def test_statistics_are_followed_along() -> None:
    text = """
[model]
loss = "softplus(x) - y*x"
link = {bernoulli = "sigmoid(s)"}
[model.statistics]
angle = "(1 - sign(x)*sign(s)) / 2"
squares = "(sigmoid(x) - y)**2"
"""
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    found = dict(read_text(text + PROBLEM.replace("parameters = {sigma = 0.3}", "")).model.declared_statistics)
    assert found == {"angle": (1 - sp.sign(x) * sp.sign(s)) / 2, "squares": (hd.sigmoid(x) - y) ** 2}
    with pytest.raises(FileFormatError, match=r"model\.statistics\.angle"):
        read_text(text.replace('"(1 - sign(x)*sign(s)) / 2"', "1"))
    with pytest.raises(ParseError, match=r"model\.statistics\.angle"):
        read_text(text.replace("sign(s)", "sign(q)"))
    with pytest.raises(HdsymError, match="a statistic is called 'risk'"):
        read_text(text.replace("angle =", "risk ="))


def test_declares_what_python_declares() -> None:
    file = read_text(FULL)
    x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
    sigma = hd.parameter("sigma", 0.1, nonnegative=True)
    assert file.model == hd.Model(
        (x**2 - y) ** 2 / 4, s**2 + eps, hd.Normal(eps, std=sigma), "phase retrieval", ("a paper",)
    )
    problem = file.problem
    assert (problem.delta, problem.horizon, problem.batch_size) == (0.01, 5.0, 2)
    assert dict(problem.parameters) == {"sigma": 0.3}
    assert problem.learning_rate(np.array([0.0, 3.0])) == pytest.approx([0.2, 0.05])
    expected = hd.spectrum.power_law(0.6, d=50)
    np.testing.assert_array_equal(problem.spectrum.eigenvalues(), expected.eigenvalues())
    start = hd.start.random(norm=1.5, cosine=0.25, rng=4)
    np.testing.assert_array_equal(problem.start.weights(expected, 1, 1)[0], start.weights(expected, 1, 1)[0])
    simulation = file.simulation
    assert (simulation.runs, simulation.rng, simulation.record, simulation.method) == (7, 11, 20, "direct")
    assert file.folder == Path("results")
    assert file.text == FULL


def test_reads_a_file_and_names_its_default_folder(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MODEL + PROBLEM)
    file = read(path)
    assert file.folder == Path("out/mine")
    assert file.simulation.runs == 30
    assert read_model(path) == file.model


def test_the_model_alone_needs_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_text(MODEL)
    assert read_model(path).name == "phase retrieval"
    with pytest.raises(FileFormatError, match=r"model.toml: problem is missing"):
        read(path)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_zoo_models_by_name(name: str) -> None:
    assert read_text(f'model = {{zoo = "{name}"}}' + PROBLEM.replace("sigma = 0.3", "")).model == MODELS[name]()


def test_zoo_arguments() -> None:
    plain = PROBLEM.replace("sigma = 0.3", "")
    assert read_text('model = {zoo = "logistic", labels = "bernoulli"}' + plain).model == hd.zoo.logistic("bernoulli")
    assert read_text('model = {zoo = "probit", noise_std = 0.5}' + plain).model == hd.zoo.probit(0.5)


NOISES = [
    ('law = "uniform"\nlow = -1\nhigh = "2*sigma"', lambda e, v: hd.Uniform(e, -1, 2 * v)),
    ('law = "rademacher"', lambda e, v: hd.Rademacher(e)),
    (
        'law = "discrete"\nvalues = [0, 1.5]\nprobabilities = [0.25, 0.75]',
        lambda e, v: hd.Discrete(e, (0.0, 1.5), (0.25, 0.75)),
    ),
    ('law = "laplace"\nscale = "sigma"', hd.Laplace),
    ('law = "student_t"\ndof = 7\nscale = 0.5', lambda e, v: hd.StudentT(e, 7, 0.5)),
    (
        'law = "discrete"\nvalues = ["sigma", 0]\nprobabilities = ["1/4", 0.75]',
        lambda e, v: hd.Discrete(e, (v, 0), (0.25, 0.75)),
    ),
    ('law = "normal"\nstd = 0.5\nmean = "sigma/2"', lambda e, v: hd.Normal(e, 0.5, v / 2)),
]


@pytest.mark.parametrize(("text", "law"), NOISES)
def test_noise_laws(text: str, law: Any) -> None:
    source = replaced('law = "normal"\nstd = "sigma"', text).replace("s**2 + eps", "s**2 + eps*sigma")
    sigma = hd.parameter("sigma", 0.1, nonnegative=True)
    assert read_text(source).model.noise == law(hd.noise("eps"), sigma)


def test_bernoulli_link_and_own_names() -> None:
    source = """
    [model]
    loss = "softplus(u) - label*u"
    link = {bernoulli = "sigmoid(slope*v)"}
    [model.symbols]
    student = "u"
    teacher = "v"
    label = "label"
    [model.parameters]
    slope = 2.0
    """
    u, v, label = hd.student("u"), hd.teacher("v"), hd.label("label")
    slope = hd.parameter("slope", 2.0)
    expected = hd.Model(hd.softplus(u) - label * u, hd.Bernoulli(hd.sigmoid(slope * v)))
    assert read_text(source + PROBLEM.replace("sigma = 0.3", "")).model == expected


def test_other_sampled_labels() -> None:
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    source = '[model]\nloss = "exp(x) - y*x"\nlink = {poisson = "exp(s)"}\n' + PROBLEM.replace("sigma = 0.3", "")
    assert read_text(source).model == hd.Model(sp.exp(x) - y * x, hd.Poisson(sp.exp(s)))
    three = '{values = [-1, 0, 1], probabilities = ["sigmoid(s)/2", 0.5, "sigmoid(-s)/2"]}'
    source = source.replace('"exp(x) - y*x"', '"(x - y)**2"').replace('{poisson = "exp(s)"}', three)
    probabilities = (hd.sigmoid(s) / 2, 0.5, hd.sigmoid(-s) / 2)
    assert read_text(source).model == hd.Model((x - y) ** 2, hd.Categorical((-1, 0, 1), probabilities))
    with pytest.raises(FileFormatError, match=r"model.link.probabilities is missing"):
        read_text(source.replace(', probabilities = ["sigmoid(s)/2", 0.5, "sigmoid(-s)/2"]', ""))


WRONG = [
    # (what is in the file, what stands there instead, pieces of the message)
    ("loss = ", "los = ", ["model.los is not a known key", "did you mean 'loss'"]),
    ('loss = "(x**2 - y)**2 / 4"\n', "", ["model.loss is missing"]),
    ('"(x**2 - y)**2 / 4"', "3", ["model.loss is 3", "quotes"]),
    ('"s**2 + eps"', "7", ["model.link is 7, not a table"]),
    ('"s**2 + eps"', '{bernuolli = "s"}', ["model.link.bernuolli is not a known key", "did you mean 'bernoulli'"]),
    ('law = "normal"', 'law = "norml"', ["model.noise.law is 'norml'", "did you mean 'normal'", "rademacher"]),
    ('std = "sigma"', "std = true", ["model.noise.std is True"]),
    ('std = "sigma"', "", ["model.noise.std is missing"]),
    ('std = "sigma"', 'std = "tau"', ["model.noise.std contains the unknown name 'tau'", "column 1"]),
    ("sigma = {default", "t = {default", ["model.parameters.t is the name 't', which stands for something else"]),
    ("sigma = {default", "x = {default", ["uses the name 'x' twice"]),
    ("default = 0.1", 'default = "0.1"', ["model.parameters.sigma.default is '0.1', not a finite number"]),
    ("nonnegative = true", "nonnegative = 1", ["model.parameters.sigma.nonnegative is 1, not true or false"]),
    ('["a paper"]', "[1]", ["model.references[0] is 1, not text"]),
    ('"power_law"', '"powerlaw"', ["problem.spectrum.kind is 'powerlaw'", "did you mean 'power_law'"]),
    ("d = 50", "d = 50.0", ["problem.spectrum.d is 50.0, not an integer"]),
    ("d = 50", "d = 0", ["problem.spectrum.d is 0", "between 1 and"]),
    ("d = 50", "d = 10000000000000", ["problem.spectrum.d is 10000000000000"]),
    ("d = 50", "d = 50, beta = 1", ["problem.spectrum.beta is not a known key"]),
    ("alpha = 0.6", "alpha = nan", ["problem.spectrum.alpha is nan, not a finite number"]),
    ("cosine = 0.25", "cosine = 2.5", ["cosine"]),
    ('"0.2 / (1 + t)"', '"0.2 / (1 + x)"', ["problem.learning_rate contains the unknown name 'x'"]),
    ('"0.2 / (1 + t)"', "[1]", ["problem.learning_rate is [1]"]),
    (
        '"0.2 / (1 + t)"',
        '{rule = "adagrad"}',
        ["learning_rate.rule is 'adagrad'", "did you mean 'adagrad-norm'"],
    ),
    ('"0.2 / (1 + t)"', '{rule = "polyak", eta = 1}', ["problem.learning_rate.eta is not a known key"]),
    ('"0.2 / (1 + t)"', "inf", ["problem.learning_rate is inf"]),
    ('"0.2 / (1 + t)"', "-1", ["learning rate"]),
    ("horizon = 5", "horizon = -5", ["horizon"]),
    ("batch_size = 2", "batch_size = 0", ["problem.batch_size is 0", "at least 1"]),
    ("sigma = 0.3", "sigm = 0.3", ["problem.parameters.sigm is not a known key", "did you mean 'sigma'"]),
    ("sigma = 0.3", "sigma = -0.3", ["sigma"]),
    ("runs = 7", "runs = 2", ["simulate.runs is 2", "between 3 and"]),
    ("runs = 7", 'method = "data"', ["simulate.method is 'data'", "no table [data]"]),
    ("[simulate]", "[simulte]", ["simulte is not a known key", "did you mean 'simulate'"]),
    ('folder = "results"', "folder = 3", ["output.folder is 3, not text"]),
    ("[model]", "[model", ["is not TOML"]),
    ("[model.parameters]", "[model.parameters]\nsigma = 1", ["is not TOML"]),
]


@pytest.mark.parametrize(
    ("table", "rate"),
    [
        ('{rule = "adagrad-norm", eta = 0.5, b = 2}', hd.AdaGradNorm(0.5, 2.0)),
        ('{rule = "rmsprop-norm", eta = 0.5, b = 2, alpha = 0.1}', hd.RMSpropNorm(0.5, 2.0, 0.1)),
        ('{rule = "polyak"}', hd.Polyak()),
        ('{rule = "line-search"}', hd.LineSearch()),
    ],
)
def test_adaptive_learning_rates(table: str, rate: hd.AdaptiveRate) -> None:
    assert read_text(replaced('"0.2 / (1 + t)"', table)).problem.learning_rate == rate


def test_projected_sgd_is_declared_by_its_constraint() -> None:
    assert read_text(FULL).model.constraint is None
    assert read_text(replaced("[model]", '[model]\nconstraint = "sphere"')).model.constraint == "sphere"
    with pytest.raises(FileFormatError, match="constraint is 'ball'"):
        read_text(replaced("[model]", '[model]\nconstraint = "ball"'))


@pytest.mark.parametrize(("old", "new", "pieces"), WRONG)
def test_refuses_with_key_and_remedy(old: str, new: str, pieces: list[str]) -> None:
    with pytest.raises(HdsymError) as caught:
        read_text(replaced(old, new), path="my.toml")
    message = str(caught.value)
    assert isinstance(caught.value, FileFormatError | ParseError)
    assert message.startswith("my.toml")
    assert "remedy: " in message
    for piece in pieces:
        assert piece in message


@pytest.mark.parametrize(
    ("expression", "piece"),
    [
        ("__import__('os').system('touch owned')", "'__import__'"),
        ("(x - y).__class__", "(x - y).__class__"),
        ("(x - y)**999999999", "(x - y)**999999999"),
    ],
)
def test_hostile_expressions_are_quoted(expression: str, piece: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParseError) as caught:
        read_text(replaced("(x**2 - y)**2 / 4", expression), path="hostile.toml")
    assert "hostile.toml: model.loss" in str(caught.value)
    assert piece.strip("'") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_declaration_without_meaning_names_the_file() -> None:
    with pytest.raises(FileFormatError, match=r"my.toml: the loss .* does not depend on a student"):
        read_text(replaced("(x**2 - y)**2 / 4", "y**2"), path="my.toml")


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ('{kind = "overlaps", Q = 1.0, M = 0.5, T = 1.0}', None),
        ('{kind = "overlaps", Q = 1.0, M = 5, T = 1.0}', "smallest eigenvalue"),
        ('{kind = "arrays", student = [0.1, 0.2, 0.3], teacher = [1, 0, 0]}', None),
        ('{kind = "uninformed", norm = 0.5, rng = 1}', None),
        ('{kind = "uninformed", cosine = 0.5}', "cosine"),
        ('{kind = "arrays", student = [0.1, 0.2], teacher = [1, 0, 0]}', "my.toml"),
        ('{kind = "arrays", student = ["a"], teacher = [1, 0, 0]}', "problem.start.student is not an array"),
        ('{kind = "arrays", student = [[1, 2], [3]], teacher = [1]}', "problem.start.student has rows"),
        ('{kind = "arrays", student = "none.npy", teacher = [1]}', "problem.start.student names"),
    ],
)
def test_starts(start: str, message: str | None) -> None:
    source = replaced('{kind = "random", norm = 1.5, cosine = 0.25, rng = 4}', start)
    source = source.replace('{kind = "power_law", alpha = 0.6, d = 50}', '{kind = "eigenvalues", values = [1, 2, 3]}')

    def grams() -> Any:
        file = read_text(source, path="my.toml")
        return file.problem.grams(file.model)

    if message is None:
        assert grams().shape == (3, 2, 2)
    else:
        with pytest.raises(HdsymError) as caught:
            grams()
        assert message in str(caught.value) or message == "my.toml"


SPECTRUM, START = '{kind = "power_law", alpha = 0.6, d = 50}', '{kind = "random", norm = 1.5, cosine = 0.25, rng = 4}'


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ('{kind = "two_level", first = 0.5, second = 1.5, share = 0.4}', hd.spectrum.two_level(0.5, 1.5, 0.4)),
        ('{kind = "two_level", first = 0.5, second = 1.5, d = 10}', hd.spectrum.two_level(0.5, 1.5, d=10)),
        ('{kind = "spiked", spikes = [9, 4], d = 20, bulk = 0.5}', hd.spectrum.spiked([9, 4], 20, bulk=0.5)),
        ('{kind = "marchenko_pastur", ratio = 0.5}', hd.spectrum.marchenko_pastur(0.5)),
        ('{kind = "marchenko_pastur", ratio = 2, d = 30}', hd.spectrum.marchenko_pastur(2, d=30)),
        ('{kind = "power_law_density", beta = 0.5, d = 30}', hd.spectrum.power_law_density(0.5, d=30)),
        (
            '{kind = "density", pdf = "3*lam**2/8", support = [0, 2], d = 30}',
            hd.spectrum.from_density(lambda lam: 3 * lam**2 / 8, (0, 2), d=30),
        ),
    ],
)
def test_spectra_by_name(text: str, made: hd.Spectrum) -> None:
    spectrum = read_text(replaced(SPECTRUM, text)).problem.spectrum
    np.testing.assert_array_equal(spectrum.levels, made.levels)
    assert spectrum.d == made.d
    assert spectrum.label == made.label


def test_samples_are_shrunk_or_cut_if_wanted(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((30, 4))
    np.save(tmp_path / "samples.npy", samples)
    for option, options in (
        ('shrinkage = "ledoit-wolf"', {"shrinkage": "ledoit-wolf"}),
        ("shrinkage = 0.3", {"shrinkage": 0.3}),
        ("rank = 2", {"rank": 2}),
    ):
        path = tmp_path / "model.toml"
        path.write_text(replaced(SPECTRUM, f'{{kind = "samples", values = "samples.npy", {option}}}'))
        np.testing.assert_array_equal(
            read(path).problem.spectrum.levels, hd.spectrum.from_data(samples, **options).levels
        )


def test_starts_along_the_spectrum() -> None:
    """Power laws and expressions in lam, against the eigenvalues."""
    file = read_text(replaced(START, '{kind = "power", delta = 0.5, Q = 0.5, M = 0.25}'))
    lam, share = file.problem.spectrum.levels, file.problem.spectrum.fractions
    grams = file.problem.grams(file.model)
    np.testing.assert_allclose(grams[:, 0, 1], 0.25 * lam**-0.5 * share, rtol=1e-13)
    np.testing.assert_allclose(grams[:, 1, 1], lam**-0.5 * share, rtol=1e-13)
    file = read_text(replaced(START, '{kind = "profile", Q = "1/(1 + lam)", M = 0, T = 2.0}'))
    grams = file.problem.grams(file.model)
    np.testing.assert_allclose(grams[:, 0, 0], share / (1 + lam), rtol=1e-13)
    assert "1/(lam + 1)" in file.problem.start.label


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SPECTRUM, '{kind = "two_level", first = 0.5}', "problem.spectrum.second is missing"),
        (SPECTRUM, '{kind = "marchenko_pastur", ratio = -1}', "ratio is -1"),
        (SPECTRUM, '{kind = "density", pdf = "lam + z", support = [0, 1]}', "unknown name 'z'"),
        (SPECTRUM, '{kind = "density", pdf = "lam", support = [0, 1]}', "the density has the integral 0.5"),
        (SPECTRUM, '{kind = "samples", values = [[1, 0]], shrinkage = "strong"}', "it is one of: ledoit-wolf"),
        (START, '{kind = "profile", Q = "open(lam)", M = 0, T = 1}', "unknown function 'open'"),
        (START, '{kind = "power", Q = 1}', "problem.start.delta is missing"),
    ],
)
def test_spectra_and_starts_without_meaning(old: str, new: str, message: str) -> None:
    with pytest.raises(HdsymError, match=re.escape(message)):
        read_text(replaced(old, new))


def test_arrays_from_files_and_no_pickles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "samples.npy", rng.standard_normal((40, 3)))
    np.savetxt(tmp_path / "x0.csv", np.array([0.1, 0.2, 0.3]), delimiter=",")
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    source = replaced('{kind = "power_law", alpha = 0.6, d = 50}', '{kind = "samples", values = "samples.npy"}')
    start = '{kind = "arrays", student = "x0.csv", teacher = [1, 0, 0]}'
    source = source.replace('{kind = "random", norm = 1.5, cosine = 0.25, rng = 4}', start)
    path = tmp_path / "model.toml"
    path.write_text(source)
    file = read(path)
    assert file.problem.spectrum.d == 3
    path.write_text(source.replace("x0.csv", "bad.npy"))
    with pytest.raises(FileFormatError, match="cannot be read"):
        read(path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 1_000_001, b"a = " + b"[" * 5000, b""])
def test_refuses_what_is_no_model_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"odd.toml.*\n  remedy"):
        read(path)


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(FileFormatError, match="cannot be read"):
            read(path)


def test_every_simulator_can_be_asked_for() -> None:
    source = 'model = {zoo = "least_squares"}\n[problem]\nlearning_rate = 0.3\nspectrum = {kind = "identity", d = 9}\n'
    source += 'start = {kind = "random"}\n[simulate]\nmethod = '
    for method in ("direct", "reduced", "homogenized"):
        assert read_text(f'{source}"{method}"').simulation.method == method
    with pytest.raises(FileFormatError, match="'exact'"):
        read_text(f'{source}"exact"')


def test_data_table(tmp_path: Path) -> None:
    source = 'model = {zoo = "least_squares"}\n[data]\nkind = "digits_relu_features"\nd = 30\n'
    file = read_text(source + "[problem]\nlearning_rate = 0.3\nhorizon = 4\n")
    assert file.simulation.method == "data"
    assert file.problem.spectrum.d == 30
    assert file.problem.spectrum.mean == pytest.approx(1.0)
    assert file.problem.horizon == 4.0
    with pytest.raises(FileFormatError, match=r"problem.start is given together with \[data\]"):
        read_text(source + '[problem]\nlearning_rate = 0.3\nstart = {kind = "random"}\n')


SHIPPED = sorted((Path(hd.__file__).parent / "models").glob("*.toml"))


def equal_in_value(first: sp.Expr, second: sp.Expr) -> bool:
    """A minimum is written in more than one way: at random points."""
    symbols = sorted(first.free_symbols | second.free_symbols, key=str)
    points = np.random.default_rng(0).standard_normal((len(symbols), 50))
    values = [sp.lambdify(symbols, expr)(*points) for expr in (first, second)]
    return bool(np.allclose(*values, rtol=1e-12, atol=1e-12))


VARIANTS: dict[str, dict[str, Any]] = {
    "committee": {"trained_second_layer": True},
    "logistic": {"labels": "bernoulli"},
    "multiclass_logistic": {"labels": "sampled"},
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_read(path: Path) -> None:
    """Each declares in full what the zoo has under the same name, and says how to run it."""
    file = read(path)
    assert f"hdsym run hdsym/models/{path.name}" in file.text
    assert file.folder == Path("out") / path.stem
    make = ZOO.get(path.stem, hd.zoo.least_squares)
    expected = make(**VARIANTS.get(path.stem, {}))
    loss = file.model.loss
    assert loss == expected.loss or equal_in_value(loss, expected.loss)
    assert (file.model.link, file.model.noise) == (expected.link, expected.noise)
    assert file.problem.spectrum.d == {"phase_retrieval": 2000}.get(path.stem, 1000)


def test_every_zoo_model_has_a_file() -> None:
    assert {path.stem for path in SHIPPED} == {*ZOO, "digits"}


@given(st.text(max_size=80))
def test_any_text_reads_or_raises_our_errors(text: str) -> None:
    with pytest.raises(HdsymError):
        read_text("[model]\nloss = '" + text.replace("'", "") + "'\n" + text)


SEVERAL = """
[model]
loss = "((x1 - s1)**2 + (x2 - s2)**2) / 2"
symbols = {student = ["x1", "x2"], teacher = ["s1", "s2"]}
[problem]
spectrum = {kind = "identity", d = 50}
start = {kind = "random", rng = 0}
learning_rate = 0.1
"""


def test_several_students_and_teachers() -> None:
    file = read_text(SEVERAL)
    assert [symbol.name for symbol in (*file.model.students, *file.model.teachers)] == ["x1", "x2", "s1", "s2"]
    assert file.problem.weights(file.model)[0].shape == (50, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["x1", "x2"]', '["x1", 2]', r"model\.symbols\.student\[1\] is 2, not text"),
        ('["x1", "x2"]', '["x1", "x 2"]', r"model\.symbols\.student\[1\] is the name 'x 2'"),
        ('["x1", "x2"]', "[]", r"model\.symbols\.student is empty"),
        ('["x1", "x2"]', '["x1", "x1"]', "'x1' twice"),
        ('teacher = ["s1", "s2"]', 'label = ["y1", "y2"]', r"model\.symbols\.label is \['y1', 'y2'\], not text"),
    ],
)
def test_mistakes_in_lists_of_names(old: str, new: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_text(SEVERAL.replace(old, new))
