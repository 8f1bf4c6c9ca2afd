"""Derivations found again: identical, in other processes, and never where anything is different."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.derive import derivation as explicit
from hdsym.derive.sized import derivation as sized
from hdsym.diskcache import files, identity
from hdsym.diskcache.identity import declared_functions, model_key
from hdsym.diskcache.kept import NOWHERE, kept

SCRIPT = Path(__file__).with_name("everything.py")
x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")


def at_once(*arguments: str) -> list[dict[str, list[str]]]:
    """What processes with different hash seeds print, each with its arguments."""
    processes = [start(seed, *given.split()) for seed, given in enumerate(arguments, start=len(arguments))]
    done = [process.communicate(timeout=280) for process in processes]
    assert all(process.returncode == 0 for process in processes), [errors for _, errors in done]
    return [json.loads(out) for out, _ in done]


def start(seed: int, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_derive_at_once_and_a_third_finds_everything() -> None:
    """With different hash seeds: texts, steps, LaTeX, exported modules and numbers are the same to the last bit."""
    first, second = at_once("", "small")
    assert len(first) == len(second) + 2 > len(hd.zoo.ZOO)
    assert first == {**first, **second}
    assert at_once("derived") == [first]
    assert all(not entry.path.name.startswith(".") for entry in files.entries())


@pytest.mark.parametrize("name", ["phase_retrieval", "committee"])
def test_a_derivation_that_is_found_equals_the_first(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hd.derive(hd.zoo.ZOO[name]())
    monkeypatch.setattr(explicit, "formulas", None)  # which nothing may call
    monkeypatch.setattr(sized, "sized_formulas", None)
    second = hd.derive(hd.zoo.ZOO[name]())
    assert second is not first
    assert second == first
    assert second.source == first.source
    assert second.show() == first.show()
    with pytest.raises(TypeError):
        hd.derive(hd.zoo.ZOO[name](), cache=False)
    monkeypatch.setenv("HDSYM_CACHE", "0")
    with pytest.raises(TypeError):
        hd.derive(hd.zoo.ZOO[name]())


def test_switched_off_nothing_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hd.derive(hd.zoo.least_squares(), cache=False).source  # noqa: B018
    monkeypatch.setenv("HDSYM_CACHE", "0")
    hd.derive(hd.zoo.least_squares()).source  # noqa: B018
    assert not folder.exists()


def test_a_copy_with_other_formulas_does_not_find_the_programs_of_the_first() -> None:
    import dataclasses

    first, other = hd.derive(hd.zoo.least_squares()), hd.derive(hd.zoo.phase_retrieval())
    first.source  # noqa: B018
    copy = dataclasses.replace(first, formulas=other.formulas)
    assert copy.program.risk.formulas == other.program.risk.formulas
    assert first.with_target("numpy").kept is first.kept


def twice(u):  # type: ignore[no-untyped-def]
    return 2 * np.tanh(u)


def thrice(u):  # type: ignore[no-untyped-def]
    return 3 * np.tanh(u)


def neuron(code: Callable[[Any], Any], factor: int) -> hd.Model:
    g = hd.function("g", code, derivative=lambda u: factor * (1 - sp.tanh(u) ** 2))
    return hd.Model((g(x) - y) ** 2 / 2, g(s))


def key(model: hd.Model, policy: str = "auto") -> str:
    return model_key(model, policy, declared_functions(model))


def different() -> list[str]:
    plain = hd.Model((x - y) ** 2 / 2, s)
    gain, positive = hd.parameter("a", default=1.0), hd.parameter("a", default=1.0, positive=True)
    other = hd.parameter("a", default=2.0)
    return [
        key(plain),
        key(plain, "numeric"),
        key(hd.Model((x - y) ** 2 / 2, s, name="another name")),
        key(hd.Model((x - y) ** 2 / 2, s, references="a reference")),
        key(hd.Model((x - y) ** 2 / 2, s, constraint="sphere")),
        key(hd.Model((x - y) ** 2, s)),
        key(hd.Model((x - y) ** 2 / 2, 2 * s)),
        key(hd.Model((x - y) ** 2 / 2, s + eps, hd.Normal(eps, std=1))),
        key(hd.Model((x - y) ** 2 / 2, s + eps, hd.Normal(eps, std=2))),
        key(hd.Model((x - y) ** 2 / 2, s + eps, hd.Laplace(eps, scale=1))),
        key(hd.Model((x - y) ** 2 / 2, hd.Bernoulli(hd.sigmoid(s)))),
        key(hd.Model((x - y) ** 2 / 2, hd.Poisson(hd.sigmoid(s)))),
        *(key(hd.Model((x - y) ** 2 / 2, p * s)) for p in (gain, positive, other)),
        *(key(plain.with_statistics({name: g})) for name, g in (("one", x**2), ("one", x**4), ("two", x**2))),
        *(key(neuron(code, factor)) for code, factor in ((twice, 2), (thrice, 2), (twice, 3))),
    ]


def test_every_difference_makes_another_key_and_equal_content_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = different()
    assert len(set(keys)) == len(keys)
    assert different() == keys
    monkeypatch.setattr(sp, "__version__", "another")
    upgraded = different()
    assert not set(upgraded) & set(keys)
    monkeypatch.setattr(identity, "running_code", lambda: "another")
    assert not set(different()) & {*keys, *upgraded}


def test_the_key_holds_every_file_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte in any source file or template, a file that is new or renamed: another version."""
    monkeypatch.setattr(identity, "_roots", lambda: (tmp_path / "hdsym", tmp_path / "templates"))
    monkeypatch.setattr(identity, "_IMPORTED", float("inf"))
    for name in ("hdsym/rules/a.py", "hdsym/b.py", "templates/numpy/c.j2"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("0")
    found = [identity.running_code()]
    assert identity.running_code() == found[0]
    (tmp_path / "hdsym/rules/a.py").write_text("1")
    found.append(identity.running_code())
    (tmp_path / "templates/numpy/c.j2").write_text("1")
    found.append(identity.running_code())
    (tmp_path / "hdsym/b.py").rename(tmp_path / "hdsym/d.py")
    found.append(identity.running_code())
    assert len(set(found)) == len(found)


def test_a_process_whose_code_was_replaced_uses_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept(hd.zoo.probit(), "auto")
    assert before.key
    monkeypatch.setattr(identity, "_IMPORTED", 0.0)  # as if every file had been written since
    assert kept(hd.zoo.probit(), "auto") is NOWHERE
    before.text("solver-numpy", lambda: "text")
    assert files.read(before.key, "solver-numpy") is None


def test_nothing_is_kept_of_a_derivation_without_evaluation() -> None:
    model = hd.zoo.least_squares()
    with sp.evaluate(False):
        assert kept(model, "auto") is NOWHERE


def test_models_that_no_text_describes_are_derived_each_time() -> None:
    """A dummy is itself and nothing else: two of one name are different models."""
    hidden = sp.Dummy("i", integer=True)
    units = hd.student("x", size="K")
    model = hd.Model((sp.Sum(units[hidden] ** 2, (hidden, 1, hd.size("K"))) - y) ** 2, s**2)
    theory = hd.derive(model)
    assert theory.kept is NOWHERE
    assert not files.entries()
