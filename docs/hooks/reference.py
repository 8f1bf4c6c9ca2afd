"""Entries of the reference: `::: hd.Model` is documented from where the name is defined, under the name users type."""

from __future__ import annotations

import re
from typing import Any

import hdsym

ENTRY = re.compile(r"^::: (hd\.[\w.]+)$", re.MULTILINE)
INHERITING = {"hd.Derivation"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Each entry with its definition's path and its public name as heading."""
    return ENTRY.sub(lambda found: entry(found[1]), markdown)


def entry(name: str) -> str:
    """What mkdocstrings takes."""
    lines = [f"::: {definition(name)}", "    options:", f"      heading: {name}", f"      toc_label: {name}"]
    return "\n".join([*lines, *["      inherited_members: true"] * (name in INHERITING)])


def definition(name: str) -> str:
    """The path of the definition of `hd.start.random`. Raises AttributeError where there is none."""
    first, *rest = name.removeprefix("hd.").split(".")
    found: Any = getattr(hdsym, first)
    for part in rest:
        found = getattr(found, part)
    if isinstance(found, type) or (callable(found) and hasattr(found, "__qualname__")):
        return f"{found.__module__}.{found.__qualname__}"
    module = f"hdsym.{hdsym._NAMES[first]}" if first in hdsym._NAMES else "hdsym"
    return ".".join([module, first, *rest])
