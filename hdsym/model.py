"""The declaration: a loss, a link, a noise law. Validated on construction, immutable afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import modelcheck, sums
from .cas import Expr, Symbol, sp, to_expr
from .errors import DeclarationError
from .families import Family, ParameterFamily, StudentFamily, TeacherFamily, TrainedFamily
from .labels import RandomLabel
from .laws import NoiseLaw
from .parametervalues import check_names, expanded, number, sizes_given
from .recognise import recognise
from .roles import (
    LabelSymbol,
    Parameter,
    Size,
    StudentSymbol,
    TeacherSymbol,
    TrainedSymbol,
    natural_key,
)

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """A model trained by one-pass SGD: any number of trained directions, targets and trained scalars.

    Preactivations are declared one by one or as families; sums over a family are written with ``sympy.Sum``. A model
    whose families have symbolic sizes is *sized*: it is declared and derived once and becomes explicit, with one symbol
    for each unit, by :meth:`at`. Families of integer size are written out at once.

    Parameters
    ----------
    loss:
        The loss in the students' preactivations x, the label y and trained scalars; or, with ``link=None``, the outer
        function f(x, s, eps) itself.
    link:
        The label as a function of the teachers' preactivations s and the noise eps, or :class:`hdsym.Bernoulli`,
        :class:`hdsym.Categorical` or :class:`hdsym.Poisson` for a sampled label.
    noise:
        Law of eps: :class:`hdsym.Normal`, :class:`hdsym.Uniform`, :class:`hdsym.Rademacher`, :class:`hdsym.Discrete`;
        ``None`` if the link has no noise.
    name, references:
        Shown in reports and in generated code.

    Raises
    ------
    DeclarationError
        For an unknown symbol or function, a loss that does not depend on x, an unused label, an expression that is
        not real, noise without a law, or an index outside of its sum; the message names the offender and the remedy.

    Examples
    --------
    >>> import hdsym as hd, sympy as sp
    >>> x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    >>> model = hd.Model(loss=(x - y)**2 / 2, link=s, name="least squares")
    >>> model.average(model.loss)
    (x - s)**2/2

    >>> K, i = hd.size("K"), sp.Symbol("i", integer=True)
    >>> x = hd.student("x", size=K)
    >>> committee = hd.Model(loss=(sp.Sum(sp.tanh(x[i]), (i, 1, K)) - y)**2 / 2, link=sp.tanh(s))
    >>> committee.at(K=2).loss
    (-y + tanh(x1) + tanh(x2))**2/2
    """

    loss: Expr
    link: Expr | RandomLabel | None = None
    noise: NoiseLaw | None = None
    name: str = "model"
    references: tuple[str, ...] = ()
    _groups: dict[str, tuple[Symbol, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.references, str):
            object.__setattr__(self, "references", (self.references,))
        loss = _expression(self.loss, "loss")
        if isinstance(self.link, RandomLabel):
            links = tuple(map(recognise, self.link.expressions))
        else:
            links = () if self.link is None else (_expression(self.link, "link"),)
        expressions = sums.canonical((loss, *links))
        families = sums.families_in(expressions)
        named = (f for f in families if f.explicit and isinstance(f, ParameterFamily | TrainedFamily))
        self._groups.update({family.name: tuple(family) for family in named})
        self._store(tuple(map(sums.written_out, expressions)))
        modelcheck.check_structure(self)
        if self.sized:
            self.at(sums.smallest_sizes(self._expressions, self.sizes))  # has every check of an explicit model
        else:
            modelcheck.check(self)

    def _store(self, expressions: tuple[Expr, ...]) -> None:
        object.__setattr__(self, "loss", expressions[0])
        if isinstance(self.link, RandomLabel):
            object.__setattr__(self, "link", self.link.mapped(expressions[1:]))
        elif self.link is not None:
            object.__setattr__(self, "link", expressions[1])

    @property
    def _expressions(self) -> tuple[Expr, ...]:
        law = self.noise.constants if self.noise is not None else ()
        return (self.loss, *self.link_expressions, *law)

    @property
    def link_expressions(self) -> tuple[Expr, ...]:
        """What the label is made of: the link itself, or the expressions of its law; empty without a link."""
        if isinstance(self.link, RandomLabel):
            return self.link.expressions
        return () if self.link is None else (self.link,)

    def _symbols(self, kind: type) -> tuple[Symbol, ...]:
        found = {symbol for symbol in self._free if isinstance(symbol, kind)}
        return tuple(sorted(found, key=lambda symbol: natural_key(symbol.name)))

    @cached_property
    def _free(self) -> frozenset[Symbol]:
        return frozenset[Symbol]().union(*(sums.symbols_in(expr) for expr in self._expressions))

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """Sizes that are still symbols, sorted by name."""
        return self._symbols(Size)

    @property
    def sized(self) -> bool:
        """Whether the model has symbolic sizes: :meth:`at` makes it explicit."""
        return bool(self.sizes)

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """Families of symbolic size: students, teachers, parameters, trained scalars, each sorted by name."""
        kinds = (StudentFamily, TeacherFamily, ParameterFamily, TrainedFamily)
        found = sums.families_in(self._expressions)
        return tuple(family for kind in kinds for family in found if isinstance(family, kind))

    def _members(self, kind: type, family: type) -> tuple[Any, ...]:
        """Symbols of a kind and families of it, in the order of the rows of their elements."""
        ranked = [(natural_key(symbol.name), symbol) for symbol in self._symbols(kind)]
        ranked += [(found.sort_key_in_rows, found) for found in self.families if isinstance(found, family)]
        return tuple(member for _, member in sorted(ranked, key=lambda pair: pair[0]))

    @cached_property
    def students(self) -> tuple[Symbol, ...]:
        """Student preactivations, in the order of the rows of B: by name, x2 before x10; families if sized."""
        return self._members(StudentSymbol, StudentFamily)

    @cached_property
    def teachers(self) -> tuple[Symbol, ...]:
        """Teacher preactivations, in the order of the rows of B after the students; families if sized."""
        return self._members(TeacherSymbol, TeacherFamily)

    @property
    def n_student(self) -> int:
        """Number l of trained directions. Raises :class:`DeclarationError` for a sized model."""
        self._require_sizes()
        return len(self.students)

    @property
    def n_teacher(self) -> int:
        """Number l* of target directions. Raises :class:`DeclarationError` for a sized model."""
        self._require_sizes()
        return len(self.teachers)

    def _require_sizes(self) -> None:
        if self.sized:
            names = [size.name for size in self.sizes]
            raise DeclarationError(
                f"{self.name} has sizes that are not known yet: {', '.join(names)}",
                remedy=f"make it explicit: model.at({', '.join(f'{name}=3' for name in names)}), or "
                "problem.explicit(model)",
            )

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Named constants, sorted by name; families if sized."""
        return self._members(Parameter, ParameterFamily)

    @cached_property
    def trained(self) -> tuple[TrainedSymbol, ...]:
        """Scalars that are trained along with X, sorted by name; families if sized. They are no parameters."""
        return self._members(TrainedSymbol, TrainedFamily)

    @cached_property
    def label(self) -> Symbol | None:
        """The label's symbol, or ``None`` when the outer function was declared directly."""
        labels = self._symbols(LabelSymbol)
        return labels[0] if labels else None

    @property
    def noise_symbol(self) -> Symbol | None:
        """The symbol of the label noise, or ``None``."""
        return self.noise.symbol if self.noise is not None else None

    @property
    def sampled(self) -> bool:
        """Whether the label is drawn given s, rather than a function of (s, eps)."""
        return isinstance(self.link, RandomLabel)

    def at(self, sizes: Mapping[Any, int] | None = None, /, **named: int) -> Model:
        """The explicit model for given sizes, by name: ``model.at(K=3, M=2)``. An explicit model returns itself.

        Sums are written out, x[i] becomes x1, x2, ...; sizes become integers. The same sizes give the same object.

        Raises
        ------
        DeclarationError
            For a size that is missing, unknown or not a positive integer, or too small for an index that is written
            as a number.
        """
        values = sizes_given(self, {**(sizes or {}), **named})
        if not self.sized:
            return self
        key = tuple(values.values())
        if key not in self._instances:
            self._instances[key] = self._explicit({size: sp.Integer(values[size.name]) for size in self.sizes})
        return self._instances[key]

    @cached_property
    def _instances(self) -> dict[tuple[int, ...], Model]:
        return {}

    def _explicit(self, values: Mapping[Expr, Expr]) -> Model:
        loss, *links = (expr.xreplace(values) for expr in (self.loss, *self.link_expressions))
        link = self.link.mapped(tuple(links)) if isinstance(self.link, RandomLabel) else links[0] if links else None
        made = Model(loss, link, self.noise, self.name, self.references)
        made._groups.update(self._groups)  # families of integer size beside symbolic ones
        return made

    def average(self, expr: Expr) -> Expr:
        """The mean of a function of (x, y) over everything discrete: an expression in (x, s, eps).

        A label that is a function is put in, a sampled one is averaged, discrete noise is summed; continuous noise
        stays.

        Raises
        ------
        DeclarationError
            If the label is a Poisson count and `expr` is not a polynomial in it.
        """
        if isinstance(self.link, RandomLabel):
            expr = self.link.average(expr, self.label)
        elif self.link is not None:
            expr = expr.xreplace({self.label: self.link})
        if self.noise is None or not self.noise.chances:
            return expr
        return sp.Add(*(w * expr.xreplace({self.noise.symbol: v}) for w, v in self.noise.chances))

    def parameter_values(self, values: Mapping[Any, Any]) -> dict[str, float]:
        """Values of the parameters by name, in the order of :attr:`parameters`, defaults filled in.

        A family that was written out takes an array, one entry for each unit, or one number for all. Starts of trained
        scalars may be among the values; see :meth:`trained_values`.

        Raises
        ------
        ParameterError
            For a missing value, an unknown name, an array of another length, or a value that is not finite or outside
            the parameter's domain.
        DeclarationError
            If the model is sized.
        """
        return self._values(self.parameters, values)

    def trained_values(self, values: Mapping[Any, Any]) -> dict[str, float]:
        """Starts of the trained scalars by name, in the order of :attr:`trained`; as :meth:`parameter_values` does."""
        return self._values(self.trained, values)

    def _values(self, wanted: tuple[Symbol, ...], values: Mapping[Any, Any]) -> dict[str, float]:
        self._require_sizes()
        given = expanded(values, self._groups, self.name)
        check_names(given, [p.name for p in (*self.parameters, *self.trained)], self._groups, self.name, "parameter")
        return {p.name: number(p, given.get(p.name, p.default), self.name) for p in wanted}

    def _repr_latex_(self) -> str:
        from .modellatex import model_latex

        return model_latex(self)


def _expression(value: Any, where: str) -> Expr:
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(
            f"the {where} is {value!r}, not an expression",
            remedy='build it from hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps"); '
            "text is read by hdsym.parse",
        )
    return recognise(expr)
