"""Least squares in closed form: its equations are linear in the overlaps for every covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..cas import free_symbols, sp
from ..symbols import overlap
from .flow import Flow
from .row import HL, HN, Row

__all__ = ["LeastSquares", "recognise", "rows"]

_REFERENCES = (HN, HL)


@dataclass(frozen=True)
class LeastSquares:
    """h = c e / 2 + h_0 and I = c^2 e + v with e = E(x - s)^2: c is the weight of the loss, v / c^2 its label noise.

    Attributes
    ----------
    weight, floor, noise:
        c, h_0 and v; for f = (x - s - eps)^2 / 2 they are 1, omega^2 / 2 and omega^2.
    trace:
        (tr K / d) / batch size.
    """

    weight: float
    floor: float
    noise: float
    trace: float

    @property
    def threshold(self) -> float:
        """2 / (c tr K / d), times the batch size: stable below, for every covariance."""
        return 2.0 / (self.weight * self.trace)

    def descent(self, risk: float) -> float:
        """gbar, which for c = 1 is (2 R - omega^2) / ((tr K / d) R)."""
        e = 2.0 * (risk - self.floor) / self.weight
        return 2.0 * self.weight * e / (self.trace * (self.weight**2 * e + self.noise))

    def limit(self, gamma: float) -> float:
        """The risk as t -> infinity at a constant rate below the threshold."""
        share = gamma / self.threshold
        return self.floor + 0.5 * (self.noise / self.weight) * share / (1.0 - share)


def recognise(flow: Flow) -> LeastSquares | None:
    """Least squares by its derived formulas, whatever its name; ``None`` for other models, or with regularisation."""
    theory: Any = flow.theory
    if not hasattr(theory, "fisher") or (flow.students, flow.n) != (1, 2) or flow.problem.delta or flow.model.trained:
        return None
    values = flow.model.parameter_values(flow.problem.parameters)
    constants = {p: sp.Rational(repr(float(values[p.name]))) for p in flow.model.parameters}
    e = overlap(1, 1) - 2 * overlap(1, 2) + overlap(2, 2)
    parts = []
    for expr in (theory.risk, theory.fisher[0, 0]):
        expr = expr.subs(constants)
        slope = sp.diff(expr, overlap(1, 1))
        rest = sp.expand(expr - slope * e)
        if free_symbols(slope) or free_symbols(rest):
            return None
        parts.append((float(slope), float(rest)))
    (half, floor), (square, noise) = parts
    if half <= 0 or abs(square - 4 * half**2) > 1e-12 * square:
        return None
    return LeastSquares(2 * half, floor, noise, flow.trace)


def rows(flow: Flow) -> tuple[Row, ...]:
    """The closed forms for a problem with this loss, none for others."""
    found = recognise(flow)
    if found is None:
        return ()
    risk, gamma = flow.risk(flow.start), flow.gamma
    plain = found.weight == 1 and flow.problem.batch_size == 1
    general = () if plain else ("c is the weight of the loss, tr K is divided by the batch size",)
    made = [
        Row(
            "least squares",
            "stability, for every covariance",
            found.threshold,
            "gamma < 2 / (c tr K / d)",
            r"\gamma < \frac{2}{c\,\operatorname{tr} K / d}",
            general,
            (),
            _REFERENCES,
        ),
        Row(
            "least squares",
            "descent at the start",
            found.descent(risk),
            "(2 R - omega^2) / ((tr K / d) R)",
            r"\frac{2R - \omega^2}{(\operatorname{tr} K / d)\, R}",
            general,
            (),
            _REFERENCES,
        ),
    ]
    if (
        gamma is not None
        and found.noise > 0
        and 0 < gamma < found.threshold
        and flow.problem.learning_rate.kind == "constant"
    ):
        made.append(
            Row(
                "least squares",
                f"limiting risk at gamma = {gamma:g} (a risk, not a rate)",
                found.limit(gamma),
                "R = (omega^2 / 2) / (1 - gamma (tr K / d) / 2)",
                r"R_\infty = \frac{\omega^2 / 2}{1 - \gamma (\operatorname{tr} K / d) / 2}",
                (*general, "gamma constant, all eigenvalues positive"),
                (),
                _REFERENCES,
            )
        )
    return tuple(made)
