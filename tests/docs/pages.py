"""What the built pages contain: links, anchors, text outside code."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
UNREAD = {"code", "pre", "script", "style", "template", "svg"}


class Page(HTMLParser):
    """One page of the site."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []  # what a reader may follow
        self.loaded: list[str] = []  # what the page itself asks for
        self.anchors = {""}
        self.images: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.formulas = 0
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        self.anchors |= {value for value in (given.get("id"), given.get("name") if tag == "a" else None) if value}
        self.formulas += tag == "math"
        if tag == "a" and (address := given.get("href")) is not None:
            self.links.append(address)
        elif (address := given.get("href" if tag == "link" else "src")) is not None:
            self.loaded.append(address)
        if tag == "img":
            self.images.append(given)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not UNREAD & set(self._open):
            self.words.append(data)
