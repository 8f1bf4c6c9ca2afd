"""How commands end: exit codes, errors without tracebacks, results as JSON."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import click

__all__ = ["AGREE", "BUG", "DISAGREE", "FAILED", "USAGE", "as_json", "reported", "show_json"]

AGREE, DISAGREE, USAGE, FAILED, BUG = range(5)
"""Exit codes, as :func:`hdsym.cli.group.main` documents them."""

P = ParamSpec("P")
R = TypeVar("R")

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON value, for other programs.")


def show_json(value: Any) -> None:
    """One JSON value on standard output; numbers that are not finite become null."""
    click.echo(json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors hdsym raises on purpose into a message and an exit code, without a traceback."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        from ..errors import HdsymError, SimulationError, SolveError, SweepError

        machine = bool(kwargs.get("as_json"))
        try:
            return command(*args, **kwargs)
        except HdsymError as error:
            failed = isinstance(error, SolveError | SimulationError | SweepError)
            _fail(error, error.message, error.remedy, FAILED if failed else USAGE, machine=machine)
        except BrokenPipeError:
            raise  # the reader of a pipe has left, as `head` does: click ends quietly
        except OSError as error:
            message = f"{error.filename or 'a file'}: {error.strerror or error}"
            _fail(error, message, "check the path, its permissions and the space left", USAGE, machine=machine)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # python's own exit code for it, 1, would say that theory and simulation disagree
            click.echo(traceback.format_exc(), err=True, nl=False)
            message = "this is a bug in hdsym, please report it with the lines above"
            _fail(error, message, "", BUG, machine=machine)

    return wrapper


def _fail(error: Exception, message: str, remedy: str, code: int, *, machine: bool) -> NoReturn:
    click.echo(f"error: {message}" + (f"\n  remedy: {remedy}" if remedy else ""), err=True)
    if machine:
        kind = type(error).__name__
        show_json({"error": {"kind": kind, "message": message, "remedy": remedy, "exit_code": code}})
    raise click.exceptions.Exit(code)
