"""The command itself, and what it says to a name it does not know."""

from __future__ import annotations

import difflib

import click

__all__ = ["Nearest", "main"]


class Nearest(click.Group):
    """A group that names the nearest command where there is none of the name given."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            ctx.fail(f"there is no command {name!r}; {hint}it has: {', '.join(self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


@click.group(cls=Nearest, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hdsym")
def main() -> None:
    """The high-dimensional limit of one-pass SGD, derived, solved and checked, for any declared model.

    \b
    Exit codes
      0  done (run: theory and simulation agree)
      1  theory and simulation disagree
      2  wrong usage, or a declaration that has no meaning
      3  a computation failed (a blow-up, say), or doctor has found a fault
      4  a bug in hdsym, shown with its traceback

    With --json the result is one JSON value on standard output, an error {"error": {...}} among them.

    Completion of commands, zoo names and files, for bash, zsh or fish: eval "$(_HDSYM_COMPLETE=bash_source hdsym)"
    """
