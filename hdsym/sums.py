"""Sums over units: checked while the sizes are symbols, written out when they are integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .cas import Expr, Symbol, sp
from .errors import DeclarationError
from .families import Family
from .roles import Size, natural_key

__all__ = ["canonical", "check_indices", "families_in", "smallest_sizes", "symbols_in", "written_out"]

_ITEM = 'sum over units with sympy.Sum(..., (i, 1, K)), i = sympy.Symbol("i", integer=True)'


def families_in(expressions: Sequence[Expr]) -> tuple[Family, ...]:
    """The families that occur, sorted by name."""
    found = {family for expr in expressions for family in expr.atoms(Family)}
    return tuple(sorted(found, key=lambda family: (family.sort_key_in_rows, str(type(family)), str(family.size))))


def symbols_in(expr: Expr) -> set[Symbol]:
    """Free symbols, without the labels of families and the indices of sums."""
    if isinstance(expr, Family):
        return set(expr.size.free_symbols)
    if isinstance(expr, sp.Sum):
        bounds = [bound for limit in expr.limits for bound in limit.args[1:]]
        indices = {limit.args[0] for limit in expr.limits}
        return (symbols_in(expr.function) - indices).union(*map(symbols_in, bounds))
    if isinstance(expr, sp.Symbol | sp.Idx):
        return {expr}
    return set().union(*map(symbols_in, expr.args)) if expr.has(Family, sp.Sum) else set(expr.free_symbols)


def canonical(expressions: Sequence[Expr]) -> tuple[Expr, ...]:
    """The same with one symbol for each size and each element: a plain integer symbol K becomes the size K.

    Raises
    ------
    DeclarationError
        If two families, or a family and a symbol, share a name.
    """
    families = families_in(expressions)
    symbols = {symbol for expr in expressions for symbol in symbols_in(expr)}
    sizes = {symbol.name: symbol for symbol in symbols if isinstance(symbol, Size)}
    same: dict[Expr, Expr] = {
        symbol: sizes[symbol.name]
        for symbol in symbols
        if isinstance(symbol, sp.Symbol) and symbol.name in sizes and symbol.is_integer and symbol.is_positive
    }
    by_stem: dict[str, Family] = {}
    for family in families:
        other = by_stem.setdefault(family.sort_key_in_rows[0], family)
        if other is not family and other != family:
            raise DeclarationError(
                f"two different families are called {family.name!r} (sizes {other.size} and {family.size})",
                remedy="give each family a name of its own",
            )
    for symbol in symbols - same.keys():
        stem, index, name = natural_key(symbol.name)
        owner = next((family for family in families if family.name == name), None)
        if index > 0 and stem in by_stem:
            family = by_stem[stem]
            if family.args[0].renamed(name) == symbol:
                same[symbol] = family[index]
                continue
            owner = family
        if owner is not None:
            raise DeclarationError(
                f"the symbol {name!r} and the family {owner.name!r} have the same name",
                remedy="give each symbol and each family a name of its own",
            )
    return tuple(expr.xreplace(same) for expr in expressions) if same else tuple(expressions)


def written_out(expr: Expr) -> Expr:
    """Every sum over integers as its terms, from the inside out."""
    return expr.replace(lambda e: isinstance(e, sp.Sum), _terms) if expr.has(sp.Sum) else expr


def _terms(total: Expr) -> Expr:
    *inner, (index, low, high) = total.limits
    body = sp.Sum(total.function, *inner) if inner else total.function
    if not (low.is_Integer and high.is_Integer):
        return sp.Sum(written_out(body), total.limits[-1]) if inner else total
    # subs knows which indices are bound, xreplace is fast
    put = body.subs if body.has(sp.Sum) else lambda index, k: body.xreplace({index: k})
    return sp.Add(*(written_out(put(index, sp.Integer(k))) for k in range(int(low), int(high) + 1)))


def check_indices(expr: Expr, where: str) -> None:
    """Raise :class:`DeclarationError` for a family without index, a free index, or a sum that is not over 1, ..., K."""
    _check(expr, where, {})


def _check(expr: Expr, where: str, bound: Mapping[Expr, Expr]) -> None:
    if isinstance(expr, sp.Sum):
        _check(expr.function, where, {**bound, **dict(_ranges(expr, where))})
    elif isinstance(expr, sp.Indexed):
        _check_item(expr, where, bound)
    elif isinstance(expr, sp.IndexedBase):
        raise DeclarationError(f"the {where} contains {expr} without an index", remedy=f"write {expr}[i]: {_ITEM}")
    elif expr.has(sp.Sum, sp.IndexedBase):
        for arg in expr.args:
            _check(arg, where, bound)


def _ranges(total: Expr, where: str) -> Iterator[tuple[Expr, Expr]]:
    for index, low, high in total.limits:
        if low != 1 or not isinstance(high, Size):
            raise DeclarationError(
                f"the {where} contains a sum over {index} = {low}, ..., {high}",
                remedy="a sum runs from 1 to a size: an integer, or hd.size(...)",
            )
        yield index, high


def _check_item(item: Expr, where: str, bound: Mapping[Expr, Expr]) -> None:
    family, index = item.base, item.indices[0]
    if not isinstance(family, Family):
        raise DeclarationError(
            f"the {where} contains {item}, and {family} has no role in a model",
            remedy=f'declare it with its size, for instance hd.student("{family}", size="K")',
        )
    if index.is_Integer:
        return
    if index not in bound:
        raise DeclarationError(f"the {where} contains {item} outside of a sum over {index}", remedy=_ITEM)
    if bound[index] != family.size:
        raise DeclarationError(
            f"the {where} contains {item} for {index} = 1, ..., {bound[index]}, but {family.name} has the size "
            f"{family.size}",
            remedy="sum over the units of the family",
        )


def smallest_sizes(expressions: Sequence[Expr], sizes: Sequence[Size]) -> dict[Expr, int]:
    """Two for each size, or as many as the largest index written as a number."""
    found: dict[Expr, int] = dict.fromkeys(sizes, 2)
    for item in {item for expr in expressions for item in expr.atoms(sp.Indexed)}:
        index = item.indices[0]
        if index.is_Integer and isinstance(item.base, Family) and item.base.size in found:
            found[item.base.size] = max(found[item.base.size], int(index))
    return found
