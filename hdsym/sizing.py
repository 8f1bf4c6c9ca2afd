"""The sizes of a sized model, from what a problem says about them: its start, its arrays, its ``sizes``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import DeclarationError
from .families import Family

if TYPE_CHECKING:
    from .model import Model
    from .problem import Problem

__all__ = ["inferred_sizes"]


@dataclass(frozen=True)
class _Fact:
    """A sum of sizes, each with how often it occurs, plus `rest` single units, is `total`; `source` says so."""

    sizes: dict[str, int]
    rest: int
    total: int
    source: str


def inferred_sizes(model: Model, problem: Problem) -> dict[str, int]:
    """Every size of `model` by name.

    Raises
    ------
    DeclarationError
        If a size is not determined, two sources contradict each other (the message names both), or ``sizes`` has a
        name that the model does not.
    """
    names = [size.name for size in model.sizes]
    for name in problem.sizes:
        if name not in names:
            raise DeclarationError(
                f"{model.name} has no size {name!r}", remedy=f"its sizes are: {', '.join(names) or 'none'}"
            )
    known: dict[str, tuple[int, str]] = {}
    pending = list(_facts(model, problem))
    while pending:
        ready = [fact for fact in pending if len(fact.sizes.keys() - known.keys()) <= 1]
        if not ready:
            break
        for fact in ready:
            _use(fact, known)
        pending = [fact for fact in pending if fact not in ready]
    missing = [name for name in names if name not in known]
    if missing:
        given = ", ".join(f'"{name}": 3' for name in missing)
        raise DeclarationError(
            f"nothing says what {', '.join(missing)} of {model.name} is",
            remedy=f"give it: hd.Problem(..., sizes={{{given}}}), or hd.start.random(..., n_student=3, n_teacher=2)",
        )
    return {name: known[name][0] for name in names}


def _facts(model: Model, problem: Problem) -> Iterator[_Fact]:
    for name, value in problem.sizes.items():
        yield _Fact({name: 1}, 0, value, f"sizes={{{name!r}: {value}}}")
    for family in model.families:
        array = problem.parameters.get(family.name)
        if isinstance(array, tuple):
            yield _Fact({family.size.name: 1}, 0, len(array), f"the array {family.name!r} of length {len(array)}")
    counts = zip((model.students, model.teachers), problem.start.directions, ("student", "teacher"), strict=True)
    for members, count, role in counts:
        if count is not None:
            sizes, rest = _tally(members)
            yield _Fact(sizes, rest, count, f"the start with {count} {role} direction{'s' if count > 1 else ''}")


def _tally(members: tuple[Any, ...]) -> tuple[dict[str, int], int]:
    """How often each size occurs, and how many single units there are."""
    sizes: dict[str, int] = {}
    for member in members:
        if isinstance(member, Family):
            sizes[member.size.name] = sizes.get(member.size.name, 0) + 1
    return sizes, sum(not isinstance(member, Family) for member in members)


def _use(fact: _Fact, known: dict[str, tuple[int, str]]) -> None:
    """Solve a fact for its unknown size, or check it."""
    settled = {name: known[name] for name in fact.sizes if name in known}
    left = fact.total - fact.rest - sum(fact.sizes[name] * value for name, (value, _) in settled.items())
    unknown = [name for name in fact.sizes if name not in known]
    if unknown:
        value, remainder = divmod(left, fact.sizes[unknown[0]])
        if value >= 1 and remainder == 0:
            known[unknown[0]] = value, fact.source
            return
    elif left == 0:
        return
    form = " + ".join(
        [f"{n} {name}" if n > 1 else name for name, n in fact.sizes.items()] + [str(fact.rest)] * (fact.rest > 0)
    )
    others = "".join(f", {name} = {value} by {source}" for name, (value, source) in settled.items())
    raise DeclarationError(
        f"the sizes do not fit together: {form} = {fact.total} by {fact.source}{others}",
        remedy="give the start, the arrays and the sizes for the same number of units",
    )
