"""SVG by hand: the few shapes that a chart is made of, as wide as their texts need, with round ticks on its axes.

Lengths are points, of which a chart is some hundreds wide. Colours are the names of the page's own, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple
from unicodedata import combining, east_asian_width

LEGIBLE = 6.1
"""pt that letters keep on a narrow screen, where a figure is scrolled rather than made smaller still."""
LETTERS = 10.0
"""pt: how high the letters of a chart are."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""By how much, of a power of ten, ticks are apart."""
MINUS = "\u2212"
_WIDTHS = {" ',.IJijl": 0.32, "!()-/:;[\\]frt|": 0.42, '"*?_`csz': 0.55, "#%+<=>@MW^mw~": 1.0, "&DGHNOQU": 0.8,
           "ABCKRVXZ": 0.7}  # fmt: skip
"""How wide letters are, of their height: no less than in DejaVu Sans, which is wider than most."""
_LETTER_WIDTHS = {letter: width for letters, width in _WIDTHS.items() for letter in letters}
Point = tuple[float, float]


class Scale(NamedTuple):
    """Carry values onto an axis: `low` to the place `first`, `high` to `last`."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, most: int = 9) -> list[tuple[float, str]]:
        """Return round values on the axis, some `most` at most, each with its place and as few digits as tell all.

        >>> [name for _, name in Scale(0.0, 0.52, 0, 100).ticks(6)]
        ['0.0', '0.1', '0.2', '0.3', '0.4', '0.5']
        """
        rough = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        step = unit * next(step for step in STEPS if unit * step >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        digits = next((d for d in range(12) if abs(round(step, d) - step) < 1e-9 * step), 12)
        return [(self(n * step), f"{n * step:.{digits}f}".replace("-", MINUS)) for n in range(first, last + 1)]


def width_of(text: str, letters: float = LETTERS) -> float:
    """Return how wide a text is at most, whatever the page's font is.

    >>> width_of("nose") < width_of("right shoulder") < width_of("右肩右肩右肩右肩")
    True
    """
    return letters * sum(0.0 if combining(c) else 1.0 if east_asian_width(c) in "WF" else _LETTER_WIDTHS.get(c, 0.64)
                         for c in text)  # fmt: skip


def svg(label: str, size: Point, shapes: Iterable[str]) -> str:
    """Return a chart of so many points for a page, no wider than its window and on a phone not too small to read."""
    width, height = size
    style = f"width: {number(width)}pt; min-width: {width * min(1.0, LEGIBLE / LETTERS):.0f}pt"
    head = f'style="{style}" role="img" aria-label="{escape(label)}" viewBox="0 0 {number(width)} {number(height)}"'
    body = "\n".join(shape for shape in shapes if shape)
    return f'<div class="chart"><svg {head} font-size="{LETTERS:g}">\n{body}\n</svg></div>'


def text(at: Point, words: str, colour: str = "ink", anchor: str = "start", more: str = "") -> str:
    """Write words whose middle line is at a height; anchor: what of them is at the place, start, middle or end."""
    style = f'style="fill: var(--{colour})" text-anchor="{anchor}" dominant-baseline="central"{more}'
    return f'<text x="{number(at[0])}" y="{number(at[1])}" {style}>{escape(words)}</text>'


def line(points: Sequence[Point], colour: str, width: float = 0.8, dashed: bool = False, opacity: float = 1.0,
         said: str = "") -> str:  # fmt: skip
    """Draw a line through points; it breaks where one is not finite. said: what a pointer that rests on it is told."""
    words, broken = [], True
    for x, y in points:
        if finite(x, y):
            words.append(f"{'M' if broken else 'L'}{number(x)} {number(y)}")
        broken = not finite(x, y)
    style = f"fill: none; stroke: var(--{colour}); stroke-width: {width:g}"
    style += "; stroke-dasharray: 4 3" * dashed + f"; stroke-opacity: {opacity:g}" * (opacity < 1)
    return f'<path d="{"".join(words)}" style="{style}"{_told("path", said)}' if words else ""


def box(low: Point, high: Point, colour: str, opacity: float = 1.0, edge: str = "", said: str = "") -> str:
    """Draw a filled box between two corners; nothing where one is not finite."""
    (x, right), (y, bottom) = sorted((low[0], high[0])), sorted((low[1], high[1]))
    if not finite(x, y, right, bottom):
        return ""
    style = f"fill: var(--{colour})" + f"; fill-opacity: {opacity:.3g}" * (opacity < 1)
    style += f"; stroke: var(--{edge}); stroke-width: 0.8" if edge else ""
    place = f'x="{number(x)}" y="{number(y)}" width="{number(right - x)}" height="{number(bottom - y)}"'
    return f'<rect {place} style="{style}"{_told("rect", said)}'


def dot(at: Point, radius: float, colour: str, opacity: float = 1.0, said: str = "") -> str:
    """Draw a disc; nothing where its place is not finite."""
    if not finite(*at):
        return ""
    style = f"fill: var(--{colour})" + f"; fill-opacity: {opacity:g}" * (opacity < 1)
    place = f'cx="{number(at[0])}" cy="{number(at[1])}" r="{number(radius)}"'
    return f'<circle {place} style="{style}"{_told("circle", said)}'


def finite(*values: float) -> bool:
    """Tell whether all of these can be drawn."""
    return all(map(math.isfinite, values))


def number(value: float) -> str:
    """Write a length to a hundredth of a point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _told(tag: str, said: str) -> str:
    return f"><title>{escape(said)}</title></{tag}>" if said else "/>"
