"""Charts: numbers with their intervals, shares, steps, cells and curves as SVG in the colours of their page.

What a mark stands for is told where a pointer rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from posewright.report.svg import LETTERS, MINUS, Point, Scale, box, dot, finite, line, svg, text, width_of
from posewright.scene import Floats

WIDE, PLOT, SIDE, ROW = 792.0, 330.0, 12.0, 19.44
"""pt: a chart's width, the least that is left to draw in beside its names, its margins, a row's height."""
TOP, FOOT, NAMES = 22.0, 39.0, 8.0
"""pt: what stands above, below, and between names and what they name."""
CELL, SQUARE, SWATCH = (158.4, 39.6), 262.0, 10.0
"""pt: a cell of a matrix, the side of a curve's axes, and a mark of a legend."""

Row = tuple[str, float, float, float]
"""A name, a value and the ends of its interval, NaN where there is none."""

Line = tuple[str, Floats, Floats, Floats | None]
"""A name, x, y, and how many every point rests on."""

Cell = tuple[float, int]
"""A value, and how many it rests on."""

Bounds = tuple[float, float]


class Rows(NamedTuple):
    """Where the rows of a chart lie: its width, the left and right ends of its axis, and how high a row is."""

    width: float
    left: float
    right: float
    height: float

    def middle(self, row: int) -> float:
        """Return the height of a row's middle."""
        return TOP + (row + 0.5) * self.height


def dots(title: str, rows: Sequence[Row], label: str, reference: float | None = None) -> str:
    """Draw values as dots with their intervals, one row a name, and a line where the reference is."""
    values = [value for row in rows for value in row[1:]] + ([] if reference is None else [reference])
    names = [row[0] for row in rows]
    lie = _rows(title, names)
    scale = Scale(*_room(values), lie.left, lie.right)
    shapes = [*_axis(scale, lie, len(rows)), *_named(names, lie)]
    if reference is not None:
        x = scale(reference)
        shapes.append(line([(x, TOP), (x, TOP + lie.height * len(rows))], "soft", 1.0, dashed=True))
    for place, (name, value, low, high) in enumerate(rows):
        y = lie.middle(place)
        said = f"{_plain(name)}: {value:.4f}" + (f" ({low:.4f} to {high:.4f})" if finite(low, high) else "")
        shapes.append(line([(scale(low), y), (scale(high), y)], "blue", 5.0, opacity=0.4, said=said))
        shapes.append(dot((scale(value), y), 3.2, "blue", said=said))
    return _drawn(title, lie, len(rows), label, shapes)


def stacked(title: str, names: Sequence[str], parts: Sequence[tuple[str, Floats, str]], label: str) -> str:
    """Draw shares as bars laid end to end, one row a name; parts: name, share (N,) of each row, colour."""
    lie = _rows(title, names)
    ends = np.cumsum([np.zeros(len(names)), *(np.nan_to_num(amount) for _, amount, _ in parts)], axis=0)
    scale = Scale(0.0, max(1e-9, float(ends.max(initial=0))), lie.left, lie.right)
    shapes = [*_axis(scale, lie, len(names), percent=True), *_named(names, lie)]
    half = 0.36 * lie.height
    for (part, amount, colour), first, last in zip(parts, ends[:-1], ends[1:], strict=True):
        for row, name in enumerate(names):
            if amount[row] > 0:
                y, said = lie.middle(row), f"{_plain(name)}, {part}: {amount[row]:.1%}"
                corners = (scale(first[row]), y - half), (scale(last[row]), y + half)
                shapes.append(box(*corners, colour, edge="card", said=said))
    return _drawn(title, lie, len(names), label, shapes, [(name, colour) for name, _, colour in parts])


def steps(title: str, start: tuple[str, float], gains: Sequence[tuple[str, float]], label: str) -> str:
    """Draw how a number grows step by step: a waterfall from `start`, each gain beginning where the last ended."""
    names, values = [start[0], *(name for name, _ in gains)], [start[1], *(gain for _, gain in gains)]
    lie = _rows(title, names, height=1.25 * ROW)
    ends = np.cumsum(values)
    begins = np.append(0.0, ends[:-1])
    scale = Scale(0.0, max(float(np.nanmax([ends, begins])), 1e-9), lie.left, lie.right - width_of("+0.000 "))
    shapes = [*_axis(scale._replace(last=lie.right, high=_at(scale, lie.right)), lie, len(names)), *_named(names, lie)]
    half = 0.33 * lie.height
    for row, (value, begin, end) in enumerate(zip(values, begins, ends, strict=True)):
        y, x = lie.middle(row), scale(end)
        colour = "blue" if not row else "green" if value >= 0 else "red"
        shapes.append(box((scale(begin), y - half), (x, y + half), colour))
        if row < len(gains):
            shapes.append(line([(x, y + half), (x, lie.middle(row + 1) - half)], "soft"))
        told = f"{value:+.3f}".replace("-", MINUS) if row else f"{value:.3f}"
        shapes.append(text((scale(max(begin, end)) + 5, y), told))
    return _drawn(title, lie, len(names), label, shapes)


def matrix(title: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], Cell]) -> str:
    """Draw a value and a count at every (row, column), the deeper the larger the value is."""
    most = max(max(value for value, _ in cells.values()), 1e-9)
    across, down = max([CELL[0], *(width_of(name) + NAMES for name in columns)]), CELL[1]
    left = SIDE + max(map(width_of, rows)) + NAMES
    lie = Rows(max(left + across * len(columns) + SIDE, width_of(title) + 2 * SIDE), left, 0.0, down)
    shapes = _named(rows, lie)
    for (row, column), (value, count) in cells.items():
        x, y = left + (column + 0.5) * across, lie.middle(row)
        low, high = (x - 0.48 * across, y - 0.46 * down), (x + 0.48 * across, y + 0.46 * down)
        shapes.append(box(low, high, "blue", 0.06 + 0.5 * value / most))
        shapes.append(text((x, y), f"{value:.3f}, n = {count:,}", anchor="middle"))
    foot = TOP + down * len(rows) + 10
    shapes += [text((left + (n + 0.5) * across, foot), name, anchor="middle") for n, name in enumerate(columns)]
    return svg(title, (lie.width, foot + 12), [_title(title, lie), *shapes])


def curve(title: str, lines: Sequence[Line], labels: tuple[str, str]) -> str:
    """Draw curves of y over x in [0, 1], with dots as large as their counts, beside the line where both are equal.

    lines: name, x (M,), y (M,), count (M,) or None for no dots.
    """
    left, bottom = 3 * SIDE + 20, TOP + SQUARE
    across, down = Scale(-0.02, 1.04, left, left + SQUARE), Scale(-0.02, 1.04, bottom, TOP)
    shapes = [_grid(across, TOP, bottom), _grid(down, left, left + SQUARE, upright=True)]
    shapes.append(line([(left, TOP), (left, bottom), (left + SQUARE, bottom)], "grey"))
    shapes.append(line([(across(0), down(0)), (across(1), down(1))], "soft", 1.0, dashed=True))
    colours = [(name, colour) for (name, *_), colour in zip(lines, ("blue", "red", "green"), strict=False)]
    for (_, xs, ys, counts), (name, colour) in zip(lines, colours, strict=False):
        points = [(across(x), down(y)) for x, y in zip(xs, ys, strict=True)]
        shapes.append(line(points, colour, 1.5))
        if counts is not None:
            for point, x, y, count in zip(points, xs, ys, counts, strict=True):
                said, size = f"{name}: {y:.3f} at {x:.3f}, n = {count:,.0f}", 12 + 120 * count / counts.max()
                shapes.append(dot(point, float(np.sqrt(size)) / 2, colour, 0.8, said))
    turned = f' transform="rotate(-90 {SIDE:g} {TOP + SQUARE / 2:g})"'
    shapes.append(text((SIDE, TOP + SQUARE / 2), labels[1], "soft", "middle", turned))
    shapes.append(text((left + SQUARE / 2, bottom + 26), labels[0], "soft", "middle"))
    width = max(446.4, left + SQUARE + SIDE, width_of(title, 11) + 2 * SIDE)
    lie = Rows(width, left, width - SIDE, 0.0)
    legend, end = _legend(colours, width, bottom + 46)
    return svg(title, (width, end), [_title(title, lie), *shapes, *legend])


def _rows(title: str, names: Sequence[str], height: float = ROW) -> Rows:
    """Lay out rows beside their names, which have all the room that they need."""
    left = SIDE + max(map(width_of, names), default=0.0) + NAMES
    width = max(WIDE, left + PLOT, width_of(title, 11) + 2 * SIDE)
    return Rows(width, left, width - SIDE - 8, height)


def _drawn(title: str, lie: Rows, count: int, label: str, shapes: Iterable[str],
           legend: Sequence[tuple[str, str]] = ()) -> str:  # fmt: skip
    """Join a chart of rows with its title, its label and, where there is one, its legend."""
    bottom = TOP + lie.height * count
    labelled = text(((lie.left + lie.right) / 2, bottom + 26), label, "soft", "middle")
    marks, end = _legend(legend, lie.width, bottom + 46) if legend else ([], bottom + FOOT)
    return svg(title, (lie.width, end), [_title(title, lie), *shapes, labelled, *marks])


def _title(title: str, lie: Rows) -> str:
    """Write the title above the axes, further left where it is too long to stand there."""
    x = max(SIDE, min(lie.left, lie.width - SIDE - width_of(title, 11)))
    return text((x, 9), title, more=' font-size="11"')


def _axis(scale: Scale, lie: Rows, count: int, percent: bool = False) -> Iterator[str]:
    """Draw the ticks of a horizontal axis below so many rows, and its line."""
    bottom = TOP + lie.height * count
    yield _grid(scale, TOP, bottom, percent=percent)
    yield line([(lie.left, bottom), (lie.right, bottom)], "grey")


def _grid(scale: Scale, low: float, high: float, upright: bool = False, percent: bool = False) -> str:
    """Draw lines at an axis's ticks from `low` to `high`, and their values beside or below them."""
    shown = scale._replace(low=100 * scale.low, high=100 * scale.high) if percent else scale
    drawn = []
    for place, name in shown.ticks(6 if upright or high - low == SQUARE else 9):
        ends = [(low, place), (high, place)] if upright else [(place, low), (place, high)]
        at: Point = (low - 5, place) if upright else (place, high + 10)
        said = f"{name}%" if percent else name
        drawn += [line(ends, "line"), text(at, said, anchor="end" if upright else "middle")]
    return "\n".join(drawn)


def _named(names: Sequence[str], lie: Rows) -> list[str]:
    """Write the names of rows left of them."""
    return [text((lie.left - NAMES, lie.middle(n)), _plain(name), anchor="end") for n, name in enumerate(names)]


def _legend(parts: Sequence[tuple[str, str]], width: float, y: float) -> tuple[list[str], float]:
    """Draw a mark and a name a part, in as many lines as they need; returns the height where these end, too."""
    shapes, x = [], SIDE
    for name, colour in parts:
        long = SWATCH + 6 + width_of(name) + 12
        if x > SIDE and x + long > width:
            x, y = SIDE, y + 1.6 * LETTERS
        shapes += [box((x, y - 4), (x + SWATCH, y + 4), colour), text((x + SWATCH + 6, y), name)]
        x += long
    return shapes, y + 12


def _at(scale: Scale, place: float) -> float:
    """Return the value at a place of an axis."""
    return scale.low + (place - scale.first) / (scale.last - scale.first) * (scale.high - scale.low)


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _room(values: Sequence[float]) -> Bounds:
    """Return what an axis shows: the values with some room; from 0 where that costs little, so that lengths compare."""
    known = [value for value in values if finite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = max(high - low, 0.02) * 0.06
    return (0.0 if 0 <= low < 0.5 * high else low - room), high + room
