"""Repairs to the converter's MathML: one element for each name, signs and products spaced as in print."""

from __future__ import annotations

import html
from xml.etree import ElementTree as ET

__all__ = ["serialise"]

_ROWS = {"math", "mrow", "msqrt", "mstyle", "mtd"}
_OPENING = {"(", "[", "{", "|", ",", "=", "\N{TILDE OPERATOR}", "\N{DIVIDES}"}
_TALL = {"mfrac", "msqrt", "mroot", "mtable", "munder", "munderover"}
_SCRIPTS = {"msub", "msup", "msubsup"}
_SIGNS = {"+", "\N{MINUS SIGN}"}


def serialise(root: ET.Element, *, display: bool = False, infix: bool = False) -> str:
    """The text of a ``math`` element, which is changed in place.

    Parameters
    ----------
    display:
        Full-size fractions, sums and integrals.
    infix:
        The leading sign joins this element to the one before it.
    """
    root.attrib.clear()
    if display:
        root.set("displaystyle", "true")
    _names(root)
    _flatten(root)
    _space(root)
    if infix and len(root) and root[0].tag == "mo":
        root[0].set("form", "infix")
    return ET.tostring(root, encoding="unicode")


def _names(element: ET.Element) -> None:
    """Characters instead of entities; upright words as one ``mi``, where the converter makes one of each letter."""
    text = element.text = html.unescape(element.text or "")
    letters = list(element)
    if len(letters) > 1 and all(e.get("mathvariant") == "normal" or e.tag == "mn" for e in letters):
        text = "".join(html.unescape(e.text or "") for e in letters)
        if not text.isdigit():
            element.clear()
            element.tag, element.text = "mi", text
    elif element.tag == "mo" and len(text) > 1 and text.isalnum():
        element.attrib.clear()
        element.tag = "mi"
    elif text == "~":
        element.tag, element.text = "mo", "\N{TILDE OPERATOR}"
    elif text in "()[]" and element.get("stretchy") == "true":
        element.attrib.clear()  # what an operator dictionary says of parentheses anyway
    for child in element:
        _names(child)


def _flatten(element: ET.Element) -> None:
    """Rows of one element are that element."""
    for index, child in enumerate(element):
        _flatten(child)
        while child.tag == "mrow" and len(child) == 1:
            child = child[0]
            element[index] = child
    if element.tag == "math" and len(element) == 1 and element[0].tag == "mrow":
        element[:] = list(element[0])


def _space(element: ET.Element) -> None:
    """Unary signs close to what they sign; a thin space where a word stands next to another factor."""
    for child in element:
        _space(child)
    if element.tag not in _ROWS:
        return
    if _is_bracket(element) and not any(inner.tag in _TALL for inner in element.iter()):
        for child in element:  # fonts leave room around brackets that may grow
            if child.text in ("(", ")", "[", "]"):
                child.set("stretchy", "false")
    spaced: list[ET.Element] = []
    for child in element:
        before = spaced[-1] if spaced else None
        if before is not None and child.tag == "mo" and child.text in _SIGNS and before.text in _OPENING:
            child.set("form", "prefix")
        if before is not None and _apart(before, child):
            spaced.append(ET.Element("mspace", width="0.17em"))
        spaced.append(child)
    element[:] = spaced


def _apart(first: ET.Element, second: ET.Element) -> bool:
    if {first.tag, second.tag} & {"mo", "mspace", "mtext"}:
        return False
    return _is_word(second) or (_is_word(first) and not _is_bracket(second))


def _is_word(element: ET.Element) -> bool:
    base = element[0] if element.tag in _SCRIPTS else element
    return base.tag == "mi" and len(base.text or "") > 1


def _is_bracket(element: ET.Element) -> bool:
    return element.tag == "mrow" and len(element) > 0 and element[0].tag == "mo"
