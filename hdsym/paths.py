"""Where hdsym finds the files it ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .errors import CodegenError

__all__ = ["templates_dir"]


@cache
def templates_dir() -> Path:
    """The folder of templates: inside the installed package, else at the top of the repository.

    Raises
    ------
    CodegenError
        If neither exists, which means that the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "numpy").is_dir():
            return folder
    raise CodegenError(
        f"no templates in {package / 'templates'} or {package.parent / 'templates'}",
        remedy="install hdsym again; the wheel contains them",
    )
