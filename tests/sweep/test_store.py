"""The store of a sweep: it resumes, tells damage, and refuses what does not belong to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import hdsym as hd
from hdsym.errors import FileFormatError, SweepError


@pytest.fixture
def stored(theory: Any, problem: hd.Problem, grid: Any, settings: Any, here: Any, tmp_path: Path) -> Path:
    """A store that an interruption has left with three of its eight blocks."""

    class StoppedError(Exception):
        pass

    def interrupt(done: int, _: int) -> None:
        if done == 30:
            raise StoppedError

    path = tmp_path / "sweep.zarr"
    with pytest.raises(StoppedError):
        hd.sweep(theory, problem, grid, store=path, progress=interrupt, **settings)
    return path


def _resumed(theory: Any, problem: hd.Problem, grid: Any, settings: Any, store: Path) -> tuple[xr.Dataset, list[int]]:
    told = []
    found = hd.sweep(theory, problem, grid, store=store, progress=lambda done, _: told.append(done), **settings)
    return found, told


def test_finished_blocks_are_kept(
    theory: Any, problem: hd.Problem, grid: Any, settings: Any, here: Any, stored: Path
) -> None:
    found, told = _resumed(theory, problem, grid, {**settings, "block": 7}, stored)
    assert found.identical(here)
    assert told == [40, 50, 60, 70, 80]  # the store keeps its blocks
    assert _resumed(theory, problem, grid, settings, stored)[1] == []
    with xr.open_zarr(stored) as opened:
        assert opened["risk"].chunksizes["learning_rate"] == (1,) * 8
        assert np.array_equal(opened["risk"], here["risk"], equal_nan=True)
        assert opened["reason"].values.tolist() == here["reason"].values.tolist()
        assert opened.plot_phase_diagram("distance").axes[0].get_ylabel() == "cosine at the start"


def test_damaged_blocks_are_computed_again_and_no_others(
    theory: Any, problem: hd.Problem, grid: Any, settings: Any, here: Any, stored: Path
) -> None:
    """One truncated, one replaced by another whole one, one removed, which reads as NaN, one without its record."""

    def file(block: int) -> Path:
        return next(path for path in (stored / "risk" / "c" / str(block)).rglob("*") if path.is_file())

    hd.sweep(theory, problem, grid, store=stored, **settings)
    os.truncate(file(1), file(1).stat().st_size // 2)
    file(3).write_bytes(file(2).read_bytes())
    file(5).unlink()
    (stored / "blocks" / "7" / "zarr.json").write_text("{}")
    found, told = _resumed(theory, problem, grid, settings, stored)
    assert found.identical(here)
    assert told == [50, 60, 70, 80]


def test_a_store_of_something_else_is_refused(
    theory: Any, problem: hd.Problem, grid: Any, settings: Any, stored: Path
) -> None:
    rates = grid["learning_rate"].copy()
    rates[6] = 0.5
    with pytest.raises(
        SweepError, match=r"values of learning_rate: \[\.\.\., 0\.517143, 0\.6\] .* there, \[\.\.\., 0\.5, "
    ):
        hd.sweep(theory, problem, {**grid, "learning_rate": rates}, store=stored, **settings)
    other = hd.derive(hd.zoo.least_squares())
    with pytest.raises(SweepError, match=r"model: real phase retrieval \(.*\) there, least squares"):
        hd.sweep(other, problem, grid, store=stored, **settings)
    with pytest.raises(SweepError, match=r"statistics: risk, distance there, risk here"):
        hd.sweep(theory, problem, grid, store=stored, **{**settings, "statistics": "risk"})
    with pytest.raises(SweepError, match=r"problem: delta at the first point: 0 there, 0.1 here"):
        hd.sweep(theory, hd.Problem(problem.spectrum, problem.start, 0.1, delta=0.1), grid, store=stored, **settings)


def test_a_folder_that_is_no_store(theory: Any, problem: hd.Problem, grid: Any, settings: Any, stored: Path) -> None:
    file = stored / "zarr.json"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(FileFormatError, match="not the store of a sweep, or its metadata is damaged"):
        hd.sweep(theory, problem, grid, store=stored, **settings)
    with pytest.raises(FileFormatError, match="not the store of a sweep"):
        hd.sweep(theory, problem, grid, store=stored.parent, **settings)


def test_simulations_resume_with_their_seed(theory: Any, problem: hd.Problem, tmp_path: Path) -> None:
    """The seed drawn for the first call is in the store; each point has its stream, whatever the blocks."""
    grid = {"learning_rate": [0.1, 0.2], "start.cosine": [0.2, 0.6]}
    settings: dict[str, Any] = {"t_eval": [0.0, 0.5, 1.0], "simulate": {"runs": 3, "method": "reduced"}}
    first = hd.sweep(theory, problem, grid, store=tmp_path / "s.zarr", block=1, **settings)
    again = hd.sweep(theory, problem, grid, store=tmp_path / "s.zarr", **settings)
    assert again.identical(first)
    seed = int(first.attrs["entropy"])
    elsewhere = hd.sweep(theory, problem, grid, rng=seed, **settings)
    assert np.array_equal(elsewhere["simulated_risk"], first["simulated_risk"])
    assert first["simulated_risk"].dims == ("learning_rate", "start.cosine", "run", "time")
    assert np.all(np.isnan(first["simulated_diverged"]))
    gap = np.abs(first["simulated_risk"].mean("run") - first["risk"]).isel(time=0)
    assert float(gap.max()) < 1e-6  # one start
    spread = first["simulated_risk"].isel(time=-1).std("run")
    assert float(spread.min()) > 0
    assert len(np.unique(first["simulated_risk"].isel(time=-1))) == 12
