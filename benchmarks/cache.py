"""The cache: what deriving a model costs in a fresh process the first time, and the second time.

Each line is a process with an empty cache, and later ones that find what it has left. "derive" is ``hd.derive`` alone,
"solver" the generated module, "slopes" the module with the exact Jacobian; imports are apart, and printed last.

python benchmarks/cache.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import hdsym as hd

PARTS = ("derive", "solver", "slopes")
LATER = 3
"""Processes after the first, of which the quickest is shown: other programs run on the machine, too."""
CODE = """
import json, sys, time
began = time.perf_counter()
import sympy
sympy_there = time.perf_counter()
import hdsym as hd
from hdsym.derive import derivation
from hdsym.derive.sized import derivation as sized
model = hd.zoo.ZOO[sys.argv[1]]()
marks = [time.perf_counter()]
theory = hd.derive(model)
marks.append(time.perf_counter())
theory.source
marks.append(time.perf_counter())
theory.slopes_module
marks.append(time.perf_counter())
times = [after - before for before, after in zip(marks, marks[1:])]
print(json.dumps([*times, sympy_there - began, marks[0] - sympy_there]))
"""


def fresh(name: str, folder: str) -> list[float]:
    """Seconds for each part, for importing sympy, and for importing the rest, in a process of its own."""
    env = {**os.environ, "HDSYM_CACHE": "1", "HDSYM_CACHE_DIR": folder}
    done = subprocess.run([sys.executable, "-c", CODE, name], env=env, capture_output=True, text=True, check=True)
    return [float(value) for value in json.loads(done.stdout)]


def main() -> None:
    """A line for each model of the zoo."""
    print(f"{'milliseconds':<28}" + "".join(f"{part + ' 1st':>12}{'2nd':>8}" for part in PARTS))
    imports = []
    for name in sorted(hd.zoo.ZOO):
        with tempfile.TemporaryDirectory() as folder:
            first = fresh(name, folder)
            second = [min(values) for values in zip(*(fresh(name, folder) for _ in range(LATER)), strict=True)]
        pairs = zip(first[: len(PARTS)], second[: len(PARTS)], strict=True)
        print(f"{name:<28}" + "".join(f"{1e3 * a:>12.1f}{1e3 * b:>8.1f}" for a, b in pairs))
        imports.append(second[len(PARTS) :])
    sympy, rest = (min(values) for values in zip(*imports, strict=True))
    print(f"imports: sympy {1e3 * sympy:.0f} ms, hdsym with the model {1e3 * rest:.0f} ms")


if __name__ == "__main__":
    main()
