"""``hdsym cache``: what is kept on disk."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from .group import Nearest
from .reporting import as_json, reported, show_json

__all__ = ["cache"]


@click.group(cls=Nearest)
def cache() -> None:
    """What hdsym keeps on disk: derivations, and generated modules with their compiled code.

    It is in HDSYM_CACHE_DIR, by default in hdsym in the user's cache folder. HDSYM_CACHE=0 derives everything anew.
    """


@cache.command()
@as_json
@reported
def info(as_json: bool) -> None:
    """Show where the cache is and what it holds."""
    found = summary()
    if as_json:
        show_json(found)
        return
    state = "" if found["enabled"] else " (switched off: HDSYM_CACHE=0)"
    click.echo(f"folder       {found['folder']}")
    if found["problem"]:
        click.echo(f"not used     {found['problem']}")
    parts = ", ".join(f"{count} {part}" for part, count in found["derivations"]["parts"].items())
    click.echo(f"derivations  {_amount(found['derivations'])}{state}" + (f": {parts}" if parts else ""))
    click.echo(f"modules      {_amount(found['modules'])}, compiled code among them")


def summary() -> dict[str, Any]:
    """Folder, state and content, as numbers."""
    from .. import modulecache
    from ..diskcache import files
    from ..diskcache.folder import cache_dir
    from ..diskcache.kept import enabled

    problem = ""
    try:
        entries, modules = files.entries(), modulecache.listing()
    except (OSError, RuntimeError) as error:
        entries, modules, problem = (), [], str(error)
    parts = Counter(entry.path.stem.partition("-")[2] for entry in entries)
    return {
        "folder": str(cache_dir()),
        "enabled": enabled(),
        "problem": problem,
        "derivations": {
            "files": len(entries),
            "bytes": sum(entry.size for entry in entries),
            "largest": files.LARGEST,
            "parts": dict(sorted(parts.items())),
        },
        "modules": {"files": len(modules), "bytes": sum(path.stat().st_size for path in modules)},
    }


def _amount(found: dict[str, Any]) -> str:
    return f"{found['files']} files, {found['bytes'] / 1e6:.1f} MB"


@cache.command()
@as_json
@reported
def clear(as_json: bool) -> None:
    """Remove all of it. Nothing is lost but the time to make it again."""
    from .. import modulecache
    from ..diskcache import files

    removed = {"derivations": files.clear(), "modules": modulecache.clear()}
    if as_json:
        show_json({"removed": removed})
    else:
        click.echo(f"removed {removed['derivations']} files of derivations and {removed['modules']} of modules")
