"""Problems at other dimensions, and how the gap between theory and simulation shrinks with d."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hdsym as hd
from hdsym.errors import ComparisonError, DeclarationError
from hdsym.scaling import DimensionScaling

START = hd.start.random(norm=0.8, cosine=0.4, rng=1)


def posed(spectrum: hd.Spectrum, **options: Any) -> hd.Problem:
    return hd.Problem(spectrum, START, 0.3, horizon=1.0, **options)


def test_spectra_at_other_dimensions() -> None:
    power = hd.spectrum.power_law(0.6, d=20, trace=2.0).at(50)
    np.testing.assert_array_equal(power.eigenvalues(), hd.spectrum.power_law(0.6, d=50, trace=2.0).eigenvalues())
    assert power.at(30).label == "power_law(0.6, d=30, trace=2)"
    for identity in (hd.spectrum.identity(), hd.spectrum.identity(d=7), hd.spectrum.power_law(0.0, d=7)):
        assert identity.at(12).eigenvalues().tolist() == [1.0] * 12
    two = hd.spectrum.eigenvalues([3.0, 1.0, 1.0, 1.0]).at(12)
    assert two.multiplicities is not None
    assert (two.levels.tolist(), two.multiplicities.tolist()) == ([3.0, 1.0], [3, 9])
    assert two.label == "eigenvalues(d=12)"
    with pytest.raises(DeclarationError, match=r"nothing of dimension 10(.|\n)*multiples of 4"):
        hd.spectrum.eigenvalues([3.0, 1.0, 1.0, 1.0]).at(10)
    with pytest.raises(DeclarationError, match="nothing of dimension 4"):
        hd.spectrum.from_matrix(np.diag([1.0, 2.0])).at(4)


def test_families_keep_their_formula_at_other_dimensions() -> None:
    def pdf(lam: np.ndarray) -> np.ndarray:
        return lam / 2

    made: tuple[Any, ...] = (
        lambda d: hd.spectrum.spiked([9.0, 4.0], d=d, bulk=0.5),
        lambda d: hd.spectrum.two_level(1.0, 3.0, share=0.25, d=d),
        lambda d: hd.spectrum.marchenko_pastur(2.0, d=d),
        lambda d: hd.spectrum.power_law_density(0.4, d=d),
        lambda d: hd.spectrum.from_density(pdf, (0, 2), d=d),
    )
    for of in made:
        np.testing.assert_array_equal(of(40).at(60).at(100).eigenvalues(), of(100).eigenvalues())
        assert of(40).at(100).label == of(100).label
    for of in made[1:]:  # spikes have no limit
        np.testing.assert_array_equal(of(None).at(100).eigenvalues(), of(100).eigenvalues())
    assert np.sum(hd.spectrum.spiked([9, 4], d=10).at(1000).eigenvalues() > 1) == 2


def test_problems_at_other_dimensions() -> None:
    problem = posed(hd.spectrum.power_law(0.3, d=20), delta=0.1, batch_size=2)
    other = problem.at(40)
    assert other.spectrum.d == 40
    assert (other.delta, other.batch_size, other.horizon, other.start) == (0.1, 2, 1.0, START)
    assert hd.Problem(hd.spectrum.identity(5), hd.start.overlaps(1, 0.3, 1), 0.1).at(9).spectrum.d == 9
    arrays = hd.Problem(hd.spectrum.identity(4), hd.start.arrays(np.eye(4)[0], np.eye(4)[1]), 0.1)
    assert arrays.at(4).spectrum.d == 4
    with pytest.raises(DeclarationError, match=r"arrays with d = 4(.|\n)*start.random"):
        arrays.at(8)
    rows = np.random.default_rng(0).standard_normal((9, 4))
    with pytest.raises(DeclarationError, match="one dimension"):
        hd.Problem.from_data(rows, rows[:, 0], 0.1).at(8)


def synthetic(rng: np.random.Generator, power: float = -0.5, floor: float = 0.0) -> DimensionScaling:
    dims = [100, 200, 400, 800]
    gaps = [floor + d**power * np.exp(0.4 * rng.standard_normal(20)) for d in dims]
    return DimensionScaling.fit(
        dims=dims, gaps=gaps, statistic="risk", confidence=0.95, verdict=None, entropy=0, title="toy"
    )


def test_the_interval_of_the_slope_covers_it() -> None:
    """In 400 repetitions 95 % +- 3 %: three standard deviations of the count."""
    rng = np.random.default_rng(0)
    assert 0.92 <= np.mean([synthetic(rng).consistent for _ in range(400)]) <= 0.98


def test_words_and_tables_and_figure() -> None:
    rng = np.random.default_rng(1)
    fitted = synthetic(rng)
    assert "contains -1/2" in fitted.words
    assert repr(fitted).startswith("Relative gap in the risk of toy: slope -0.")
    assert "<table>" in fitted._repr_html_()
    figure = fitted.plot()
    assert figure.axes[0].get_xlim()[0] == 0
    assert fitted.plot(figure.axes[0]) is figure.axes[0]
    wrong = synthetic(rng, floor=0.2)
    assert not wrong.consistent
    assert "above -1/2: part of the gap does not shrink" in wrong.words
    assert "below -1/2" in synthetic(rng, power=-1.0).words


def test_small_dimensions_end_to_end_and_again() -> None:
    problem, model = posed(hd.spectrum.identity(20)), hd.zoo.least_squares(0.3)
    settings: dict[str, Any] = {"dims": [80, 20, 40], "runs": 8, "t_eval": [0.0, 0.5, 1.0], "workers": 1}
    one = hd.compare_dimensions(model, problem, rng=3, **settings)
    assert one.dataset["d"].values.tolist() == [20, 40, 80]
    assert one.dataset["gap"].shape == (3, 8)
    assert one.verdict is not None
    assert one.verdict.other_d == 40
    assert "p = " in one.words
    assert "drawn anew" not in one.words
    other = hd.compare_dimensions(
        model, lambda d: posed(hd.spectrum.identity(d)), rng=one.entropy, theory=hd.derive(model), **settings
    )
    assert other.slope == one.slope


def test_a_random_start_on_a_wide_spectrum_is_said_to_vary() -> None:
    model, theory = hd.zoo.least_squares(0.3), hd.derive(hd.zoo.least_squares(0.3))
    for start, said in ((START, True), (hd.start.overlaps(Q=0.64, M=0.32, T=1.0), False)):
        problem = hd.Problem(hd.spectrum.power_law(0.6, d=20), start, 0.3, horizon=1.0)
        scaling = hd.compare_dimensions(model, problem, [20, 40], runs=3, t_eval=[0.0, 0.5], rng=0, theory=theory)
        assert ("drawn anew at each d" in scaling.words) is said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dims": [20]}, r"dims are \[20\]"),
        ({"statistic": ("risk",)}, "statistic is"),
        ({"confidence": 1.0}, "confidence is 1"),
        ({"statistic": "teacher_norm"}, "does not fluctuate"),
        ({"problem": lambda d: posed(hd.spectrum.identity(50))}, "for d = 20"),
        ({"problem": lambda d: None}, "gives NoneType"),
    ],
)
def test_mistakes(arguments: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {"problem": posed(hd.spectrum.identity(20)), "dims": [20, 40], "runs": 3, **arguments}
    with pytest.raises(ComparisonError, match=message) as caught:
        hd.compare_dimensions(hd.zoo.least_squares(0.3), t_eval=[0.0, 0.5], rng=0, workers=1, **settings)
    assert caught.value.remedy


def test_divergence_is_refused() -> None:
    problem = hd.Problem(hd.spectrum.identity(6), START, 0.3, horizon=10.0)
    with pytest.raises(ComparisonError, match="of 12 runs diverge at d = 6"):
        hd.compare_dimensions(hd.zoo.phase_retrieval(0.0), problem, [6, 12], runs=12, rng=0, workers=1)
