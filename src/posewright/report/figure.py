"""Figures: plots as SVG in the colours of the page that holds them, light or dark.

The colours are Okabe and Ito's ("Color universal design", 2002), which people who are colour-blind tell apart; the page
darkens or lightens those whose contrast with its ground would be below 3 (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np

from posewright.scene import Floats

PALETTE = {
    "ink": "#1d2129", "soft": "#5c6470", "line": "#e3e6ea", "card": "#fffffe", "blue": "#0072b2", "sky": "#56b4e9",
    "green": "#009e73", "orange": "#e69f00", "red": "#d55e00", "pink": "#cc79a7", "grey": "#c9ced6",
}  # fmt: skip
"""Every colour that a figure may use, by its name in the page's style."""
INK, SOFT, LINE, CARD, BLUE, SKY, GREEN, ORANGE, RED, PINK, GREY = PALETTE.values()
WIDE, ROW, MARGIN = 11.0, 0.27, 0.85
"""Inches: a figure's width, the height of one row of a plot that has rows, and of what stands around them."""
LEGIBLE = 6.1
"""pt that letters keep on a narrow screen, where a figure is scrolled rather than made smaller still."""

Row = tuple[str, float, float, float]
"""A name, a value and the ends of its interval, NaN where there is none."""

Line = tuple[str, Floats, Floats, Floats | None]
"""A name, x, y, and how many every point rests on."""

Cell = tuple[float, int]
"""A value, and how many it rests on."""


@contextmanager
def plot(title: str, height: float, width: float = WIDE) -> Iterator[tuple[Any, list[str]]]:
    """Give axes to plot on; afterwards the list holds the figure as SVG."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 10, "text.color": INK,
             "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK,
             "ytick.labelcolor": INK, "axes.edgecolor": GREY, "axes.titlelocation": "left", "axes.titlesize": 11,
             "axes.titlecolor": INK, "legend.labelcolor": INK, "text.parse_math": False}  # fmt: skip
    drawn: list[str] = []
    with rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        axes.set_title(title)
        yield axes, drawn
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn.append(inline(file.getvalue(), title))


def inline(svg: str, label: str) -> str:
    """Make a file of SVG a part of a page: its colours are the page's, its ids its own, its width the page's."""
    svg = svg[svg.index("<svg") :]
    for name, colour in PALETTE.items():
        svg = svg.replace(colour, f"var(--{name})")
    mark = re.sub(r"\W+", "-", label.lower()).strip("-")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{mark}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    smallest = min((float(size) for size in re.findall(r"font(?:-size)?: ([\d.]+)px", svg)), default=LEGIBLE)
    width = float(re.findall(r'width="([\d.]+)pt"', svg)[0])
    least = width * min(1.0, LEGIBLE / smallest)
    size = f'style="width: {width:g}pt; min-width: {least:.0f}pt" role="img" aria-label="{mark.replace("-", " ")}"'
    sized = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', size, svg, count=1)
    return f'<div class="chart">{sized}</div>'


def dots(title: str, rows: Sequence[Row], label: str, reference: float | None = None) -> str:
    """Draw values as dots with their intervals, one row a name, and a line where the reference is."""
    with plot(title, MARGIN + ROW * len(rows)) as (axes, drawn):
        place = np.arange(len(rows))
        values, low, high = np.array([row[1:] for row in rows], np.float64).reshape(-1, 3).T
        axes.hlines(place, low, high, color=BLUE, linewidth=5, alpha=0.4)
        axes.plot(values, place, "o", color=BLUE, markersize=6)
        if reference is not None:
            axes.axvline(reference, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        rows_named(axes, [name for name, *_ in rows], label)
        _room(axes, np.concatenate([values, low, high, [] if reference is None else [reference]]))
    return drawn[0]


def stacked(title: str, names: Sequence[str], parts: Sequence[tuple[str, Floats, str]], label: str) -> str:
    """Draw shares as bars laid end to end, one row a name; parts: name, share (N,) of each row, colour."""
    with plot(title, MARGIN + 0.35 + ROW * len(names)) as (axes, drawn):
        place, left = np.arange(len(names)), np.zeros(len(names))
        for name, amount, colour in parts:
            axes.barh(place, amount, 0.72, left=left, color=colour, label=name, edgecolor=CARD, linewidth=0.8)
            left = left + np.nan_to_num(amount)
        rows_named(axes, names, label)
        axes.set_xlim(0, max(1e-9, float(left.max(initial=0))))
        axes.xaxis.set_major_formatter(_percent)
        axes.figure.legend(loc="outside lower left", ncols=len(parts), frameon=False, handlelength=1.0)
    return drawn[0]


def steps(title: str, start: tuple[str, float], gains: Sequence[tuple[str, float]], label: str) -> str:
    """Draw how a number grows step by step: a waterfall from `start`, each gain beginning where the last ended."""
    names, values = [start[0], *(name for name, _ in gains)], np.array([start[1], *(gain for _, gain in gains)])
    with plot(title, MARGIN + 1.25 * ROW * len(names)) as (axes, drawn):
        place, ends = np.arange(len(names)), np.cumsum(values)
        begin = np.append(0.0, ends[:-1])
        colours = [BLUE, *np.where(values[1:] >= 0, GREEN, RED)]
        axes.barh(place, values, 0.66, left=begin, color=colours)
        axes.vlines(ends[:-1], place[:-1] + 0.33, place[1:] - 0.33, color=SOFT, linewidth=0.8)
        for row, (value, end) in enumerate(zip(values, np.maximum(begin, ends), strict=True)):
            axes.annotate(f"{value:.3f}" if not row else f"{value:+.3f}", (end, row), (5, 0), va="center",
                          textcoords="offset points", color=INK)  # fmt: skip
        rows_named(axes, names, label)
        axes.set_xlim(0, 1.08 * max(float(np.maximum(begin, ends).max()), 1e-9))
    return drawn[0]


def matrix(title: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], Cell]) -> str:
    """Draw a value and a count at every (row, column), the deeper the larger the value is."""
    most = max(max(value for value, _ in cells.values()), 1e-9)
    with plot(title, MARGIN + 0.55 * len(rows), 3.2 + 2.2 * len(columns)) as (axes, drawn):
        for (y, x), (value, count) in cells.items():
            axes.bar(x, 0.92, 0.96, y - 0.46, color=BLUE, alpha=0.06 + 0.5 * value / most)
            axes.text(x, y, f"{value:.3f}, n = {count:,}", ha="center", va="center")
        axes.set_xticks(range(len(columns)), columns)
        rows_named(axes, rows, "")
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
    return drawn[0]


def curve(title: str, lines: Sequence[Line], labels: tuple[str, str]) -> str:
    """Draw curves of y over x in [0, 1], with dots as large as their counts, beside the line where both are equal.

    lines: name, x (M,), y (M,), count (M,) or None for no dots.
    """
    with plot(title, 4.6, 6.2) as (axes, drawn):
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        for (name, x, y, count), colour in zip(lines, (BLUE, RED, GREEN), strict=False):
            axes.plot(x, y, color=colour, linewidth=1.5, label=name if count is None else None)
            if count is not None:
                axes.scatter(x, y, 12 + 120 * count / count.max(), color=colour, label=name, alpha=0.8, linewidth=0)
        axes.set(xlabel=labels[0], ylabel=labels[1], xlim=(-0.02, 1.04), ylim=(-0.02, 1.04), aspect="equal")
        axes.grid(color=LINE)
        for mark in axes.figure.legend(loc="outside lower left", frameon=False, ncols=len(lines)).legend_handles:
            if hasattr(mark, "set_sizes"):
                mark.set_sizes([40])
    return drawn[0]


def rows_named(axes: Any, names: Sequence[str], label: str) -> None:
    """Give the rows 0, 1, ... from above their names, and the horizontal axis its label."""
    axes.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=LINE)
    axes.spines["left"].set_visible(False)


def _room(axes: Any, values: Floats) -> None:
    """Show the values with some room; from 0 where that costs little, so that lengths can be compared."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = max(high - low, 0.02) * 0.06
    axes.set_xlim(0 if 0 <= low < 0.5 * high else low - room, high + room)


_percent: Callable[[float, int], str] = lambda value, _: f"{value:.0%}"  # noqa: E731
