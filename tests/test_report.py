"""The report: valid, self-contained, escaped, and saying what was computed."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import hdsym as hd
from hdsym.cas import sp
from hdsym.functions import KNOWN
from hdsym.report import render
from hdsym.report.numbers import MISSING, number, signed
from hdsym.report.recipe import declaration, recipe
from hdsym.report.typeset import expression, formula, mathml, name_latex

MODELS = {
    **{name: make() for name, make in hd.zoo.MODELS.items()},
    "bernoulli": hd.zoo.logistic("bernoulli"),
}

MATHML_CORE = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd"),
}
ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}
VOID = {"meta", "wbr", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Tags, links, text outside styles; raises if elements are not properly nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def visible(self) -> str:
        return " ".join(self.words)


def check_math(text: str) -> int:
    """Every ``math`` element is MathML Core with the right number of children and no LaTeX left; returns how many."""
    found = re.findall(r"<math\b.*?</math>", text, flags=re.DOTALL)
    for piece in found:
        root = ET.fromstring(piece)
        assert not re.search(r"\\|&#|\bleft\b|\bfrac\b|operatorname|mathrm", "".join(root.itertext())), piece
        for element in root.iter():
            assert element.tag in MATHML_CORE, piece
            assert len(element) == ARITY.get(element.tag, len(element)), piece
            if element.tag in ("mi", "mn", "mo"):
                assert element.text, piece
                assert not len(element), piece
    return len(found)


def check_page(text: str) -> Page:
    """Well-formed, self-contained, without scripts, NaN or infinity, and not too large."""
    page = Page(text)
    assert len(text.encode()) < 1_000_000
    assert not set(page.tags) & {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
    assert not re.search(r"url\((?!#)|@import|expression\(|javascript:", text)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "xlink:href"):
            assert value.startswith("#" if tag == "use" else "https://arxiv.org/abs/"), value
        assert name not in ("src", "srcset", "data", "action")
    assert not re.search(r"\b(nan|inf|infinity)\b", page.visible, flags=re.IGNORECASE)
    assert check_math(text) > 10
    return page


@pytest.fixture(scope="module")
def setup():
    model = hd.zoo.phase_retrieval()
    problem = hd.Problem(
        hd.spectrum.power_law(0.6, d=100), hd.start.random(rng=1), 0.1, parameters={"noise_std": 0.1}, horizon=2.0
    )
    theory = hd.derive(model)
    return theory, problem, theory.solve(problem), hd.simulate(model, problem, runs=8, rng=0, record=10)


@pytest.mark.parametrize("name", MODELS)
def test_theory_alone(name: str) -> None:
    theory = hd.derive(MODELS[name])
    text = render(theory)
    page = check_page(text)
    count = sum(len(step.lines()) for step in theory.steps.values())
    assert text.count('<span class="rule') == count
    assert page.tags["details"] >= len(theory.steps)
    for step in theory.steps.values():
        for rule, _, reference in step.rules():
            assert rule in page.visible
            assert reference in page.visible
    assert ("≈" in page.visible) == (not theory.exact)
    assert ("where" in page.words) == (name not in ("least_squares", "phase_retrieval"))
    assert page.tags["figure"] == 0
    assert 'class="verdict' not in text


def test_full_report(setup) -> None:
    theory, problem, path, runs = setup
    verdict = hd.compare(path, runs)
    text = render(theory, problem, path, runs, verdict, source_text="[model]\nzoo = 1", command="hdsym run a.toml")
    page = check_page(text)
    assert verdict.agree
    assert 'class="verdict agree"' in text
    assert "Theory and simulation agree" in page.visible
    assert page.tags["figure"] == 1
    assert "[model]\nzoo = 1" in page.visible
    assert "hdsym run a.toml" in page.visible
    assert f"power_law(0.6, d={problem.spectrum.d})" in page.visible
    assert "DOP853" in page.visible
    first = verdict.dataset.isel(statistic=0, time=0)
    assert number(float(first["theory"])) in page.visible
    assert text == render(
        theory, problem, path, runs, verdict, source_text="[model]\nzoo = 1", command="hdsym run a.toml"
    )


def test_disagreement_is_said_in_words_and_shape(setup) -> None:
    theory, problem, _, runs = setup
    other = hd.Problem(problem.spectrum, problem.start, 0.02, parameters=problem.parameters, horizon=2.0)
    path = theory.solve(other)
    verdict = hd.compare(path, runs, bias=0.0, level=0.05)
    text = render(theory, problem, path, runs, verdict)
    assert not verdict.agree
    assert "Theory and simulation disagree" in check_page(text).visible
    assert 'class="verdict disagree"' in text
    assert "<circle" not in text.split("</section>")[0]
    assert "allowance" not in text


def test_without_verdict(setup) -> None:
    theory, problem, path, runs = setup
    assert "Solution at a few times" in check_page(render(theory, problem, path)).visible
    assert check_page(render(theory, problem, path, runs)).tags["svg"] == 1
    limit = hd.Problem(hd.spectrum.identity(), hd.start.overlaps(1.0, 0.3, 1.0), lambda t: 0.1 / (1 + t), horizon=1.0)
    page = check_page(render(theory, limit, theory.solve(limit)))
    assert "∞" in page.visible
    assert "problem = ..." in page.visible


def test_diverged_runs_show_no_nan(setup) -> None:
    theory, problem, path, runs = setup
    data = runs.dataset
    gone = np.full(runs.runs, np.nan)
    gone[0] = float(data["time"].values[4])
    arrays = {name: data[name].values.copy() for name in ("overlaps", "gram", "risk")}
    partly = hd.Ensemble.build(time=data["time"].values, diverged=gone, attrs=runs.attrs, **arrays)
    page = check_page(render(theory, problem, path, partly, hd.compare(path, partly)))
    assert "1 of 8 runs" in page.visible


def test_everything_from_outside_is_escaped(setup) -> None:
    _, problem, _, _ = setup
    x, s = hd.student("x"), hd.teacher("s")
    attack = "<script>alert(1)</script>"
    model = hd.Model((x - s) ** 2 / 2, name=attack, references=(f"{attack} arXiv:2308.08977", 'a"><b>'))
    theory = hd.derive(model)
    path = theory.solve(problem := hd.Problem(problem.spectrum, problem.start, 0.1, horizon=1.0))
    runs = hd.simulate(model, problem, runs=3, rng=0, record=3)
    text = render(
        theory, problem, path, runs, hd.compare(path, runs), source_text=f"</pre>{attack}", command=f"x && {attack}"
    )
    page = check_page(text)
    assert page.tags["script"] == 0
    assert page.tags["b"] == 0
    assert page.visible.count(attack) >= 5
    assert "https://arxiv.org/abs/2308.08977" in text


@pytest.mark.parametrize("name", [*KNOWN, "sqrt", "atan2"])
def test_every_function_becomes_mathml(name: str) -> None:
    u, v = sp.symbols("u v", real=True)
    function = KNOWN[name] if name in KNOWN else getattr(sp, name)
    many = {"Max": 2, "Min": 2, "KroneckerDelta": 2, "atan2": 2, "logsumexp": 3}
    value = function(*(u, v, u * v)[: many[name]]) if name in many else function(u * v - 1)
    for expr in (value, sp.sqrt(2) * value**3 / 7, sp.exp(-(u**2) / 2) * (1 - value)):
        text = str(formula("f", expr))
        assert check_math(text) >= 2
        assert "u" in text


NAMES = {
    "B11": "<msub><mi>B</mi><mn>11</mn></msub>",
    "C12_": "<msub><mi>C</mi><mn>12</mn></msub>",
    "noise_std": "<msub><mi>noise</mi><mi>std</mi></msub>",
    "x__y": "<msub><mi>x</mi><mi>y</mi></msub>",
    "eps": "<mi>ε</mi>",
    "sin": "<mi>sin</mi>",
    "straße": "<mi>straße</mi>",
    "_": '<mi mathvariant="normal">_</mi>',
}


@pytest.mark.parametrize(("name", "typeset"), NAMES.items())
def test_names(name: str, typeset: str) -> None:
    assert str(mathml(name_latex(name))) == f"<math>{typeset}</math>"


def test_typesetting_conventions() -> None:
    model = MODELS["phase_retrieval"]
    assert expression(model.loss) == r"\frac{\left(x^{2} - y\right)^{2}}{4}"
    fisher = expression(hd.derive(MODELS["logistic"]).fisher[0, 0])
    assert r"\mathcal{N}(0,\, B)" in fisher
    assert "matrix" not in fisher
    a, b = sp.symbols("a bb", real=True)
    assert '<mspace width="0.17em" /><mi>bb</mi>' in str(formula("", a * b))
    assert '<mo form="prefix">−</mo>' in str(formula("", hd.sigmoid(-a)))
    assert str(formula("", a - b)).count("<math") == 2


def test_ode_has_common_factors_in_front() -> None:
    text = render(hd.derive(MODELS["least_squares"]))
    front = '<mn>4</mn><mi>γ</mi><mi>λ</mi><mrow><mo stretchy="false">(</mo><msub><mi>G</mi><mn>11</mn></msub>'
    assert front in text


ODD = [
    lambda x, s, y, e, a: hd.Model(
        (x - y) ** 2 / 3 + sp.exp(-(x**2) * a),
        sp.Abs(s) + e / 7,
        hd.Discrete(e, [2, -1], [sp.Rational(1, 3), sp.Rational(2, 3)]),
    ),
    lambda x, s, y, e, a: hd.Model(hd.relu(x - y) ** 2 / sp.sqrt(3) + sp.pi * x**2, s + e, hd.Uniform(e, -a, 2 * a)),
    lambda x, s, y, e, a: hd.Model(hd.functions.logsumexp(x, 2 * x, 0) - y * hd.functions.log_ndtr(x), hd.sigmoid(s)),
    lambda x, s, y, e, a: hd.Model((x - sp.tanh(s)) ** 2 / 2, name="it's <q\"'>"),
    lambda x, s, y, e, a: hd.Model((x - y) ** 2 / 2, sp.sign(s) * e, hd.Rademacher(e), references=("a", "b")),
    lambda x, s, y, e, a: hd.zoo.multiclass_logistic(3, labels="sampled"),
    lambda x, s, y, e, a: hd.zoo.mixed_regression(3),
    lambda x, s, y, e, a: hd.zoo.committee("relu", True).at(K=2, M=1),
]


@pytest.mark.parametrize("model", [*MODELS.values(), *range(len(ODD))], ids=str)
def test_recipe_declares_the_same_model(model) -> None:
    if isinstance(model, int):
        a = hd.parameter("a", default=0.3, positive=True)
        model = ODD[model](hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps"), a)
    scope: dict = {}
    exec(declaration(model), scope)  # noqa: S102  # our own text
    assert scope["model"] == model
    assert [p.default for p in scope["model"].parameters] == [p.default for p in model.parameters]


def test_recipe_of_a_problem_with_trained_scalars() -> None:
    model = hd.zoo.committee(trained_second_layer=True).at(K=2, M=1)
    start = hd.start.random(rng=0, n_student=2)
    values, rates = {"v1": 0.3, "a1": 2.0}, {"v1": 1 / (1 + hd.t), "v2": 0.5}
    problem = hd.Problem(hd.spectrum.identity(50), start, 0.1, parameters=values, learning_rates=rates)
    text = recipe(model, problem, None, from_file=False)
    scope: dict = {}
    exec(text.replace("theory", "# theory").replace("path =", "# path ="), scope)  # noqa: S102  # our own text
    assert scope["problem"].describe() == problem.describe()


def test_recipe_repeats_the_numbers(setup) -> None:
    theory, problem, path, runs = setup
    scope: dict = {}
    exec(recipe(theory.model, problem, runs, from_file=False).replace("print(", "str("), scope)  # noqa: S102
    np.testing.assert_array_equal(scope["path"].risk.values, path.risk.values)
    np.testing.assert_array_equal(scope["runs"].risk.values, runs.risk.values)
    schedule = hd.Problem(hd.spectrum.identity(d=50), hd.start.overlaps(1.0, 0.2, 1.5), 1 / (3 + hd.t), delta=0.1)
    exec(recipe(theory.model, schedule, None, from_file=False), scope)  # noqa: S102
    times = np.linspace(0, 20, 7)
    np.testing.assert_allclose(scope["problem"].learning_rate(times), schedule.learning_rate(times), rtol=1e-15)
    np.testing.assert_array_equal(scope["problem"].grams(theory.model), schedule.grams(theory.model))
    assert scope["problem"].delta == schedule.delta


def test_homogenized_runs_are_named_and_repeated(setup) -> None:
    theory, problem, path, _ = setup
    runs = hd.simulate(theory, problem, runs=3, rng=0, record=5, method="homogenized", scheme="euler")
    page = check_page(render(theory, problem, path, runs, hd.compare(path, runs)))
    assert "Homogenized SGD in dimension d = 100, 3 runs" in page.visible
    assert "of homogenized SGD, method" in page.visible
    assert f"{runs.attrs['steps_per_time']} steps in a unit of time" in page.visible
    scope: dict = {}
    exec(recipe(theory.model, problem, runs, from_file=False).replace("print(", "str("), scope)  # noqa: S102
    np.testing.assert_array_equal(scope["runs"].risk.values, runs.risk.values)


def test_numbers() -> None:
    assert number(0.25) == "0.25"
    assert number(-1.25e-7, 3) == "−1.25 × 10⁻⁷"
    assert number(1e-8) == "10⁻⁸"
    assert number(123456.7) == "123457"
    assert number(2.5e12) == "2.5 × 10¹²"
    assert number(0) == "0"
    assert number(float("nan")) == number(float("inf")) == signed(float("nan")) == MISSING
    assert signed(0.5) == "+0.5"
    assert signed(-0.5) == "−0.5"
    for value in np.random.default_rng(0).standard_normal(50) * 10.0 ** np.arange(-25, 25):
        shown = number(value, 4).replace("−", "-").replace(" × 10", "e")
        back = float(shown.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
        assert back == pytest.approx(value, rel=5.1e-4)
