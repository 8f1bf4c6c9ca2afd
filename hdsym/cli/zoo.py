"""``hdsym zoo``: the models that come along."""

from __future__ import annotations

from typing import Any

import click

from .reporting import as_json, reported, show_json
from .sources import ZooName, zoo_model

__all__ = ["zoo"]


@click.command()
@click.argument("name", required=False, type=ZooName())
@as_json
@reported
def zoo(name: str | None, as_json: bool) -> None:
    """List the models that come with hdsym, or show one."""
    from ..zoo import ZOO

    if name is not None:
        model = zoo_model(name)
        if as_json:
            show_json(_declaration(name, model))
        else:
            click.echo(_shown(name, model))
        return
    first = {key: (make.__doc__ or "").strip().splitlines()[0] for key, make in sorted(ZOO.items())}
    lines = {key: text.split("; ")[0].rstrip(".") for key, text in first.items()}
    if as_json:
        show_json([{"name": key, "summary": text} for key, text in lines.items()])
        return
    width = max(map(len, lines))
    for key, text in lines.items():
        click.echo(f"{key:<{width}}  {text}")


def _declaration(name: str, model: Any) -> dict[str, Any]:
    named = {
        title: [{"name": member.name, "default": member.default} for member in members]
        for title, members in (("parameters", model.parameters), ("trained", model.trained))
    }
    return {
        "name": name,
        "title": model.name,
        "loss": str(model.loss),
        "link": None if model.link is None else str(model.link),
        "noise": None if model.noise is None else str(model.noise),
        **named,
        "sizes": [size.name for size in model.sizes],
        "references": list(model.references),
    }


def _shown(name: str, model: Any) -> str:
    lines = [model.name]
    for title, value in (("loss", model.loss), ("link", model.link), ("noise", model.noise)):
        lines.append(f"  {title:<10} {'none' if value is None else value}")
    for title, named in (("parameters", model.parameters), ("trained", model.trained)):
        defaults = ", ".join(f"{p.name} (default {p.default})" for p in named)
        lines.append(f"  {title:<10} {defaults or 'none'}")
    if model.sized:
        lines.append(f"  {'sizes':<10} {', '.join(size.name for size in model.sizes)}")
    lines += [f"  {'reference':<10} {reference}" for reference in model.references]
    return "\n".join([*lines, f'\nin a model file: model = {{zoo = "{name}"}}'])
