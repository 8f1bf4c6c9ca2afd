"""The error function as the mean of a sign over one more standard normal variable."""

from __future__ import annotations

from dataclasses import replace

from ...cas import Expr, sp
from ..gaussian import Form, Gaussian
from ..rule import Part, Reduction, Rule
from ..terms import Term

__all__ = ["ERROR_FUNCTION", "error_functions"]


def _apply(term: Term, gaussian: Gaussian) -> Reduction | None:
    """erf(u) = E_xi sgn(sqrt(2) u + xi): every factor gets a xi of its own, two factors of the same argument too.

    It helps only where the signs it leads to have a closed form; the engine looks ahead before it takes this step.
    """
    factors = error_functions(term.opaque, gaussian)
    if not factors or term.deltas or term.exponent != 0:
        return None
    reduced = replace(term, opaque=sp.S.One)
    for number, form in enumerate(factors):
        size = gaussian.size
        gaussian = gaussian.appended(sp.Symbol(f"xi{size}_{number}", real=True))
        coefficients = (*form.scaled(sp.sqrt(2)).extended(size).coefficients, sp.S.One)
        reduced = reduced.extended(size + 1).times_sign(Form(coefficients, sp.sqrt(2) * form.constant))
    return Reduction(parts=(Part(sp.S.One, reduced, gaussian),))


def error_functions(expr: Expr, gaussian: Gaussian) -> list[Form] | None:
    """The forms inside the factors of a pure product of error functions, with multiplicity; else None."""
    forms: list[Form] = []
    for factor in sp.Mul.make_args(expr):
        base, power = factor.as_base_exp()
        if not isinstance(base, sp.erf) or not power.is_Integer or power < 0:
            return None
        form = gaussian.form(base.args[0])
        if form is None:
            return None
        forms.extend([form] * int(power))
    return forms


ERROR_FUNCTION = Rule(
    "error function as a sign",
    r"\mathrm{erf}(u) = \mathbb{E}_{\xi \sim \mathcal{N}(0,1)}\,\mathrm{sgn}(\sqrt2\, u + \xi)",
    "Saad and Solla, Phys. Rev. E 52 (1995)",
    "family",
    _apply,
)
