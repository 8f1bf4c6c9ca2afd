"""requirements.lock: exact plain lines, no addresses, and every dependency of pyproject.toml at a fitting version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
LOCKED = dict(line.split("==") for line in LINES)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [
    *PROJECT["project"]["dependencies"],
    *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
    *PROJECT["build-system"]["requires"],
]


def test_lines_are_exact_and_plain() -> None:
    wrong = [line for line in LINES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*", line)]
    assert wrong == []


def test_lines_are_sorted_and_unique() -> None:
    names = [line.split("==")[0] for line in LINES]
    assert names == sorted(set(names))


@pytest.mark.parametrize("line", WANTED)
def test_covers_the_project(line: str) -> None:
    requirement = Requirement(line)
    name = canonicalize_name(requirement.name)
    assert name in LOCKED
    assert requirement.specifier.contains(LOCKED[name])


def test_what_runs_here_is_what_is_locked() -> None:
    """The environment the tests run in has the locked versions, for every direct dependency."""
    from importlib.metadata import version

    here = {canonicalize_name(Requirement(line).name) for line in WANTED}
    assert {name: version(name) for name in here} == {name: LOCKED[name] for name in here}


def test_every_dependency_of_a_locked_package_is_locked() -> None:
    """pip has nothing left to choose: what the locked packages need is in the lock too."""
    from importlib.metadata import PackageNotFoundError, requires

    missing = []
    for name in LOCKED:
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            wanted = need.marker is None or need.marker.evaluate({"extra": ""})
            if wanted and canonicalize_name(need.name) not in LOCKED:
                missing.append(f"{name} needs {need.name}")
    assert missing == []
