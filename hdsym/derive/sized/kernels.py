"""Kernels: the expectations of a few preactivations that sums over units are made of, each derived once.

A unit term is a weight, which depends on one unit at a time, times a function of p preactivations. The function is
renamed to r1, ..., rp in an order of its own, so that the same kernel serves students and teachers alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ...cas import Expr, Matrix, Symbol, free_symbols, sp
from ...errors import DeclarationError
from ...expectation.engine import Engine
from ...expectation.expectation import Expectation
from ...expectation.gaussian import Gaussian
from ...expectation.integral import GaussianIntegral, UnitIntegral
from ...laws import NoiseLaw, Normal
from ...symbols import overlap_matrix
from .coincide import Apart
from .orders import Orders
from .terms import Index, Slot, UnitTerm

__all__ = ["Call", "Kernel", "Kernels"]


@dataclass(frozen=True)
class Kernel:
    """E[function] of preactivations r1, ..., rp with covariance C, and of `extras` that vary from unit to unit.

    Attributes
    ----------
    expectation:
        In the entries B11, B12, ... of the covariance of (r1, ..., rp).
    size:
        p.
    extras:
        Symbols of trained scalars and parameters inside the function (biases, slopes).
    symmetries:
        Permutations of (r1, ..., rp) that leave the function as it is; without extras only.
    """

    expectation: Expectation
    size: int
    extras: tuple[Symbol, ...]
    symmetries: tuple[tuple[int, ...], ...]

    @property
    def constant(self) -> bool:
        """Whether it has a closed form that depends on neither preactivations nor extras: E[1], say."""
        expr = self.expectation.expr
        varying = {*free_symbols(overlap_matrix(self.size))} if self.size else set()
        numerical = expr.has(GaussianIntegral, UnitIntegral)
        return not numerical and not varying.union(self.extras).intersection(free_symbols(expr))


@dataclass(frozen=True)
class Call:
    """coefficient * sum over indices of weights * kernel(block of B): one term of a quantity.

    Indices are numbered, the free ones first.

    Attributes
    ----------
    kernel:
        Its number; ``None`` for the constant one.
    coefficient:
        In sizes and plain parameters.
    sizes:
        How far each index runs.
    rows:
        For each variable of the kernel the member it belongs to and its index.
    weights:
        For each index a product of powers of elements of families there: ((member, power), ...).
    extras:
        For each extra of the kernel, member and index.
    free:
        How many indices are free.
    apart:
        Pairs of indices that must differ, the smaller number first, sorted.
    """

    kernel: int | None
    coefficient: Expr
    sizes: tuple[Expr, ...]
    rows: tuple[tuple[Any, int], ...]
    weights: tuple[tuple[tuple[Any, Expr], ...], ...]
    extras: tuple[tuple[Any, int], ...]
    free: int
    apart: tuple[tuple[int, int], ...]


@dataclass
class Kernels:
    """Derives kernels and remembers them."""

    engine: Engine
    noise: NoiseLaw | None
    found: list[Kernel] = field(default_factory=list)
    _numbers: dict[Expr, int] = field(default_factory=dict)

    def calls(self, term: UnitTerm, free: tuple[Index, ...], apart: Apart = ()) -> Iterator[Call]:
        """The term as kernel calls; several where its weight is a sum."""
        slots = [slot for slot in term.slots if term.body.has(slot.symbol)]
        scalars = [slot.symbol for slot in slots if not slot.gaussian]
        gaussian = [slot.symbol for slot in slots if slot.gaussian]
        noise = [self.noise.symbol] if self.noise is not None else []
        body = sp.Mul(*(sp.factor_terms(factor) for factor in sp.Mul.make_args(term.body)))
        weight, function = body.as_independent(*gaussian, *noise, as_Add=False)
        for monomial, part in _monomials(function, scalars):
            inside = [slot for slot in slots if slot.gaussian and part.has(slot.symbol)]
            extras = [slot for slot in slots if not slot.gaussian and part.has(slot.symbol)]
            number, order, names = self._kernel(part, inside, extras)
            for piece in sp.Add.make_args(sp.expand(weight * monomial)):
                yield self._call(term, free, apart, number, [inside[k] for k in order], names, piece)

    def folded(self, call: Call) -> Call:
        """The call; of a kernel that is constant, only its weights, the constant being part of the coefficient.

        Where some of the indices must differ only a constant 0 is left out: the sum over the others is no product.
        """
        if call.kernel is None or not self.found[call.kernel].constant:
            return call
        value = self.found[call.kernel].expectation.expr
        if call.apart and value != 0:
            return call
        weighted = [k for k, weight in enumerate(call.weights) if weight and k >= call.free]
        kept = [*range(call.free), *sorted(weighted, key=lambda k: str((call.sizes[k], call.weights[k])))]
        alone = [size for k, size in enumerate(call.sizes) if k not in kept]
        return replace(
            call,
            kernel=None,
            coefficient=sp.Mul(call.coefficient, value, *alone),
            sizes=tuple(call.sizes[k] for k in kept),
            rows=(),
            weights=tuple(call.weights[k] for k in kept),
            extras=(),
            apart=(),
        )

    def _call(
        self,
        term: UnitTerm,
        free: tuple[Index, ...],
        apart: Apart,
        number: int,
        rows: list[Slot],
        extras: list[Slot],
        weight: Expr,
    ) -> Call:
        constant = sp.S.One
        powers: dict[Index, list[tuple[Any, Expr]]] = {}
        slots = {slot.symbol: slot for slot in term.slots}
        for factor in sp.Mul.make_args(weight):
            base, exponent = factor.as_base_exp()
            if base in slots:
                powers.setdefault(slots[base].index, []).append((slots[base].member, exponent))
            elif factor.has(*slots):
                raise DeclarationError(
                    f"the factor {factor} of the loss mixes several scalars", remedy="write it as a polynomial in them"
                )
            else:
                constant *= factor
        told = [index for pair in apart for index in pair]
        indices = list(dict.fromkeys([*free, *(s.index for s in rows), *(s.index for s in extras), *powers, *told]))
        unused = sp.Mul(*(index.size for index in term.indices if index not in indices))
        place = {index: k for k, index in enumerate(indices)}
        call = Call(
            number,
            term.coefficient * constant * unused,
            tuple(index.size for index in indices),
            tuple((slot.member, place[slot.index]) for slot in rows),
            tuple(tuple(sorted(powers.get(index, []), key=str)) for index in indices),
            tuple((slot.member, place[slot.index]) for slot in extras),
            len(free),
            tuple(sorted((min(place[a], place[b]), max(place[a], place[b])) for a, b in apart)),
        )
        return _canonical(call, self.found[number])

    def _kernel(self, function: Expr, inside: list[Slot], extras: list[Slot]) -> tuple[int, list[int], list[Slot]]:
        """Number of the kernel, which slot is its first, second, ... variable, and the extras in its order."""
        size = len(inside)
        if size > 6:
            raise DeclarationError(
                f"{function} couples {size} preactivations", remedy="hdsym derives kernels of up to 6"
            )
        names = [sp.Symbol(f"r{k + 1}", real=True) for k in range(size)]
        places = [sp.Symbol(f"q{k + 1}", real=True, positive=s.symbol.is_positive) for k, s in enumerate(extras)]
        orders = Orders(function, [s.symbol for s in inside], [s.symbol for s in extras])
        candidates = []
        for order in orders.candidates():
            renamed = function.xreplace({inside[k].symbol: names[i] for i, k in enumerate(order)})
            for chosen in orders.candidates_of_extras():
                full = renamed.xreplace({extras[k].symbol: places[i] for i, k in enumerate(chosen)})
                candidates.append((sp.default_sort_key(full), order, chosen, full))
        key, order, chosen, full = min(candidates, key=lambda c: (c[0], c[1], c[2]))
        if full not in self._numbers:
            same = [c[1] for c in candidates if c[0] == key] if not extras else []
            symmetries = orders.symmetries(order, same) or (tuple(range(size)),)
            self._numbers[full] = len(self.found)
            self.found.append(self._derived(full, tuple(names), tuple(places), symmetries))
        return self._numbers[full], list(order), [extras[k] for k in chosen]

    def _derived(
        self,
        function: Expr,
        names: tuple[Symbol, ...],
        extras: tuple[Symbol, ...],
        symmetries: tuple[tuple[int, ...], ...],
    ) -> Kernel:
        size = len(names)
        cov: Matrix = overlap_matrix(size) if size else sp.ImmutableMatrix(0, 0, [])
        variables, mean = names, (sp.S.Zero,) * size
        if self.noise is not None and function.has(self.noise.symbol):
            law = self.noise
            shift, variance = (law.mean, law.std**2) if isinstance(law, Normal) else (sp.S.Zero, sp.S.One)
            cov = sp.ImmutableMatrix(sp.diag(cov, variance))
            variables, mean = (*names, law.symbol), (*mean, shift)
        gaussian = Gaussian(variables, mean, cov)
        outcome = self.engine.expectation(function, gaussian)
        found = Expectation.of(function, gaussian, outcome)
        return Kernel(found, size, extras, symmetries)


def _monomials(function: Expr, scalars: list[Symbol]) -> list[tuple[Expr, Expr]]:
    """(weight, function) pairs: a function that is a polynomial in the scalars is taken apart."""
    present = [s for s in scalars if function.has(s)]
    if not present or not function.is_polynomial(*present):
        return [(sp.S.One, function)]
    terms = sp.Poly(function, *present).terms()
    return [(sp.Mul(*(s**p for s, p in zip(present, powers, strict=True))), value) for powers, value in terms]


def _canonical(call: Call, kernel: Kernel) -> Call:
    """The smallest of the calls that a symmetry of the kernel and another numbering of the summed indices give."""
    return min((_renumbered(call, symmetry) for symmetry in kernel.symmetries), key=_key)


def _renumbered(call: Call, symmetry: tuple[int, ...]) -> Call:
    rows = tuple(call.rows[k] for k in symmetry)
    ranked = [*range(call.free), *(i for _, i in rows), *(i for _, i in call.extras), *range(len(call.sizes))]
    order = list(dict.fromkeys(ranked))
    place = {old: new for new, old in enumerate(order)}
    return Call(
        call.kernel,
        call.coefficient,
        tuple(call.sizes[old] for old in order),
        tuple((member, place[i]) for member, i in rows),
        tuple(call.weights[old] for old in order),
        tuple((member, place[i]) for member, i in call.extras),
        call.free,
        tuple(sorted((min(place[a], place[b]), max(place[a], place[b])) for a, b in call.apart)),
    )


def _key(call: Call) -> tuple[str, ...]:
    return tuple(map(str, (call.rows, call.weights, call.sizes, call.extras, call.apart)))
