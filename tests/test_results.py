"""Trajectories and ensembles: labels, geometry, saving, and what happens to runs that diverge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

import hdsym as hd
from hdsym.errors import DeclarationError, FileFormatError
from hdsym.geometry import geometry
from hdsym.storage import decode, encode

T, M = 21, 3
TIME = np.linspace(0.0, 4.0, T)


def grams(time: Any = TIME) -> NDArray[np.float64]:
    """Smooth Gram matrices on M modes, shape (T, M, 2, 2)."""
    t = np.asarray(time)[..., None]
    rate = np.array([0.2, 0.5, 1.0])
    m, q = 1 - np.exp(-rate * t), 1 - 0.5 * np.exp(-rate * t)
    G = np.stack([np.stack([q**2 + 0.1, m * q], -1), np.stack([m * q, np.ones_like(m)], -1)], -2)
    return np.asarray(G / M)


def trajectory(**changes: Any) -> hd.Trajectory:
    G = grams()
    gram = G.sum(axis=1)
    arguments: dict[str, Any] = {
        "time": TIME,
        "overlaps": 2 * gram,
        "grams": G,
        "risk": np.exp(-TIME),
        "excess_risk": np.exp(-TIME) - 0.001,
        "learning_rate": np.full(T, 0.1),
        "levels": [3.0, 2.0, 1.0],
        "attrs": {"model": "toy", "d": None, "flag": True, "nested": {"a": [1, 2.5]}, "entropy": 2**100},
        "events": [np.array([1.25]), np.array([])],
        "status": 1,
        "message": "an event stopped it",
    }
    return hd.Trajectory.build(**{**arguments, **changes})


def ensemble(runs: int = 5, diverged: Any = None, **changes: Any) -> hd.Ensemble:
    rng = np.random.default_rng(0)
    factor = np.exp(0.1 * rng.standard_normal((runs, T)))
    gram = grams().sum(axis=1) * factor[..., None, None]
    arguments = {"time": TIME, "overlaps": 2 * gram, "gram": gram, "risk": np.exp(-TIME) * factor, "attrs": {"d": 50}}
    return hd.Ensemble.build(diverged=diverged, **{**arguments, **changes})


def test_variables_are_labelled_by_the_names_of_preactivations() -> None:
    path = trajectory(names=("u", "v"))
    assert path.overlaps.dims == ("time", "row", "col")
    assert path.grams.dims == ("time", "mode", "row", "col")
    assert path.names == ("u", "v")
    assert path.overlaps.sel(row="u", col="v").values == pytest.approx(path.overlaps.values[:, 0, 1])
    assert path.gram.values == pytest.approx(grams().sum(axis=1))
    assert path.grams["eigenvalue"].values.tolist() == [3.0, 2.0, 1.0]
    assert path.time.attrs["long_name"] == "t = steps / d"
    assert (path.status, path.message) == (1, "an event stopped it")


def test_geometry_of_weights() -> None:
    rng = np.random.default_rng(1)
    for students, teachers in ((1, 1), (3, 3), (2, 1)):
        X, Y = rng.standard_normal((4, 9, students)), rng.standard_normal((4, 9, teachers))
        W = np.concatenate([X, Y], axis=-1)
        found = geometry(np.swapaxes(W, -1, -2) @ W, students)
        assert found["norm"] == pytest.approx(np.sqrt(np.sum(X**2, axis=(1, 2))))
        assert found["teacher_norm"] == pytest.approx(np.sqrt(np.sum(Y**2, axis=(1, 2))))
        if students == teachers:
            assert found["distance"] == pytest.approx(np.sum((X - Y) ** 2, axis=(1, 2)))
            assert found["cosine"] == pytest.approx(np.sum(X * Y, (1, 2)) / found["norm"] / found["teacher_norm"])
        else:
            assert "distance" not in found


def test_geometry_at_the_edges() -> None:
    zero = geometry(np.array([[0.0, 0.0], [0.0, 1.0]]), 1)
    assert (zero["cosine"], zero["norm"], zero["distance"]) == (0.0, 0.0, 1.0)
    rounding = geometry(np.array([[1.0, 1.0 + 1e-16], [1.0 + 1e-16, 1.0 - 1e-16]]), 1)
    assert rounding["distance"] >= 0.0
    assert rounding["cosine"] <= 1.0


def test_more_students_than_teachers_have_no_distance() -> None:
    gram = np.broadcast_to(np.eye(3), (T, 3, 3))
    path = hd.Trajectory.build(time=TIME, overlaps=gram, gram=gram, risk=np.ones(T), names=("a", "b", "s"), n_student=2)
    assert path.n_student == 2
    assert path.norm.values == pytest.approx(np.full(T, np.sqrt(2)))
    with pytest.raises(DeclarationError, match=r"'distance'.*\n.*norm"):
        _ = path.distance


def test_trajectory_survives_the_disk(tmp_path: Path) -> None:
    path = trajectory()
    file = path.save(tmp_path / "new folder" / "theory.nc")
    for back in (hd.Trajectory.load(file), hd.load(file)):
        assert isinstance(back, hd.Trajectory)
        assert back.dataset.equals(path.dataset)
        assert back.attrs == path.attrs
        assert back.events[0].tolist() == [1.25]
        assert back.events[1].size == 0
        assert (back.status, back.message) == (1, "an event stopped it")
        assert repr(back) == repr(path)
    assert path.attrs["entropy"] == 2**100
    assert path.attrs["d"] is None
    assert path.attrs["flag"] is True
    assert path.attrs["versions"]["hdsym"] == hd.__version__
    path.save(file)  # replaces
    assert [f.name for f in file.parent.iterdir()] == ["theory.nc"]


def test_ensemble_survives_the_disk(tmp_path: Path) -> None:
    runs = ensemble(diverged=[np.nan, np.nan, 2.0, np.nan, np.nan])
    back = hd.load(runs.save(tmp_path / "runs.nc"))
    assert isinstance(back, hd.Ensemble)
    assert back.dataset.equals(runs.dataset)
    assert (back.runs, back.attrs["d"]) == (5, 50)
    assert repr(back) == repr(runs)


@pytest.mark.parametrize(
    "value", ["text", "json:x", "", 1, 2**70, -0.5, np.inf, None, True, [1, None], {"a": {"b": False}}, "null"]
)
def test_attributes_come_back(value: object) -> None:
    encoded = encode({"key": value})
    assert isinstance(encoded["key"], str | int | float)
    assert not isinstance(encoded["key"], bool)
    back = decode(encoded)["key"]
    assert back == value
    assert type(back) is type(value)


def test_large_grams_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hdsym.storage._LARGEST", 100)
    path = trajectory()
    back = hd.load(path.save(tmp_path / "a.nc"))
    assert "grams" in path.dataset
    assert "grams" not in back.dataset
    assert "kept in memory" in back.attrs["grams_omitted"]
    assert back.overlaps.equals(path.overlaps)


def test_other_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("not a result")
    with pytest.raises(FileFormatError, match="not a netCDF file"):
        hd.load(text)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["x"] = [1.0]
    with pytest.raises(FileFormatError):
        hd.load(tmp_path / "other.h5")
    with pytest.raises(FileNotFoundError, match=r"missing\.nc"):
        hd.load(tmp_path / "missing.nc")
    file = trajectory().save(tmp_path / "t.nc")
    with pytest.raises(FileFormatError, match="'Trajectory', not 'Ensemble'"):
        hd.Ensemble.load(file)
    with h5py.File(file, "a") as opened:
        del opened["risk"]
    with pytest.raises(FileFormatError, match="lacks risk"):
        hd.load(file)
    with h5py.File(file, "a") as opened:
        opened.attrs["hdsym_format"] = 99
    with pytest.raises(FileFormatError, match="format 99"):
        hd.load(file)
    with h5py.File(file, "a") as opened:
        opened.attrs["hdsym_format"] = 1
        opened.attrs["hdsym_kind"] = "Sweep"
    with pytest.raises(FileFormatError, match="unknown kind 'Sweep'"):
        hd.load(file)


def test_diverged_runs_are_left_out_and_said_so() -> None:
    plain = ensemble()
    risk = np.array(plain.risk.values)
    risk[1, 10:] = np.inf
    runs = ensemble(diverged=[np.nan, TIME[10], np.nan, np.nan, np.nan], risk=risk)
    assert np.isnan(runs.risk.values[1, 10:]).all()
    assert np.isfinite(runs.risk.values[1, :10]).all()
    assert np.isnan(runs.cosine.values[1, 10:]).all()
    median = runs.median("risk")
    assert median.values[:10] == pytest.approx(np.median(plain.risk.values[:, :10], axis=0))
    assert median.values[10:] == pytest.approx(np.median(np.delete(plain.risk.values, 1, axis=0)[:, 10:], axis=0))
    assert "1 of 5 runs" in median.attrs["note"]
    assert "1 of 5 runs" in repr(runs)
    assert "note" not in plain.median("risk").attrs
    gone = ensemble(diverged=np.full(5, TIME[5]))
    assert np.isnan(gone.median("risk").values[5:]).all()
    assert "5 of 5" in gone.median("risk").attrs["note"]


def test_quantiles_of_scalars_and_matrices() -> None:
    runs = ensemble()
    assert runs.quantiles("risk", 0.1).dims == ("time",)
    bands = runs.quantiles("overlaps", [0.1, 0.9])
    assert bands.dims == ("quantile", "time", "row", "col")
    assert bands.values == pytest.approx(np.quantile(runs.overlaps.values, [0.1, 0.9], axis=0))
    with pytest.raises(DeclarationError, match=r"\[0, 1\]"):
        runs.quantiles("risk", 1.5)


def test_at_interpolates() -> None:
    path = trajectory()
    wanted = np.array([0.33, 2.71])
    found = path.at(wanted)
    assert found["gram"].values == pytest.approx(grams(wanted).sum(axis=1), abs=5e-5)
    assert found["risk"].values == pytest.approx(np.exp(-wanted), abs=5e-5)
    one = path.at(4.0)
    assert one["risk"].dims == ()
    assert float(one["distance"]) == pytest.approx(float(path.distance[-1]))
    with pytest.raises(DeclarationError, match=r"t = 4\.5 is outside the trajectory, \[0, 4\]"):
        path.at(4.5)


def test_at_prefers_the_dense_solution() -> None:
    def dense(t: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"grams": grams(t), "risk": np.exp(-t)}

    wanted = np.array([0.33, 2.71])
    for path in (trajectory(dense=dense), trajectory(dense=grams)):
        found = path.at(wanted)
        assert found["grams"].values == pytest.approx(grams(wanted), rel=1e-14)
        gram = grams(wanted).sum(axis=1)
        assert found["gram"].values == pytest.approx(gram, rel=1e-14)
        assert found["distance"].values == pytest.approx(geometry(gram, 1)["distance"], rel=1e-13)
    assert trajectory(dense=dense).at(wanted)["risk"].values == pytest.approx(np.exp(-wanted), rel=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trajectory(time=TIME[::-1]), "strictly increasing"),
        (lambda: trajectory(time=np.append(TIME[:-1], np.nan)), "strictly increasing"),
        (lambda: trajectory(risk=np.ones(3)), r"risk has shape \(3,\), expected \(21,\)"),
        (lambda: trajectory(names=("x", "a", "s")), "overlaps has shape"),
        (lambda: trajectory(levels=[1.0]), "levels has shape"),
        (lambda: trajectory(grams=None), "needs W"),
        (lambda: ensemble(diverged=[1.0]), r"risk has shape \(5, 21\), expected \(1, 21\)"),
        (lambda: ensemble(risk=np.full((5, T), np.inf)), "risk of run 0 is not finite at t = 0"),
    ],
)
def test_mistakes(make: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.remedy


def test_text_and_html_show_a_few_times() -> None:
    path = trajectory()
    lines = repr(path).splitlines()
    assert lines[0] == "Trajectory of toy: 21 times in [0, 4]"
    assert lines[1].split() == ["time", "risk", "excess_risk", "distance", "norm", "cosine"]
    assert 5 <= len(lines) <= 10
    assert lines[-1] == "an event stopped it"
    page = path._repr_html_()
    assert "<table>" in page
    assert page.count("<tr>") == len(lines) - 2
    hostile = trajectory(attrs={"model": "<script>alert(1)</script>"})._repr_html_()
    assert "<script>" not in hostile
