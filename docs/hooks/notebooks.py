"""The notebooks as pages, with the outputs that are kept in them: nothing is executed here."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File

FOLDER = Path(__file__).parents[2] / "notebooks"

LONG = 125


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Adds a Markdown page for each notebook, and its figures."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        text, figures = page(path)
        for name, content in {f"{path.stem}.md": text, **figures}.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    return files


def page(path: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its figures by file name."""
    figures: dict[str, bytes] = {}
    blocks = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            blocks.append(cell.source)
        elif cell.cell_type == "code":
            blocks.append(fenced(cell.source, "python"))
            blocks += [shown(output, path.stem, figures) for output in cell.outputs]
    blocks.append(f'<p class="origin">This page is the notebook <code>notebooks/{path.name}</code>.</p>')
    return "\n\n".join(blocks) + "\n", figures


def shown(output: Any, stem: str, figures: dict[str, bytes]) -> str:
    """One output of a cell, in the richest form that a page without scripts can show."""
    if output.output_type == "stream":
        return fenced(output.text.rstrip(), "text", "output", *prose(output.text))
    if output.output_type == "error":
        return fenced(f"{output.ename}: {output.evalue}", "text", "output")
    data = output.data
    if "image/png" in data:
        name = f"{stem}-{len(figures) + 1}.png"
        figures[name] = base64.b64decode(data["image/png"])
        return f"![Figure {len(figures)} of this notebook]({name}){{ .figure }}"
    if "text/html" in data:
        return f'<div class="output-html">{formulas(data["text/html"])}</div>'
    if "text/latex" in data:
        return f"$$\n{data['text/latex'].strip().strip('$').strip()}\n$$"
    return fenced(data["text/plain"], "text", "output")


def prose(text: str) -> list[str]:
    """The class of outputs whose lines are sentences, too long for a page: they wrap."""
    return ["prose"] * any(len(line) > LONG for line in text.splitlines())


def formulas(text: str) -> str:
    """HTML whose formulas are marked as those of Markdown are."""
    lines = "\n".join(line for line in text.splitlines() if line.strip())
    mark = r'<span class="arithmatex">\\(\1\\)</span>'
    return re.sub(r"\$([^$]+)\$", lambda found: found.expand(mark), lines)


def fenced(text: str, language: str, *classes: str) -> str:
    """A block of code that may contain fences itself."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    kinds = " ".join(f".{name}" for name in (language, *classes, *["no-copy"] * bool(classes)))
    return f"{fence} {{ {kinds} }}\n{text}\n{fence}"
