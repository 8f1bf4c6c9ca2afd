"""``hdsym derive`` and ``hdsym export``: formulas, and the solver generated from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import DeclarationError
from .reporting import as_json, reported, show_json
from .sources import ModelSource, TargetName, check_writable, read_source

__all__ = ["derive", "export"]

_model = click.argument("source", metavar="FILE|ZOO-NAME", type=ModelSource())
_quiet = click.option("--quiet", is_flag=True, help="No progress bar.")


def _derived(source: str, quiet: bool) -> Any:
    from ..derive import derive as derive_model
    from ..progress import bar

    model = read_source(source)
    with bar(f"derive {model.name}", shown=not quiet) as progress:
        return derive_model(model, progress=progress)


@click.command()
@_model
@click.option("--steps", is_flag=True, help="Show the rules applied to every expectation.")
@click.option("--noise", is_flag=True, help="Show the moments of the gradient that error bars take.")
@_quiet
@as_json
@reported
def derive(source: str, steps: bool, noise: bool, quiet: bool, as_json: bool) -> None:
    """Print the risk, the gradient, the Fisher matrix and the ODEs of a model."""
    theory = _derived(source, quiet)
    moments = {name: str(value) for name, value in _noise(theory).items()} if noise else {}
    if as_json:
        show_json(_formulas(theory, steps) | ({"noise": moments} if noise else {}))
        return
    click.echo(str(theory))
    if steps:
        click.echo("\n" + theory.show())
    if noise:
        click.echo("\nmoments of u = grad_x f: M2_12_11 is E[d_1 d_2 (u_1 u_1)], M4_1111 is E[u_1^4]")
        for name, value in moments.items():
            click.echo(f"    {name} = {value}")


def _noise(theory: Any) -> dict[str, Any]:
    if hasattr(theory, "kernels"):
        raise DeclarationError(
            f"{theory.model.name} has sums over units, whose moments of the fourth order have no formulas",
            remedy="theory.solve(problem, fluctuations=True) takes averages over points for them",
        )
    return dict(theory.noise)


def _formulas(theory: Any, steps: bool) -> dict[str, Any]:
    """Formulas as sympy prints them, rows of matrices as lists."""
    found: dict[str, Any] = {"model": theory.model.name, "exact": theory.exact, "risk": str(theory.risk)}
    if hasattr(theory, "kernels"):
        found["sizes"] = [size.name for size in theory.model.sizes]
        found["kernels"] = {name: str(value) for name, value in theory.kernels.items()}
    else:
        for name in ("gradient", "fisher"):
            found[name] = [[str(entry) for entry in row] for row in getattr(theory, name).tolist()]
        found["odes"] = {name: str(rate) for name, rate in theory.odes.items()}
    found["statistics"] = {name: str(value) for name, value in theory.statistics.items()}
    rules = dict.fromkeys(rule for step in theory.steps.values() for rule in step.rules())
    found["rules"] = [
        {"name": name, "identity": identity, "reference": reference} for name, identity, reference in rules
    ]
    if steps:
        found["steps"] = {name: step.lines() for name, step in theory.steps.items()}
    return found


@click.command()
@_model
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Default: standard output.")
@click.option(
    "--target",
    type=TargetName(),
    default="numpy",
    show_default=True,
    help="numpy, numba, jax, sympy or latex.",
)
@_quiet
@reported
def export(source: str, output: Path | None, target: str, quiet: bool) -> None:
    """Write the generated solver of a model, a module that stands alone; or its formulas, for sympy or in LaTeX."""
    if output is not None:
        check_writable(output, folder=False)
    theory = _derived(source, quiet)
    if output is None:
        click.echo(theory.written(target), nl=False)
    else:
        theory.export(output, target=target)
        click.echo(f"wrote {output}")
