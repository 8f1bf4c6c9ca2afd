"""Formulas become MathML when the site is built: pages need no script and no font from elsewhere."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert_to_element
from mkdocs.exceptions import PluginError

from hdsym.report.mathtree import serialise

# pymdownx.arithmatex leaves formulas in these, as escaped text
INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>([,.;:)]*)', re.DOTALL)
DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


# what the converter knows by another name, or only with braces
SPELLINGS = (
    (re.compile(r"\\(mathcal|mathbb|mathrm)\s+([A-Za-z])"), r"\\\1{\2}"),
    (re.compile(r"\\(begin|end)\{aligned\}"), r"\\\1{align*}"),
    (re.compile(r"\\\\\[\d+pt\]"), r"\\\\"),
    (re.compile(r"\\displaystyle"), ""),
    (re.compile(r"\\[lr]Vert"), r"\\|"),
)

# what browsers space as relations
TIGHT = re.compile(r"<mo([^>]*)>([/|])</mo>")


def mathml(text: str, *, display: bool) -> str:
    """One MathML element. Raises PluginError for a command that the converter does not know."""
    for spelling, known in SPELLINGS:
        text = spelling.sub(known, text)
    element = serialise(convert_to_element(text.strip(), display="block" if display else "inline"), display=display)
    element = TIGHT.sub(r'<mo\1 lspace="0" rspace="0">\2</mo>', element)
    if "\\" in element:
        raise PluginError(f"a command is not known in the formula {text}")
    return f'<div class="formula">{element}</div>' if display else element


def inline(found: re.Match[str]) -> str:
    """A formula within a line, with the punctuation that must not be parted from it."""
    element = mathml(html.unescape(found[1]), display=False)
    return f'<span class="together">{element}{found[2]}</span>' if found[2] else element


def on_page_content(content: str, **_: Any) -> str:
    """Every formula of a page, rendered."""
    content = INLINE.sub(inline, content)
    return DISPLAY.sub(lambda found: mathml(html.unescape(found[1]), display=True), content)
