"""Tables of text, numbers and lists as TOML, which the standard library reads but does not write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import DeclarationError

__all__ = ["document"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def document(tables: Mapping[str, Any]) -> str:
    """A TOML document with a section for each table, nested tables inline except those directly below a section."""
    sections = [section for name, table in tables.items() for section in _sections(name, table)]
    return "\n\n".join(sections) + "\n"


def _sections(name: str, table: Mapping[str, Any]) -> list[str]:
    """The section of a table, then those of its tables of several lines."""
    long = [key for key, value in table.items() if isinstance(value, Mapping) and key in _OWN_SECTION]
    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if key not in long and value is not None]
    below = [section for key in long for section in _sections(f"{name}.{_key(key)}", table[key]) if table[key]]
    return ["\n".join([f"[{name}]", *lines]), *below]


_OWN_SECTION = ("symbols", "noise", "parameters", "trained", "statistics")
"""Tables of a model or a problem that stand in sections of their own, as people write them."""


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)  # gives the same float back
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items() if entry is not None)
        return f"{{{inside}}}"
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(map(_value, value))}]"
    raise DeclarationError(f"{value!r} has no text", remedy="use text, numbers, lists and tables")


def _text(value: str) -> str:
    """A basic string: TOML escapes what JSON does, and the delete character besides."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
