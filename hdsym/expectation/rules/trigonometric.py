"""Products of sines and cosines of affine forms: the characteristic function of the Gaussian."""

from __future__ import annotations

from ...cas import Expr, sp
from ..gaussian import Form, Gaussian
from ..rule import Reduction, Rule
from ..terms import Term
from .moments import monomial_moment

__all__ = ["TRIGONOMETRIC"]

_THETA = sp.Symbol("theta_", real=True)
Wave = tuple[Expr, Form, bool]
"""(coefficient, phase, whether it is a sine)."""


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """E[p cos(u)] = Re E[p e^{iu}]: a moment at the complex mean m + i B l, times e^{i mean(u) - var(u)/2}."""
    if term.signs or term.deltas or term.exponent != 0 or term.opaque == 1:
        return None
    waves = _waves(term.opaque, gaussian)
    if waves is None:
        return None
    return Reduction(value=term.coefficient * sp.Add(*(_mean(wave, term.powers, gaussian) for wave in waves)))


def _waves(expr: Expr, gaussian: Gaussian) -> list[Wave] | None:
    """The product as a sum of single sines and cosines, by the product-to-sum formulas; ``None`` if it is not one."""
    waves: list[Wave] = []
    for factor in sp.Mul.make_args(expr):
        base, power = factor.as_base_exp()
        if not isinstance(base, sp.sin | sp.cos) or not power.is_Integer or power < 0:
            return None
        form = gaussian.form(base.args[0])
        if form is None:
            return None
        for _ in range(int(power)):
            is_sine = isinstance(base, sp.sin)
            products = [new for wave in waves for new in _product(wave, form, is_sine)]
            waves = _merged(products) if waves else [(sp.S.One, form, is_sine)]
    return waves


def _merged(waves: list[Wave]) -> list[Wave]:
    """Equal phases collected; cos(-a) = cos(a), sin(-a) = -sin(a)."""
    collected: dict[tuple[Form, bool], Expr] = {}
    for coefficient, form, sine in waves:
        leading = next((c for c in (*form.coefficients, form.constant) if c != 0), sp.S.One)
        flip = bool(leading.could_extract_minus_sign())
        key = (form.scaled(sp.S.NegativeOne) if flip else form, sine)
        collected[key] = collected.get(key, sp.S.Zero) + (-coefficient if flip and sine else coefficient)
    return [(value, form, sine) for (form, sine), value in collected.items() if value != 0]


def _product(wave: Wave, form: Form, is_sine: bool) -> list[Wave]:
    """By cos a cos b = (cos(a-b) + cos(a+b))/2, sin a sin b = (cos(a-b) - cos(a+b))/2, sin a cos b = ..."""
    coefficient, phase, sine = wave
    half = coefficient / 2
    plus, minus = _combined(phase, form, 1), _combined(phase, form, -1)
    if sine == is_sine:
        return [(half, minus, False), (-half if sine else half, plus, False)]
    return [(half, plus, True), (half if sine else -half, minus, True)]


def _combined(first: Form, second: Form, sign: int) -> Form:
    coefficients = (a + sign * b for a, b in zip(first.coefficients, second.coefficients, strict=True))
    return Form(tuple(coefficients), first.constant + sign * second.constant)


def _mean(wave: Wave, powers: tuple[int, ...], gaussian: Gaussian) -> Expr:
    coefficient, form, sine = wave
    shift = gaussian.cov_with(form)
    tilted = Gaussian(
        gaussian.variables, tuple(m + _THETA * v for m, v in zip(gaussian.mean, shift, strict=True)), gaussian.cov
    )
    moment = sp.Poly(monomial_moment(powers, tilted), _THETA)
    real, imaginary = sp.S.Zero, sp.S.Zero
    for (order,), value in moment.terms():
        sign = sp.Integer(-1 if order % 4 in (2, 3) else 1)
        if order % 2:
            imaginary += sign * value
        else:
            real += sign * value
    phase = gaussian.mean_of(form)
    cosine, sinus = sp.cos(phase), sp.sin(phase)
    value = real * sinus + imaginary * cosine if sine else real * cosine - imaginary * sinus
    return coefficient * value * sp.exp(-gaussian.cov_of(form, form) / 2)


TRIGONOMETRIC = Rule(
    "characteristic function",
    r"\mathbb{E}[p(r)\, e^{i\, l^\top r}] = e^{i\, l^\top m - \frac12 l^\top B l}\;\mathbb{E}[p(r + i B l)]",
    "Gaussian characteristic function",
    "family",
    _apply,
)
