"""What commands are given: model files, names of the zoo, places for results; checked, completed, explained."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from ..model import Model

    _Type = click.ParamType[str]
else:  # in older versions of click it is not generic
    _Type = click.ParamType

__all__ = [
    "ModelFile",
    "ModelSource",
    "TargetName",
    "ZooName",
    "check_file",
    "check_writable",
    "read_source",
    "zoo_model",
]

_LISTED = 8


class ModelFile(_Type):
    """A model file; the shell completes it."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """What the shell does for files."""
        return [CompletionItem(incomplete, type="file")]


class ZooName(_Type):
    """A name of the zoo."""

    name = "zoo name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Models that begin so."""
        from ..zoo import ZOO

        return [CompletionItem(name) for name in sorted(ZOO) if name.startswith(incomplete)]


class ModelSource(ModelFile):
    """A model file or a name of the zoo."""

    name = "file or zoo name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Both."""
        files = super().shell_complete(ctx, param, incomplete)  # first: in bash they take the place of what is before
        return [*files, *ZooName().shell_complete(ctx, param, incomplete)]


class TargetName(_Type):
    """A target of code generation."""

    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Targets that begin so."""
        from ..codegen.render import TARGETS

        return [CompletionItem(name) for name in TARGETS if name.startswith(incomplete)]


def check_file(source: str, *, zoo: bool) -> None:
    """Raise for what is no model file, with what there is instead.

    Raises
    ------
    FileFormatError
        For a file that is missing or of another kind, or a folder.
    """
    from ..errors import FileFormatError
    from ..zoo import ZOO

    path = Path(source)
    kinds = "a model file (TOML) or a name of the zoo" if zoo else "a model file (TOML)"
    if path.is_dir():
        there = [str(file) for file in sorted(path.glob("*.toml"))[:_LISTED]]
        found = f"there is {', '.join(there)}" if there else "it holds no model file"
        raise FileFormatError(f"{source} is a folder", remedy=f"give {kinds}; {found}")
    if source in ZOO and not path.exists():
        shipped = Path(__file__).parent.parent / "models" / f"{source}.toml"
        example = f"; for an example see {shipped}" if shipped.exists() else ""
        raise FileFormatError(
            f"{source} is a model of the zoo, and says nothing of a problem",
            remedy=f'write a model file with model = {{zoo = "{source}"}} and a table [problem]{example}',
        )
    if not path.exists():
        raise FileFormatError(f"there is no file {source}", remedy=f"{_nearest(path, zoo=zoo)}give {kinds}")
    if path.suffix.lower() in _OTHERS:
        raise FileFormatError(f"{source} is {_OTHERS[path.suffix.lower()]}", remedy=f"give {kinds}")


_OTHERS = {
    ".nc": "a saved result, which hd.load reads",
    ".py": "Python code, which hdsym never executes",
    ".ipynb": "a notebook",
    ".csv": "a table",
    ".html": "a report",
    ".json": "JSON, not TOML",
    ".yaml": "YAML, not TOML",
    ".yml": "YAML, not TOML",
}


def _nearest(path: Path, *, zoo: bool) -> str:
    from ..zoo import ZOO

    folder = path.parent
    files = [str(file) for file in sorted(folder.glob("*.toml"))] if folder.is_dir() else []
    near = difflib.get_close_matches(str(path), [*files, *(ZOO if zoo else ())], n=1, cutoff=0.5)
    if not folder.is_dir():
        return f"there is no folder {folder} either; "
    return f"did you mean {near[0]!r}? " if near else ""


def read_source(source: str) -> Model:
    """The model of a file, or of the zoo if the source is one of its names and no file. Raises as they do."""
    from ..modelfile import read_model
    from ..zoo import ZOO

    if source in ZOO and not Path(source).exists():
        return ZOO[source]()
    check_file(source, zoo=True)
    return read_model(source)


def zoo_model(name: str) -> Model:
    """A model of the zoo. Raises DeclarationError with the nearest name."""
    from ..errors import DeclarationError
    from ..zoo import ZOO

    if name not in ZOO:
        near = difflib.get_close_matches(name, ZOO, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise DeclarationError(f"the zoo has no model {name!r}", remedy=f"{hint}it has: {', '.join(sorted(ZOO))}")
    return ZOO[name]()


def check_writable(path: Path, *, folder: bool) -> None:
    """Raise before any work is done, where results could not be written in the end.

    Raises
    ------
    FileFormatError
        If `path` is a folder where a file is to be written or the other way round, or its folder does not permit it.
    """
    from ..errors import FileFormatError

    if path.exists() and path.is_dir() is not folder:
        kind, wanted = ("file", "folder") if folder else ("folder", "file")
        raise FileFormatError(f"{path} is a {kind}", remedy=f"give the name of a {wanted}")
    if not folder and not path.parent.is_dir():
        raise FileFormatError(f"there is no folder {path.parent}", remedy="make it, or give another")
    there: Any = path if path.exists() else next(parent for parent in path.absolute().parents if parent.exists())
    if not there.is_dir() and there != path:
        raise FileFormatError(f"{there} is a file, and {path} cannot lie in it", remedy="give another folder")
    if not os.access(there, os.W_OK):
        raise FileFormatError(f"{there} cannot be written", remedy="change its permissions, or give another")
