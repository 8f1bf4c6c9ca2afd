"""The declaration: a loss, a link, a noise law. Validated on construction, immutable afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from . import modelcheck, modelstatistics, sums
from .cas import Expr, Symbol, sp
from .digest import digest
from .families import ParameterFamily, TrainedFamily
from .followed import Followed, followed
from .labels import RandomLabel
from .laws import NoiseLaw
from .modelmembers import Members
from .modelstatistics import Declared
from .parametervalues import check_names, expanded, number, sizes_given
from .recognise import recognise

__all__ = ["Model"]


@dataclass(frozen=True, repr=False)
class Model(Members):
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
    statistics:
        Names and functions g of x, s, y, eps and trained scalars, such as another loss, or
        :func:`hdsym.statistics.misclassification`. Their means E[g] are followed along with the risk, by theory and
        simulation. So are functions of means (:func:`hdsym.mean`), of trained scalars, and of the overlaps W^T q(K) W
        (:func:`hdsym.overlap`, :func:`hdsym.resolvent`). Stored as pairs (name, g).
    constraint:
        "sphere" for projected SGD, which gives every trained direction its length back after each step; ``None``.

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
    statistics: Mapping[str, Any] | Declared = ()
    constraint: str | None = None
    _groups: dict[str, tuple[Symbol, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.references, str):
            object.__setattr__(self, "references", (self.references,))
        modelcheck.check_constraint(self.constraint)
        loss = modelcheck.expression(self.loss, "loss")
        if isinstance(self.link, RandomLabel):
            links = tuple(map(recognise, self.link.expressions))
        else:
            links = () if self.link is None else (modelcheck.expression(self.link, "link"),)
        statistics = modelstatistics.read(self.statistics)
        expressions = sums.canonical((loss, *links, *(g for _, g in statistics)))
        families = sums.families_in(expressions)
        named = (f for f in families if f.explicit and isinstance(f, ParameterFamily | TrainedFamily))
        self._groups.update({family.name: tuple(family) for family in named})
        self._store(tuple(map(sums.written_out, expressions)), tuple(name for name, _ in statistics))
        modelcheck.check_structure(self)
        if self.sized:
            self.at(sums.smallest_sizes(self._expressions, self.sizes))  # has every check of an explicit model
        else:
            modelcheck.check(self)

    def _store(self, expressions: tuple[Expr, ...], names: tuple[str, ...]) -> None:
        count = len(expressions) - len(names)
        object.__setattr__(self, "loss", expressions[0])
        object.__setattr__(self, "statistics", tuple(zip(names, expressions[count:], strict=True)))
        if isinstance(self.link, RandomLabel):
            object.__setattr__(self, "link", self.link.mapped(expressions[1:count]))
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

    @property
    def sampled(self) -> bool:
        """Whether the label is drawn given s, rather than a function of (s, eps)."""
        return isinstance(self.link, RandomLabel)

    @property
    def declared_statistics(self) -> Declared:
        """(name, g) of every declared statistic, in the order of declaration."""
        return tuple(dict(self.statistics).items())

    @cached_property
    def followed(self) -> tuple[Followed, ...]:
        """The declared statistics as functions of means, overlaps and trained scalars."""
        return followed(self.declared_statistics)

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with the declaration, not with name and references."""
        return digest(modelstatistics.written(self))

    @property
    def means(self) -> Declared:
        """(key, g) of every mean that the declared statistics need."""
        return tuple((key, g) for each in self.followed for key, _, g in each.means)

    def with_statistics(self, statistics: Mapping[str, Any] | Declared = (), /, **named: Any) -> Model:
        """The same model that declares further statistics: ``model.with_statistics(accuracy=...)``.

        Raises
        ------
        DeclarationError
            As the declaration itself; also for a name that is there already.
        """
        further = {**dict(modelstatistics.read(statistics)), **named}
        made = replace(self, statistics=modelstatistics.joined(self.declared_statistics, further))
        made._groups.update(self._groups)
        return made

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
        statistics = tuple((name, g.xreplace(values)) for name, g in self.declared_statistics)
        made = Model(loss, link, self.noise, self.name, self.references, statistics, self.constraint)
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
            expr = self.link.average(expr, self.label) if expr.has(self.label) else expr  # probabilities sum to one
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

    def __repr__(self) -> str:
        return f"Model({self.name!r}: {modelstatistics.summary(self)})"

    def _repr_latex_(self) -> str:
        from .modellatex import model_latex

        return model_latex(self)

    def _repr_html_(self) -> str:
        from .show import models

        return models.model(self)
