"""Noise laws and random labels: moments, existence, and theory against SGD."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import stats
from scipy.integrate import quad

import hdsym as hd
from hdsym.errors import DeclarationError, ExpectationError
from hdsym.labels import RandomLabel
from hdsym.laws import NoiseLaw

x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")

LAWS: dict[str, tuple[NoiseLaw, object]] = {
    "normal": (hd.Normal(eps, std=0.7, mean=0.2), stats.norm(0.2, 0.7)),
    "uniform": (hd.Uniform(eps, low=-1, high=2), stats.uniform(-1, 3)),
    "laplace": (hd.Laplace(eps, scale=0.5, mean=-0.3), stats.laplace(-0.3, 0.5)),
    "student t": (hd.StudentT(eps, dof=9, scale=0.4, mean=0.1), stats.t(9, 0.1, 0.4)),
}


@pytest.mark.parametrize("name", LAWS)
def test_moments_are_those_of_the_law(name: str) -> None:
    law, reference = LAWS[name]
    for order in range(6):
        assert float(law.moment(order)) == pytest.approx(reference.moment(order), rel=1e-9)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", LAWS)
def test_value_of_the_standard_draw_has_the_law(name: str) -> None:
    """Quantiles: the value is increasing in its draw, so it maps quantiles of the draw to those of the law."""
    law, reference = LAWS[name]
    z = sp.Symbol("z", real=True)
    draws = {"normal": stats.norm, "uniform": stats.uniform, "student_t": stats.t(9)}
    value = sp.lambdify(z, law.value(z), "numpy")
    for u in (0.01, 0.3, 0.5, 0.9, 0.999):
        assert value(draws[law.draw].ppf(u)) == pytest.approx(reference.ppf(u), rel=1e-12)  # type: ignore[attr-defined]


def test_discrete_moments() -> None:
    law = hd.Discrete(eps, [0, 2], [0.75, 0.25])
    assert law.moment(3) == 2
    assert hd.Rademacher(eps).moment(4) == 1
    assert hd.Rademacher(eps).moment(3) == 0


@pytest.mark.parametrize("name", LAWS)
def test_risk_with_noise_that_enters_polynomially(name: str) -> None:
    law, reference = LAWS[name]
    theory = hd.derive(hd.Model((x - y) ** 4 / 4, s + eps, law))
    B = np.array([[1.2, 0.3], [0.3, 0.8]])
    variance = 1.2 - 0.6 + 0.8
    centred = [3 * variance**2, 0, variance, 0, 1]
    expected = sum(sp.binomial(4, k) * reference.moment(k) * centred[k] for k in range(5)) / 4  # type: ignore[attr-defined]
    assert float(theory.risk_at(B)) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("name", ["normal", "uniform", "laplace"])
def test_risk_with_noise_inside_a_function(name: str) -> None:
    law, reference = LAWS[name]
    theory = hd.derive(hd.Model((x - y) ** 2 / 2, s + sp.tanh(eps), law))
    mean, square = (
        quad(lambda e, k=k: np.tanh(e) ** k * reference.pdf(e), -30, 30, points=[-0.3, -1, 2], limit=400)[0]  # type: ignore[attr-defined]
        for k in (1, 2)
    )
    assert float(theory.risk_at(np.eye(2))) == pytest.approx((2 + square) / 2, rel=1e-8)
    assert abs(mean) > 1e-3  # the law is not symmetric: a sign error would show


def test_moments_that_do_not_exist_are_refused() -> None:
    model = hd.Model((x - y) ** 4 / 4, s + eps, hd.StudentT(eps, dof=5))
    with pytest.raises(ExpectationError, match=r"eps\^5 does not exist.*5 degrees"):
        hd.derive(model)  # the Fisher matrix needs moments up to the sixth
    fine = hd.derive(hd.Model((x - y) ** 4 / 4, s + eps, hd.StudentT(eps, dof=6.5)))
    assert np.isfinite(float(fine.fisher_at(np.eye(2))[0, 0]))
    with pytest.raises(ExpectationError, match="StudentT noise eps enters"):
        hd.derive(hd.Model((x - y) ** 2 / 2, s + sp.tanh(eps), hd.StudentT(eps, dof=9)))


def test_poisson_average_by_its_moments() -> None:
    rate = sp.exp(s)
    label = hd.Poisson(rate)
    for order in range(5):
        expected = stats.poisson(1.7).moment(order)
        assert float(label.average(y**order, y).subs(s, sp.log(sp.Float(1.7, 30)))) == pytest.approx(expected)
    with pytest.raises(DeclarationError, match="not a polynomial"):
        label.average(sp.exp(y), y)


def test_poisson_regression_has_closed_forms() -> None:
    theory = hd.derive(hd.Model(sp.exp(x) - y * x, hd.Poisson(sp.exp(s)), name="Poisson regression"))
    B11, B12, B22 = 0.4, 0.15, 0.3
    B = np.array([[B11, B12], [B12, B22]])
    assert theory.exact
    assert float(theory.risk_at(B)) == pytest.approx(np.exp(B11 / 2) - B12 * np.exp(B22 / 2), rel=1e-13)
    fisher = np.exp(2 * B11) - 2 * np.exp((B11 + 2 * B12 + B22) / 2) + np.exp(B22 / 2) + np.exp(2 * B22)
    assert float(theory.fisher_at(B)[0, 0]) == pytest.approx(fisher, rel=1e-12)


RANDOM: dict[str, tuple[RandomLabel, str]] = {
    "probability above one": (hd.Categorical([1, -1], [1 + hd.sigmoid(s), -hd.sigmoid(s)]), "probability"),
    "sum below one": (hd.Categorical([1, -1], [hd.sigmoid(s) / 2, (1 - hd.sigmoid(s)) / 2]), "sum to 0.5"),
    "negative rate": (hd.Poisson(s), "rate"),
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_labels_without_meaning(name: str) -> None:
    label, message = RANDOM[name]
    with pytest.raises(DeclarationError, match=message):
        hd.Model((x - y) ** 2, label)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.Categorical([1, 2], [1]), "2 values and 1"),
        (lambda: hd.Categorical(["a"], [1]), "not an expression"),
        (lambda: hd.Poisson("s"), "rate of Poisson"),
        (lambda: hd.Laplace(eps, scale=-1), "scale"),
        (lambda: hd.StudentT(eps, dof=hd.parameter("nu")), "dof"),
        (lambda: hd.StudentT(eps, dof=0), "dof"),
    ],
)
def test_bad_laws_name_the_remedy(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.remedy


SYSTEMS = {
    "Laplace noise": (hd.Model((x - y) ** 2 / 2, s + eps, hd.Laplace(eps, scale=0.3)), 0.5),
    "Student t noise": (hd.Model((x - y) ** 2 / 2, s + eps, hd.StudentT(eps, dof=12, scale=0.3)), 0.5),
    "noise inside a softplus": (hd.Model(hd.softplus(x - y) - (x - y) / 2, s + eps, hd.Normal(eps, std=0.4)), 0.9),
    "Poisson counts": (hd.Model(sp.exp(x) - y * x, hd.Poisson(sp.exp(s))), 0.15),
    "three categories": (
        hd.Model((x - y) ** 2 / 2, hd.Categorical([-1, 0, 1], [hd.sigmoid(-s) / 2, 0.5, hd.sigmoid(s) / 2])),
        0.5,
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_theory_against_sgd(name: str) -> None:
    """Each fails by chance with probability 0.001 for a new seed; the seed is fixed."""
    model, gamma = SYSTEMS[name]
    start = hd.start.random(norm=0.4, cosine=0.3, teacher_norm=0.6, rng=5)
    problem = hd.Problem(spectrum=hd.spectrum.identity(d=500), start=start, learning_rate=gamma, horizon=3.0)
    runs = hd.simulate(model, problem, runs=32, rng=3, record=7)
    verdict = hd.compare(hd.derive(model).solve(problem), runs, statistics=("risk", "distance"))
    assert verdict.p_value > 1e-3, verdict.words


@pytest.mark.parametrize("name", SYSTEMS)
def test_reports_show_every_law(name: str) -> None:
    from hdsym.report import render

    page = render(hd.derive(SYSTEMS[name][0]))
    assert "<math" in page
    assert type(SYSTEMS[name][0].link).__name__ in page or not SYSTEMS[name][0].sampled
