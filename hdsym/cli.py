"""The command ``hdsym``: run, derive, export and zoo.

Exit codes: 0 done (for ``run``: theory and simulation agree), 1 theory and simulation disagree, 2 wrong usage or a
declaration that has no meaning, 3 a computation failed (the solution blew up, a simulation could not be run), 4 a bug
in hdsym, shown with its traceback.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from .model import Model

__all__ = ["main"]

AGREE, DISAGREE, USAGE, FAILED, BUG = range(5)

P = ParamSpec("P")
R = TypeVar("R")


def _reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors hdsym raises on purpose into a message and an exit code, without a traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        from .errors import HdsymError, SimulationError, SolveError

        try:
            return command(*args, **kwargs)
        except HdsymError as error:
            _fail(str(error), FAILED if isinstance(error, SolveError | SimulationError) else USAGE)
        except BrokenPipeError:
            raise  # the reader of a pipe has left, as `head` does: click ends quietly
        except OSError as error:
            _fail(f"{error.filename or 'a file'}: {error.strerror or error}", USAGE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # python's own exit code for it, 1, would say that theory and simulation disagree
            click.echo(traceback.format_exc(), err=True, nl=False)
            _fail("this is a bug in hdsym, please report it with the lines above", BUG)

    return wrapper


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    raise click.exceptions.Exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hdsym")
def main() -> None:
    """The high-dimensional limit of one-pass SGD, derived, solved and checked, for any declared model.

    Exit codes: 0 done (run: theory and simulation agree), 1 they disagree, 2 wrong usage or declaration,
    3 a computation failed, 4 a bug in hdsym.
    """


_source = click.argument("source", metavar="FILE")
_model = click.argument("source", metavar="FILE|ZOO-NAME")


@main.command()
@_source
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for the results.")
@click.option("--runs", type=click.IntRange(3), help="Number of simulated runs, instead of the file's.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the simulation, instead of the file's.")
@click.option("--quiet", is_flag=True, help="Print only the verdict.")
@_reported
def run(source: str, out: Path | None, runs: int | None, seed: int | None, quiet: bool) -> None:
    """Derive, generate, solve, simulate and compare what FILE declares."""
    from .job import run_job

    say: Callable[[str], None] = (lambda _: None) if quiet else click.echo
    command = " ".join(["hdsym run", source, *([f"--runs {runs}"] if runs else [])])
    command += "" if seed is None else f" --seed {seed}"
    outcome = run_job(source, folder=out, runs=runs, seed=seed, say=say, progress=not quiet, command=command)
    click.echo(outcome.summary)
    raise click.exceptions.Exit(AGREE if outcome.agree else DISAGREE)


@main.command()
@_model
@click.option("--steps", is_flag=True, help="Show the rules applied to every expectation.")
@_reported
def derive(source: str, steps: bool) -> None:
    """Print the risk, the gradient, the Fisher matrix and the ODEs of a model."""
    from .derive import derive as derive_model

    theory = derive_model(_read(source))
    click.echo(str(theory))
    if steps:
        click.echo("\n" + theory.show())


@main.command()
@_model
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output.")
@click.option("--target", default="numpy", show_default=True, help="numpy, or numba for compiled sums over units.")
@_reported
def export(source: str, output: Path | None, target: str) -> None:
    """Write the generated solver of a model, a module that stands alone on numpy and scipy (and numba)."""
    from .derive import derive as derive_model

    theory = derive_model(_read(source)).with_target(target)
    if output is None:
        click.echo(theory.source, nl=False)
    else:
        theory.export(output)
        click.echo(f"wrote {output}")


@main.command()
@click.argument("name", required=False)
@_reported
def zoo(name: str | None) -> None:
    """List the models that come with hdsym, or show one."""
    from .zoo import ZOO

    if name is None:
        width = max(map(len, ZOO))
        for key, make in sorted(ZOO.items()):
            first = (make.__doc__ or "").strip().splitlines()[0]
            click.echo(f"{key:<{width}}  {first.split('; ')[0].rstrip('.')}")
        return
    model = _zoo_model(name)
    click.echo(model.name)
    for title, value in (("loss", model.loss), ("link", model.link), ("noise", model.noise)):
        click.echo(f"  {title:<10} {'none' if value is None else value}")
    for title, named in (("parameters", model.parameters), ("trained", model.trained)):
        defaults = ", ".join(f"{p.name} (default {p.default})" for p in named)
        click.echo(f"  {title:<10} {defaults or 'none'}")
    if model.sized:
        click.echo(f"  {'sizes':<10} {', '.join(size.name for size in model.sizes)}")
    for reference in model.references:
        click.echo(f"  {'reference':<10} {reference}")
    click.echo(f'\nin a model file: model = {{zoo = "{name}"}}')


def _read(source: str) -> Model:
    """The model of a file, or of the zoo if the source is one of its names and no file."""
    from .modelfile import read_model
    from .zoo import ZOO

    if source in ZOO and not Path(source).exists():
        return ZOO[source]()
    return read_model(source)


def _zoo_model(name: str) -> Model:
    import difflib

    from .errors import DeclarationError
    from .zoo import ZOO

    if name not in ZOO:
        near = difflib.get_close_matches(name, ZOO, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DeclarationError(f"the zoo has no model {name!r}", remedy=f"{hint}it has: {', '.join(sorted(ZOO))}")
    return ZOO[name]()
