"""The declaration: a loss, a link, a noise law. Validated on construction, immutable afterwards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import modelcheck
from .cas import Expr, Symbol, latex, sp, to_expr
from .errors import DeclarationError, ParameterError
from .labels import RandomLabel
from .laws import NoiseLaw
from .recognise import recognise
from .symbols import LabelSymbol, NoiseSymbol, Parameter, StudentSymbol, TeacherSymbol

__all__ = ["Model"]


@dataclass(frozen=True)
class Model:
    """A single-index model trained by one-pass SGD.

    Parameters
    ----------
    loss:
        The loss in the student's preactivation x and the label y; or, with ``link=None``, the outer function
        f(x, s, eps) itself.
    link:
        The label as a function of the teacher's preactivation s and the noise eps, or :class:`hdsym.Bernoulli`,
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
        not real, or noise without a law; the message names the symbol and the remedy.

    Examples
    --------
    >>> import hdsym as hd
    >>> x, s, y = hd.student("x"), hd.teacher("s"), hd.label("y")
    >>> model = hd.Model(loss=(x - y)**2 / 2, link=s, name="least squares")
    >>> model.average(model.loss)
    (x - s)**2/2
    """

    loss: Expr
    link: Expr | RandomLabel | None = None
    noise: NoiseLaw | None = None
    name: str = "model"
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss", _expression(self.loss, "loss"))
        if isinstance(self.link, RandomLabel):
            object.__setattr__(self, "link", self.link.mapped(tuple(map(recognise, self.link.expressions))))
        elif self.link is not None:
            object.__setattr__(self, "link", _expression(self.link, "link"))
        if isinstance(self.references, str):
            object.__setattr__(self, "references", (self.references,))
        modelcheck.check(self)

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
        found = {symbol for expr in self._expressions for symbol in expr.free_symbols if isinstance(symbol, kind)}
        return tuple(sorted(found, key=lambda symbol: symbol.name))

    @cached_property
    def students(self) -> tuple[Symbol, ...]:
        """Student preactivations, in the order of the rows of B."""
        return self._symbols(StudentSymbol)

    @cached_property
    def teachers(self) -> tuple[Symbol, ...]:
        """Teacher preactivations, in the order of the rows of B after the students."""
        return self._symbols(TeacherSymbol)

    @property
    def n_student(self) -> int:
        """Number l of trained directions."""
        return len(self.students)

    @property
    def n_teacher(self) -> int:
        """Number l* of target directions."""
        return len(self.teachers)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Named constants, sorted by name."""
        return self._symbols(Parameter)

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

    def parameter_values(self, values: Mapping[Any, float]) -> dict[str, float]:
        """Values of the parameters by name, in the order of :attr:`parameters`, defaults filled in.

        Raises
        ------
        ParameterError
            For a missing value, an unknown name, or a value that is not finite or outside the parameter's domain.
        """
        given = {getattr(key, "name", key): value for key, value in values.items()}
        names = [parameter.name for parameter in self.parameters]
        for name in given:
            if name not in names:
                listing = ", ".join(names) or "none"
                raise ParameterError(f"{self.name} has no parameter {name!r}", remedy=f"its parameters are: {listing}")
        return {p.name: _value(p, given.get(p.name, p.default), self.name) for p in self.parameters}

    def _repr_latex_(self) -> str:
        lines = [rf"\text{{loss}} &= {latex(self.loss)}"]
        if isinstance(self.link, RandomLabel):
            inside = ", ".join(map(latex, self.link.expressions))
            lines.append(rf"{latex(self.label)} &\sim \mathrm{{{type(self.link).__name__}}}\left({inside}\right)")
        elif self.link is not None:
            lines.append(rf"{latex(self.label)} &= {latex(self.link)}")
        if self.noise is not None:
            lines.append(rf"{latex(self.noise.symbol)} &\sim {law_latex(self.noise)}")
        return r"$\displaystyle\begin{aligned}" + r"\\ ".join(lines) + r"\end{aligned}$"


def law_latex(law: NoiseLaw) -> str:
    """LaTeX of a noise law with its constants."""
    return rf"\mathrm{{{type(law).__name__}}}\left({', '.join(latex(c) for c in law.constants)}\right)"


def _expression(value: Any, where: str) -> Expr:
    expr = to_expr(value)
    if expr is None:
        raise DeclarationError(
            f"the {where} is {value!r}, not an expression",
            remedy='build it from hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps"); '
            "text is read by hdsym.parse",
        )
    return recognise(expr)


def _value(parameter: Parameter, value: Any, model: str) -> float:
    if value is None:
        raise ParameterError(
            f"the parameter {parameter.name!r} of {model} has no value",
            remedy=f"give one: hd.Problem(..., parameters={{{parameter.name!r}: ...}})",
        )
    if isinstance(value, NoiseSymbol) or not _is_number(value):
        raise ParameterError(f"the parameter {parameter.name!r} is given {value!r}", remedy="give a finite real number")
    number = float(value)
    if (parameter.is_positive and number <= 0) or (parameter.is_nonnegative and number < 0):
        kind = "positive" if parameter.is_positive else ">= 0"
        raise ParameterError(
            f"the parameter {parameter.name!r} is given {number}, but was declared {kind}",
            remedy=f"give a value that is {kind}",
        )
    return number


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False
