"""``hdsym rerun``: a saved result, computed once more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from .reporting import AGREE, DISAGREE, as_json, reported, show_json

__all__ = ["rerun"]


@click.command()
@click.argument("source", metavar="FILE")
@as_json
@reported
def rerun(source: str, as_json: bool) -> None:
    """Compute the result saved in FILE (netCDF) again and compare, bit for bit.

    Exit codes: 0 identical, 1 it differs, 2 the file does not say how it was computed.
    """
    from ..reproduce import rerun as again

    found = again(source)
    if as_json:
        show_json(_outcome(found))
    else:
        click.echo(found.words)
    raise click.exceptions.Exit(AGREE if found.identical else DISAGREE)


def _outcome(found: Any) -> dict[str, Any]:
    versions = [{"name": name, "then": then, "now": now} for name, then, now in found.changed]
    differences = [asdict(difference) for difference in found.differences]
    return {
        "identical": found.identical,
        "differences": differences,
        "versions": versions,
        "same_code": found.same_code,
    }
