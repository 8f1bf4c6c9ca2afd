"""The documentation builds without a warning, its links lead somewhere, and a browser shows it without complaint."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from mkdocs.exceptions import PluginError

import hdsym

from .browser import browser, program
from .pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
pytestmark = pytest.mark.slow


def hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_hook_{name}", DOCS / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_to_code_lead_to_definitions() -> None:
    sources = hook("sources")
    path, line = sources.located("hdsym.adaptive.AdaptiveRate.evaluate")
    assert (ROOT / path).read_text(encoding="utf-8").splitlines()[line - 1].startswith("    def evaluate(")
    assert sources.located("templates/numpy/modes.j2") == ("templates/numpy/modes.j2", 1)
    for wrong in ("hdsym.adaptive.AdaptiveRate.gone", "hdsym_gone.x", "templates/gone.j2"):
        with pytest.raises(PluginError, match=wrong):
            sources.located(wrong)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert not re.search("warn|deprecat", said, re.IGNORECASE), said
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_link_and_anchor_exists(site: Path, pages: dict[Path, Page]) -> None:
    wrong = []
    for page in pages.values():
        if page.path.name == "404.html":  # which a server shows under any address
            continue
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            if not target.is_file() or (target in pages and unquote(parts.fragment) not in pages[target].anchors):
                wrong.append(f"{page.path.relative_to(site)}: {link}")
    assert wrong == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_nothing_comes_from_a_network(site: Path, pages: dict[Path, Page]) -> None:
    """What readers may follow leads to papers; what pages load is on the site."""
    for page in pages.values():
        assert [link for link in page.loaded if urlsplit(link).scheme not in ("", "data")] == []
        outside = {urlsplit(link).netloc for link in page.links if urlsplit(link).scheme}
        assert outside <= {"arxiv.org"}, page.path
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    assert not [text for text in styles if re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", text)]


def test_formulas_are_rendered(site: Path, pages: dict[Path, Page]) -> None:
    raw = {
        str(page.path.relative_to(site)): found
        for page in pages.values()
        if (found := re.findall(r"\$[^\s$]|\\[()\[\]a-zA-Z]+", " ".join(page.words)))
    }
    assert raw == {}
    assert pages[site / "theory.html"].formulas > 50
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = pages[site / "notebooks" / f"{notebook.stem}.html"]
        cells = nbformat.read(notebook, as_version=4).cells
        written = sum(cell.source.count("$") // 2 for cell in cells if cell.cell_type == "markdown")
        assert page.formulas >= written - sum(cell.source.count("$$") for cell in cells) / 2, notebook
        assert page.images, notebook
        assert all(image.get("alt") for image in page.images), notebook


def test_every_public_name_is_documented(pages: dict[Path, Page], site: Path) -> None:
    """Each of `hdsym.__all__`, and each function of the modules among them, has its place in the reference."""
    definition = hook("reference").definition
    documented = {anchor for path, page in pages.items() if path.parent == site / "api" for anchor in page.anchors}
    modules = {"schedules", "spectrum", "start", "statistics", "zoo"}
    inside = {
        f"hd.{module}.{name}"
        for module in modules
        for name, value in vars(getattr(hdsym, module)).items()
        if name in getattr(hdsym, module).__all__ and callable(value) and name[0].islower() and name != "check_fits"
    }
    names = {f"hd.{name}" for name in hdsym.__all__ if name not in {*modules, "functions", "parse", "quantities"}}
    missing = {name for name in (names - {"hd.__version__"}) | inside if definition(name) not in documented}
    assert missing == set()


SEEN = """(() => {
  const article = document.querySelector("article")
  const broken = [...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src)
  const formulas = [...article.querySelectorAll("math")].filter(formula => !formula.closest("details"))
  const flat = formulas.filter(formula => !formula.getBoundingClientRect().height)
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
  return {broken, errors: document.querySelectorAll("merror").length, flat: flat.length, wide}
})()"""

SEARCH = """new Promise(resolve => {
  document.querySelector("[data-md-toggle=search]").click()
  const field = document.querySelector("[data-md-component=search-query]")
  field.value = "covariance"
  field.dispatchEvent(new Event("input", {bubbles: true}))
  field.dispatchEvent(new Event("keyup", {bubbles: true}))
  const started = Date.now()
  const look = () => {
    const count = document.querySelectorAll(".md-search-result__item").length
    count || Date.now() - started > 10000 ? resolve(count) : setTimeout(look, 50)
  }
  look()
})"""


@pytest.mark.skipif(program() is None, reason="there is no chromium on the PATH")
def test_a_browser_shows_every_page(site: Path, pages: dict[Path, Page], tmp_path: Path) -> None:
    """From disk: no broken image, no error in the console, no request to a network, no formula without size."""
    bad: dict[str, Any] = {}
    with browser(tmp_path) as chromium:
        listings = [path for path in pages if path.is_relative_to(site / "source")]
        for path in pages:
            if path.name == "404.html" or path in listings[2:]:  # all listings are made alike, of code alone
                continue
            chromium.open(path.as_uri())
            seen = chromium.evaluate(SEEN)
            if chromium.complaints or any(seen.values()):
                bad[str(path.relative_to(site))] = [seen, *chromium.complaints]
        chromium.open((site / "index.html").as_uri())
        results = chromium.evaluate(SEARCH)
    assert bad == {}
    assert results >= 3
