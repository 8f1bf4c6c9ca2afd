"""A declared statistic as a function of what has a limit: means E[g], overlaps W^T q(K) W, trained scalars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from . import sums
from .cas import Expr, Symbol, sp
from .errors import DeclarationError
from .families import Family
from .forms import Mean, Overlap, is_direction
from .roles import LabelSymbol, NoiseSymbol

if TYPE_CHECKING:
    from .modelstatistics import Declared

__all__ = ["Followed", "followed", "owner"]


def owner(key: str) -> str:
    """The name of the statistic that a mean belongs to."""
    return key.partition(":")[0]


@dataclass(frozen=True)
class Followed:
    """A statistic F(E[g_1], ..., W^T q_1(K) W, ..., theta).

    Attributes
    ----------
    name:
        Its name.
    outer:
        F, with symbols in the place of the means, and overlaps as they are.
    means:
        (key, symbol, g) of each mean; the key is the name of the statistic where it is that mean and nothing else.
    """

    name: str
    outer: Expr
    means: tuple[tuple[str, Symbol, Expr], ...]

    @cached_property
    def overlaps(self) -> tuple[Overlap, ...]:
        """The overlaps in F, in sympy's order."""
        return tuple(sorted(self.outer.atoms(Overlap), key=sp.default_sort_key))

    @property
    def formula(self) -> Expr:
        """F as declared, every mean written as one."""
        return self.outer.xreplace({symbol: Mean(g) for _, symbol, g in self.means})

    def with_means(self, values: Mapping[str, Expr]) -> Expr:
        """F with an expression for each mean, by key."""
        return self.outer.xreplace({symbol: values[key] for key, symbol, _ in self.means})

    def at(self, sizes: Mapping[Expr, Expr]) -> Followed:
        """F for given sizes: its own sums written out. The means stay what they are."""
        return replace(self, outer=sums.written_out(self.outer.xreplace(dict(sizes)))) if sizes else self


def followed(declared: Declared) -> tuple[Followed, ...]:
    """What to follow for the declared statistics.

    Raises
    ------
    DeclarationError
        If random variables and overlaps are mixed in a way that is no mean times a function of overlaps.
    """
    return tuple(_followed(name, g) for name, g in declared)


def _followed(name: str, g: Expr) -> Followed:
    if not g.has(Overlap, Mean):
        symbol = _symbol(1)
        return Followed(name, symbol, ((name, symbol, g),))
    marked = _bare_means_marked(name, g)
    found = sorted(marked.atoms(Mean), key=sp.default_sort_key)
    _check_whole(name, found)
    means = tuple((f"{name}:{k}", _symbol(k), atom.args[0]) for k, atom in enumerate(found, start=1))
    outer = marked.xreplace({atom: symbol for atom, (_, symbol, _) in zip(found, means, strict=True)})
    return Followed(name, outer, means)


def _check_whole(name: str, means: list[Mean]) -> None:
    """A mean for each unit is as many means as there are units."""
    for each in means:
        indices = sorted(
            str(s) for s in sums.symbols_in(each.args[0]) if type(s) in (sp.Symbol, sp.Idx) and s.is_integer
        )
        if indices:
            raise DeclarationError(
                f"the statistic {name!r} contains {each}, a mean for each unit {indices[0]}",
                remedy="sum inside of the mean, or choose the widths before: model.at(K=3).with_statistics(...)",
            )


def _symbol(k: int) -> Symbol:
    return sp.Symbol(f"mean:{k}", real=True)  # no name that can be declared


def _bare_means_marked(name: str, g: Expr) -> Expr:
    """Random variables outside of means belong to the mean of their term: |x| + overlap(x, s) is E|x| + <X, X*>."""
    atoms = g.atoms(Overlap, Mean)
    hidden = {atom: sp.Dummy(real=True) for atom in atoms}
    bare = g.xreplace(hidden)
    if not _random(bare):
        return g
    back = {dummy: atom for atom, dummy in hidden.items()}
    return sp.Add(*(_term(name, term, back) for term in sp.Add.make_args(sp.expand_mul(bare))))


def _term(name: str, term: Expr, back: Mapping[Symbol, Expr]) -> Expr:
    random = _random(term)
    if not random:
        return term.xreplace(dict(back))
    outside, inside = term.as_independent(*random, as_Add=False)
    if inside.free_symbols & back.keys():
        raise DeclarationError(
            f"the statistic {name!r} contains {inside.xreplace(dict(back))}, where random variables and overlaps mix",
            remedy="write what is averaged as hd.mean(...), and functions of means and overlaps outside of it",
        )
    return outside.xreplace(dict(back)) * Mean(inside)


def _random(expr: Expr) -> list[Expr]:
    """What is random in an expression: preactivations, families of them, label and noise."""
    plain = {s for s in expr.atoms(sp.Symbol) if isinstance(s, LabelSymbol | NoiseSymbol) or is_direction(s)}
    families = {e.base for e in expr.atoms(sp.Indexed) if isinstance(e.base, Family) and is_direction(e)}
    labels = {family.args[0] for family in families}
    return sorted([*(plain - labels), *families], key=sp.default_sort_key)
