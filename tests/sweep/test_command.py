"""The command ``hdsym sweep`` and the table ``[sweep]`` of model files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner, Result

from hdsym.cli import main
from hdsym.errors import FileFormatError, ParseError
from hdsym.modelfile import read_text

FILE = """
model = {zoo = "least_squares", noise_std = 0.2}
[problem]
spectrum = {kind = "power_law", alpha = 0.6, d = 20}
start = {kind = "random", norm = 1.0, cosine = 0.2, rng = 3}
learning_rate = 0.3
horizon = 3.0
[sweep]
statistics = ["risk", "distance"]
simulate = {runs = 3, method = "reduced"}
[sweep.over]
learning_rate = [0.1, "0.3 / (1 + t)", 9.0, -1]
"spectrum.alpha" = {from = 0.25, to = 1.0, count = 3, spacing = "log"}
"""

SIMULATED = 'simulate = {runs = 3, method = "reduced"}\n'


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(FILE.replace(SIMULATED, ""))
    return path


def test_a_sweep_is_written_drawn_and_taken_up_again(file: Path) -> None:
    first = call("sweep", "small.toml", "--store", "small.zarr", "--quiet")
    assert first.exit_code == 0, first.output
    assert "12 points (4 learning_rate x 3 spectrum.alpha), 6 failed" in first.output
    assert "       3  the learning rate -1 is -1 at t = 0\n" in first.output
    assert "wrote out/small: sweep.nc, phase_diagram.png" in first.output
    found = xr.load_dataset("out/small/sweep.nc", engine="h5netcdf")
    assert found["spectrum.alpha"].values.tolist() == [0.25, 0.5, 1.0]
    assert found["learning_rate"].values.tolist() == ["0.1", "3/(10*(t + 1))", "9.0", "-1"]
    assert np.isfinite(found["distance"][:2]).all()
    # with every block there, nobody asks the scheduler for anything
    again = call("sweep", "small.toml", "--store", "small.zarr", "--quiet", "--scheduler", "tcp://127.0.0.1:9")
    assert again.output == first.output


def test_exit_codes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hdsym.sweep import cluster

    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    result = call("sweep", "small.toml", "--scheduler", "tcp://127.0.0.1:9", "--quiet")
    assert result.exit_code == 3
    assert "error: no dask scheduler answers at tcp://127.0.0.1:9" in result.output
    file.write_text(file.read_text().replace('"spectrum.alpha"', '"spectrum.alfa"'))
    result = call("sweep", "small.toml")
    assert result.exit_code == 2
    assert "did you mean 'spectrum.alpha'?" in result.output
    file.write_text(FILE.partition("[sweep]")[0])
    result = call("sweep", "small.toml")
    assert result.exit_code == 2
    assert "has no table [sweep]" in result.output
    assert call("sweep", "small.toml", "--processes", "2", "--scheduler", "tcp://a:1").exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["risk", "distance"]', '"risk"', "sweep.statistics is 'risk', not an array"),
        ('spacing = "log"', 'spacing = "lg"', "sweep.over.spectrum.alpha.spacing is 'lg'"),
        ("from = 0.25", "from = 0.0", "is 'log' between numbers that are not positive"),
        ("from = 0.25", "start = 0.25", "sweep.over.spectrum.alpha.from is missing"),
        ("9.0, -1]", "true]", r"sweep.over.learning_rate\[2\] is True, not a finite number"),
        ("runs = 3", "run = 3", "sweep.simulate.run is not a known key"),
        ("[sweep]", "[sweep]\nat = 3", "sweep.at is not a known key"),
    ],
)
def test_the_table_is_read_strictly(old: str, new: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_text(FILE.replace(old, new, 1))


def test_what_the_table_says_is_what_the_function_is_given() -> None:
    found = read_text(FILE).sweep
    assert found is not None
    assert list(found.over) == ["learning_rate", "spectrum.alpha"]
    assert found.over["spectrum.alpha"] == pytest.approx([0.25, 0.5, 1.0])
    assert found.options["simulate"] == {"runs": 3, "method": "reduced"}
    assert found.options["statistics"] == ["risk", "distance"]


def test_learning_rates_are_parsed_and_never_evaluated() -> None:
    with pytest.raises(ParseError, match=r"sweep.over.learning_rate\[1\]"):
        read_text(FILE.replace("0.3 / (1 + t)", "__import__('os').system('true')"))
