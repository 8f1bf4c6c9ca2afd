"""The command ``hdsym``. One file for each command, or group of them, and a line here."""

from __future__ import annotations

from . import cache, derivations, doctor, run, sweep, zoo
from .group import main

__all__ = ["main"]

for command in (run.run, sweep.sweep, derivations.derive, derivations.export, zoo.zoo, cache.cache, doctor.doctor):
    main.add_command(command)
