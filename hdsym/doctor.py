"""Whether this installation works: versions, caches, templates, and a problem whose solution is known."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

__all__ = ["Finding", "examine"]

OK, NOTE, FAULT = "ok", "note", "fault"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_COMPILED = """
from numba import njit


@njit(cache=True)
def twice(x):
    return 2 * x
"""


@dataclass(frozen=True)
class Finding:
    """What one examination has found.

    Attributes
    ----------
    name, detail:
        What was looked at, and what was seen.
    status:
        "ok"; "note" for what works, but could work better; "fault" for what does not work.
    remedy:
        What to do about it.
    """

    name: str
    status: str
    detail: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """Every finding, as it is made; nothing that goes wrong in one keeps the others from being made."""
    for name, look in _EXAMINATIONS.items():
        try:
            yield from look()
        except Exception as error:
            yield Finding(name, FAULT, f"{type(error).__name__}: {error}", "install hdsym again, in a new environment")


def _python() -> Iterator[Finding]:
    where = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    supported = sys.version_info >= (3, 11)
    yield Finding("python", OK if supported else FAULT, where, "" if supported else "hdsym needs Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    """Every requirement of hdsym's own, and those of its extras."""
    from . import __file__ as own
    from . import __version__

    yield Finding("hdsym", OK, f"{__version__} in {os.path.dirname(own or '?')}")  # noqa: PTH120  # as Python says it
    for name in _required(None):
        found = _version(name)
        yield Finding(name, OK if found else FAULT, found or "not installed", "" if found else f"pip install {name}")
    for extra in _extras():
        missing = [name for name in _required(extra) if not _version(name)]
        there = ", ".join(f"{name} {_version(name)}" for name in _required(extra) if name not in missing)
        detail = "; ".join(filter(None, (there, f"missing: {', '.join(missing)}" if missing else "")))
        remedy = f'pip install "hdsym[{extra}]", if wanted' if missing else ""
        yield Finding(f"extra {extra}", NOTE if missing else OK, detail, remedy)


def _requirements() -> list[str]:
    return metadata.requires("hdsym") or []


def _required(extra: str | None) -> list[str]:
    """Names of the packages that hdsym requires, or those that one of its extras does."""
    found = []
    for requirement in _requirements():
        wanted = re.search(r"""extra == ['"]([\w-]+)['"]""", requirement)
        if (wanted[1] if wanted else None) == extra:
            found.append(re.match(r"[\w.-]+", requirement)[0])  # type: ignore[index]  # a requirement begins with a name
    return sorted(found)


def _extras() -> list[str]:
    """The extras of users: those for developing hdsym are none of theirs."""
    found = metadata.metadata("hdsym").get_all("Provides-Extra") or []
    return sorted(set(found) - {"dev", "docs"})


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _threads() -> Iterator[Finding]:
    import numpy as np

    blas: Any = np.show_config(mode="dicts")
    library = blas["Build Dependencies"]["blas"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    chosen = [f"{name}={os.environ[name]}" for name in _THREADS if name in os.environ]
    said = ", ".join(chosen) or "as many threads as it likes"
    yield Finding("BLAS", OK, f"{library.get('name')} {library.get('version', '')}, {cores} cores, {said}")


def _templates() -> Iterator[Finding]:
    from .codegen.render import TARGETS
    from .paths import templates_dir

    folder = templates_dir()
    missing = [name for name in (*TARGETS, "simulate", "report") if not any((folder / name).glob("*.j2"))]
    detail = f"{folder}: " + (f"nothing for {', '.join(missing)}" if missing else f"targets {', '.join(TARGETS)}")
    yield Finding("templates", FAULT if missing else OK, detail, "install hdsym again" if missing else "")


def _cache() -> Iterator[Finding]:
    from .diskcache import files
    from .diskcache.folder import cache_dir, private
    from .diskcache.kept import enabled

    remedy = "name a folder that is yours alone in HDSYM_CACHE_DIR, or chmod go-w it; without, all is made anew"
    try:
        folder = private(files.FOLDER)
        key = "0" * 64
        works = files.write(key, "doctor", "written") and files.read(key, "doctor") == "written"
        files.remove(key, "doctor")
    except (OSError, RuntimeError) as error:
        yield Finding("cache", NOTE, str(error), remedy)
        return
    if not works:
        yield Finding("cache", NOTE, f"{folder} cannot be written and read", remedy)
    elif problem := _code_changed():
        yield Finding("cache", NOTE, problem, "start Python again")
    elif not enabled():
        yield Finding("cache", NOTE, f"{cache_dir()}, switched off", "unset HDSYM_CACHE to keep derivations")
    else:
        yield Finding("cache", OK, f"{cache_dir()}, {len(files.entries())} files of derivations")


def _code_changed() -> str:
    from .diskcache.codec import NotStorableError
    from .diskcache.identity import running_code

    try:
        running_code()
    except NotStorableError as error:
        return str(error)
    return ""


def _numba() -> Iterator[Finding]:
    from .modulecache import FOLDER, load_source

    began = time.perf_counter()
    module: Any = load_source(_COMPILED, "doctor")
    value = module.twice(21.0)
    seconds = time.perf_counter() - began
    hits = sum(module.twice.stats.cache_hits.values())
    kept = hits > 0 or f"/{FOLDER}/" in str(module.__file__).replace(os.sep, "/")
    if value != 42.0:
        yield Finding("numba", FAULT, f"compiled 2 * 21 is {value}", "install numba again")
    elif not kept:
        remedy = "see the cache: without it, compiled code is made anew in every session"
        yield Finding("numba", NOTE, f"compiles in {seconds:.1f} s, and the code is not kept", remedy)
    else:
        yield Finding("numba", OK, f"{'read compiled code' if hits else 'compiled'} in {seconds:.1f} s, which is kept")


def _solve() -> Iterator[Finding]:
    """Least squares with identity covariance: the risk is h(0) exp(-(2 gamma - gamma^2) t)."""
    import numpy as np

    from . import start
    from . import zoo as models
    from .derive import derive
    from .problem import Problem
    from .spectrum import identity

    began = time.perf_counter()
    rate = 0.5
    problem = Problem(identity(), start.overlaps(Q=1.0, M=0.0, T=1.0), rate)
    path = derive(models.least_squares(), cache=False).solve(problem, t=5.0)
    expected = path.risk.values[0] * np.exp(-(2 * rate - rate**2) * path.time.values)
    error = float(np.max(np.abs(path.risk.values / expected - 1)))
    good = error < 1e-5
    detail = f"least squares derived and solved in {time.perf_counter() - began:.1f} s, relative error {error:.1g}"
    yield Finding("solution", OK if good else FAULT, detail, "" if good else "report it, with this page")


_EXAMINATIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": _python,
    "packages": _packages,
    "BLAS": _threads,
    "templates": _templates,
    "cache": _cache,
    "numba": _numba,
    "solution": _solve,
}
