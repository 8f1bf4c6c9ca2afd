"""Every public object shows itself: HTML that a browser draws without complaint, LaTeX that parses, short text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from latex2mathml.converter import convert
from markupsafe import Markup

from hdsym.show.drawing import Line, curves, heat
from hdsym.show.models import folded
from tests.show.objects import objects

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]

_SCRIPT = """
<pre id="report"></pre><script>
const found = {};
const empty = m => m.getClientRects().length && !m.getBoundingClientRect().width;
for (const section of document.querySelectorAll("section")) {
  found[section.id] = {
    height: section.getBoundingClientRect().height,
    wrong: section.querySelectorAll("merror, script").length,
    empty: [...section.querySelectorAll("math")].filter(empty).length
  };
}
document.getElementById("report").textContent = JSON.stringify(found);
</script>
"""


@pytest.mark.slow
def test_all_of_them(tmp_path: Path) -> None:
    """One test, so that they are made once."""
    shown = objects()
    check_latex_and_text(shown)
    check_formulas(shown)
    pages = {name: value._repr_html_() for name, value in shown.items()}
    assert {name: len(page) for name, page in pages.items() if len(page) > 200_000} == {}
    assert not any("<script" in page for page in pages.values())
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    body = "".join(f'<section id="{name}">{page}</section>' for name, page in pages.items())
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset='utf-8'><body>{body}{_SCRIPT}", encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", *QUIET, f"--user-data-dir={tmp_path / 'profile'}"]
    command = [CHROMIUM, *options, "--enable-logging=stderr", "--dump-dom", page.as_uri()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    report = re.search(r'<pre id="report">(.*?)</pre>', run.stdout)
    assert report is not None
    found = json.loads(unescape(report[1]))
    assert found.keys() == pages.keys()
    assert {name: seen for name, seen in found.items() if seen["height"] < 10 or seen["wrong"] or seen["empty"]} == {}
    assert "CONSOLE" not in run.stderr


def check_latex_and_text(shown: dict[str, Any]) -> None:
    latex = {name: value._repr_latex_() for name, value in shown.items() if hasattr(value, "_repr_latex_")}
    assert {
        "model",
        "theory",
        "theory of a committee",
        "noise",
        "label",
        "schedule",
        "rule",
        "exponent",
    } <= latex.keys()
    for name, text in latex.items():
        assert text.startswith("$"), name
        assert "<math" in convert(text.strip("$")), name
    assert {name: len(repr(value)) for name, value in shown.items() if len(repr(value)) > 2500} == {}


def check_formulas(shown: dict[str, Any]) -> None:
    theory = shown["theory"]._repr_html_()
    assert "closed form" in theory
    assert theory.count("<details>") >= 4  # the steps of four quantities, folded
    assert "named pieces" not in theory
    assert shown["long theory"]._repr_html_().count(" more</summary>") >= 1
    assert "&lt;script&gt;" in shown["hostile"]._repr_html_()
    assert "power_law(0.6, d=50)" in repr(shown["problem"])
    assert "effective dimension" in shown["problem"]._repr_html_()
    assert "<svg" in shown["trajectory"]._repr_html_()
    assert repr(shown["model"]).startswith("Model('real phase retrieval': loss")


def test_drawings_follow_the_numbers() -> None:
    drawn = curves([Line([0.0, 1.0, 2.0], [1.0, np.nan, 3.0])], y="risk")
    assert drawn.count("<polyline") == 2  # apart where a number is missing
    assert "46.0,120.0" in drawn  # the smallest value at the left end of the floor
    assert "292.0,8.0" in drawn
    assert "risk (log)" in curves([Line([0, 1], [1e-3, 1.0])], y="risk")
    assert "risk (log)" not in curves([Line([0, 1], [0.0, 1.0])], y="risk")
    assert curves([Line([0.0], [2.0], low=[1.0], high=[3.0])]).count("<polygon") == 1
    colours = heat(np.array([[-1.0, 0.5]]), np.array([0.1, 0.2]), np.array([1.0]), "<x>", "y")
    assert re.findall(r'fill="(#\w+)" fill-opacity="(\S+)"', colours) == [("#0b3c5d", "0.90"), ("#d55e00", "0.53")]
    assert "&lt;x&gt;" in colours


def test_long_formulas_leave_room() -> None:
    """Two dozen kernels of a committee of ReLUs would take half a megabyte."""
    pairs = [("kernels", Markup(f"<math>K = </math><wbr><math>{'a' * 30_000}</math>"))] * 9
    pairs += [("ODE", Markup("<math>x</math>"))]
    found = list(folded(pairs))
    assert sum(len(str(math)) for _, math in found) < 110_000
    assert found[0][1].startswith("<details><summary><math>K = </math> ...</summary><math>aaa")
    assert found[-2][1] == "6 long formulas are left out here: print them"
    assert found[-1] == ("ODE", "<math>x</math>")
