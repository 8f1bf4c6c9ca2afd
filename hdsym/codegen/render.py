"""Rendering a program: a registry of targets, strict templates, deterministic text."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import CodegenError
from ..ir.document import Document
from ..ir.nodes import Function, Program
from ..ir.sized import SizedProgram
from ..paths import templates_dir
from . import jax_sized, jax_target, latex_target, numba_sized, numba_target, numpy_target, sized_target, sympy_target
from .layout import filled, laid_out

__all__ = ["TARGETS", "Target", "environment", "known", "render", "render_function"]


@dataclass(frozen=True)
class Target:
    """A language to print: its template folder, over that of numpy, for programs of fixed and of any size the entry
    template and the function that prepares the text fragments, what breaks lines that are too long, whether it
    prints learning rates that depend on the solution, Jacobian and noise, and whether it is given formulas, no program.
    """

    folder: str
    entry: str
    sized_entry: str
    context: Callable[[Any], dict[str, Any]]
    sized_context: Callable[[Any], dict[str, Any]]
    layout: Callable[[str], str]
    extras: bool = True
    formulas: bool = False


_ENTRIES, _FORMULAS = ("module.py.j2", "sized_module.py.j2"), ("module.py.j2", "module.py.j2")
_APPENDIX = ("appendix.tex.j2", "appendix.tex.j2")
TARGETS: dict[str, Target] = {
    "numpy": Target("numpy", *_ENTRIES, numpy_target.context, sized_target.context, laid_out),
    "numba": Target("numba", *_ENTRIES, numba_target.context, numba_sized.context, laid_out),
    "jax": Target("jax", *_ENTRIES, jax_target.context, jax_sized.context, laid_out, extras=False),
    "latex": Target(
        "latex", *_APPENDIX, latex_target.context, latex_target.context, latex_target.laid_out, False, formulas=True
    ),
    "sympy": Target("sympy", *_FORMULAS, sympy_target.context, sympy_target.context, laid_out, False, formulas=True),
}
"""Targets by name; a new one is a printer, a template folder and a line here."""


def known(target: str) -> Target:
    """The target of a name; raises CodegenError with the nearest name if there is none."""
    if target not in TARGETS:
        near = difflib.get_close_matches(str(target), TARGETS, n=1, cutoff=0.0)
        raise CodegenError(f"there is no target {target!r}", remedy=f"the nearest is {near[0]!r}")
    return TARGETS[target]


def render(program: Program | SizedProgram | Document, target: str = "numpy", *, adaptive: bool = False) -> str:
    """The text of a stand-alone module; with `adaptive`, for learning rates that depend on the solution too.

    `program` is a :class:`Document` for the targets that print formulas.

    Raises
    ------
    CodegenError
        For an unknown target, or an expression the target cannot print.
    """
    chosen = known(target)
    if adaptive and not chosen.extras:
        raise CodegenError(f"the {target} target has no adaptive learning rates", remedy="use target='numpy' for them")
    sized = isinstance(program, SizedProgram)
    template, context = (chosen.sized_entry, chosen.sized_context) if sized else (chosen.entry, chosen.context)
    text: str = environment(chosen.folder).get_template(template).render(context(program), adaptive=adaptive)
    return chosen.layout(text.rstrip() + "\n")


def render_function(function: Function) -> str:
    """The text of a numpy module with this function alone and the quadrature it needs."""
    text: str = environment("numpy").get_template("function.py.j2").render(numpy_target.function_context(function))
    return laid_out(text.rstrip() + "\n")


@cache
def environment(folder: str) -> Any:
    """The templates of a target, over those of numpy."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([templates_dir() / name for name in dict.fromkeys((folder, "numpy"))]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python text, not a page
    )
    environment.filters["filled"] = filled
    return environment
