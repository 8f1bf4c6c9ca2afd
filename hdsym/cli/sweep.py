"""``hdsym sweep``: a model file over the grid in its table ``[sweep]``."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .reporting import as_json, reported, show_json
from .sources import ModelFile, check_file, check_writable

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["sweep"]

_SHOWN = 5
"""Kinds of failures that are listed."""


@click.command()
@click.argument("source", metavar="FILE", type=ModelFile())
@click.option("--store", type=click.Path(file_okay=False, path_type=Path), help="Zarr store; resumes what it has.")
@click.option("--scheduler", help="Address of a dask scheduler, such as tcp://node:8786.")
@click.option("--processes", type=click.IntRange(1), help="Processes of this machine.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@as_json
@reported
def sweep(
    source: str,
    store: Path | None,
    scheduler: str | None,
    processes: int | None,
    out: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Solve what FILE declares at every point of its table [sweep]. Points that fail are listed, and stop no others."""
    if scheduler and processes:
        raise click.UsageError("give --scheduler or --processes, not both")
    check_file(source, zoo=False)
    if out is not None:
        check_writable(out, folder=True)
    watched = not (quiet or as_json) and sys.stderr.isatty()
    where = scheduler or ("processes" if processes else None)
    record = _record(source, out, executor=where, workers=processes, store=store, progress=watched)
    if as_json:
        show_json(record)
    else:
        click.echo(_words(record))


def _record(source: str, out: Path | None, **options: Any) -> dict[str, Any]:
    from .. import sweep as solve
    from ..errors import FileFormatError
    from ..modelfile import read

    file = read(source)
    if file.sweep is None:
        remedy = "add one: [sweep.over] learning_rate = [0.1, 0.2]"
        raise FileFormatError(f"{source} has no table [sweep]", remedy=remedy)
    found = solve(file.model, file.problem, file.sweep.over, **file.sweep.options, **options)
    folder = out or file.folder
    reasons = [str(reason) for reason in found["reason"].values.ravel() if reason]
    return {
        "model": file.model.name,
        "axes": {str(dim): found.sizes[dim] for dim in found["reason"].dims},
        "points": found["reason"].size,
        "failed": len(reasons),
        "reasons": _kinds(reasons),
        "folder": str(folder),
        "written": _write(found, folder),
    }


def _write(found: xr.Dataset, folder: Path) -> list[str]:
    from .. import storage
    from ..plots import figure_bytes

    storage.write(found, folder / "sweep.nc", "Sweep")
    figure = found.plot_phase_diagram(**{str(dim): found[dim].values[0] for dim in found["reason"].dims[2:]})
    (folder / "phase_diagram.png").write_bytes(figure_bytes(figure, "png"))
    return ["sweep.nc", "phase_diagram.png"]


def _kinds(reasons: list[str]) -> list[dict[str, Any]]:
    """How often each kind of reason occurs, the most frequent first; those differing in numbers alone are one."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(re.sub(r"[-+.\d]+", "#", reason), []).append(reason)
    ordered = sorted(kinds.values(), key=len, reverse=True)
    return [{"count": len(own), "first": own[0], "alike": len(set(own)) > 1} for own in ordered]


def _words(record: dict[str, Any]) -> str:
    """The account of a sweep."""
    axes = " x ".join(f"{length} {name}" for name, length in record["axes"].items())
    lines = [f"{record['model']}: {record['points']} points ({axes}), {record['failed']} failed"]
    for kind in record["reasons"][:_SHOWN]:
        lines.append(f"  {kind['count']:>6}  {kind['first']}{' and alike' if kind['alike'] else ''}")
    rest = len(record["reasons"]) - _SHOWN
    if rest > 0:
        lines.append(f"          and {rest} other kinds, in the variable reason")
    return "\n".join([*lines, f"\nwrote {record['folder']}: {', '.join(record['written'])}"])
