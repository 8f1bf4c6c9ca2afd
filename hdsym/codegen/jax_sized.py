"""The jax target for sized models: sums over units as sums over arrays of index tuples, without assignments."""

from __future__ import annotations

from typing import Any, ClassVar

from ..ir.sized import SizedProgram
from . import sized_target
from .jax_printer import JaxPrinter, check
from .jax_target import WHOLE, argument, needs, quadrature
from .printer import NumpyPrinter
from .sized_sums import Writer
from .sized_terms import has_integrals
from .statements import brackets

__all__ = ["context"]


class _Writer(Writer):
    """Arrays of jax cannot be changed: a term makes a new one."""

    PRINTER: ClassVar[NumpyPrinter] = JaxPrinter()
    ARRAYS: ClassVar[str] = "jnp"

    def _plus(self, entry: str, value: str) -> str:
        name, _, place = entry.partition("[")
        return f"{name} = {name}.at[{place}.add({value})"

    def _same(self, entry: str, other: str) -> str:
        name, _, place = entry.partition("[")
        return f"{name} = {name}.at[{place}.set({other})"


def context(program: SizedProgram) -> dict[str, Any]:
    """Everything templates/jax/sized_module.py.j2 prints.

    Raises
    ------
    CodegenError
        For a function or an integral that jax cannot express, named.
    """
    functions = [kernel.function for kernel in program.kernels]
    check(program.name, *functions)
    printer = JaxPrinter()
    kernels = [sized_target.kernel(kernel, printer, "ArrayLike") for kernel in program.kernels]
    risk = _Writer(program, "risk").written()
    drift = _Writer(program, "gradient", "fisher", "trained").written()
    rules = quadrature(*functions)
    arrays, trained = [m.name for m in program.arrays], [m.name for m in program.trained]
    numbers = [slot.name for slot in program.parameters]
    sizes = list(program.sizes)
    constants: list[tuple[str, float | None]] = [(m.name, m.default) for m in program.arrays]
    constants += [(slot.name, slot.default) for slot in program.parameters]
    declared = [argument(*constant) for constant in constants]
    states = [argument(m.name, m.default) for m in program.trained]
    given = [f"{name}: int" for name in sizes]
    bare = [*given, *(f"{name}: ArrayLike" for name in [*arrays, *numbers])]
    every = [*bare, *(f"{name}: ArrayLike" for name in trained)]
    shared = sized_target.context(program)
    return {
        **shared,
        "target": "jax",
        "needs": "jax and diffrax",
        **rules,
        **needs(kernels, [*risk[0], *risk[1], *drift[0], *drift[1]], rules),
        "cached": True,
        "uses_lax": True,
        "most": 4096 if any(map(has_integrals, program.kernels)) else 4_000_000,
        "kernels": kernels,
        "risk_before": [*shared["preamble_lines"], *risk[0]],
        "risk_lines": risk[1],
        "drift_before": [*shared["preamble_lines"], *drift[0]],
        "drift_lines": drift[1],
        "static": brackets(map(repr, [*sizes, "refine"])),
        "static_sizes": "".join(f'"{name}", ' for name in sizes),
        "signature": "".join(f", {text}" for text in ["*", *given, *declared, *states]),
        "signature_alone": ", ".join(["*", *given, *declared, *states]),
        "signature_continued": "".join(f",\n    {text}" for text in [*given, *declared, *states]),
        "signature_continued_bare": "".join(f",\n    {text}" for text in every),
        "fixed_signature_continued": "".join(f",\n    {text}" for text in [*given, *declared]),
        "fixed_signature_continued_bare": "".join(f",\n    {text}" for text in bare),
        "passed_positional": "".join(f", {name}" for name in [*sizes, *arrays, *numbers, *trained]),
        "whole": brackets(map(repr, [*WHOLE, *sizes])),
        "option_axes": _axes([*arrays, *trained, *["rates"] * bool(trained)]),
    }


def _axes(names: list[str]) -> str:
    return "{" + ", ".join(f'"{name}": 1' for name in names) + "}"
