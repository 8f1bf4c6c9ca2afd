"""What every derivation has of generated code: the text of its solver, the module, and where both are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from ..codegen import known, load_module, render
from ..diskcache.kept import NOWHERE, Kept
from ..errors import CodegenError

if TYPE_CHECKING:
    from ..ir import Program
    from ..ir.document import Document
    from ..ir.sized import SizedProgram

__all__ = ["Generated"]


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
        @property
        def document(self) -> Document: ...
        def program_with(self, fluctuations: bool) -> Program | SizedProgram: ...

    def keeping(self, kept: Kept) -> Self:
        """The derivation itself, whose parts are kept there from now on; copies of it are not kept."""
        object.__setattr__(self, "kept", kept)
        return self

    @cached_property
    def source(self) -> str:
        """The generated module, which is also what :meth:`solve` runs."""
        return self.written()

    def export(
        self,
        path: str | Path,
        target: str | None = None,
        *,
        jacobian: bool = False,
        adaptive: bool = False,
        fluctuations: bool = False,
    ) -> Path:
        """Write the solver as a module that stands alone and return its path.

        It needs numpy and scipy, or for ``target="numba"`` numba too, for ``"jax"`` jax and diffrax; ``"sympy"`` writes
        the formulas as expressions, ``"latex"`` an appendix for a paper. With `jacobian` it has the exact Jacobian too,
        which its ``solve`` gives to the implicit methods of scipy; with `adaptive` it has ``solve_adaptive``, for
        learning rates that depend on the solution; with `fluctuations` the Jacobian and ``solve_fluctuations``, for
        error bars of single runs.

        Raises
        ------
        CodegenError
            For an unknown target, or one that cannot express this model or what is asked for beside it.
        ExpectationError
            If `jacobian` or `fluctuations` is asked for and some derivative or moment does not exist.
        """
        text = self.written(target, jacobian=jacobian, adaptive=adaptive, fluctuations=fluctuations)
        destination = Path(path)
        destination.write_text(text, encoding="utf-8")
        return destination

    def written(
        self,
        target: str | None = None,
        *,
        jacobian: bool = False,
        adaptive: bool = False,
        fluctuations: bool = False,
    ) -> str:
        """The text that :meth:`export` writes, with the same arguments."""
        chosen = self.target if target is None else target
        if jacobian or fluctuations:
            program = self.program_with(fluctuations)
            if not known(chosen).extras:
                raise CodegenError(
                    f"the {chosen} target has no Jacobian", remedy="use target='numpy' or target='numba' for it"
                )
            return render(program, chosen, adaptive=adaptive)
        if known(chosen).formulas:
            return render(self.document, chosen, adaptive=adaptive)
        return self.kept.module(chosen, lambda: render(self.program, chosen, adaptive=adaptive), adaptive=adaptive)

    @cached_property
    def module(self) -> ModuleType:
        """The generated module, loaded."""
        return load_module(self.source, self.target)

    def _loaded(self, part: str, make: Any) -> ModuleType:
        """Another module, whose text `make` gives and `part` names."""
        return load_module(self.kept.text(part, make))
