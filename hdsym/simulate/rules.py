"""Adaptive learning rates in SGD: every step moves the rule's states by its own gradient, then takes their rate.

In the slopes of its states E||grad Psi||^2 / d is that of the step itself, ||a (grad_x f)^T||^2 / d of a sample or of
the mean over a batch (what delta adds is O(1 / d)). Whatever else a rule asks of the solution SGD does not know: there
it has what the theory says at the current weights, renewed many times in a unit of time, not in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import quantities
from ..adaptive import AdaptiveRate
from ..cas import sp
from ..errors import SimulationError
from ..measured import Measured
from ..model import Model
from ..problem import Problem
from ..symbols import t
from .printer import block

if TYPE_CHECKING:
    from .diffusion import Theory
    from .kernels import Kernels
    from .levels import Levels

__all__ = [
    "Rule",
    "begin",
    "code_of",
    "measured_of",
    "quantities_of",
    "renew",
    "rule_of",
    "seen_levels",
    "seen_rows",
    "weighted",
]

Float = NDArray[np.float64]
Seen = tuple[Float, Float, Callable[[], Float], Float]
"""W^T K W, W^T W, a function that gives W^T K^2 W, and the trained scalars."""


def code_of(rate: AdaptiveRate) -> dict[str, Any]:
    """What ``templates/simulate/rule.j2`` prints: the same for all values of the rule's parameters and starts."""
    names = {t: "t"} | {symbol: f"q[{i}]" for i, symbol in enumerate(quantities_of(rate))}
    names |= {symbol: f"c[{i}]" for i, symbol in enumerate(rate.parameters)}
    names |= {symbol: f"u[{i}]" for i, symbol in enumerate(rate.slopes)}
    slopes = block(tuple(rate.slopes.values()), names | {quantities.squared_gradient: "squared"})
    return {"text": str(rate.rate), "slopes": slopes, "rate": block((rate.rate,), names)}


def quantities_of(rate: AdaptiveRate) -> list[Any]:
    """Quantities of the solution that a step does not know by itself."""
    own = {quantities.squared_gradient} - rate.rate.free_symbols
    needed = [symbol for symbol, name in quantities.NAMES.items() if name in rate.needs and symbol not in own]
    return sorted(needed, key=sp.default_sort_key)


@dataclass(frozen=True)
class Rule:
    """The numbers of an adaptive rate; its formulas are in the compiled kernels.

    Attributes
    ----------
    start:
        Its states at t = 0, (k,).
    constants:
        Values of its parameters.
    asked:
        Names of the quantities of the solution that it asks for.
    measured:
        Evaluates them; ``None`` if it asks for none.
    risk:
        The risk as a function of overlaps and trained scalars.
    """

    start: Float
    constants: Float
    asked: tuple[str, ...]
    measured: Measured | None
    risk: Callable[[Float, Float], Any]


def begin(rule: Rule | None) -> tuple[Float, ...]:
    """States, quantities and constants of a new run, as kernels take them; nothing for a schedule."""
    return () if rule is None else (rule.start.copy(), np.zeros(len(rule.asked)), rule.constants)


def renew(rule: Rule | None, arrays: tuple[Float, ...], seen: Callable[[], Seen]) -> None:
    """Write what the rule asks for, at what is seen, into its array; not finite, it ends the run at the next step."""
    if rule is not None and rule.measured is not None:
        found = rule.measured(*seen())
        arrays[1][:] = [found[name] for name in rule.asked]


def seen_rows(kernels: Kernels, W: Float, eigenvalues: Float, theta: Float) -> Seen:
    """Of weights in the eigenbasis, shape (n, d)."""
    B, gram = (weighted(kernels, W, by) for by in (eigenvalues, np.ones_like(eigenvalues)))
    return B, gram, lambda: weighted(kernels, W, eigenvalues**2), theta


def weighted(kernels: Kernels, W: Float, by: Float) -> Float:
    """W^T diag(by) W for W in the eigenbasis, `W` its transpose, shape (n, d)."""
    found = np.empty((len(W), len(W)))
    kernels.overlaps(W, by, found)
    return found


def seen_levels(levels: Levels, X: Float, A: Float, theta: Float) -> Seen:
    """Of weights up to rotations."""
    grams = levels.grams(A)
    return *levels.overlaps(X, grams), lambda: levels.weighted(X, grams, np.square), theta


def rule_of(model: Model, problem: Problem, theory: Theory | None, risk: Callable[[Float, Float], Any]) -> Rule | None:
    """The rule of a problem with an explicit model; ``None`` for a schedule.

    Raises
    ------
    DeclarationError
        If it asks for what the model does not have.
    SimulationError
        If it asks for quantities of the solution, and there is no theory of the model.
    """
    rate = problem.learning_rate
    if not isinstance(rate, AdaptiveRate):
        return None
    rate.check(model)
    asked = tuple(quantities.NAMES[symbol] for symbol in quantities_of(rate))
    if asked and theory is None:
        raise SimulationError(
            f"the learning rate {rate.describe()} depends on the solution, by {', '.join(asked)}",
            remedy="call hd.simulate(hd.derive(model), problem, ...)",
        )
    measured = measured_of(problem, rate, risk, theory.drift(problem)) if asked and theory is not None else None
    return Rule(rate.start, np.array(list(rate.parameters.values())), asked, measured, risk)


def measured_of(
    problem: Problem,
    rate: AdaptiveRate,
    risk: Callable[[Float, Float], Any],
    drift: Callable[[Float, Float], tuple[Float, ...]],
) -> Measured:
    """What evaluates the quantities of a rate on a problem of finite dimension."""
    lam, counts = np.asarray(problem.spectrum.levels), np.asarray(problem.spectrum.multiplicities)
    traces = float(counts @ lam / counts.sum()), float(counts @ lam**2 / counts.sum())
    return Measured(rate.needs, traces, problem.delta, float(problem.batch_size), risk, drift)
