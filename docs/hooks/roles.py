"""References of docstrings (:func:`hdsym.derive`) as links, where what they name has a place in the reference."""

from __future__ import annotations

import re
from typing import Any

import griffe

import hdsym

CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
SHARED = re.compile(r"^(\w+(?:, \w+)+):\n((?:    .*\n?)+)", re.MULTILINE)
ROLE = re.compile(r":(?:func|class|meth|mod|attr|data):`([^`]+)`")


class Roles(griffe.Extension):
    """Rewrites docstrings before they are parsed."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Every docstring of the package."""
        seen: set[int] = set()
        _walk(pkg, pkg, seen)


def _walk(obj: Any, package: griffe.Module, seen: set[int]) -> None:
    if obj.is_alias or id(obj) in seen:
        return
    seen.add(id(obj))
    if obj.docstring is not None:
        obj.docstring.value = written(obj.docstring.value, obj, package)
    for member in obj.members.values():
        _walk(member, package, seen)


def written(text: str, obj: Any, package: griffe.Module) -> str:
    """A docstring as Markdown: links in the place of roles, formulas kept from it, examples as they are."""

    def link(found: re.Match[str]) -> str:
        name = found[1].lstrip("~.!")
        return f'<autoref identifier="{canonical(name, obj, package)}" optional>`{name}`</autoref>'

    lines, example = [], False
    for line in SHARED.sub(apart, text).splitlines():
        example = line.lstrip().startswith((">>>", "...")) or (example and bool(line.strip()))
        lines.append(line if example else ROLE.sub(link, plain(line)))
    return "\n".join(lines)


def apart(found: re.Match[str]) -> str:
    """Parameters described together, each by itself: the parser gives all of them the default of the first."""
    return "".join(f"{name}:\n{found[2]}" for name in found[1].split(", "))


def plain(line: str) -> str:
    """X* and <X, q(K) X> as they stand, outside backquotes; one backquote where docstrings have two."""
    parts = CODE.split(line)
    parts[::2] = [part.replace("*", r"\*").replace("<", "&lt;") for part in parts[::2]]
    return "".join(part.replace("``", "`") for part in parts)


def canonical(name: str, obj: Any, package: griffe.Module) -> str:
    """Where a name is defined: seen from the object that mentions it, else among the public names."""
    name = name.removesuffix("()")
    if not name.startswith("hdsym."):
        scope = obj
        while scope is not None:
            if name.partition(".")[0] in scope.members:
                return defined(f"{scope.path}.{name}", package)
            scope = scope.parent
        name = f"hdsym.{name}"
    first, _, rest = name.removeprefix("hdsym.").partition(".")
    if first in hdsym._NAMES:
        name = f"hdsym.{hdsym._NAMES[first]}.{first}{'.' * bool(rest)}{rest}"
    return defined(name, package)


def defined(path: str, package: griffe.Module) -> str:
    """The path of the definition that a path leads to through imports."""
    try:
        return str(package[path.removeprefix("hdsym.")].canonical_path)
    except (KeyError, griffe.AliasResolutionError, griffe.CyclicAliasError):
        return path
