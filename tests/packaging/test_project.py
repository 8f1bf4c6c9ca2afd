"""The project's own files: what a user who clones it finds, and that the names agree with each other."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hdsym

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_one_version_everywhere() -> None:
    version = PROJECT["version"]
    assert hdsym.__version__ == version
    assert importlib.metadata.version("hdsym") == version
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_files_a_user_expects() -> None:
    for name in ("README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "Makefile", "hdsym/py.typed"):
        assert (ROOT / name).is_file(), name
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_make_help_names_the_two_commands() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("demo", "test"):
        assert re.search(rf"^{target} +\S", done.stdout, re.MULTILINE), done.stdout


def test_importing_hdsym_is_light() -> None:
    """No heavy module is loaded by the import itself."""
    heavy = ["matplotlib", "numba", "xarray", "scipy", "sympy", "pandas", "sklearn", "h5py", "jinja2", "click"]
    code = f"import sys, hdsym; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_source_files_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sorted((ROOT / "hdsym").rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 300
    }
    assert long == {}


def imported_packages(folder: Path) -> set[str]:
    """Top-level names of everything that the modules of a folder import, the standard library apart."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"hdsym"}


def test_everything_imported_is_declared() -> None:
    """Nothing is used that only happens to be installed because something else needs it."""
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    # the extras `data`, `notebook` and `sweep`, imported where digits, sliders, a scheduler and a store are asked for
    optional = {"scikit-learn", "ipywidgets", "distributed", "zarr"}
    names = {"sklearn": "scikit-learn"}
    used = {canonicalize_name(names.get(name, name)) for name in imported_packages(ROOT / "hdsym")}
    assert used - optional <= declared
    # xarray writes through the first two, simulation kernels use numba, sympy 1.14 needs a bound on mpmath
    indirect = {"h5netcdf", "h5py", "numba", "mpmath"}
    assert declared - indirect <= used
