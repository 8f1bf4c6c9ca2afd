"""Statistics of W^T q(K) W: against direct sums over modes, simulation, the other formulation, few modes; errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.composition import Weight
from hdsym.errors import DeclarationError, FileFormatError, ParseError, SolveError
from hdsym.forms import linear_coefficients
from hdsym.modelfile import read
from hdsym.modes import Modes
from hdsym.nodes import Factor, choose
from hdsym.report.derivation import formulas
from hdsym.report.recipe import declaration

x, s, y, K = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.covariance
QS = {"one": 1, "first": K, "second": K**2, "cubic": 1 + K**3}
FUNCTIONS = {"one": np.ones_like, "first": lambda v: v, "second": lambda v: v**2, "cubic": lambda v: 1 + v**3}
MODEL = hd.zoo.phase_retrieval().with_statistics(
    **{name: hd.overlap(x - s, x + s / 2, q) for name, q in QS.items()},
    error=sp.sqrt(hd.overlap(x - s, x - s)),
    angle=sp.acos(hd.overlap(x, s, K) / sp.sqrt(hd.overlap(x, x, K) * hd.overlap(s, s, K))),
    alignment=hd.overlap(x, s, K**2) / sp.sqrt(hd.overlap(x, x, K**2) * hd.overlap(s, s, K**2)),
    below=hd.resolvent(x, s, -0.3),
    real=sp.re(hd.resolvent(x, s, 0.8 + 0.5j)),
    density=sp.im(hd.resolvent(x, x, 0.8 + 0.5j)) / sp.pi,
    ratio=sp.sqrt(hd.mean((x**2 - s**2) ** 2)) / hd.overlap(s, s),
    mixed=abs(x) * hd.overlap(x, x) + s**2 - 2 * hd.overlap(x, s),
)
NAMES = tuple(name for name, _ in MODEL.declared_statistics)
VALUES = np.linspace(1.6, 0.2, 150)


def problem(spectrum: hd.Spectrum, **options: object) -> hd.Problem:
    start = hd.start.random(norm=1.0, cosine=0.3, rng=1)
    return hd.Problem(**{"spectrum": spectrum, "start": start, "learning_rate": 0.2, "horizon": 4.0, **options})


@pytest.fixture(scope="module")
def theory() -> hd.Derivation:
    return hd.derive(MODEL)


@pytest.fixture(scope="module")
def path(theory: hd.Derivation) -> hd.Trajectory:
    return theory.solve(problem(hd.spectrum.eigenvalues(VALUES)), rtol=1e-10, atol=1e-13, dense_output=True)


def by_hand(lam: np.ndarray, grams: np.ndarray) -> dict[str, np.ndarray]:
    """The same from Gram matrices (..., m, 2, 2) of the eigenvalues, without a line of the library."""

    def form(q: np.ndarray) -> np.ndarray:
        return np.einsum("m,...mij->...ij", q, grams)

    found = {}
    for name, q in FUNCTIONS.items():
        G = form(q(lam))
        found[name] = G[..., 0, 0] - G[..., 0, 1] / 2 - G[..., 1, 1] / 2
    G, square, B = form(np.ones_like(lam)), form(lam**2), form(lam)
    found["error"] = np.sqrt(G[..., 0, 0] - 2 * G[..., 0, 1] + G[..., 1, 1])
    found["alignment"] = square[..., 0, 1] / np.sqrt(square[..., 0, 0] * square[..., 1, 1])
    found["angle"] = np.arccos(B[..., 0, 1] / np.sqrt(B[..., 0, 0] * B[..., 1, 1]))
    found["below"] = form(1 / (lam + 0.3))[..., 0, 1]
    complex_one = 1 / (lam - 0.8 - 0.5j)
    found["real"], found["density"] = form(complex_one.real)[..., 0, 1], form(complex_one.imag)[..., 0, 0] / np.pi
    fourth = 3 * B[..., 0, 0] ** 2 + 3 * B[..., 1, 1] ** 2 - 2 * B[..., 0, 0] * B[..., 1, 1] - 4 * B[..., 0, 1] ** 2
    found["ratio"] = np.sqrt(fourth) / G[..., 1, 1]
    found["mixed"] = np.sqrt(2 * B[..., 0, 0] / np.pi) * G[..., 0, 0] + B[..., 1, 1] - 2 * G[..., 0, 1]
    return found


def test_a_solution_has_them_from_its_modes(path: hd.Trajectory) -> None:
    expected = by_hand(path.dataset["eigenvalue"].values, path.grams.values)
    for name in NAMES:
        np.testing.assert_allclose(path.variable(name).values, expected[name], rtol=1e-12, atol=1e-13, err_msg=name)
    between = path.at(1.234)
    for name, value in by_hand(path.dataset["eigenvalue"].values, between["grams"].values).items():
        assert float(between[name]) == pytest.approx(value, rel=1e-12)
    assert "covariance**2" in path.attrs["statistics"]["second"]


def test_formulas_name_the_sum_over_modes(theory: hd.Derivation) -> None:
    assert str(theory.statistics["below"]) == "sum_lam(G12/(lam + 3/10))"
    assert str(theory.statistics["error"]) == "sqrt(sum_lam(G11 - 2*G12 + G22))"
    assert "mean(Abs(x))*overlap(x, x)" in str(theory)
    assert r"\left\langle x, s\right\rangle_{K^{2}}" in theory._repr_latex_()
    shown = " ".join(str(entry.math) for entry in formulas(theory) if entry.title == "statistics")
    assert "⟨" in shown or "&#x27E8;" in shown
    assert sum(entry.title == "overlaps" for entry in formulas(theory)) == 2  # B, and what the brackets are
    namespace: dict[str, object] = {}
    exec(declaration(MODEL), namespace)  # noqa: S102  # our own recipe
    assert namespace["model"].statistics == MODEL.statistics  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["direct", "reduced"])
def test_against_sgd(method: str, theory: hd.Derivation) -> None:
    """All at once: the verdict is wrong by chance in one of 100 sets of seeds (its level); these are fixed."""
    posed = problem(hd.spectrum.two_level(0.5, 1.5, 0.4, d=400))
    solved = theory.solve(posed, dense_output=True)
    runs = hd.simulate(MODEL, posed, runs=12, rng=3, method=method, record=8)
    verdict = hd.compare(solved, runs, statistics=("risk", *NAMES), bias=0.5)
    assert verdict.agree, verdict.words
    other = hd.derive(hd.zoo.phase_retrieval().with_statistics(cubic=hd.overlap(x - s, x + s / 2, 1 + K**2)))
    assert not hd.compare(other.solve(posed), runs, statistics="cubic", bias=0.5).agree


@pytest.mark.parametrize("method", ["direct", "reduced", "homogenized", "data"])
def test_simulators_compute_them_from_the_weights(method: str) -> None:
    """At t = 0 for given X and X*: W^T q(K) W by numpy, in the basis of the data too."""
    rng = np.random.default_rng(5)
    names = (*QS, "error", "angle", "alignment", "below", "real", "density")
    model = hd.zoo.least_squares().with_statistics({name: dict(MODEL.statistics)[name] for name in names})
    d, lam = 8, np.repeat([0.25, 0.7, 2.0], [3, 1, 4])
    X, S = rng.normal(size=(2, d)) / 3
    if method == "data":
        features = rng.normal(size=(40, d)) @ rng.normal(size=(d, d)) / 3
        posed = hd.Problem.from_data(features, features @ S, learning_rate=0.01, start=X, horizon=0.5)
        lam, basis = np.linalg.eigh(features.T @ features / 40)
        X, S = basis.T @ X, basis.T @ S
    else:
        posed = hd.Problem(hd.spectrum.eigenvalues(lam), hd.start.arrays(X, S), learning_rate=0.1, horizon=0.5)
    runs = hd.simulate(model, posed, runs=1, rng=1, method=method, record=1)
    W = np.column_stack([X, S])
    expected = by_hand(lam, np.einsum("ki,kj->kij", W, W))
    for name in names:
        assert float(runs.variable(name)[0, 0]) == pytest.approx(float(expected[name]), rel=1e-9, abs=1e-11), name


@pytest.mark.parametrize("method", ["direct", "data"])
def test_runs_can_be_added_to_an_ensemble_that_was_saved(method: str, tmp_path: Path) -> None:
    """What statistics are made of is kept with the runs: the arrays are those of all runs at once."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(30, 6))
    posed = hd.Problem.from_data(features, features @ rng.normal(size=6), learning_rate=0.2, horizon=1.0)
    model = hd.zoo.least_squares().with_statistics(
        error=sp.sqrt(hd.overlap(x - s, x - s, K**2)),
        relative=hd.mean(abs(x - y)) / hd.overlap(s, s),
        plain=(x - y) ** 4,
    )
    whole = hd.simulate(model, posed, runs=4, rng=1, method=method, record=3)
    first = hd.load(hd.simulate(model, posed, runs=2, rng=1, method=method, record=3).save(tmp_path / "runs.nc"))
    assert isinstance(first, hd.Ensemble)
    added = first.more(2, model, posed, executor="processes" if method == "data" else "threads", workers=1)
    for name in ("error", "relative", "plain"):
        np.testing.assert_array_equal(added.variable(name).values, whole.variable(name).values)
    assert added.variable("forms").coords["form"].values.tolist()[0].startswith("overlap(")


@pytest.mark.parametrize("kind", ["inside", "outside", "around"])
def test_the_resolvent_formulation_has_them_too(kind: str, theory: hd.Derivation, path: hd.Trajectory) -> None:
    """Poles outside of the contour, inside, where their residues are taken out, and none but the default."""
    contours = {
        "inside": hd.Ellipse(-0.6, 2.5, 1.0, 256),
        "outside": hd.Ellipse(0.05, 1.75, 0.3, 256),
        "around": None,
    }
    other = theory.solve(
        problem(hd.spectrum.eigenvalues(VALUES)),
        rtol=1e-10,
        atol=1e-13,
        formulation="resolvent",
        contour=contours[kind],
    )
    assert other.attrs["contour_error"] < 1e-9
    for name in NAMES:
        scale = np.max(np.abs(path.variable(name).values))
        assert np.max(np.abs(other.variable(name).values - path.variable(name).values)) < 3e-8 * scale, name


@pytest.mark.parametrize("kind", ["uniform", "power law"])
def test_few_modes_have_them_to_the_error_that_is_stated(kind: str, theory: hd.Derivation) -> None:
    spectra = {
        "uniform": hd.spectrum.eigenvalues(np.linspace(0.01, 2.0, 3000)),
        "power law": hd.spectrum.power_law(0.6, d=3000),
    }
    posed = problem(spectra[kind], learning_rate=0.1, horizon=3.0)
    few = theory.solve(posed, method="explicit", rtol=1e-10, atol=1e-13, tol=1e-8)
    full = theory.solve(posed, method="explicit", rtol=1e-12, atol=1e-15, modes="full")
    assert few.attrs["modes"]["count"] < 150
    for name in NAMES:
        change = np.max(np.abs(few.variable(name).values - full.variable(name).values))
        assert change <= (3 * few.attrs["compression_error"] + 1e-9) * np.max(np.abs(full.variable(name).values)), name


def test_nodes_are_added_for_a_pole_and_none_are_put_across_it() -> None:
    """At every q the nodes integrate exp(-lam) / (lam - z) to the accuracy asked for; nearer poles take more."""
    levels, sizes = np.linspace(0.5, 2.0, 5000), list[int]()
    for z in (-1.0 + 0j, 0.3 + 0j, 1.0 + 0.1j, 1.0 + 0.02j):
        pieces = choose(levels, 1.0, 1e-9, Factor(poles=(z,)))
        weights = np.ones(len(levels)) / len(levels)
        few = Modes(levels, weights, np.zeros((len(levels), 1, 1)), len(levels)).at(pieces)
        total = few.rho @ (np.exp(-few.lam) / (few.lam - z))
        exact = weights @ (np.exp(-levels) / (levels - z))
        assert abs(total - exact) < 1e-8 * abs(exact)
        sizes.append(sum(piece.count for piece in pieces))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] < 400
    gap = np.concatenate([np.linspace(0.5, 0.8, 2000), np.linspace(1.2, 2.0, 2000)])
    cut = choose(gap, 1.0, 1e-9, Factor(poles=(1.0 + 0j,)))
    assert sum(piece.count for piece in cut) < 100
    assert not any(gap[piece.first] < 1.0 < gap[piece.last - 1] for piece in cut)


def test_a_committee_of_any_width() -> None:
    """Sums over units of overlaps, with trained weights, against the Gram matrices of the modes."""
    net = hd.zoo.committee(trained_second_layer=True)
    (xs,), (ss,), (v,) = net.students, net.teachers, net.trained
    i, m = sp.symbols("i m", integer=True)
    inner = sp.Sum(v[i] * hd.overlap(xs[i], ss[m], 1 + K**3), (i, 1, xs.size), (m, 1, ss.size))
    model = net.with_statistics(
        weighted=inner,
        total=hd.overlap(sp.Sum(xs[i], (i, 1, xs.size)), ss[2] - xs[1], K**2),
        output=sp.sqrt(hd.mean(sp.Sum(sp.erf(xs[i]), (i, 1, xs.size)) ** 2)),
    )
    start = hd.start.random(norm=0.6, cosine=0.3, n_student=3, n_teacher=2, rng=2)
    posed = problem(
        hd.spectrum.eigenvalues([0.4, 0.4, 1.0, 1.0, 1.6, 1.6]), start=start, parameters={"v": [0.3, 0.5, 0.2]}
    )
    theory = hd.derive(model)
    path = theory.solve(posed, t=1.0)
    lam, G = path.dataset["eigenvalue"].values, path.grams.values
    cubic, square = (np.einsum("m,tmij->tij", q, G) for q in (1 + lam**3, lam**2))
    expected = np.einsum("ti,tij->t", path.trained.values, cubic[:, :3, 3:])
    np.testing.assert_allclose(path.variable("weighted").values, expected, rtol=1e-12)
    expected = square[:, :3, 4].sum(1) - square[:, :3, 0].sum(1)
    np.testing.assert_allclose(path.variable("total").values, expected, rtol=1e-12)
    Q = path.overlaps.values[:, :3, :3]
    diagonal = np.einsum("tii->ti", Q)
    kernel = np.arcsin(2 * Q / np.sqrt((1 + 2 * diagonal[:, :, None]) * (1 + 2 * diagonal[:, None])))
    expected = np.sqrt(2 / np.pi * kernel.sum((1, 2)))
    np.testing.assert_allclose(path.variable("output").values, expected, rtol=1e-10)
    assert theory.statistics["weighted"].has(sp.Sum)
    with pytest.raises(DeclarationError, match=r"mean\(x\[i\]\*\*2\), a mean for each unit i\n.*choose the widths"):
        net.with_statistics(g=sp.Sum(hd.mean(xs[i] ** 2) ** 2, (i, 1, xs.size)))
    runs = hd.simulate(model, problem(hd.spectrum.identity(d=20), start=start, parameters={"v": 0.5}), runs=2, t=0.1)
    assert np.all(np.isfinite(runs.variable("weighted").values))


def test_at_overlaps_alone_where_they_decide(theory: hd.Derivation) -> None:
    B = np.array([[1.3, 0.5], [0.5, 0.8]])
    assert theory.statistic_at("first", B) == pytest.approx(1.3 - 0.25 - 0.4, rel=1e-14)
    with pytest.raises(DeclarationError, match=r"holds overlap\(.*which B = W\^T K W does not tell\n.*theory.solve"):
        theory.statistic_at("second", B)


def test_values_of_parameters_are_put_in() -> None:
    ridge = hd.parameter("ridge", default=0.5, positive=True)
    model = hd.Model(
        loss=(x - y) ** 2 / 2 + ridge * x**2,
        link=s,
        statistics={"solved": hd.overlap(x, x, 1 / (K + ridge)), "inverse": hd.overlap(x, x, 1 / K)},
    )
    posed = problem(hd.spectrum.eigenvalues([0.5, 1.5]), parameters={"ridge": 0.25})
    path = hd.derive(model).solve(posed, t=1.0)
    lam, G = path.dataset["eigenvalue"].values, path.grams.values[..., 0, 0]
    np.testing.assert_allclose(path.variable("solved").values, G @ (1 / (lam + 0.25)), rtol=1e-12)
    np.testing.assert_allclose(path.variable("inverse").values, G @ (1 / lam), rtol=1e-12)  # a pole at zero, off lam


def test_rounding_makes_no_squared_norm_negative() -> None:
    """At X = X* / 3 the distance is a difference of equal terms, half the time below zero, and its root must exist."""
    model = hd.zoo.phase_retrieval().with_statistics(error=sp.sqrt(hd.overlap(3 * x - s, 3 * x - s, K**2)))
    theory = hd.derive(model)
    for seed in range(8):
        target = np.random.default_rng(seed).normal(size=(50, 1)) / 7
        start = hd.start.arrays(target / 3, target)
        path = theory.solve(problem(hd.spectrum.power_law(0.7, d=50), start=start), t_eval=[0.0])
        assert np.all(path.variable("error").values < 1e-6)


@pytest.mark.parametrize(
    ("z", "spectrum"),
    [
        (1.5, hd.spectrum.two_level(0.5, 1.5, 0.4, d=100)),
        (0.7, hd.spectrum.marchenko_pastur(0.5)),
        (0.0, hd.spectrum.eigenvalues([0.0, 1.0, 2.0])),
    ],
)
def test_a_resolvent_on_the_spectrum(z: float, spectrum: hd.Spectrum) -> None:
    model = hd.zoo.least_squares().with_statistics(entry=hd.resolvent(x, s, z))
    with pytest.raises(DeclarationError, match=r"has a pole at .*on the spectrum of K in \[.*\n.*a complex one"):
        hd.derive(model).solve(problem(spectrum))
    if spectrum.d:
        with pytest.raises(DeclarationError, match="on the spectrum"):
            hd.simulate(model, problem(spectrum), runs=1)


def test_a_resolvent_in_a_gap_of_the_spectrum() -> None:
    model = hd.zoo.least_squares().with_statistics(entry=hd.resolvent(x, x, 1.0))
    path = hd.derive(model).solve(problem(hd.spectrum.two_level(0.5, 1.5, 0.4, d=100)))
    low, high = path.grams.values[..., 0, 0].T[np.argsort(path.dataset["eigenvalue"].values)]
    np.testing.assert_allclose(path.variable("entry").values, 2 * high - 2 * low, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.overlap(x**2, s), "x\\*\\*2, which is no direction"),
        (lambda: hd.overlap(x + 1, s), "which is no direction"),
        (lambda: hd.overlap("x", s), "an overlap is given 'x'"),
        (lambda: hd.overlap(x, s, sp.exp(K)), "no polynomial in the covariance"),
        (lambda: hd.overlap(x, s, sp.Symbol("K")), "neither hd.covariance nor a parameter"),
        (lambda: hd.overlap(x, s, "K**2"), "q is 'K\\*\\*2'"),
        (lambda: hd.resolvent(x, s, "1"), "z is '1'"),
        (lambda: hd.mean(hd.overlap(x, s)), "overlap\\(x, s\\) in it is no random variable"),
        (lambda: hd.mean("x"), "the mean of 'x'"),
    ],
)
def test_what_is_no_overlap(make: object, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (hd.resolvent(x, s, 1 + 1j), "is complex\n.*sympy.re"),
        (hd.overlap(x, hd.teacher("u")), "contains u, which loss and link do not"),
        (hd.overlap(x, s, K + hd.parameter("b")), "contains b, which"),
        (sp.cos(x * hd.overlap(x, s)), "random variables and overlaps mix\n.*hd.mean"),
        (sp.sqrt(hd.mean(hd.teacher("u") ** 2)), "contains u, which"),
        (sp.gamma(hd.overlap(x, x)), "uses the function 'gamma'"),
        (K * x, "unknown symbol covariance"),
    ],
)
def test_statistics_without_meaning(declared: sp.Expr, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        hd.zoo.least_squares().with_statistics(g=declared)


def test_a_value_that_is_not_finite_is_an_error_with_its_time() -> None:
    model = hd.zoo.least_squares().with_statistics(alignment=hd.overlap(x, s) / sp.sqrt(hd.overlap(x, x)))
    target = np.ones((5, 1))
    posed = problem(hd.spectrum.identity(d=5), start=hd.start.arrays(0 * target, target))
    with pytest.raises(SolveError, match="the statistic 'alignment' is not finite at t = 0"):
        hd.derive(model).solve(posed)


FILE = """
[model]
loss = "(x - y)**2 / 2"
link = "s"
[model.statistics]
error = "sqrt(overlap(x - s, x - s, 1 + covariance**3))"
entry = "resolvent(x, s, -0.5)"
root = "sqrt(mean((x - y)**2))"
[problem]
spectrum = {kind = "identity"}
start = {kind = "random", norm = 1.0, cosine = 0.3, rng = 1}
learning_rate = 0.1
horizon = 1.0
"""


def test_model_files_declare_them(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text(FILE)
    declared = dict(read(file).model.statistics)
    assert declared["error"] == sp.sqrt(hd.overlap(x - s, x - s, 1 + K**3))
    assert declared["entry"] == hd.resolvent(x, s, -0.5)
    assert declared["root"] == sp.sqrt(hd.mean((x - y) ** 2))
    for wrong, message in (
        ("overlap(x**2, s)", "no direction"),
        ("overlap(x)", "gives overlap 1 arguments"),
        ("overlap(x, s, exp(covariance))", "no polynomial in the covariance"),
        ("overlaps(x, s)", "did you mean 'overlap'"),
        ("acos(2)", "no real value"),
        ("resolvent(x, s, __import__('os'))", "unknown function|string|not a number"),
    ):
        file.write_text(FILE.replace("resolvent(x, s, -0.5)", wrong))
        with pytest.raises((ParseError, FileFormatError), match=message):
            read(file)
    file.write_text(FILE.replace('link = "s"', 'link = "overlap(s, s)"'))
    with pytest.raises(ParseError, match="unknown function 'overlap'"):
        read(file)


def test_rational_functions_of_eigenvalues() -> None:
    q = Weight(np.array([1.0, 0.0, 1.0]), np.array([1.0, -3.0]))
    assert q(2.0) == -5.0
    assert q.poles.tolist() == [3.0]
    assert q.residue(3.0) == 10.0
    assert q.degree == 1
    assert linear_coefficients(2 * x - s) == {x: 2, s: -1}
