"""Reading a TOML table strictly: every value's type is checked, every key must be known.

Errors name the file, the key path and the remedy; a misspelt key is answered with the nearest known one.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import FileFormatError

__all__ = ["REQUIRED", "Table"]

REQUIRED: Any = object()
"""Default of a key that must be there."""


class Table:
    """One table of a file, which remembers the keys it was asked for.

    Parameters
    ----------
    values:
        What the table holds.
    path:
        Its key path in the file, empty for the root.
    file:
        The file's name, for messages.
    """

    def __init__(self, values: Mapping[str, Any], path: str, file: str) -> None:
        self.values = values
        self.path = path
        self.file = file
        self._asked: list[str] = []

    def key(self, name: str) -> str:
        """The full path of a key, as messages show it."""
        return f"{self.path}.{name}" if self.path else name

    def error(self, name: str, message: str, remedy: str) -> FileFormatError:
        """An error about one key (about the table itself when `name` is empty)."""
        where = self.key(name) if name else f"[{self.path}]"
        return FileFormatError(f"{self.file}: {where} {message}", remedy=remedy)

    def has(self, name: str) -> bool:
        """Whether the key is there; asking does not make it a known key."""
        return name in self.values

    def get(self, name: str, default: Any = REQUIRED) -> Any:
        """The value as it stands, of any type."""
        if name not in self._asked:
            self._asked.append(name)
        if name in self.values:
            return self.values[name]
        if default is REQUIRED:
            self._check_unknown({name})
            raise self.error(name, "is missing", f"add it to the table [{self.path or 'root'}]")
        return default

    def text(self, name: str, default: Any = REQUIRED) -> Any:
        """A string."""
        value = self.get(name, default)
        if name in self.values and not isinstance(value, str):
            raise self.error(name, f"is {_shown(value)}, not text", "write it in quotes")
        return value

    def choice(self, name: str, options: Sequence[str], default: Any = REQUIRED) -> str:
        """A string out of a few."""
        value = str(self.text(name, default))
        if value not in options:
            near = difflib.get_close_matches(value, options, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise self.error(name, f"is {value!r}", f"{hint}it is one of: {', '.join(options)}")
        return value

    def number(self, name: str, default: Any = REQUIRED) -> Any:
        """A finite number."""
        value = self.get(name, default)
        if name in self.values and not is_number(value):
            raise self.error(name, f"is {_shown(value)}, not a finite number", "write a number without quotes")
        return value

    def integer(self, name: str, default: Any = REQUIRED, *, low: int = 0, high: int | None = None) -> Any:
        """An integer in [low, high]."""
        value = self.get(name, default)
        if name not in self.values:
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(name, f"is {_shown(value)}, not an integer", "write a whole number without quotes")
        if value < low or (high is not None and value > high):
            span = f"at least {low}" if high is None else f"between {low} and {high}"
            raise self.error(name, f"is {_shown(value)}", f"give an integer {span}")
        return value

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise self.error(name, f"is {_shown(value)}, not true or false", "write true or false without quotes")
        return value

    def sequence(self, name: str, default: Any = REQUIRED) -> Any:
        """An array, of anything."""
        value = self.get(name, default)
        if name in self.values and not isinstance(value, list):
            raise self.error(name, f"is {_shown(value)}, not an array", "write it in square brackets")
        return value

    def numbers(self, name: str) -> list[float]:
        """A non-empty array of finite numbers."""
        values = self.sequence(name)
        for index, value in enumerate(values):
            if not is_number(value):
                raise self.error(f"{name}[{index}]", f"is {_shown(value)}, not a finite number", "write numbers only")
        if not values:
            raise self.error(name, "is empty", "give at least one number")
        return [float(value) for value in values]

    def table(self, name: str, default: Any = REQUIRED) -> Table:
        """A table inside this one."""
        value = self.get(name, default)
        if not isinstance(value, Mapping):
            raise self.error(name, f"is {_shown(value)}, not a table", f"write [{self.key(name)}] or {{key = value}}")
        return Table(value, self.key(name), self.file)

    def done(self) -> None:
        """Raise for the first key that nobody asked for."""
        self._check_unknown(set())

    def _check_unknown(self, wanted: set[str]) -> None:
        for name in self.values:
            if name in self._asked:
                continue
            near = difflib.get_close_matches(name, wanted or self._asked, n=1, cutoff=0.6)
            if wanted and not near:
                continue  # the missing key is the better message
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise self.error(name, "is not a known key", f"{hint}known keys: {', '.join(self._asked) or 'none'}")


def is_number(value: Any) -> bool:
    """Whether a TOML value is a finite number; true and false are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a huge integer"  # its decimal form may be refused by python
    text = "a table" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
