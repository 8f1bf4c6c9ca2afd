"""Results of several directions: angles, specialisation, trained scalars; their verdict and plots."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hdsym as hd
from hdsym.compare import compare
from hdsym.errors import DeclarationError
from hdsym.geometry import geometry
from hdsym.plots import figure_bytes

TIME = np.linspace(0.0, 5.0, 26)


def curves(l: int, m: int, time: NDArray[np.float64] = TIME) -> NDArray[np.float64]:
    """W^T W of weights that turn from a random start towards the teachers, student k to teacher k + 1; (T, n, n)."""
    rng = np.random.default_rng(0)
    first, target = rng.standard_normal((20, l)), rng.standard_normal((20, m))
    share = 1 - np.exp(-time[:, None, None])
    X = (1 - share) * first + share * target[:, [(k + 1) % m for k in range(l)]]
    W = np.concatenate([X, np.broadcast_to(target, (time.size, *target.shape))], axis=2)
    return np.asarray(np.swapaxes(W, 1, 2) @ W / 20)


def results(l: int = 3, m: int = 3, runs: int = 12) -> tuple[hd.Trajectory, hd.Ensemble]:
    names = [f"x{k + 1}" for k in range(l)] + [f"s{k + 1}" for k in range(m)]
    gram, rng = curves(l, m), np.random.default_rng(1)
    scalars = np.stack([np.exp(-TIME), 1 + 0 * TIME], axis=1)
    path = hd.Trajectory.build(
        time=TIME, overlaps=gram, gram=gram, risk=np.exp(-TIME), names=names, n_student=l, trained=scalars,
        trained_names=("b", "v1"),
    )  # fmt: skip
    noise = np.exp(0.02 * rng.standard_normal((runs, 1)) * TIME)[..., None, None]
    ensemble = hd.Ensemble.build(
        time=TIME, overlaps=gram * noise, gram=gram * noise, risk=np.exp(-TIME) * noise[..., 0, 0], names=names,
        n_student=l, trained=scalars * noise[..., 0], trained_names=("b", "v1"), attrs={"d": 1000},
    )  # fmt: skip
    return path, ensemble


@pytest.mark.parametrize(("l", "m"), [(1, 1), (3, 3), (4, 2), (2, 4), (1, 3)])
def test_angles_against_every_assignment(l: int, m: int) -> None:
    rng = np.random.default_rng([l, m])
    X, S = rng.standard_normal((5, 7, 9, l)), rng.standard_normal((5, 7, 9, m))
    W = np.concatenate([X, S], axis=-1)
    found = geometry(np.swapaxes(W, -1, -2) @ W, l)
    for where in np.ndindex(5, 7):
        x, s = X[where], S[where]
        cosines = x.T @ s / np.outer(np.linalg.norm(x, axis=0), np.linalg.norm(s, axis=0))
        assert found["cosines"][where] == pytest.approx(cosines)
        if l <= m:
            pairings = [[(k, p[k]) for k in range(l)] for p in permutations(range(m), l)]
        else:
            pairings = [[(p[j], j) for j in range(m)] for p in permutations(range(l), m)]
        best = max(np.mean([abs(cosines[pair]) for pair in pairing]) for pairing in pairings)
        assert found["specialisation"][where] == pytest.approx(best)
        if l == m:
            orders = (np.sum((x[:, list(p)] - s) ** 2) for p in permutations(range(l)))
            assert found["aligned_distance"][where] == pytest.approx(min(orders))
        else:
            assert "aligned_distance" not in found


def test_angles_at_the_edges() -> None:
    zero = geometry(np.diag([0.0, 1.0, 1.0, 1.0]), 2)
    assert np.array_equal(zero["cosines"], np.zeros((2, 2)))
    assert zero["aligned_distance"] == 3.0
    unknown = geometry(np.full((2, 4, 4), np.nan), 2)
    for name in ("cosines", "specialisation", "aligned_distance"):
        assert np.isnan(unknown[name]).all()
    swapped = np.block([[np.eye(2), np.eye(2)[::-1]], [np.eye(2)[::-1], np.eye(2)]])
    found = geometry(swapped, 2)
    assert (found["distance"], found["aligned_distance"], found["specialisation"]) == (4.0, 0.0, 1.0)


def test_variables_have_names_of_units() -> None:
    path, runs = results(3, 2)
    assert path.cosines.dims == ("time", "student", "teacher")
    assert runs.cosines.dims == ("run", "time", "student", "teacher")
    assert path.cosines.sel(student="x3", teacher="s2").values[-1] == pytest.approx(1.0, abs=0.02)
    assert path.trained.sel(theta="b").values == pytest.approx(np.exp(-TIME))
    assert runs.trained.dims == ("run", "time", "theta")
    assert path.specialisation.values[-1] > 0.9
    with pytest.raises(DeclarationError, match="'aligned_distance'"):
        _ = path.aligned_distance
    assert results(2, 2)[0].aligned_distance.values[-1] < 0.1 < results(2, 2)[0].distance.values[-1]


def test_no_scalars_no_variable() -> None:
    gram = curves(2, 2)
    path = hd.Trajectory.build(time=TIME, overlaps=gram, gram=gram, risk=np.exp(-TIME), names="abcd")
    with pytest.raises(DeclarationError, match="has no 'trained'"):
        _ = path.trained


def test_scalars_and_angles_survive_the_disk_and_interpolation(tmp_path: Path) -> None:
    path, runs = results()
    for result in (path, runs):
        assert hd.load(result.save(tmp_path / "result.nc")).dataset.equals(result.dataset)
    between = path.at([0.33, 2.71])
    assert between["trained"].values[:, 0] == pytest.approx(np.exp([-0.33, -2.71]), abs=1e-4)
    fine = geometry(curves(3, 3, np.array([0.33, 2.71])), 3)
    assert between["cosines"].values == pytest.approx(fine["cosines"], abs=5e-4)
    assert between["specialisation"].values == pytest.approx(fine["specialisation"], abs=5e-4)


def test_a_verdict_on_every_entry() -> None:
    path, runs = results(2, 3)
    verdict = compare(path, runs, ("risk", "overlaps", "cosines", "trained", "specialisation"))
    labels = list(verdict.dataset["statistic"].values)
    assert labels[:3] == ["risk", "overlaps[x1,x1]", "overlaps[x1,x2]"]
    assert len([label for label in labels if label.startswith("overlaps")]) == 15
    assert labels[16:] == [
        *(f"cosines[x{k},s{j}]" for k in (1, 2) for j in (1, 2, 3)),
        "trained[b]",
        "trained[v1]",
        "specialisation",
    ]
    assert verdict.agree, verdict.words
    assert np.all(np.isfinite(verdict.dataset["curve"]))


def test_a_wrong_trained_scalar_is_found() -> None:
    path, runs = results()
    off = path.dataset.copy(deep=True)
    off["trained"][:, 1] = 1.3
    verdict = compare(hd.Trajectory(off), runs, ("risk", "trained"))
    assert not verdict.agree
    assert "trained[v1]" in verdict.words


def test_an_inaccurate_risk_is_allowed_for() -> None:
    """A risk averaged over few points is off by what it says, in all runs alike."""
    path, runs = results()
    shifted = runs.dataset.assign(risk=runs.risk * 1.02)
    plain = compare(path, hd.Ensemble(shifted), bias=0)
    noted = compare(path, hd.Ensemble(shifted.assign_attrs(risk_error=0.01)), bias=0)
    assert not plain.agree
    assert noted.agree


@pytest.mark.parametrize("statistic", ["overlaps", "cosines", "trained"])
def test_plots_of_six_preactivations_are_light(statistic: str) -> None:
    for result in results():
        figure = result.plot(statistic=statistic)
        (axes,) = figure.axes
        entries = {"overlaps": 21, "cosines": 9, "trained": 2}[statistic]
        assert len(axes.lines) == entries
        labels = [text.get_text() for text in axes.get_legend().get_texts()]
        assert len(labels) == len(set(labels)) <= 10
        assert figure_bytes(figure, "png").startswith(b"\x89PNG")
    if statistic == "overlaps":
        assert labels == ["student, student", "student, teacher", "teacher, teacher"]


@pytest.mark.parametrize(("l", "m"), [(1, 1), (3, 3), (3, 2), (8, 8)])
def test_matrices_and_specialisation_are_drawn(l: int, m: int) -> None:
    for result in results(l, m):
        for statistic in ("overlaps", "gram", "cosines"):
            figure = result.plot_matrices(statistic, times=4)
            images = [axes for axes in figure.axes if axes.images]
            assert [axes.get_title() for axes in images] == ["t = 0", "t = 1.6", "t = 3.4", "t = 5"]
            shape = images[0].images[0].get_array().shape
            assert shape == ((l, m) if statistic == "cosines" else (l + m, l + m))
            assert figure_bytes(figure, "png").startswith(b"\x89PNG")
        (axes,) = result.plot_specialisation().axes
        assert len(axes.lines) == l * m + 1
        assert axes.lines[-1].get_label() == "specialisation"
        assert result.plot_specialisation(ax=axes) is axes
    with pytest.raises(DeclarationError, match="risk is not a matrix"):
        result.plot_matrices("risk")
    with pytest.raises(DeclarationError, match="times is 0"):
        result.plot_matrices(times=0)


def test_a_verdict_on_a_matrix_is_drawn_small() -> None:
    path, runs = results()
    figure = compare(path, runs, ("risk", "overlaps")).plot()
    assert len(figure.axes) == 44
    assert figure.get_size_inches()[1] < 16
