"""``hdsym doctor``: whether this installation works."""

from __future__ import annotations

import click

from .reporting import AGREE, FAILED, as_json, reported, show_json

__all__ = ["doctor"]


@click.command()
@as_json
@reported
def doctor(as_json: bool) -> None:
    """Examine the installation: versions, extras, threads, templates, caches, a problem with a known solution.

    Exit code 0 if everything works (notes are for what could work better), 3 if something does not.
    """
    from ..doctor import FAULT, examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            click.echo(f"{finding.status:<6} {finding.name:<16} {finding.detail}")
            if finding.remedy:
                click.echo(f"{'':<6} {'':<16} remedy: {finding.remedy}")
    faults = [finding.name for finding in findings if finding.status == FAULT]
    if as_json:
        show_json({"works": not faults, "findings": [vars(finding) for finding in findings]})
    else:
        click.echo(f"faults: {', '.join(faults)}" if faults else "everything works")
    raise click.exceptions.Exit(FAILED if faults else AGREE)
