"""Sized models for the tests, values for what they leave open, and two independent ways to their averages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

import hdsym as hd

Array = NDArray[np.float64]
QUANTITIES = ("risk_at", "gradient_at", "fisher_at")

K, M = hd.size("K"), hd.size("M")
k, j, m = (sp.Symbol(name, integer=True) for name in ("k", "j", "m"))
x, s = hd.student("x", size=K), hd.teacher("s", size=M)
x0, s0 = hd.student("z"), hd.teacher("u")
y, eps = hd.label("y"), hd.noise("eps")
v, b, w = hd.Trained("v", size=K), hd.Trained("b", size=K), hd.Trained("w")
a, c = hd.parameter("a", size=M), hd.parameter("c", size=K)
NORMAL = hd.Normal(eps, std=sp.Rational(3, 10))


def erf(u: sp.Expr) -> sp.Expr:
    return sp.erf(u / sp.sqrt(2))


def units(body: sp.Expr) -> sp.Expr:
    return sp.Sum(body, (k, 1, K))


def teachers(body: sp.Expr) -> sp.Expr:
    return sp.Sum(body, (m, 1, M))


@dataclass(frozen=True)
class Point:
    """A sized model at one width, where everything has a value."""

    sizes: dict[str, int]
    B: Array
    parameters: dict[str, Any]
    explicit: hd.Model
    values: dict[str, float]


def point(model: hd.Model, K: int = 2, M: int = 1, seed: int = 0, scale: float = 0.7) -> Point:
    """Random overlaps and values; scale of B, which is well conditioned."""
    rng = np.random.default_rng(seed)
    wanted = {"K": K, "M": M}
    sizes = {size.name: wanted[size.name] for size in model.sizes}
    explicit = model.at(sizes) if sizes else model
    n = explicit.n_student + explicit.n_teacher
    A = rng.standard_normal((n, n + 3))
    given = {
        str(p.name): rng.standard_normal(sizes[p.size.name]) if hasattr(p, "size") else float(rng.uniform(0.2, 1.0))
        for p in (*model.parameters, *model.trained)
    }
    return Point(sizes, scale * A @ A.T / (n + 3), given, explicit, flat(model, explicit, given))


def flat(model: hd.Model, explicit: hd.Model, given: Mapping[str, Any]) -> dict[str, float]:
    """Values of parameters and trained scalars, unit by unit."""
    names = {str(p.name) for p in model.trained}
    plain = {name: value for name, value in given.items() if name not in names}
    trained = {name: value for name, value in given.items() if name in names}
    return explicit.parameter_values(plain) | explicit.trained_values(trained)


def untrained(explicit: hd.Model) -> hd.Model:
    """The same model with parameters in place of trained scalars: derived without any sum over units."""
    fixed = {theta: hd.parameter(theta.name) for theta in explicit.trained}
    return hd.Model(explicit.loss.xreplace(fixed), explicit.link, explicit.noise)


def slopes(explicit: Any, at: Point, step: float = 2e-3) -> Array:
    """d risk / d theta by a five-point difference of the risk, whose error is of order step^4."""
    result = []
    for theta in at.explicit.trained:
        shifted = [at.values | {theta.name: at.values[theta.name] + n * step} for n in (-2, -1, 1, 2)]
        low2, low, high, high2 = (float(explicit.risk_at(at.B, values)) for values in shifted)
        result.append((low2 - 8 * low + 8 * high - high2) / (12 * step))
    return np.array(result)


@cache
def _compiled(explicit: hd.Model) -> Any:
    """f, grad_x f and d_theta f as one numpy function of (r, eps, values)."""
    loss = explicit.average(explicit.loss)
    slots = (*explicit.students, *explicit.trained)
    arguments = [*explicit.students, *explicit.teachers, eps, *explicit.parameters, *explicit.trained]
    outputs = [loss, *(sp.diff(loss, slot) for slot in slots)]
    from scipy import special

    return sp.lambdify(arguments, outputs, modules=[{"erf": special.erf}, "numpy"], cse=True)


def monte_carlo(at: Point, samples: int, seed: int) -> dict[str, tuple[Array, Array]]:
    """(mean, standard error) of f, of r (grad_x f)', of (grad_x f)(grad_x f)' and of d_theta f; Gaussian noise."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(at.B)
    r = root @ rng.standard_normal((len(root), samples))
    noise = at.explicit.noise
    std = 0.0 if noise is None else float(noise.std.xreplace({p: at.values[p.name] for p in at.explicit.parameters}))
    values = [at.values[p.name] for p in (*at.explicit.parameters, *at.explicit.trained)]
    outputs = [
        np.broadcast_to(out, samples) for out in _compiled(at.explicit)(*r, std * rng.standard_normal(samples), *values)
    ]
    l = at.explicit.n_student
    gradient = np.stack(outputs[1 : 1 + l])
    moments = {
        "risk": np.asarray(outputs[0])[None, None],
        "steepness": r[:, None] * gradient[None],
        "fisher": gradient[:, None] * gradient[None],
    }
    if at.explicit.trained:
        moments["trained"] = np.stack(outputs[1 + l :])[None]
    return {name: (found.mean(axis=-1), found.std(axis=-1) / np.sqrt(samples)) for name, found in moments.items()}


def largest_z(theory: Any, at: Point, samples: int = 200_000, seed: int = 1) -> float:
    """Largest deviation of theory from Monte Carlo in standard errors; E[r (grad_x f)'] = 2 B Dh[:, :l] by Stein."""
    exact = {
        "risk": theory.risk_at(at.B, at.parameters, at.sizes),
        "steepness": 2 * at.B @ theory.gradient_at(at.B, at.parameters, at.sizes),
        "fisher": theory.fisher_at(at.B, at.parameters, at.sizes),
    }
    if at.explicit.trained:
        exact["trained"] = theory.trained_gradient_at(at.B, at.parameters, at.sizes)
    measured = monte_carlo(at, samples, seed)
    return max(float(np.max(np.abs(exact[name] - mean) / error)) for name, (mean, error) in measured.items())
