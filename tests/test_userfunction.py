"""Functions declared by their code: in formulas, in stand-alone modules, in compiled simulators."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.errors import DeclarationError
from tests import reference

x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")


def wave_code(u):  # type: ignore[no-untyped-def]
    width = 1.0 + 0.1 * u * u
    return np.sin(u) / width


def wave_slope_code(u):  # type: ignore[no-untyped-def]
    width = 1.0 + 0.1 * u * u
    return np.cos(u) / width - 0.2 * u * np.sin(u) / width**2


def wave_curvature_code(u):  # type: ignore[no-untyped-def]
    w = 1.0 + 0.1 * u * u
    return -np.sin(u) / w - 0.4 * u * np.cos(u) / w**2 - np.sin(u) * (0.2 / w**2 - 0.08 * u * u / w**3)


curvature = hd.function("wave_curvature", wave_curvature_code, parity="odd")
slope = hd.function("wave_slope", wave_slope_code, derivative=curvature, parity="even")
wave = hd.function("wave", wave_code, derivative=slope, parity="odd")
MODEL = hd.Model((wave(x) - y) ** 2 / 2, wave(s), name="wave neuron")


def test_formulas_against_adaptive_quadrature() -> None:
    theory = hd.derive(MODEL)
    cov = reference.RANDOM[0]

    def risk(a: float, b: float) -> float:
        return float((wave_code(a) - wave_code(b)) ** 2 / 2)

    def fisher(a: float, b: float) -> float:
        return float(((wave_code(a) - wave_code(b)) * wave_slope_code(a)) ** 2)

    assert float(theory.risk_at(cov)) == pytest.approx(reference.gaussian_mean(risk, cov), rel=1e-8)
    assert float(theory.fisher_at(cov)[0, 0]) == pytest.approx(reference.gaussian_mean(fisher, cov), rel=1e-8)
    step = np.array([[1e-5, 0.0], [0.0, 0.0]])
    difference = float(theory.risk_at(cov + step) - theory.risk_at(cov - step)) / 2e-5
    assert theory.gradient_at(cov)[0, 0] == pytest.approx(difference, rel=1e-6)


def test_parity_is_used() -> None:
    assert wave(-x) == -wave(x)
    assert slope(-x) == slope(x)
    assert wave(sp.Integer(0)) == 0
    assert hd.expect(wave(x), [x]).expr == 0


def test_theory_agrees_with_sgd() -> None:
    """Fails by chance with probability 0.001 for a new seed; the seed is fixed."""
    problem = hd.Problem(
        spectrum=hd.spectrum.identity(d=500), start=hd.start.random(norm=0.8, cosine=0.4, rng=1), learning_rate=0.8
    )
    path = hd.derive(MODEL).solve(problem, t=4.0)
    verdict = hd.compare(path, hd.simulate(MODEL, problem, t=4.0, runs=24, rng=2, record=7))
    assert verdict.p_value > 1e-3, verdict.words


def test_exported_module_stands_alone(tmp_path: Path) -> None:
    path = hd.derive(MODEL).export(tmp_path / "wave.py")
    code = f"import sys; sys.modules['hdsym'] = None; import runpy; runpy.run_path({str(path)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


OUTSIDE = 2.0


def uses_a_global(u):  # type: ignore[no-untyped-def]
    return OUTSIDE * u


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: hd.function("f", uses_a_global), "uses OUTSIDE"),
        (lambda: hd.function("f", np.sin), "no source text"),
        (lambda: hd.function("2f", wave_code), "not a name"),
        (lambda: hd.function("f", wave_code, parity="even"), "declared even"),
        (lambda: hd.function("f", wave_code, parity="left"), "parity"),
        (lambda: sp.diff(hd.function("f", wave_code)(x), x), "derivative of f is needed"),
        (lambda: hd.function("f", lambda u: u), "no source text|plain def"),
    ],
)
def test_bad_declarations(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DeclarationError, match=message) as caught:
        make()
    assert caught.value.remedy
