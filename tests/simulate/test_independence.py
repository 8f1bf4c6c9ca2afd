"""The simulator is a witness: nothing it imports, at any depth, belongs to the derivation."""

from __future__ import annotations

import ast
from pathlib import Path

import hdsym

ROOT = Path(hdsym.__file__).parent
FORBIDDEN = ("expectation", "derive", "ir", "codegen", "solve")


def _file(module: str) -> Path | None:
    path = ROOT.parent / Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(module: str) -> set[str]:
    """Modules of hdsym that a module imports at run time, inside functions too; not under TYPE_CHECKING."""
    file = _file(module)
    assert file is not None
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("hdsym.") and _file(name)}


def _reachable(start: set[str]) -> dict[str, str]:
    """Every module reached, with the one that imports it."""
    reached = dict.fromkeys(start, "the test")
    queue = list(start)
    while queue:
        module = queue.pop()
        for name in sorted(_imports(module) - reached.keys()):
            reached[name] = module
            queue.append(name)
    return reached


def _simulator() -> set[str]:
    return {f"hdsym.simulate.{path.stem}" for path in (ROOT / "simulate").glob("*.py")} - {"hdsym.simulate.__init__"}


def test_nothing_reachable_belongs_to_the_derivation():
    reached = _reachable(_simulator() | {"hdsym.simulate"})
    assert "hdsym.model" in reached  # the walk works
    bad = {name: by for name, by in reached.items() if name.split(".")[1] in FORBIDDEN}
    assert not bad


def test_the_walk_would_see_an_import_of_the_derivation():
    assert any(name.startswith("hdsym.expectation") for name in _reachable({"hdsym.derive"}))


def test_the_derivation_does_not_use_the_simulator():
    for folder in ("expectation", "derive", "ir", "codegen"):
        modules = {
            ".".join(("hdsym", *path.relative_to(ROOT).with_suffix("").parts)) for path in (ROOT / folder).rglob("*.py")
        }
        for module in modules:
            name = module.removesuffix(".__init__")
            assert not any(found.startswith("hdsym.simulate") for found in _imports(name)), name


def test_templates_do_not_share_text_with_the_solver():
    from hdsym.paths import templates_dir

    for file in (templates_dir() / "simulate").iterdir():
        assert "numpy/" not in file.read_text(encoding="utf-8")
