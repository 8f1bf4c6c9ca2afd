"""Homogenized SGD: a diffusion with the drift of the risk and the noise of one sample, whose limit is that of SGD.

    dX = -gamma (grad R + delta X) dt + gamma sqrt(K / (d b)) dBrownian sqrt(I(B)),    grad R = 2 K W Dh[:, :l]

Given H = Dh[:, :l] and I(B) it is linear, and every eigendirection of K has noise of its own: a step costs O(d n), or
O(m n^2) where K has m distinct eigenvalues and W is followed up to rotations of the eigenspaces (:mod:`.levels`). H and
I come from the theory as a function that is handed over: nothing here derives or imports them.

Schemes of a step of length tau. "euler": Euler and Maruyama, weak order one. "exponential": the exact solution for
constant H and I, so that stiff directions need no short steps; H is the mean of its values before and after the step,
the latter at weights predicted with the same noise, and I, which must not know that noise, is extrapolated from the two
steps before. Weak order two in the limit and in the fluctuations of order d^-1/2; in the bias of order 1/d order one,
so that the error is O(tau^2 + tau / d), as of the weak methods for small noise of G. N. Milstein and M. V. Tretyakov,
SIAM J. Numer. Anal. 34 (1997).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..composition import Forms
from ..errors import SimulationError
from ..model import Model
from ..modulecache import load_source
from ..problem import Problem
from .diffusion import Drift
from .following import Following
from .kernels import template
from .levels import Groups, Levels
from .methods import Observation, Plan, Settings
from .rules import Seen, measured_of, seen_levels
from .run import BOUND
from .starting import LevelsOf, starting_levels

__all__ = ["SCHEMES", "Homogenized", "plan"]

Float = NDArray[np.float64]

SCHEMES = ("exponential", "euler")
"""The first is the default."""

_PER_TIME = {"exponential": 25.0, "euler": 100.0}
"""Steps in the time in which a mode falls by a factor e; Euler's has to resolve the fastest one."""
_STEPS = 100
"""Least number of steps up to the horizon."""
_TOGETHER = 4096
"""Normals that are drawn at once."""
_WORK = 40_000
"""A step costs at least as much as so many draws: it is made in Python."""


@dataclass(frozen=True)
class Equation:
    """The linear equation of a step, but for H, I and the rate."""

    delta: float
    noise: float
    tau: float
    euler: bool

    def arguments(self, gamma: float) -> tuple[float, float, float, float, bool]:
        """What the compiled step takes."""
        return gamma, self.tau, self.delta, gamma**2 * self.noise, self.euler


class Homogenized:
    """One run: weights as :class:`.methods.Reduced` keeps them, and H, I and T where the last step has predicted them.

    Trained scalars follow their equation theta' = -gamma_theta T; their own noise is left out.
    """

    def __init__(
        self,
        drift: Drift,
        levels: Levels,
        theta: Float,
        equation: Equation,
        forms: Forms,
        following: tuple[Problem, Callable[[Float, Float], Any] | None],
        *,
        sphere: bool = False,
    ) -> None:
        self.drift, self.levels, self.equation, self.module = drift, levels, equation, _kernels()
        self.forms = forms
        self.X, self.S, self.lam = _columns(levels)
        self.theta = theta.copy()
        self.moved, self.work = np.empty_like(self.X), np.empty((2 * len(self.X), len(self.X)))
        self.Z = np.empty((int(np.clip(_TOGETHER // self.X.size, 1, 64)), *self.X.shape))
        self.B = levels.overlaps(levels.X, levels.grams(levels.A))[0]
        self.lengths = np.sqrt(np.einsum("jk,jk->j", self.X, self.X)) if sphere else None
        self.now = self._evaluate(self.theta)
        self.fisher = None if self.now is None else self.now[1]
        problem, risk = following
        self.follows: Following | None = None
        if risk is not None:
            rate = problem.learning_rate
            measured = measured_of(problem, rate, risk, lambda B, theta: self.now or drift(B, theta))
            self.follows = Following(rate, measured, equation.tau, euler=equation.euler)

    def advance(self, rng: np.random.Generator, gamma: Float, rates: Float) -> int:
        if self.now is not None and not gamma.size:
            self._compile(rng, self.now[0], self.now[1])
        with np.errstate(all="ignore"):
            for first in range(0, gamma.size, len(self.Z)):
                count = min(len(self.Z), gamma.size - first)
                self._draw(rng, self.Z[:count])
                for k in range(count):
                    rate, own = float(gamma[first + k]), rates[first + k]
                    if self.follows is not None:
                        rate = self.follows.step(rate, self._seen())
                        own = np.where(np.isnan(own), rate, own)
                    if not (np.isfinite(rate) and self._step(self.Z[k], rate, own)):
                        return first + k
        return -1

    def _split(self) -> tuple[Float, Float]:
        """Weights in single coordinates, and triangular factors of the groups."""
        l, E, m = len(self.X), self.levels.eigenvalues.size, self.levels.shared.size
        return self.X[:, :E], self.X[:, E:].T.reshape(m, 2 * l, l)

    def _seen(self) -> Seen:
        return seen_levels(self.levels, *self._split(), self.theta)

    def observe(self) -> Observation:
        levels, (X, factors) = self.levels, self._split()
        grams = levels.grams(factors)
        forms = self.forms(lambda q: levels.weighted(X, grams, q), ())
        return Observation(*levels.overlaps(X, grams), self.theta.copy(), forms)

    def _step(self, Z: Float, gamma: float, rates: Float) -> bool:
        if self.now is None:
            return False
        H, fisher, T = self.now
        self._move(Z, H, fisher, gamma)
        theta = self._slid(rates, T)
        self.now = self._evaluate(theta)
        if self.now is None:
            return False
        if not self.equation.euler:
            assert self.fisher is not None  # as it was when H was first found
            self._move(Z, 0.5 * (H + self.now[0]), 1.5 * fisher - 0.5 * self.fisher, gamma)
            theta = self._slid(rates, 0.5 * (T + self.now[2]))
            self.fisher = fisher
        self._fold()
        self.X, self.moved, self.theta = self.moved, self.X, theta
        if self.lengths is not None:
            self._project(self.lengths)
        return True

    def _project(self, lengths: Float) -> None:
        """Give every direction its length back, and find H, I and T anew; this leaves the schemes of first order."""
        now = np.sqrt(np.einsum("jk,jk->j", self.X, self.X))
        scale = np.divide(lengths, now, out=np.ones_like(now), where=now > 0.0)
        self.X *= scale[:, None]
        l = len(scale)
        self.B[:l] *= scale[:, None]
        self.B[:, :l] *= scale
        self.now = self._evaluate(self.theta)

    def _compile(self, rng: np.random.Generator, H: Float, fisher: Float) -> None:
        """Call every kernel once; nothing moves."""
        self._draw(rng, self.Z[:1])
        self._move(self.Z[0], H, fisher, 0.0)
        self._fold()

    def _draw(self, rng: np.random.Generator, Z: Float) -> None:
        self.module.draw(rng, self.levels.freedom, self.work, Z)

    def _move(self, Z: Float, H: Float, fisher: Float, gamma: float) -> None:
        coefficients = *_decomposed(H, fisher), *self.equation.arguments(gamma)
        self.module.move(self.X, self.S, self.lam, Z, *coefficients, self.moved, self.B)

    def _fold(self) -> None:
        self.module.fold(self.levels.shared.size, self.work, self.moved)

    def _slid(self, rates: Float, T: Float) -> Float:
        """Trained scalars after the step."""
        return self.theta - self.equation.tau * rates * T if T.size else self.theta

    def _evaluate(self, theta: Float) -> tuple[Float, ...] | None:
        """H, I and T at the overlaps of the last move; ``None`` where they, or the overlaps, are not finite."""
        if not (np.abs(self.B).max() <= BOUND and self.drift.exists(self.B)):  # not so for NaN either
            return None
        found = self.drift(self.B, theta)
        return found if all(math.isfinite(part.sum()) for part in found) else None


def _columns(levels: Levels) -> tuple[Float, Float, Float]:
    """Weights X (l, E + 2 l m), S (t, E + 2 l m), and eigenvalues: single coordinates, then 2 l columns for each group.

    Those are its factor, which has noise like any l coordinates, and l zero columns, for what the rest contributes.
    """
    (l, E), (m, _, _) = levels.X.shape, levels.A.shape
    X, S = np.zeros((l, E + 2 * l * m)), np.zeros((len(levels.S), E + 2 * l * m))
    X[:, :E], S[:, :E] = levels.X, levels.S
    X[:, E:].reshape(l, m, 2 * l)[:, :, :l] = levels.A[:, :l].transpose(2, 0, 1)
    return X, S, np.concatenate([levels.eigenvalues, np.repeat(levels.shared, 2 * l)])


def _decomposed(H: Float, fisher: Float) -> tuple[Float, Float, Float, Float]:
    """Eigenvalues and basis U of H_xx, and H_xs and I(B) in that basis, contiguous."""
    l = len(fisher)
    if l == 1:
        return H[0].copy(), np.ones((1, 1)), np.ascontiguousarray(H[1:].T), np.ascontiguousarray(fisher)
    values, U = np.linalg.eigh(H[:l])
    basis = np.ascontiguousarray(U)
    return values, basis, np.ascontiguousarray(basis.T @ H[l:].T), np.ascontiguousarray(basis.T @ fisher @ basis)


def plan(model: Model, problem: Problem, settings: Settings) -> Plan:
    """How runs of homogenized SGD go, for an explicit model.

    Raises
    ------
    SimulationError
        Without a theory, for an unknown scheme, or a drift that is not finite at the start.
    DeclarationError
        If `steps_per_time` is no positive integer.
    """
    asked = settings.diffusion
    if asked.theory is None:
        raise SimulationError(
            'method="homogenized" needs the theory of the model',
            remedy="call hd.simulate(hd.derive(model), problem, ...)",
        )
    scheme = SCHEMES[0] if asked.scheme is None else asked.scheme
    if scheme not in SCHEMES:
        raise SimulationError(f"scheme is {scheme!r}", remedy=f"it is one of: {', '.join(SCHEMES)}")
    drift = asked.theory.drift(problem)
    start, groups, attrs = starting_levels(model, problem, settings.group, most=None)
    B = np.einsum("m,mij->ij", groups.eigenvalues, groups.grams)
    with np.errstate(all="ignore"):
        found = drift(B, settings.trained)
    if not (drift.exists(B) and all(np.all(np.isfinite(part)) for part in found)):
        raise SimulationError(
            f"gradient or Fisher matrix are not finite at the start, where B = {B.tolist()}",
            remedy='the formulas are singular there, or expectations do not exist; start elsewhere, or use "direct"',
        )
    if asked.steps_per_time is None:
        pace = _pace(scheme, problem, groups, B, found, settings)
    else:
        pace = checks.dimension(asked.steps_per_time, "steps_per_time")
    noise = 1.0 / (float(problem.spectrum.dimension()) * settings.batch)
    equation = Equation(settings.delta, noise, 1.0 / pace, scheme == "euler")
    work = max(_WORK, 3 * model.n_student * groups.kept())
    risk = None if settings.rule is None else settings.rule.risk
    sphere, rest = model.constraint is not None, (settings.forms, (problem, risk))
    begin = partial(_begin, drift, start, settings.trained, equation, rest, sphere)
    return Plan(begin, work, {**attrs, "scheme": scheme, "steps_per_time": pace}, pace)


def _begin(
    drift: Drift,
    start: LevelsOf,
    theta: Float,
    equation: Equation,
    rest: tuple[Any, Any],
    sphere: bool,
    rng: np.random.Generator,
) -> Homogenized:
    return Homogenized(drift, start(rng), theta, equation, *rest, sphere=sphere)


def _pace(scheme: str, problem: Problem, groups: Groups, B: Float, found: tuple[Float, ...], settings: Settings) -> int:
    """Steps per unit of time that resolve how fast modes fall, and noise heats the weights, at the start."""
    H, fisher = found[:2]
    l, lam, counts = H.shape[1], groups.eigenvalues, groups.multiplicities
    square = float(counts @ lam**2)
    typical = lam.max() if scheme == "euler" else square / float(counts @ lam)
    gamma = _largest_rate(problem, groups, found, settings)
    fall = gamma * (2.0 * typical * float(np.max(np.abs(np.linalg.eigvalsh(H[:l])))) + problem.delta)
    heat = (
        gamma**2 * square / float(counts.sum()) / settings.batch * float(np.trace(fisher)) / float(np.trace(B) or 1.0)
    )
    return int(np.ceil(max(_PER_TIME[scheme] * (fall + heat), _STEPS / settings.diffusion.horizon)))


def _largest_rate(problem: Problem, groups: Groups, found: tuple[Float, ...], settings: Settings) -> float:
    """Of a schedule up to the horizon; an adaptive rate is taken as it is at the start."""
    rate = problem.learning_rate
    if settings.rule is None:
        return float(np.max(rate(np.linspace(0.0, settings.diffusion.horizon, 201))))
    measured = measured_of(problem, rate, settings.rule.risk, lambda B, theta: found)
    B, gram, squares = (np.einsum("m,mij->ij", groups.eigenvalues**k, groups.grams) for k in (1, 0, 2))
    return float(rate.evaluate(0.0, measured(B, gram, lambda: squares, settings.trained), rate.start)[0])


@cache
def _kernels() -> Any:
    return load_source(template("homogenized.py.j2").render(), "hdsym_homogenized")
