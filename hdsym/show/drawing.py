"""Small drawings as SVG, a few kilobytes each: curves, bands, bars, a grid of colours. For a look, not for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

from ..curves import SIMULATION, THEORY

__all__ = ["SIMULATION", "THEORY", "Line", "curves", "heat"]

Float = NDArray[np.float64]

_WIDTH, _HEIGHT = 300.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 8.0, 8.0, 30.0
_POINTS = 160
_LOG_RANGE = 20.0
"""Ratio of largest to smallest positive value from which an axis is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A curve, with a band around it or steps for lines if wanted; values that are not finite are left out."""

    x: ArrayLike
    y: ArrayLike
    colour: str = THEORY
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    dots: bool = False


class _Axis:
    """Values to pixels, linear or logarithmic."""

    def __init__(self, values: Float, start: float, end: float, log: bool | None = None) -> None:
        finite = values[np.isfinite(values)]
        finite = finite if finite.size else np.zeros(1)
        positive = finite[finite > 0]
        spread = positive.size > 0 and positive.max() > _LOG_RANGE * positive.min()
        self.log = bool(spread and positive.size == finite.size) if log is None else log and positive.size > 0
        kept = positive if self.log else finite
        low, high = (float(np.log10(v)) if self.log else float(v) for v in (kept.min(), kept.max()))
        if high <= low:
            low, high = low - 0.5 * abs(low) - 1e-12, high + 0.5 * abs(high) + 1e-12
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, values: ArrayLike) -> Float:
        given = np.asarray(values, dtype=np.float64)
        with np.errstate(all="ignore"):
            inside = np.log10(given) if self.log else given
            return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)

    def ends(self) -> tuple[str, str]:
        """What stands at both ends."""
        low, high = ((10**v if self.log else v) for v in (self.low, self.high))
        return f"{low:.3g}", f"{high:.3g}"


def curves(lines: Sequence[Line], x: str = "t", y: str = "", *, log_x: bool | None = False) -> Markup:
    """Curves against a common axis; the vertical axis is logarithmic over more than a decade and a bit."""
    xs = _Axis(_joined([line.x for line in lines]), _LEFT, _WIDTH - _RIGHT, log_x)
    every = [part for line in lines for part in (line.y, line.low, line.high) if part is not None]
    ys = _Axis(_joined(every), _HEIGHT - _BOTTOM, _TOP)
    drawn = [_frame(xs, ys, x, y)]
    for line in lines:
        chosen = _thinned(np.size(line.x))
        across = xs(line.x)[chosen]
        if line.low is not None and line.high is not None:
            drawn.append(_band(across, ys(line.low)[chosen], ys(line.high)[chosen], line.colour))
        down = ys(line.y)[chosen]
        drawn.append(_dots(across, down, line.colour) if line.dots else _polyline(across, down, line.colour))
    return _svg("".join(drawn), f"{y or 'curve'} against {x}")


def heat(values: Float, across: Float, upward: Float, x: str, y: str) -> Markup:
    """A grid, values (upward, across): negative ones blue, positive ones orange, stronger towards one and beyond."""
    xs, ys = _Axis(np.asarray(across), _LEFT, _WIDTH - _RIGHT), _Axis(np.asarray(upward), _HEIGHT - _BOTTOM, _TOP)
    rows, columns = values.shape
    w, h = (_WIDTH - _LEFT - _RIGHT) / columns, (_HEIGHT - _TOP - _BOTTOM) / rows
    cells = []
    for i, j in np.ndindex(rows, columns):
        colour = THEORY if values[i, j] < 0 else SIMULATION
        strength = 0.15 + 0.75 * min(abs(float(values[i, j])), 1.0)
        place = f'x="{_LEFT + j * w:.1f}" y="{_HEIGHT - _BOTTOM - (i + 1) * h:.1f}" width="{w:.1f}" height="{h:.1f}"'
        cells.append(f'<rect {place} fill="{colour}" fill-opacity="{strength:.2f}"/>')
    return _svg("".join(cells) + _frame(xs, ys, f"{x} across, {y} upward", ""), f"map over {x} and {y}")


def _joined(parts: Sequence[ArrayLike]) -> Float:
    return np.concatenate([np.ravel(np.asarray(part, dtype=np.float64)) for part in parts])


def _thinned(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(np.int64))


def _polyline(x: Float, y: Float, colour: str) -> str:
    """Pieces of finite points."""
    pieces, current = [], []
    for a, b in [*zip(x.tolist(), y.tolist(), strict=True), (np.nan, np.nan)]:
        if np.isfinite(a) and np.isfinite(b):
            current.append(f"{a:.1f},{b:.1f}")
        elif current:
            pieces.append(current)
            current = []
    style = f'fill="none" stroke="{colour}" stroke-width="1.6"'
    return "".join(f'<polyline points="{" ".join(piece)}" {style}/>' for piece in pieces)


def _band(x: Float, low: Float, high: Float, colour: str) -> str:
    fine = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    around = np.concatenate([np.stack([x, high], 1)[fine], np.stack([x, low], 1)[fine][::-1]])
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in around.tolist())
    return f'<polygon points="{points}" fill="{colour}" fill-opacity="0.2"/>'


def _dots(x: Float, y: Float, colour: str) -> str:
    fine = np.isfinite(x) & np.isfinite(y)
    pairs = zip(x[fine].tolist(), y[fine].tolist(), strict=True)
    return "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.2" fill="{colour}"/>' for a, b in pairs)


def _frame(xs: _Axis, ys: _Axis, x: str, y: str) -> str:
    floor, end = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    axes = f'<path d="M{_LEFT},{_TOP}V{floor}H{end}" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
    (x0, x1), (y0, y1) = xs.ends(), ys.ends()
    words = [
        _word(_LEFT, floor + 13, x0, "start"),
        _word(end, floor + 13, x1, "end"),
        _word((_LEFT + end) / 2, _HEIGHT - 4, x + (" (log)" if xs.log else ""), "middle"),
        _word(_LEFT - 4, floor, y0, "end"),
        _word(_LEFT - 4, _TOP + 8, y1, "end"),
        _word(end, _TOP + 4, y + (" (log)" if ys.log else ""), "end"),
    ]
    return axes + "".join(words)


def _word(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>' if text else ""


def _svg(inside: str, title: str) -> Markup:
    head = f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" width="{_WIDTH:g}" height="{_HEIGHT:g}" role="img"'
    style = 'font-family="sans-serif" font-size="10" fill="currentColor"'
    return Markup(f'{head} aria-label="{escape(title)}" {style}>{inside}</svg>')  # its words are escaped above
