"""The numba target for sized models: the numpy module's interface, its sums and right-hand side compiled."""

from __future__ import annotations

from typing import Any

from ..ir.sized import KernelFunction, SizedProgram
from ..symbols import entry_name
from . import sized_target
from .layout import WIDTH, docstring
from .numba_nodes import scalar
from .numba_statements import Body
from .numba_target import shared
from .sized_loops import Pattern, Sums, kernel_options

__all__ = ["context"]


def context(program: SizedProgram) -> dict[str, Any]:
    """Everything templates/numpy/sized_module.py.j2 prints, with the parts that templates/numba/ replaces.

    Raises
    ------
    CodegenError
        For a function that has no compiled form.
    """
    sums = Sums(program)
    risk, drift = sums.lines("risk"), sums.lines("gradient", "fisher", "trained")
    integrands: list[dict[str, Any]] = []
    kernels = [_kernel(kernel, integrands) for kernel in program.kernels]
    code = [text for kernel in kernels for text in [*kernel["body"], kernel["returns"]]]
    arrays, trained = [m.name for m in program.arrays], [m.name for m in program.trained]
    numbers = [slot.name for slot in program.parameters]
    fixed, every = [*program.sizes, *arrays, *numbers], [*program.sizes, *arrays, *numbers, *trained]
    preamble = [f"{name} = float({name})" for name in numbers]
    preamble += [f"{m.name} = _units({m.name}, {m.size})" for m in program.arrays]
    return {
        **sized_target.context(program),
        **shared([kernel.function for kernel in program.kernels], integrands, code, trained=bool(trained)),
        "kernels": kernels,
        "sums": [_sum(name, pattern) for pattern, name in sums.patterns.items()],
        "risk_lines": risk,
        "drift_lines": drift,
        "bare_passed": _listed(every),
        "bare_passed_fixed": _listed(fixed),
        "fixed_preamble": preamble,
        "preamble": [*preamble, *(f"{m.name} = _units({m.name}, {m.size})" for m in program.trained)],
        "theta_lines": [f"{m.name} = theta[{sized_target.part(m)}]" for m in program.trained],
    }


def _listed(names: list[str]) -> str:
    return "".join(f", {name}" for name in names)


def _kernel(kernel: KernelFunction, integrands: list[dict[str, Any]]) -> dict[str, Any]:
    function, value = kernel.function, scalar(kernel.function.outputs[0].entries[0])
    return {
        "name": function.name,
        "inlined": not any(True for _ in function.integrals()),
        "arguments": ", ".join([*(symbol.name for symbol in function.inputs), *kernel_options(kernel)]),
        "docstring": docstring(sized_target.meaning(kernel)),
        "body": Body(function.name, kernel.parameters, integrands).lines(function.body),
        "returns": value if len(value) <= WIDTH - 16 else f"({value})",
    }


def _sum(name: str, pattern: Pattern) -> dict[str, Any]:
    """The function that adds up a kernel over some units, for each tuple of the others."""
    kernel, free = pattern.kernel, pattern.free
    size = kernel.size
    extras = [symbol.name for symbol in kernel.function.inputs[size * (size + 1) // 2 :]]
    options = ["*options"] * bool(kernel_options(kernel))
    pairs = [(a, b) for a in range(size) for b in range(a, size)]
    names = {(a, b): entry_name("B", a + 1, b + 1) for a, b in pairs}
    entries = [names[pair] if free[pair[0]] and free[pair[1]] else f"{names[pair]}[k]" for pair in pairs]
    given = [f"{extra}[{'i' if own else 'first + k'}]" for extra, own in zip(extras, pattern.extras, strict=True)]
    value = f"{kernel.function.name}({', '.join([*entries, *given, *options])})"
    if pattern.apart:
        value = f"{value} if {' and '.join(_differ(*pair) for pair in pattern.apart)} else 0.0"
    lines = [f"r{k + 1} = free[{_place(free, k)}, i]" for k in range(size) if free[k]]
    lines += [f"{names[a, b]} = B[r{a + 1}, r{b + 1}]" for a, b in pairs if free[a] and free[b]]
    mixed = [((a, b) if free[a] else (b, a), names[a, b]) for a, b in pairs if free[a] != free[b]]
    lines += [f"{entry} = across_{b + 1}[r{a + 1}]" for (a, b), entry in mixed]
    crossed = sorted({b for (_, b), _ in mixed})
    indices = ["own", "others"] * bool(pattern.apart)
    return {
        "name": name,
        "arguments": ", ".join(
            ["B", "free", "summed", "weights", *indices, *extras, *(option.strip("*") for option in options)]
        ),
        "docstring": docstring(_meaning(pattern)),
        "rows": [{"name": f"r{k + 1}", "place": _place(free, k)} for k in range(size) if not free[k]],
        "over_summed": [
            {"name": names[a, b], "value": f"B[r{a + 1}, r{b + 1}]"} for a, b in pairs if not free[a] and not free[b]
        ],
        "tables": [{"name": f"across_{b + 1}", "row": f"r{b + 1}"} for b in crossed],
        "over_free": lines,
        "value": value if len(value) <= WIDTH - 40 else f"({value})",
    }


def _meaning(pattern: Pattern) -> str:
    own = [str(k) for k, free in enumerate(pattern.free, start=1) if free]
    units = f"; its variables {', '.join(own)} are free" if own else ""
    apart = ", where units that must differ do" if pattern.apart else ""
    name = pattern.kernel.function.name
    return f"Weighted sum of {name} over the summed rows of B for each of the free ones{units}{apart}."


def _place(free: tuple[bool, ...], k: int) -> int:
    """Which row of the free, or of the summed, tuples is that of variable k."""
    return sum(other == free[k] for other in free[:k])


def _differ(first: tuple[bool, int], second: tuple[bool, int]) -> str:
    one, other = (f"own[{k}, i]" if free else f"others[{k}, first + k]" for free, k in (first, second))
    return f"{one} != {other}"
