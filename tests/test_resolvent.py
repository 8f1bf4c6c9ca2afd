"""The resolvent formulation against the equations of the modes: two implementations of one limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import DeclarationError

x1, x2 = hd.student("x", size=2)
s, y = hd.teacher("s"), hd.label("y")
TWO = hd.Model(loss=(x1**2 + x1 * x2 + x2**3 / 3 - y) ** 2 / 2, link=s**2)
THEORIES = {
    "least squares": hd.derive(hd.zoo.least_squares()),
    "phase retrieval": hd.derive(hd.zoo.phase_retrieval()),
    "logistic": hd.derive(hd.zoo.logistic("bernoulli")),
    "two students": hd.derive(TWO),
    "committee": hd.derive(hd.zoo.committee("erf", trained_second_layer=True)),
}
SPECTRA = {
    "identity": hd.spectrum.identity(d=40),
    "power law": hd.spectrum.power_law(0.6, d=60),
    "two levels": hd.spectrum.eigenvalues([0.5] * 20 + [3.0] * 10),
    "uniform": hd.spectrum.eigenvalues(np.linspace(0.1, 2.0, 50)),
    "rank deficient": hd.spectrum.eigenvalues([0.0] * 10 + list(np.linspace(0.5, 2.0, 30))),
}


def posed(theory: Any, spectrum: hd.Spectrum, **options: Any) -> hd.Problem:
    model = theory.model
    size = {"n_student": 2, "n_teacher": 2} if model.sized else {}
    if not size:
        size = {"n_student": model.n_student, "n_teacher": model.n_teacher}
    settings: dict[str, Any] = {
        "spectrum": spectrum,
        "start": hd.start.random(norm=0.7, cosine=0.3, rng=4, **size),
        "learning_rate": 0.1 / (1 + hd.t / 5),
        "delta": 0.1,
        "batch_size": 2,
        "parameters": {"v": [0.6, 0.3]} if model.sized else {},
        **options,
    }
    return hd.Problem(**settings)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", THEORIES)
def test_agrees_with_the_modes(name: str, spectrum: str) -> None:
    theory = THEORIES[name]
    problem = posed(theory, SPECTRA[spectrum])
    modes, other = (
        theory.solve(problem, t=4.0, t_eval=np.linspace(0, 4, 9), formulation=f, rtol=1e-9, atol=1e-11)
        for f in ("modes", "resolvent")
    )
    np.testing.assert_allclose(other.risk.values, modes.risk.values, rtol=1e-7)
    np.testing.assert_allclose(other.overlaps.values, modes.overlaps.values, atol=1e-7)
    np.testing.assert_allclose(other.gram.values, modes.gram.values, atol=1e-7)
    if theory.model.trained:
        np.testing.assert_allclose(other.trained.values, modes.trained.values, atol=1e-7)


DEGENERATE = {
    "one eigenvalue": hd.spectrum.identity(d=50),
    "one eigenvalue, half the rank": hd.spectrum.eigenvalues([2.0] * 25 + [0.0] * 25),
    "rank three": hd.spectrum.eigenvalues([5.0, 2.0, 1.0] + [0.0] * 50),
    "2500 levels, a third of them zero": hd.spectrum.eigenvalues(
        np.append(np.linspace(0.4, 1.6, 2500), np.zeros(1250))
    ),
}


@pytest.mark.parametrize("which", DEGENERATE)
@pytest.mark.parametrize("name", ["least squares", "phase retrieval"])
def test_few_and_zero_eigenvalues_in_every_formulation(name: str, which: str) -> None:
    """All levels, the automatic choice, six nodes and the resolvent; where lam = 0 only regularisation acts.

    There (W^T P_0 W)_11 decays like exp(-2 delta int gamma), the student-teacher block at half that rate.
    """
    theory, spectrum, times = THEORIES[name], DEGENERATE[which], np.linspace(0.0, 4.0, 5)
    problem = posed(theory, spectrum)
    options = {"t_eval": times, "rtol": 1e-9, "atol": 1e-12}
    full = theory.solve(problem, modes="full", **options)
    for choice in ({"modes": "auto"}, {"modes": 6}, {"formulation": "resolvent"}):
        path = theory.solve(problem, **choice, **options)
        tolerance = 1e-8 + 10.0 * path.attrs.get("compression_error", 0.0)
        for quantity in ("risk", "overlaps", "gram"):
            np.testing.assert_allclose(path.dataset[quantity].values, full.dataset[quantity].values, atol=tolerance)
        if "grams" not in path.dataset or spectrum.levels[-1] > 0:
            continue
        zero = path.grams.values[:, np.flatnonzero(path.dataset["eigenvalue"].values == 0.0)[0]]
        factor = np.exp(-0.1 * 0.1 * 5.0 * np.log1p(times / 5.0))  # delta times the integral of gamma
        np.testing.assert_allclose(zero[:, 0, 0], zero[0, 0, 0] * factor**2, rtol=1e-8)
        np.testing.assert_allclose(zero[:, 0, 1], zero[0, 0, 1] * factor, rtol=1e-8)
        np.testing.assert_array_equal(zero[:, 1, 1], zero[0, 1, 1])


def test_what_a_trajectory_says_of_its_contour() -> None:
    theory = THEORIES["phase retrieval"]
    path = theory.solve(posed(theory, SPECTRA["uniform"]), t=1.0, formulation="resolvent")
    assert path.attrs["formulation"] == "resolvent"
    assert path.attrs["contour_error"] < 1e-12
    assert path.attrs["contour"]["left"] < 0.1 < 2.0 < path.attrs["contour"]["right"]
    assert "grams" not in path.dataset


def test_error_falls_geometrically_in_the_nodes() -> None:
    """Foci at the ends of the spectrum, half axes 1.25 and 0.75 times half of it: a factor exp(-log 2) a node."""
    theory, spectrum = THEORIES["least squares"], SPECTRA["uniform"]
    half, nodes = 0.95, np.array([8, 16, 24, 32, 40])
    errors = []
    for count in nodes:
        contour = hd.Ellipse(1.05 - 1.25 * half, 1.05 + 1.25 * half, 0.75 * half, int(count))
        path = theory.solve(posed(theory, spectrum), t_eval=[0.0], formulation="resolvent", contour=contour)
        errors.append(path.attrs["contour_error"])
    assert np.polyfit(nodes, np.log(errors), 1)[0] == pytest.approx(-np.log(2), rel=0.15)


def test_contour_has_to_enclose_the_spectrum() -> None:
    theory = THEORIES["least squares"]
    problem = posed(theory, SPECTRA["uniform"])
    with pytest.raises(DeclarationError, match="contour crosses the spectrum") as caught:
        theory.solve(problem, t=1.0, formulation="resolvent", contour=hd.Ellipse(0.5, 3.0, 1.0))
    assert "[0.1, 2]" in caught.value.remedy
    for bad in ({"left": 1.0, "right": 0.0, "height": 1.0}, {"left": 0, "right": 1, "height": 0.1, "nodes": 9}):
        with pytest.raises(DeclarationError):
            hd.Ellipse(**bad)


def test_options_that_have_no_meaning() -> None:
    theory = THEORIES["least squares"]
    problem = posed(theory, SPECTRA["uniform"])
    with pytest.raises(DeclarationError, match="'stiff'"):
        theory.solve(problem, t=1.0, formulation="resolvent", method="stiff")
    with pytest.raises(DeclarationError, match="'contour'"):
        theory.solve(problem, t=1.0, formulation="contour")
    with pytest.raises(DeclarationError, match="with a contour"):
        theory.solve(problem, t=1.0, contour=hd.Ellipse(-1.0, 4.0, 1.0))
    for options in ({"modes": 20}, {"modes": "few"}, {"tol": 1e-6}):
        with pytest.raises(DeclarationError, match="which has no modes") as caught:
            theory.solve(problem, t=1.0, formulation="resolvent", **options)
        assert "Ellipse" in caught.value.remedy


def test_events_and_dense_output() -> None:
    theory = THEORIES["phase retrieval"]
    problem = posed(theory, SPECTRA["two levels"])

    def halved(t: float, state: Any) -> float:
        return float(state.risk - 0.5)

    found = [theory.solve(problem, t=30.0, events=halved, formulation=f).events[0] for f in ("modes", "resolvent")]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
    assert found[0].size
    dense = theory.solve(problem, t=2.0, formulation="resolvent", dense_output=True).at(1.234)
    expected = theory.solve(problem, t_eval=[1.234]).overlaps.values[0]
    np.testing.assert_allclose(dense.overlaps.values, expected, rtol=1e-6)
