"""Links to code: `[words](src:hdsym.adaptive.AdaptiveRate.evaluate)` leads to that line of a listing on this site.

A listing is made for each module that some page links to. A name that is not there stops the build.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(src:([\w./-]+)\)")


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """Adds the listings."""
    folder = Path(config.docs_dir)
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))]
    targets = sorted({located(target)[0] for text in texts for target in LINK.findall(text)})
    for target in targets:
        files.append(File.generated(config, page_of(target), content=listing(target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replaces the links."""
    return LINK.sub(lambda found: f"]({address(found[1], page.file.src_uri)})", markdown)


def address(target: str, source: str) -> str:
    """The relative address of a listing and line, as pages are named on the site."""
    path, line = located(target)
    relative = posixpath.relpath(page_of(path), posixpath.dirname(source) or ".")
    return f"{relative}#__codelineno-0-{line}"


def page_of(path: str) -> str:
    """The page that lists a file of the repository."""
    return f"source/{path}.md"


def located(target: str) -> tuple[str, int]:
    """File, relative to the repository, and line of `package.module.name.member`, or of `path/to/file`."""
    if "/" in target:
        if not (ROOT / target).is_file():
            raise PluginError(f"src:{target}: there is no such file")
        return target, 1
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        for path in (ROOT.joinpath(*parts[:length]).with_suffix(".py"), ROOT.joinpath(*parts[:length], "__init__.py")):
            if path.is_file():
                return str(path.relative_to(ROOT)), line_of(path, parts[length:], target)
    raise PluginError(f"src:{target}: there is no such module")


def line_of(path: Path, names: list[str], target: str) -> int:
    """The line on which a possibly nested function, class or constant is defined."""
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    line = 1
    for name in names:
        for node in body:
            if name in defined(node):
                line, body = node.lineno, getattr(node, "body", [])
                break
        else:
            raise PluginError(f"src:{target}: {path.relative_to(ROOT)} does not define {name}")
    return line


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def listing(path: str) -> str:
    """The page of one file: its text with line numbers, out of the search index."""
    text = (ROOT / path).read_text(encoding="utf-8").rstrip()
    language = {".py": "python", ".toml": "toml"}.get(Path(path).suffix, "jinja")
    front = "---\nsearch:\n  exclude: true\nhide:\n  - navigation\n---\n"
    return f'{front}\n# {path}\n\n``````{language} linenums="1"\n{text}\n``````\n'
