"""The command ``hdsym``. One file for each command, or group of them, and a line here."""

from __future__ import annotations

from . import cache, derivations, doctor, rerun, run, sweep, zoo
from .group import main

__all__ = ["main"]

commands = (
    run.run,
    sweep.sweep,
    rerun.rerun,
    derivations.derive,
    derivations.export,
    zoo.zoo,
    cache.cache,
    doctor.doctor,
)
for command in commands:
    main.add_command(command)
