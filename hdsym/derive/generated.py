"""What every derivation has of generated code: the text of its solver, the module, and where both are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from ..codegen import load_module, render
from ..diskcache.kept import NOWHERE, Kept

if TYPE_CHECKING:
    from ..ir import Program
    from ..ir.sized import SizedProgram

__all__ = ["Generated", "written"]


@dataclass(frozen=True)
class Generated:
    """The same for explicit models and for models with sums over units.

    Attributes
    ----------
    kept:
        Where parts of a derivation are on disk, if they are: what follows from its formulas.
    """

    kept: Kept = field(init=False, default=NOWHERE, repr=False, compare=False)

    if TYPE_CHECKING:  # what the two kinds have

        @property
        def target(self) -> str: ...
        @property
        def program(self) -> Program | SizedProgram: ...

    def keeping(self, kept: Kept) -> Self:
        """The derivation itself, whose parts are kept there from now on; copies of it are not kept."""
        object.__setattr__(self, "kept", kept)
        return self

    @cached_property
    def source(self) -> str:
        """The generated module, which is also what :meth:`solve` runs."""
        return self._text(self.target)

    def _text(self, target: str, *, adaptive: bool = False) -> str:
        return self.kept.module(target, lambda: render(self.program, target, adaptive=adaptive), adaptive=adaptive)

    @cached_property
    def module(self) -> ModuleType:
        """The generated module, loaded."""
        return load_module(self.source, self.target)

    def _loaded(self, part: str, make: Any) -> ModuleType:
        """Another module, whose text `make` gives and `part` names."""
        return load_module(self.kept.text(part, make))


def written(path: str | Path, source: str) -> Path:
    """A text as a file; its path."""
    destination = Path(path)
    destination.write_text(source, encoding="utf-8")
    return destination
