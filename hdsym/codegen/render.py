"""Rendering a program: a registry of targets, strict templates, deterministic text."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import CodegenError
from ..ir.nodes import Program
from ..paths import templates_dir
from . import numpy_target

__all__ = ["TARGETS", "Target", "render"]


@dataclass(frozen=True)
class Target:
    """A language to print: its template folder and entry, and the function that prepares the text fragments."""

    folder: str
    entry: str
    context: Callable[[Program], dict[str, Any]]


TARGETS: dict[str, Target] = {"numpy": Target("numpy", "module.py.j2", numpy_target.context)}
"""Targets by name; a new one is a printer, a template folder and a line here."""


def render(program: Program, target: str = "numpy") -> str:
    """The text of a stand-alone solver module.

    Raises
    ------
    CodegenError
        For an unknown target, or an expression the target cannot print.
    """
    import jinja2

    if target not in TARGETS:
        near = difflib.get_close_matches(str(target), TARGETS, n=1, cutoff=0.0)
        raise CodegenError(f"there is no target {target!r}", remedy=f"the nearest is {near[0]!r}")
    chosen = TARGETS[target]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir() / chosen.folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Python text, not a page
    )
    return environment.get_template(chosen.entry).render(chosen.context(program)).rstrip() + "\n"
