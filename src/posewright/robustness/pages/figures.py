"""Figures of a study: changes with their intervals, by keypoint, by part, by radius, and who influences whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from posewright.report.figure import BLUE, GREEN, GREY, INK, LINE, ORANGE, PINK, RED, SKY, SOFT, plot, rows_named
from posewright.robustness.numbers.effect import Effect

HALF = 5.2
"""Inches: the width of a figure of which two stand side by side on a wide page."""
MATRIX = 4.45
"""Inches: of a matrix, whose figures are small already and may not shrink."""
KNOWN = {"blackout": BLUE, "meanout": ORANGE, "blur": GREEN, "surroundings": PINK, "right": GREEN, "wrong": RED}
OTHERS = (BLUE, ORANGE, GREEN, PINK, SKY, RED)
PALE = 0.12
"""How strong the colour is of a change that does not stay clear among so many."""
NUMBERED = 0.055
"""A change from which on its cell of a matrix says it in figures."""
Series = Mapping[str, Sequence[Effect]]
"""Effects by the name of what is compared, one for every row."""


class Spot(NamedTuple):
    """A point of a scatter: its colour's name, its own name, "" where it is not to be written, and two effects."""

    group: str
    name: str
    x: Effect
    y: Effect


def compared(
    title: str, names: Sequence[str], series: Series, label: str, width: float = HALF, scale: float = 100
) -> str:
    """Draw effects as dots with their intervals, one row a name, the series of a row one below the other."""
    lane = 0.115 * max(len(series), 2.0)
    with plot(title, 0.95 + lane * len(names), width) as (axes, drawn):
        place, shifts = np.arange(len(names)), np.linspace(-0.26, 0.26, len(series)) if len(series) > 1 else [0.0]
        axes.axvline(0, color=SOFT, linewidth=1)
        for (name, effects), shift, colour in zip(series.items(), shifts, colours(series), strict=True):
            values, low, high = _columns(effects, scale)
            axes.hlines(place + shift, low, high, color=colour, linewidth=2.4, alpha=0.45)
            axes.plot(values, place + shift, "o", color=colour, markersize=4, label=name)
        rows_named(axes, names, label)
        _legend(axes, series)
    return drawn[0]


def growing(
    title: str, radii: Sequence[float], series: Series, label: str, sizes: str = "radius, px of a crop 192 wide"
) -> str:
    """Draw how effects change with the radius, or another size, a line with its band for each of the series."""
    with plot(title, 3.1, HALF) as (axes, drawn):
        axes.axhline(0, color=SOFT, linewidth=1)
        for (name, effects), colour in zip(series.items(), colours(series), strict=True):
            values, low, high = _columns(effects, 100)
            axes.fill_between(radii, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(radii, values, "o-", color=colour, markersize=4, linewidth=1.8, label=name)
        axes.set_xticks(radii, [f"{radius:g}" for radius in radii])
        axes.set(xlabel=sizes, ylabel=label)
        axes.grid(axis="y", color=LINE)
        _legend(axes, series)
    return drawn[0]


def influences(
    title: str, rows: Sequence[str], columns: Sequence[str], cells: Mapping[tuple[int, int], tuple[Effect, str]],
    most: float, rule: int | None = None, firm: Collection[tuple[int, int]] | None = None,
) -> str:  # fmt: skip
    """Draw who influences whom: red where the row's attack lowers the column's keypoint, blue where it raises it.

    cells: by row and column an effect and its verdict; none and small are a dot, undecided a grey cell, and what is
    not there stays empty. most: the change that is shown in full colour. rule: the row above which a line is drawn.
    firm: the cells that stay coloured although so many are looked at, by default all; in others a change is pale,
    without its number.
    """
    with plot(title, 1.3 + 0.215 * len(rows), MATRIX) as (axes, drawn):
        for (row, column), (effect, verdict) in cells.items():
            if verdict in ("none", "small"):
                axes.plot(column, row, ".", color=GREY, markersize=3)
            elif verdict == "undecided":
                _cell(axes, row, column, GREY, 0.45)
            elif verdict in ("lower", "higher"):
                colour = RED if verdict == "lower" else BLUE
                if firm is not None and (row, column) not in firm:
                    _cell(axes, row, column, colour, PALE)
                    continue
                _cell(axes, row, column, colour, 0.2 + 0.5 * min(1.0, abs(effect.value) / most))
                if abs(effect.value) >= NUMBERED:
                    said = f"{100 * effect.value:+.0f}".replace("-", "\u2212")
                    axes.text(column, row, said, ha="center", va="center", fontsize=7)
        if rule is not None:
            axes.axhline(rule - 0.5, color=SOFT, linewidth=1)
        rows_named(axes, rows, "")
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.set_xlim(-0.55, len(columns) - 0.45)
        axes.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns], rotation=90)
        axes.xaxis.set_label_position("top")
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        axes.grid(visible=False)
    return drawn[0]


def scatter(title: str, spots: Sequence[Spot], labels: tuple[str, str], scales: tuple[float, float]) -> str:
    """Draw one effect against another, each with its two intervals."""
    groups = list(dict.fromkeys(spot.group for spot in spots))
    with plot(title, 4.3, HALF) as (axes, drawn):
        axes.axhline(0, color=SOFT, linewidth=1)
        axes.axvline(0, color=SOFT, linewidth=1)
        for group, colour in zip(groups, colours(groups), strict=True):
            some = [spot for spot in spots if spot.group == group]
            x, x_low, x_high = _columns([spot.x for spot in some], scales[0])
            y, y_low, y_high = _columns([spot.y for spot in some], scales[1])
            axes.hlines(y, x_low, x_high, color=colour, linewidth=0.8, alpha=0.35)
            axes.vlines(x, y_low, y_high, color=colour, linewidth=0.8, alpha=0.35)
            axes.plot(x, y, "o", color=colour, markersize=4.5, label=group)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        axes.grid(color=LINE)
        _legend(axes, groups)
        _name_spots(axes, spots, scales)
    return drawn[0]


def _name_spots(axes: Any, spots: Sequence[Spot], scales: tuple[float, float]) -> None:
    """Write the names of spots beside them where they have room; a name that would lie on another stays away."""
    axes.figure.draw_without_rendering()
    taken: list[Any] = []
    for spot in sorted((spot for spot in spots if spot.name), key=lambda spot: spot.y.value):
        at = (scales[0] * spot.x.value, scales[1] * spot.y.value)
        for shift, side in (((6, 3), "left"), ((-6, 3), "right"), ((6, -10), "left"), ((-6, -10), "right")):
            text = axes.annotate(spot.name, at, shift, textcoords="offset points", fontsize=8, color=INK, ha=side)
            room = text.get_window_extent()
            if axes.bbox.x0 < room.x0 and room.x1 < axes.bbox.x1 and not any(room.overlaps(one) for one in taken):
                taken.append(room)
                break
            text.remove()


def beside(figures: Iterable[str]) -> str:
    """Lay figures side by side as far as the page is wide enough."""
    return f'<div class="side">{"".join(figures)}</div>'


def colours(names: Iterable[str]) -> list[str]:
    """Return a colour for every name; fills have the same everywhere."""
    free = iter(OTHERS * 9)
    return [KNOWN.get(name) or next(free) for name in names]


def _columns(effects: Sequence[Effect], scale: float) -> Any:
    """(3, N) values and the ends of their intervals."""
    return scale * np.array([effect[:3] for effect in effects], np.float64).reshape(-1, 3).T


def _cell(axes: Any, row: int, column: int, colour: str, alpha: float) -> None:
    axes.bar(column, 0.9, 0.9, row - 0.45, color=colour, alpha=alpha, linewidth=0)


def _legend(axes: Any, names: Iterable[str]) -> None:
    count = len(list(names))
    if count > 1:
        axes.figure.legend(loc="outside lower left", ncols=count, frameon=False, handlelength=1.2, columnspacing=1.2)
