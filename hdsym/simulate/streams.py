"""Random streams: one per run, from one recorded entropy, whatever the number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks

__all__ = ["generator", "spawn"]


def spawn(rng: Any, runs: int) -> tuple[list[np.random.SeedSequence], dict[str, Any]]:
    """Seeds of the runs, and what must be recorded to get them again.

    Parameters
    ----------
    rng:
        ``None`` for fresh entropy, an integer, a Generator (one number is drawn from it), or a SeedSequence (its next
        `runs` children are taken).

    Raises
    ------
    DeclarationError
        If `rng` is none of these.
    """
    if isinstance(rng, np.random.SeedSequence):
        first = rng.n_children_spawned
        record = {"entropy": rng.entropy, "spawn_key": list(rng.spawn_key), "first_run": first}
        return rng.spawn(runs), record
    entropy = checks.entropy(rng)
    return np.random.SeedSequence(entropy).spawn(runs), {"entropy": entropy}


def generator(seed: np.random.SeedSequence) -> np.random.Generator:
    """SFC64: of numpy's bit generators the fastest for normals inside a compiled loop (3.7 ns against PCG64's 4.2).

    Its streams differ by seed only, which is how they are made here; period at least 2^64.
    """
    return np.random.Generator(np.random.SFC64(seed))
