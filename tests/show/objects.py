"""One of every public object, to be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

import hdsym as hd
from hdsym.scheduling.optimal import optimal_schedule

__all__ = ["objects"]


def objects() -> dict[str, Any]:
    """By name; small and quick to compute."""
    x, s, y, eps = hd.student("x"), hd.teacher("s"), hd.label("y"), hd.noise("eps")
    theory = hd.derive(hd.zoo.phase_retrieval())
    statistics = {"error": sp.sqrt(hd.overlap(x - s, x - s)), "angle": hd.statistics.misclassification(x, s)}
    followed = hd.derive(hd.zoo.logistic("bernoulli").with_statistics(statistics))
    problem = hd.Problem(hd.spectrum.power_law(0.6, d=50), hd.start.random(rng=1), 0.2 / (1 + hd.t))
    path, runs = theory.solve(problem, t=5), hd.simulate(theory, problem, runs=4, t=5, rng=0, record=10)
    sphere = hd.Problem(hd.spectrum.identity(), hd.start.overlaps(0.04, 0.001, 1.0), 0.1)
    least = hd.derive(hd.zoo.least_squares())
    rows = np.random.default_rng(0).standard_normal((30, 4))
    u = sp.Symbol("u")
    points = theory.fixed_points(sphere, starts=6)
    return {
        "model": theory.model,
        "sampled": followed.model,
        "sized model": hd.zoo.committee("erf", True),
        "theory": theory,
        "theory with statistics": followed,
        "theory of a committee": hd.derive(hd.zoo.committee("relu")),
        "long theory": hd.derive(hd.zoo.committee("erf").at(K=2, M=1)),
        "theory with quadrature": hd.derive(hd.zoo.multiclass_logistic(3)),
        "expectation": hd.expect(abs(x) * abs(s), [x, s]),
        "steps": hd.expect(abs(x) * abs(s), [x, s]).steps,
        "noise": hd.Normal(eps, std=hd.parameter("noise_std", 0.1)),
        "discrete noise": hd.Discrete(eps, (-1, 2), (sp.Rational(2, 3), sp.Rational(1, 3))),
        "label": hd.Bernoulli(hd.sigmoid(s)),
        "problem": problem,
        "problem from data": hd.Problem.from_data(rows, rows[:, 0], learning_rate=hd.AdaGradNorm(0.1, 1.0)),
        "rows": hd.Problem.from_data(rows, rows[:, 0], learning_rate=0.1).data,
        "spectrum": hd.spectrum.marchenko_pastur(0.5, d=100),
        "density": hd.spectrum.power_law_density(0.3),
        "identity": hd.spectrum.identity(d=10),
        "start": problem.start,
        "profile": hd.start.profile(0, 0, lambda lam: 1 / (1 + lam)),
        "schedule": hd.LearningRate(hd.schedules.cosine(0.5, 20)),
        "function": hd.LearningRate(lambda t: 0.1 / (1 + t)),
        "rule": hd.AdaptiveRate(0.1 / sp.sqrt(1 + u), states={u: (0, hd.quantities.squared_gradient)}),
        "line search": hd.LineSearch(),
        "trajectory": path,
        "ensemble": runs,
        "verdict": hd.compare(path, runs),
        "rerun": path.rerun(),
        "stability": theory.stability(sphere, t=1.0),
        "map": hd.stability_map(
            least,
            hd.Problem(hd.spectrum.identity(), sphere.start, 0.1),
            [0.5, 1.5, 2.5],
            over={"batch_size": [1, 2]},
            t=5,
        ),
        "points": points,
        "point": points[0],
        "escape": theory.escape_time(sphere, t=60, point=points["uninformed saddle"]),
        "scaling": hd.DimensionScaling.fit(
            dims=[10, 40, 160],
            gaps=[np.array([0.3, 0.2]), np.array([0.15, 0.1]), np.array([0.07, 0.06])],
            statistic="risk",
            confidence=0.95,
            verdict=None,
            entropy=0,
        ),
        "optimal": optimal_schedule(least, sphere, t=2, knots=2),
        "exponent": hd.information_exponent(s**3 - 3 * s),
        "jacobian": theory.jacobian(problem),
        "drift": theory.drift(problem),
        "ellipse": hd.Ellipse(0.0, 2.0, 1.0),
        "hostile": hd.zoo.least_squares().__class__(
            (x - y) ** 2, s, name="<script>alert(1)</script>", references=("<b>",)
        ),
    }
