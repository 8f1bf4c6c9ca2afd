"""What is built can be installed and used away from the repository, templates and model files included."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.packaging, pytest.mark.slow]

USE = """
import pathlib, sys
import hdsym, hdsym.paths
home = pathlib.Path(sys.prefix).resolve()
assert home in pathlib.Path(hdsym.__file__).resolve().parents, hdsym.__file__
assert home in hdsym.paths.templates_dir().parents, hdsym.paths.templates_dir()
"""

SMALL = """
model = {zoo = "least_squares", noise_std = 0.1}
[problem]
spectrum = {kind = "power_law", alpha = 0.6, d = 100}
start = {kind = "random", norm = 1.0, cosine = 0.2, rng = 3}
learning_rate = 0.3
horizon = 3.0
[simulate]
runs = 20
rng = 1
"""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command without this process's python settings; its output, or a failure that shows it."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean, "MPLBACKEND": "Agg", **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


def fresh_environment(folder: Path) -> Path:
    """A new environment that sees the locked packages, but not the editable hdsym; its python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    purelib = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder.parent).strip()
    # a path named in a .pth file is appended, and .pth files inside it (the editable install) are not read
    (Path(purelib) / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    missing = subprocess.run([str(python), "-c", "import hdsym.errors"], cwd=folder, capture_output=True, check=False)
    assert missing.returncode != 0, "the fresh environment already has hdsym"
    return python


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel installed."""
    python = fresh_environment(tmp_path_factory.mktemp("wheel") / "env")
    (wheel,) = built.glob("*.whl")
    arguments = ("install", "--no-deps", "--no-index", "--disable-pip-version-check", "--force-reinstall", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *arguments, cwd=built)
    return python


def test_wheel_holds_what_is_needed_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"hdsym", "hdsym-0.1.0.dist-info"}
    templates = [p.relative_to(ROOT) for p in (ROOT / "templates").rglob("*") if p.is_file()]
    sources = [p.relative_to(ROOT) for p in (ROOT / "hdsym").rglob("*.py")]
    expected = {f"hdsym/{path.as_posix()}" for path in templates} | {path.as_posix() for path in sources}
    expected |= {"hdsym/py.typed", "hdsym/models/phase_retrieval.toml", "hdsym/models/digits.toml"}
    assert templates
    assert expected <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_source_distribution_is_complete(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = {"pyproject.toml", "requirements.lock", "Makefile", "README.md", "LICENSE", "hdsym/cli/__init__.py"}
    wanted |= {"tests/conftest.py", "CHANGELOG.md", "CITATION.cff"}
    assert wanted <= names
    assert any(name.startswith("templates/numpy/") for name in names)
    assert not [name for name in names if name.startswith((".venv", "out/", "dist/"))]


def test_installed_wheel_works_end_to_end(installed: Path, tmp_path: Path) -> None:
    run(installed, "-c", USE, cwd=tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    command = installed.parent / "hdsym"
    out = run(command, "run", "small.toml", "--quiet", cwd=tmp_path)
    assert "agree" in out
    written = {path.name for path in (tmp_path / "out" / "small").iterdir()}
    assert {"solver.py", "figure.png", "figure.svg", "report.html", "theory.nc", "simulation.nc"} <= written
    run(installed, tmp_path / "out" / "small" / "solver.py", cwd=tmp_path)


def test_editable_install_works(tmp_path: Path) -> None:
    """An editable install has no templates of its own: it reads the repository's."""
    python = fresh_environment(tmp_path / "env")
    arguments = ("install", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    # pip runs in this environment, so that the build backend is there without isolation
    run(sys.executable, "-m", "pip", "--python", python, *arguments, "--editable", ROOT, cwd=tmp_path)
    code = "import hdsym, hdsym.paths; print(hdsym.__file__); print(hdsym.paths.templates_dir())"
    shown = run(python, "-c", code, cwd=tmp_path).split()
    assert [Path(line).resolve() for line in shown] == [ROOT / "hdsym" / "__init__.py", ROOT / "templates"]
    assert "phase_retrieval" in run(python.parent / "hdsym", "zoo", cwd=tmp_path)
