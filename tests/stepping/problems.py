"""Problems that the tests of time stepping share."""

from __future__ import annotations

from typing import Any

import numpy as np

import hdsym as hd
from hdsym.integration import Run
from hdsym.solve import _run

PHASE = hd.derive(hd.zoo.phase_retrieval())


def grams(modes: int, n: int, seed: int, closeness: float = 1.0) -> np.ndarray:
    """Random Gram matrices (modes, n, n); with a small `closeness` all rows are nearly equal, so B nearly singular."""
    rng = np.random.default_rng(seed)
    common, own = rng.standard_normal((modes, 1, 6)), rng.standard_normal((modes, n, 6))
    W = (common * (closeness < 1) + closeness * own) / np.sqrt(6 * modes)
    return W @ W.swapaxes(-1, -2)


def posed(modes: int = 4, **options: Any) -> hd.Problem:
    """A problem with a few levels of unequal shares, regularised, in batches."""
    shares = np.arange(1, modes + 1) / np.sum(np.arange(1, modes + 1))
    settings: dict[str, Any] = {
        "spectrum": hd.Spectrum(np.geomspace(2.0, 0.1, modes), shares, label="levels"),
        "start": hd.start.overlaps(Q=1.0, M=0.3, T=1.0),
        "learning_rate": 0.3,
        "delta": 0.2,
        "batch_size": 2,
        **options,
    }
    return hd.Problem(**settings)


def run_of(theory: Any, problem: hd.Problem | None = None, G: np.ndarray | None = None, **options: Any) -> Run:
    """The run of a problem, by default one with levels of its own and, if given, Gram matrices (modes, n, n)."""
    if problem is None:
        explicit = theory.model
        size = {"n_student": explicit.n_student, "n_teacher": explicit.n_teacher}
        problem = posed(start=hd.start.random(norm=0.8, cosine=0.3, rng=2, **size), **options)
    run = _run(theory, problem)
    if G is not None:
        run.grams = G
        run.rhs = run._right_hand_side()
    return run
