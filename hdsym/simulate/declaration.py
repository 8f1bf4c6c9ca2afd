"""What a kernel needs of a model: the loss, its gradient, and how to draw the label. Symbolic, before any printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..cas import Expr, Symbol, average_powers, sp
from ..errors import SimulationError
from ..labels import RandomLabel
from ..laws import Discrete, Laplace, Normal, StudentT, Uniform
from ..model import Model

__all__ = [
    "Chance",
    "check_laws",
    "draw_symbol",
    "expected",
    "expected_loss",
    "gradient",
    "label_chances",
    "noise_chances",
]

Chance = tuple[Expr, Expr]
"""Probability and value of one outcome."""

draw_symbol: Symbol = sp.Dummy("z", real=True)
"""The standard draw behind continuous noise: N(0, 1), uniform on (0, 1) or Student t, as the law's `draw` says."""


def gradient(model: Model) -> tuple[Expr, ...]:
    """The derivative of the loss in each student preactivation, then in each trained scalar; the label is data.

    At a kink the derivative is the mean of both sides (sign(0) = 0).

    Raises
    ------
    SimulationError
        If the loss jumps as a function of one of them: no gradient sees a jump.
    """
    return tuple(_without_jumps(sp.diff(model.loss, x), x, model) for x in (*model.students, *model.trained))


def _without_jumps(derivative: Expr, x: Symbol, model: Model) -> Expr:
    """Drop Dirac terms whose factor vanishes where they sit, as in the derivative of x sign(x)."""
    for delta in sorted(derivative.atoms(sp.DiracDelta), key=sp.default_sort_key):
        factor = sp.diff(derivative.xreplace({delta: draw_symbol}), draw_symbol)
        root = sp.solveset(delta.args[0], x, sp.S.Reals)
        points = list(root) if isinstance(root, sp.FiniteSet) else []
        if not points or any(sp.simplify(factor.subs(x, point)) != 0 for point in points):
            raise SimulationError(
                f"the loss {model.loss} jumps where {delta.args[0]} = 0, and a gradient step does not see a jump",
                remedy=f"declare a loss that is continuous in {x}",
            )
        derivative = derivative.xreplace({delta: sp.S.Zero})
    return derivative


def noise_chances(model: Model) -> tuple[Chance, ...]:
    """Outcomes of discrete noise; empty for continuous noise and for none."""
    return () if model.noise is None else model.noise.chances


def label_chances(model: Model) -> tuple[Chance, ...]:
    """Outcomes of a sampled label given s; empty when the label is a function, or a count."""
    return model.link.chances if isinstance(model.link, RandomLabel) else ()


def noise_value(model: Model) -> Expr:
    """Continuous noise as a function of :data:`draw_symbol`; zero without noise."""
    return sp.S.Zero if model.noise is None or model.noise.chances else model.noise.value(draw_symbol)


def expected_loss(model: Model) -> Expr:
    """E[f | x, s, z]; see :func:`expected`."""
    return expected(model, model.loss)


def expected(model: Model, g: Expr) -> Expr:
    """E[g | x, s, z]: all that is discrete summed, noise by its moments where it is polynomial, else by its draw z.

    Raises
    ------
    ExpectationError
        If the mean needs a moment that the noise does not have.
    """
    total = model.average(g)
    law = model.noise
    if law is None or law.chances:
        return total
    if total.is_polynomial(law.symbol):
        return average_powers(total, law.symbol, law.moment)
    return total.xreplace({law.symbol: noise_value(model)})


@dataclass(frozen=True)
class _Values:
    """Numbers for the constants of a law."""

    replacement: dict[Symbol, Expr]

    def __call__(self, expr: Expr) -> float:
        return float(expr.xreplace(self.replacement))


def check_laws(model: Model, parameters: Mapping[str, float]) -> None:
    """Raise for a noise law that the parameters' values make meaningless."""
    number = _Values({symbol: sp.Float(parameters[symbol.name]) for symbol in model.parameters})
    law, fault = model.noise, ""
    if isinstance(law, Normal) and not number(law.std) >= 0:
        fault = f"the standard deviation {law.std} is {number(law.std):g}"
    elif isinstance(law, Laplace | StudentT) and not number(law.scale) >= 0:
        fault = f"the scale {law.scale} is {number(law.scale):g}"
    elif isinstance(law, Uniform) and not number(law.low) < number(law.high):
        fault = f"low = {number(law.low):g} is not below high = {number(law.high):g}"
    elif isinstance(law, Discrete):
        weights = [number(weight) for weight in law.probabilities]
        if not all(weight >= 0 for weight in weights) or abs(sum(weights) - 1) > 1e-9:
            fault = f"the probabilities are {weights}, not numbers >= 0 with sum 1"
    if fault:
        raise SimulationError(
            f"the {type(law).__name__} noise of {model.name} has no meaning for these parameters: {fault}",
            remedy="change the values in Problem(parameters={...})",
        )
