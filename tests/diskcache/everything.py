"""Derives every model of the zoo and more, and prints a hash of all that a derivation gives.

A script for the tests, run in processes of their own: ``python everything.py [derived] [small]``. With "derived"
nothing may be derived, lowered or rendered: it all has to come from the cache. "small" leaves out the large models.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import sympy as sp

import hdsym as hd
from hdsym.derive import derivation as explicit
from hdsym.derive.sized import derivation as sized

LARGE = ("mixture of 2 linear regressions", "softmax regression, 3 classes, soft labels")
"""Models whose formulas take long to print."""


def curve_code(u):  # type: ignore[no-untyped-def]
    return np.sin(u)


def slope_code(u):  # type: ignore[no-untyped-def]
    return np.cos(u)


def models() -> dict[str, hd.Model]:
    x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    slope = hd.function("slope", slope_code, derivative=lambda u: -curve(u), parity="even")
    curve = hd.function("curve", curve_code, derivative=slope, parity="odd")
    gain = hd.parameter("gain", default=0.5, positive=True)
    found = {name: make() for name, make in hd.zoo.ZOO.items()}
    found["declared function"] = hd.Model((curve(x) - y) ** 2 / 2, curve(s), name="declared function")
    found["statistics"] = hd.zoo.logistic("bernoulli").with_statistics(
        angle=hd.statistics.misclassification(x, s),
        energy=hd.overlap(x - s, x - s, hd.covariance**2) / 2,
        density=sp.im(hd.resolvent(x, x, 1 + 0.2j)),
        relative=sp.sqrt(hd.mean((x - s) ** 2)) / hd.overlap(x, x),
    )
    eps = hd.noise("eps")
    law = hd.Laplace(eps, scale=sp.Rational(1, 3))
    found["parameters"] = hd.Model((sp.Abs(x) - y) ** 2 / 2, gain * sp.tanh(s) + eps, law, references="none")
    found["committee, trained"] = hd.zoo.committee(trained_second_layer=True)
    found["committee, followed"] = hd.zoo.committee().with_statistics(fourth=hd.mean(y**2) + 1)
    return found


def account(theory: Any) -> list[str]:
    """Texts, formulas and numbers of a derivation."""
    model = theory.model
    sizes = {} if isinstance(theory, hd.Derivation) else {"sizes": {size.name: 2 for size in model.sizes}}
    n = model.n_student + model.n_teacher if not sizes else 4
    B = np.eye(n) + 0.3
    parameters = {p.name: 0.4 for p in (*model.parameters, *model.trained)}
    numbers = [getattr(theory, f"{name}_at")(B, parameters, **sizes) for name in ("risk", "gradient", "fisher")]
    found = [theory.source, theory.show(), sp.srepr(theory.risk), str(theory.statistics), repr(theory)]
    if model.name not in LARGE:
        with tempfile.TemporaryDirectory() as folder:
            found += [theory.export(Path(folder) / "solver.py", adaptive=True).read_text()]
        found += [str(theory), theory._repr_latex_(), solved(theory, parameters, sizes).tobytes().hex()]
    found += [*(array.tobytes().hex() for array in numbers)]
    if not sizes:
        found += [sp.srepr(theory.gradient), sp.srepr(theory.fisher), str(theory.odes), str(theory.exact)]
    return found


def solved(theory: Any, parameters: dict[str, float], sizes: dict[str, Any]) -> Any:
    widths = {"n_student": 2, "n_teacher": 2} if sizes else {}
    start = hd.start.random(norm=0.5, cosine=0.2, rng=1, **widths)
    problem = hd.Problem(hd.spectrum.identity(d=50), start, 0.1, parameters=parameters)
    return theory.solve(problem, t=0.5).risk.values


def forbidden(*_: object, **__: object) -> NoReturn:
    raise AssertionError("derived, not read")


if __name__ == "__main__":
    if "derived" in sys.argv:
        for module, names in (
            (explicit, ("formulas", "render", "lower", "slopes", "symbolic_slopes")),
            (sized, ("sized_formulas", "render", "lower_sized")),
        ):
            for name in names:
                setattr(module, name, forbidden)
    hashes = {
        name: [hashlib.sha256(text.encode()).hexdigest()[:12] for text in account(hd.derive(model))]
        for name, model in models().items()
        if "small" not in sys.argv or model.name not in LARGE
    }
    print(json.dumps(hashes))
