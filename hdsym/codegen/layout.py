"""Layout of generated code: lines that are too long are broken at their brackets, documentation at its words."""

from __future__ import annotations

import io
import textwrap
import tokenize
from collections.abc import Iterable
from typing import Any

__all__ = ["WIDTH", "docstring", "filled", "fitted", "laid_out", "wrapped"]

WIDTH = 120
_WRAP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}
_OPENING, _CLOSING = "([{", ")]}"


def wrapped(lines: Iterable[str], width: int = 110) -> list[str]:
    """Lines of at most `width` characters, what follows on the first of each indented."""
    return [line for text in lines for line in textwrap.wrap(text, width, subsequent_indent="    ", **_WRAP)]


def filled(text: str, indent: int = 0) -> str:
    """A paragraph in lines of at most 118 characters, all indented."""
    margin = " " * indent
    return textwrap.fill(" ".join(text.split()), WIDTH - 2, initial_indent=margin, subsequent_indent=margin, **_WRAP)


def docstring(text: str, indent: int = 4) -> str:
    """A docstring of one line, or of several where it is too long; the first line is not indented."""
    if indent + len(text) + 6 <= WIDTH:
        return f'"""{text}"""'
    margin = " " * indent
    first, *rest = textwrap.wrap(text, WIDTH - indent - 3, **_WRAP)
    return "\n".join([f'"""{first}', *(margin + line for line in rest), f'{margin}"""'])


def laid_out(module: str) -> str:
    """The text of a module with lines of code of at most 120 characters; comments and docstrings stay as they are."""
    lines = module.splitlines()
    text = _inside_text(module)
    for k, line in enumerate(lines):
        if len(line) > WIDTH and k not in text:
            code = line.strip()
            tail = "," if code.endswith(",") else ""
            indent = len(line) - len(line.lstrip())
            lines[k] = " " * indent + fitted(code.removesuffix(","), indent, tail)
    return "\n".join(lines) + "\n"


def _inside_text(module: str) -> set[int]:
    """Numbers of the lines, from 0, that comments or strings over several lines have a part of."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(module).readline):
        over_lines = token.type == tokenize.STRING and token.start[0] < token.end[0]
        if over_lines or token.type == tokenize.COMMENT:
            found.update(range(token.start[0] - 1, token.end[0]))
    return found


def fitted(statement: str, indent: int = 0, tail: str = "") -> str:
    """One statement of code, in lines of at most 120 characters; the first line is not indented.

    Parameters
    ----------
    statement:
        Code on one line.
    indent:
        Columns before the first line.
    tail:
        What follows on the same line.
    """
    if indent + len(statement) + len(tail) <= WIDTH:
        return statement + tail
    start, end = _longest_bracket(statement)
    if end - start <= 1:
        return statement + tail
    inside = statement[start + 1 : end].strip().removesuffix(",")
    items, inner = _split(inside), indent + 4
    single = len(items) == 1 and not _is_tuple(statement, start, end)
    if single or (len(items) > 1 and inner + len(inside) <= WIDTH):
        body = _inner(inside, inner)
    else:
        body = "\n".join(_inner(item, inner, ",") for item in items)
    return f"{statement[: start + 1]}\n{body}\n{' ' * indent}{statement[end:]}{tail}"


def _inner(text: str, indent: int, tail: str = "") -> str:
    """Code inside brackets, where lines may end anywhere: a sum in lines of terms, a product in lines of factors."""
    margin = " " * indent
    if indent + len(text) + len(tail) <= WIDTH:
        return margin + text + tail
    separators = ((" for ", " if "), (" and ",), (" + ", " - "))
    pieces = _arguments(text, indent) or next(filter(None, (_pieces(text, each) for each in separators)), [])
    if not pieces:
        factors = _pieces(text, (" * ", " / "))
        whole = margin + fitted(text, indent, tail)
        fits = all(indent + len(factor) < WIDTH for factor in factors)
        if not factors or not (fits or max(map(len, whole.splitlines())) > WIDTH):
            return whole
        pieces = factors
    lines = [_inner(pieces[0], indent)]
    for piece in pieces[1:]:
        joined = f"{lines[-1]} {piece}"
        if "\n" not in joined and len(joined) < WIDTH:
            lines[-1] = joined
        else:
            lines.append(_inner(piece, indent))
    return "\n".join(lines) + tail


def _arguments(text: str, indent: int) -> list[str]:
    """A lambda's arguments one by one, then its body; empty if they fit into a line."""
    names, colon, body = text.partition(": ")
    if not text.startswith("lambda ") or indent + len(names) + 1 <= WIDTH:
        return []
    return [*names.replace(", ", ",\n").splitlines()[:-1], names.rpartition(", ")[2] + colon.strip(), body]


def _is_tuple(text: str, start: int, end: int) -> bool:
    """Whether the bracket is a tuple of one entry, which has to keep its comma."""
    return text[start] == "(" and text[start + 1 : end].rstrip().endswith(",")


def _longest_bracket(text: str) -> tuple[int, int]:
    """Places of the outermost bracket with the longest content and of its end; (0, 0) if there is none."""
    best, start = (0, 0), 0
    for k, depth in _scan(text):
        if depth == 0 and text[k] in _OPENING:
            start = k
        elif depth == 0 and text[k] in _CLOSING and k - start > best[1] - best[0]:
            best = (start, k)
    return best


def _scan(text: str) -> list[tuple[int, int]]:
    """Places outside strings, each with how many brackets are around it; a bracket itself is outside."""
    places, depth, quote = [], 0, ""
    for k, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth -= character in _CLOSING
            places.append((k, depth))
            depth += character in _OPENING
    return places


def _split(text: str) -> list[str]:
    """The items of a list without those commas that stand before the colon of a lambda or inside a comprehension."""
    commas = [k for k, depth in _scan(text) if depth == 0 and text[k] == ","]
    loops = [k for k, depth in _scan(text) if depth == 0 and text.startswith(" for ", k)]
    items, start = [], 0
    for k in [*commas, len(text)]:
        item = text[start:k].strip()
        unfinished = item.startswith("lambda") and ":" not in item
        if not unfinished and not (loops and k < len(text)):
            items.append(item)
            start = k + 1
    return items


def _pieces(text: str, separators: tuple[str, ...]) -> list[str]:
    """Text cut before separators outside all brackets; empty if there are none."""
    cuts = [k for k, depth in _scan(text) if depth == 0 and k > 0 and text.startswith(separators, k)]
    return [text[a:b].strip() for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)] if cuts else []
