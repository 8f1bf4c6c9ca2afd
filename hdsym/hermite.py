"""Hermite coefficients and the information exponent: how hard an uninformed start is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .cas import Expr, Symbol, free_symbols, latex, sp, to_expr
from .derive.integrands import integrands
from .errors import DeclarationError
from .expectation.engine import Engine
from .expectation.expectation import Expectation
from .expectation.gaussian import Gaussian
from .expectation.integral import GaussianIntegral, UnitIntegral
from .labels import RandomLabel
from .laws import NoiseLaw
from .model import Model
from .parametervalues import name_of
from .roles import NoiseSymbol, Parameter, StudentSymbol, TeacherSymbol
from .symbols import label, student, teacher

__all__ = ["InformationExponent", "hermite_coefficients", "information_exponent"]

_ZERO = 1e-9
"""Coefficients known numerically count as zero below this share of the root mean square."""

_DIGITS = 40


class InformationExponent(int):
    """The information exponent k, an integer, with what it was read from.

    Attributes
    ----------
    coefficients:
        c_0, ..., c_k: of a link its Hermite coefficients E[g(s) He_j(s)], s ~ N(0, 1); of a model the coefficients of
        m^j in the risk at unit norms and cosine m.
    exact:
        Whether zeros among them were decided exactly; else numerically, to 1e-9 of the root mean square.
    name:
        What it is the exponent of.
    """

    coefficients: tuple[Expr, ...]
    exact: bool
    name: str

    @classmethod
    def of(cls, name: str, coefficients: tuple[Expr, ...], exact: bool) -> InformationExponent:
        """The exponent that these coefficients, the last of which is not zero, show."""
        made = cls(len(coefficients) - 1)
        made.name, made.coefficients, made.exact = name, coefficients, exact
        return made

    @property
    def sample_scale(self) -> Expr:
        """How many steps SGD needs from a random start: d, d log d or d^(k - 1), in the symbol d.

        G. Ben Arous, R. Gheissari, A. Jagannath, JMLR 22 (2021), Theorem 1.3.
        """
        d = sp.Symbol("d", positive=True)
        return d * sp.log(d) if self == 2 else d ** max(1, int(self) - 1)

    @property
    def meaning(self) -> str:
        """In words."""
        if self == 1:
            return "a random start gains overlap at once: the deterministic limit holds from t = 0 on"
        escape = "log d" if self == 2 else f"d^{int(self) - 2}" if self > 3 else "d"
        return f"a random start is uninformed: cosine 0 is a fixed point, left after t = steps / d of order {escape}"

    def __repr__(self) -> str:
        how = "exactly" if self.exact else "numerically"
        return f"InformationExponent({int(self)} of {self.name}, {how}: {self.sample_scale} steps; {self.meaning})"

    def _repr_latex_(self) -> str:
        terms = ", ".join(f"c_{{{j}}} = {latex(c)}" for j, c in enumerate(self.coefficients))
        return rf"$\displaystyle k = {int(self)}\quad ({terms})$"

    def _repr_html_(self) -> str:
        from .show import formulas

        return formulas.exponent(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return InformationExponent.of, (self.name, self.coefficients, self.exact)


def hermite_coefficients(link: Any, order: int = 6, *, noise: NoiseLaw | None = None) -> tuple[Expr, ...]:
    """c_k = E[g(s) He_k(s)] for k = 0, ..., `order`, s ~ N(0, 1): g(s) = sum_k c_k He_k(s) / k!.

    Parameters
    ----------
    link:
        g, an expression in one real symbol, in parameters, and in the symbol of `noise`, which is averaged over; or a
        random label, whose mean counts. A transformation of the label is written out: ``sp.Abs(s**2 - 1 + eps)``.
    order:
        The last k.
    noise:
        Law of the noise in the link.

    Returns
    -------
    tuple of sympy expressions
        Exact where the rules find a closed form; a coefficient with integrals that have none has
        :class:`GaussianIntegral` nodes, as ``hd.expect(...).expr`` has.

    Raises
    ------
    DeclarationError
        If the link is not a function of one variable, or `order` is negative.
    ExpectationError
        If a moment does not exist.

    Examples
    --------
    >>> import hdsym as hd
    >>> s = hd.teacher("s")
    >>> hd.hermite_coefficients(s**3, order=3)
    (0, 3, 0, 6)
    """
    if order < 0:
        raise DeclarationError(f"order is {order}", remedy="give an integer >= 0")
    source = _source(link, noise)
    return tuple(source.coefficient(k).expr for k in range(order + 1))


def information_exponent(
    link: Any, *, noise: NoiseLaw | None = None, order: int = 12, parameters: dict[Any, float] | None = None
) -> InformationExponent:
    """The smallest k >= 1 with c_k != 0: of a link by its Hermite coefficients, of a model by its risk.

    For a model with one student and one teacher of norm one it is the first power of the cosine m in h; so it speaks
    of the loss that is trained, activation included, while that of the link speaks of what can be learnt at all by a
    student with every coefficient. Symbols with unknown values count as generic.

    Parameters
    ----------
    link:
        As for :func:`hermite_coefficients`, or a model.
    noise:
        Law of the noise in the link.
    order:
        The last k that is tried.
    parameters:
        Values of parameters by name or symbol; exact zeros may depend on them.

    Raises
    ------
    DeclarationError
        If no coefficient up to `order` differs from zero, as for a constant link; and as
        :func:`hermite_coefficients`.

    Examples
    --------
    >>> import hdsym as hd
    >>> s = hd.teacher("s")
    >>> hd.information_exponent(s**3 - 3 * s) == 3
    True

    References
    ----------
    G. Ben Arous, R. Gheissari, A. Jagannath, Online stochastic gradient descent on non-convex losses from
    high-dimensional inference, JMLR 22 (2021), Definition 1.2.
    """
    source = _source(link, noise)
    values = {name_of(key): to_expr(value) for key, value in (parameters or {}).items()}
    found, exact = [], True
    for k in range(order + 1):
        entry = source.coefficient(k)
        value = entry.expr.xreplace({s: values[s.name] for s in free_symbols(entry.expr) if s.name in values})
        zero, certain = source.vanishes(k, replace(entry, expr=value))
        found.append(sp.S.Zero if zero else value)
        exact = exact and certain
        if k and not zero:
            return InformationExponent.of(source.name, tuple(found), exact)
    raise DeclarationError(
        f"the coefficients of {source.name} from order 1 to {order} are all zero",
        remedy="it is a constant, from which nothing can be learnt; or raise order=",
    )


@dataclass(frozen=True)
class _Source:
    """What is expanded: a function of independent standard normal variables, all with polynomials of the same order."""

    name: str
    integrand: Expr
    variables: tuple[Symbol, ...]
    gaussian: Gaussian
    engine: Engine = field(default_factory=Engine)

    def mean(self, integrand: Expr) -> Expectation:
        return Expectation.of(integrand, self.gaussian, self.engine.expectation(integrand, self.gaussian))

    def coefficient(self, k: int) -> Expectation:
        """Of He_k(s); or of He_k(x) He_k(s) / k!, by Mehler's formula that of m^k where m is the covariance."""
        weight = sp.Mul(*(_hermite(k, v) for v in self.variables))
        return self.mean(self.integrand * weight / (sp.factorial(k) if len(self.variables) == 2 else 1))

    def vanishes(self, k: int, entry: Expectation) -> tuple[bool, bool]:
        """Whether a coefficient is zero, and whether that is certain: a number to 40 digits, a formula by its form."""
        value = entry.expr
        if not value.has(GaussianIntegral, UnitIntegral):
            if free_symbols(value):
                return bool(sp.simplify(value) == 0), True
            return bool(sp.Abs(value).evalf(_DIGITS) < sp.Float(10) ** (10 - _DIGITS)), True
        if free_symbols(value):
            return False, False
        norm = math.sqrt(math.factorial(k)) if len(self.variables) == 1 else 1.0
        return bool(abs(float(entry.evaluate())) <= _ZERO * self.size * norm), False

    @cached_property
    def size(self) -> float:
        """The root mean square of the integrand."""
        return math.sqrt(float(self.mean(self.integrand**2).evaluate()))


def _source(link: Any, noise: NoiseLaw | None) -> _Source:
    if isinstance(link, Model):
        if (link.n_student, link.n_teacher) != (1, 1) or noise is not None:
            raise DeclarationError(
                f"{link.name} has {link.n_student} student and {link.n_teacher} teacher directions",
                remedy="give a model with one of each, which has its own noise, or a link",
            )
        law = integrands(link)
        return _Source(link.name, law.risk, (*link.students, *link.teachers), _independent(law.gaussian))
    model = _labelled(link, noise)
    law = integrands(model)
    return _Source(str(link), law.statistics[0][1], model.teachers, _independent(law.gaussian))


def _labelled(link: Any, noise: NoiseLaw | None) -> Model:
    """A model with this link in a teacher of its own, which declares the label as a statistic."""
    expr = link if isinstance(link, RandomLabel) else to_expr(link)
    if expr is None:
        raise DeclarationError(f"the link is {link!r}", remedy='give an expression in s = hd.teacher("s")')
    parts = expr.expressions if isinstance(expr, RandomLabel) else (expr,)
    symbols = {symbol for part in parts for symbol in part.free_symbols}
    variables = sorted((v for v in symbols if not isinstance(v, Parameter | NoiseSymbol)), key=str)
    if len(variables) != 1:
        raise DeclarationError(
            f"the link {link} depends on {', '.join(map(str, variables)) or 'no variable'}, not on one",
            remedy="give a function of one preactivation; other symbols are made by hd.parameter(...)",
        )
    own = {variables[0]: teacher("s")}
    moved = expr.mapped(tuple(p.xreplace(own) for p in parts)) if isinstance(expr, RandomLabel) else expr.xreplace(own)
    x, y = student("x"), label("y")
    return Model((x - y) ** 2 / 2, moved, noise, statistics={"label": y})


def _independent(law: Gaussian) -> Gaussian:
    """The preactivations uncorrelated and of variance one, noise as it is."""
    size = sum(isinstance(symbol, StudentSymbol | TeacherSymbol) for symbol in law.variables)
    cov = law.cov.as_mutable()
    cov[:size, :size] = sp.eye(size)
    return Gaussian(law.variables, law.mean, sp.ImmutableMatrix(cov))


def _hermite(k: int, variable: Symbol) -> Expr:
    """He_k, whose squares have the mean k!."""
    return sp.expand(sp.sqrt(2) ** -k * sp.hermite(k, variable / sp.sqrt(2)))
