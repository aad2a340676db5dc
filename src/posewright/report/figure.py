"""Figures: plots of matplotlib as SVG in the colours of the page that holds them, light or dark.

The colours are Okabe and Ito's ("Color universal design", 2002), which people who are colour-blind tell apart; the page
darkens or lightens those whose contrast with its ground would be below 3 (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any

import numpy as np

from posewright.report.svg import LEGIBLE

PALETTE = {
    "ink": "#1d2129", "soft": "#5c6470", "line": "#e3e6ea", "card": "#fffffe", "blue": "#0072b2", "sky": "#56b4e9",
    "green": "#009e73", "orange": "#e69f00", "red": "#d55e00", "pink": "#cc79a7", "grey": "#c9ced6",
}  # fmt: skip
"""Every colour that a figure may use, by its name in the page's style."""
INK, SOFT, LINE, CARD, BLUE, SKY, GREEN, ORANGE, RED, PINK, GREY = PALETTE.values()
WIDE = 11.0
"""Inches: a figure's width."""


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


def rows_named(axes: Any, names: Sequence[str], label: str) -> None:
    """Give the rows 0, 1, ... from above their names, and the horizontal axis its label."""
    axes.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=LINE)
    axes.spines["left"].set_visible(False)
