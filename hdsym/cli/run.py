"""``hdsym run``: from a model file to a verdict."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from .reporting import AGREE, DISAGREE, as_json, reported, show_json
from .sources import ModelFile, check_file, check_writable

__all__ = ["run"]


@click.command()
@click.argument("source", metavar="FILE", type=ModelFile())
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--runs", type=click.IntRange(3), help="Number of simulated runs, instead of the file's.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the simulation, instead of the file's.")
@click.option("--quiet", is_flag=True, help="Print only the verdict.")
@as_json
@reported
def run(source: str, out: Path | None, runs: int | None, seed: int | None, quiet: bool, as_json: bool) -> None:
    """Derive, generate, solve, simulate and compare what FILE declares.

    Exit code 0 if theory and simulation agree, 1 if they do not.
    """
    from ..job import run_job

    check_file(source, zoo=False)
    if out is not None:
        check_writable(out, folder=True)
    silent = quiet or as_json
    say: Callable[[str], None] = (lambda _: None) if silent else click.echo
    command = " ".join(["hdsym run", source, *([f"--runs {runs}"] if runs else [])])
    command += "" if seed is None else f" --seed {seed}"
    watched = not quiet and _seen()
    outcome = run_job(source, folder=out, runs=runs, seed=seed, say=say, progress=watched, command=command)
    if as_json:
        show_json(outcome.record)
    else:
        click.echo(outcome.summary)
    raise click.exceptions.Exit(AGREE if outcome.agree else DISAGREE)


def _seen() -> bool:
    """Whether somebody may look at a progress bar."""
    return sys.stderr.isatty()
