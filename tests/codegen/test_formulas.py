"""Targets made of formulas: modules of sympy expressions, and appendices in LaTeX that compile and fit the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import hdsym as hd
from hdsym.codegen import load_module
from hdsym.codegen.latex_lines import LINE, Lines
from hdsym.codegen.latex_printer import width
from hdsym.errors import CodegenError
from tests.codegen import common

x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
x1, x2 = hd.student("x", size=2)
k = sp.Symbol("k", integer=True)


def phases() -> hd.Model:
    """A parameter, named as a function of the modules, and trained phases inside the kernels."""
    b, w = hd.Trained("b", size="K", default=0.1), hd.parameter("matrix", size="K", default=1.0)
    gain, unit = hd.parameter("risk", default=1.0), hd.student("x", size="K")
    output = sp.Sum(w[k] * sp.cos(gain * unit[k] + b[k]), (k, 1, hd.size("K")))
    return hd.Model((output - y) ** 2 / 2, hd.teacher("s"), name="phases & names_100%")


def followed() -> hd.Model:
    K = hd.covariance
    return hd.zoo.phase_retrieval().with_statistics(
        energy=hd.overlap(x - s, x - s, K**2) / 2,
        density=sp.im(hd.resolvent(x, x, 1 + 0.2j)) / sp.pi,
        relative=sp.sqrt(hd.mean((x**2 - s**2) ** 2)) / hd.overlap(x, x, K),
    )


MODELS: dict[str, Any] = {
    "phase retrieval": followed(),
    "logistic": hd.zoo.logistic("bernoulli"),
    "committee": hd.zoo.committee("erf", trained_second_layer=True),
    "relu": hd.zoo.committee("relu"),
    "mixture": hd.zoo.mixed_regression(2),
    "softmax": hd.zoo.multiclass_logistic(3, "sampled"),
    "phases": phases(),
    "kinks": hd.Model(loss=sp.Abs(x1) * sp.Abs(x2 - s) * sp.Abs(x1 + x2), constraint="sphere"),
}
_WORDS = """
    documentclass usepackage newtheorem allowdisplaybreaks emergencystretch begin end appendix section
    subsection item cite bibitem theta partial left right bigl bigr frac tfrac sqrt sum int prod sim quad qquad
    mid le in to top nabla star ell gamma delta rho lambda kappa sigma varepsilon epsilon mu xi alpha beta tau
    pi Phi phi mathbb mathcal mathrm mathbf operatorname text textbackslash textasciitilde textasciicircum
    substack langle rangle infty infinity cdot dots leftarrow log exp sin cos tanh cosh sinh arcsin arctan det
    colon times leq geq neq prime overline hat Delta limits bmod Im Re im re
"""
COMMANDS = frozenset(_WORDS.split())


@pytest.fixture(scope="module")
def appendices() -> dict[str, str]:
    return {name: hd.derive(model).written("latex") for name, model in MODELS.items()}


@pytest.mark.parametrize("name", MODELS)
def test_appendix_is_balanced_and_of_known_commands(name: str, appendices: dict[str, str]) -> None:
    text = re.sub(r"(?m)(?<!\\)%.*$", "", appendices[name])
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    open_: list[str] = []
    for kind, environment in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if kind == "begin":
            open_.append(environment)
        else:
            assert open_.pop() == environment
    assert not open_
    assert len(re.findall(r"\\left(?![a-z])", text)) == len(re.findall(r"\\right(?![a-z])", text))
    assert set(re.findall(r"\\([A-Za-z]+)", text.replace(r"\\", " "))) <= COMMANDS
    body = text.partition(r"\begin{document}")[2]
    assert not re.search(r"None|GaussianIntegral|Matrix\(|\bnan\b", body)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
@pytest.mark.parametrize("name", MODELS)
def test_appendix_compiles_and_fits_the_page(name: str, appendices: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "appendix.tex").write_text(appendices[name], encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "appendix.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(over, default=0.0) < 2.0
    assert "undefined" not in done.stdout


def test_names_in_broken_formulas_stand_for_what_they_replace() -> None:
    """Resolved, they give the formula again; and every line is as wide as lines may be, not wider."""
    theory = hd.derive(hd.zoo.mixed_regression(2))
    value = theory.gradient[0, 0]
    lines = Lines({"B11"})
    fitted = sp.Add(*(lines.fitted(term, 30.0) for term in value.as_ordered_terms()))
    names = {name: part for part, name in lines.names.items()}
    assert names
    while fitted.free_symbols & names.keys():
        fitted = fitted.xreplace(names)
    assert sp.expand(fitted - value) == 0
    broken = lines("H_{11}", value)
    assert len(broken) > 1
    assert all(width(line.replace("&", "")) <= LINE + 4.0 for line in broken)


def test_width_of_displayed_formulas() -> None:
    assert width(r"\frac{a + b}{c}") == pytest.approx(width("a + b") + 0.5)
    assert width(r"\begin{matrix}a & b + c\\a & b\end{matrix}") == pytest.approx(width("a") + width("b + c") + 4.0)
    assert width(r"\sum_{1 \leq i \leq K} x") == pytest.approx(0.7 * width(r"1 \leq i \leq K") + width("x"))
    assert width(r"x^{2}") < width("x2")


def test_appendix_cites_the_papers_of_the_model(appendices: dict[str, str]) -> None:
    text = appendices["committee"]
    assert r"\cite{ref1, ref2}" in text
    assert "Zdeborová" in text
    assert text.count("arXiv:2308.08977") == 1
    assert r"phases \& names\_100\%" in appendices["phases"]


def test_modules_of_expressions_are_the_golden_ones_lint_clean_and_run_alone(tmp_path: Path) -> None:
    common.check_golden(
        hd.derive(hd.zoo.lipschitz_phase_retrieval()).written("sympy"), "lipschitz_phase_retrieval_sympy"
    )
    paths = [hd.derive(m).export(tmp_path / f"m{n}.py", target="sympy") for n, m in enumerate(MODELS.values())]
    common.check_lint(*paths)
    code = (
        f"import sys; sys.modules['hdsym'] = None; import runpy; runpy.run_path({str(paths[0])!r}, run_name='__main__')"
    )
    assert "h = 3*B11**2/4" in common.output(code, "1")
    shown = common.output(code.replace("import runpy", "sys.argv = ['x', '--latex', 'h']; import runpy"), "2")
    assert shown.startswith(r"h = \frac{3 B_{11}^{2}}{4}")


@pytest.mark.slow
def test_modules_of_expressions_are_strictly_typed(tmp_path: Path) -> None:
    chosen = ("logistic", "committee", "phase retrieval")
    paths = [hd.derive(MODELS[name]).export(tmp_path / f"m{n}.py", "sympy") for n, name in enumerate(chosen)]
    common.check_types(tmp_path / "cache", *paths)


def test_names_of_the_model_that_the_module_uses_itself_are_changed() -> None:
    own = load_module(hd.derive(MODELS["phases"]).written("sympy"), "sympy")
    expr = own.explicit(own.risk, K=2)
    names = sorted(str(symbol) for symbol in expr.free_symbols)
    assert names == [
        "B_1_1",
        "B_1_2",
        "B_1_3",
        "B_2_2",
        "B_2_3",
        "B_3_3",
        "b_1",
        "b_2",
        "matrix__1",
        "matrix__2",
        "risk_",
    ]
    rng = np.random.default_rng(0)
    W = rng.standard_normal((5, 3))
    B = W.T @ W / 5
    values = {f"B_{i + 1}_{j + 1}": B[i, j] for i in range(3) for j in range(i, 3)}
    values |= {"b_1": 0.2, "b_2": -0.1, "matrix__1": 0.5, "matrix__2": 1.5, "risk_": 0.7}
    given = {"b": [0.2, -0.1], "matrix": [0.5, 1.5], "risk": 0.7}
    expected = hd.derive(MODELS["phases"]).risk_at(B, given, {"K": 2})
    assert own.evaluate(expr, values) == pytest.approx(float(expected), rel=1e-12)
    with pytest.raises(ValueError, match="no value for risk_"):
        own.evaluate(expr, {key: value for key, value in values.items() if key != "risk_"})


def test_integrals_stay_integrals_and_statistics_are_there() -> None:
    own = load_module(hd.derive(MODELS["logistic"]).written("sympy"), "sympy")
    assert own.fisher.atoms(sp.Integral)
    plain = own.defined(own.gradient[0])
    assert not plain.atoms(sp.core.function.AppliedUndef)
    value = plain.xreplace({own.B11: sp.Float(0.8)}).evalf(12)  # by mpmath, another way than evaluate()
    assert float(value) == pytest.approx(own.evaluate(own.gradient[0], {"B11": 0.8}), rel=1e-10)
    stats = load_module(hd.derive(MODELS["phase retrieval"]).written("sympy"), "sympy").statistics
    assert set(stats) == {"energy", "density", "relative"}
    assert "sum_lam" in str(stats["energy"])


def test_formulas_solve_nothing_and_say_so() -> None:
    theory = hd.derive(hd.zoo.least_squares())
    for target in ("sympy", "latex"):
        with pytest.raises(CodegenError, match=rf"{target} target writes formulas[\s\S]*theory.export"):
            theory.with_target(target)
    with pytest.raises(CodegenError, match="there is no target 'latx'"):
        theory.written("latx")
