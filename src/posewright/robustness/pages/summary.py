"""The summary of a study as one picture, to put into a paper or a model card."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill as wrapped
from typing import Any

import numpy as np

from posewright.files import write_whole
from posewright.report.figure import INK, LINE, SOFT, rows_named
from posewright.report.page import Finding
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.figures import colours
from posewright.robustness.pages.sections import by_harm, change, series
from posewright.robustness.pages.words import fills_of, of_kind, spelled
from posewright.skeleton import LARGE_PARTS

FILE = "summary.png"
SIZE, DOTS = (11.0, 8.5), 160
"""Inches of the page, and its dots an inch."""
COLUMNS = 34
"""Letters of a line of a finding."""


def write_summary(study: Study, folder: Path, said: Sequence[Finding], title: str, lead: str) -> Path:
    """Write `summary.png` into a folder: the findings, what keypoints, parts and radii cost, and scores."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": 8, "text.color": INK, "axes.labelcolor": SOFT, "text.parse_math": False}):
        figure: Any = Figure(figsize=SIZE, dpi=DOTS, layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(2.4, 6.1))
        _told(above, said, title, lead)
        left, middle, right = below.subfigures(1, 3)
        _rows(left.subplots(), study, of_kind(study, "keypoints"), "One keypoint covered")
        _rows(middle.subplots(), study, _small(study), "One body part covered")
        upper, lower = right.subplots(2, 1)
        _radii(upper, study)
        _scores(lower, study)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    write_whole(folder / FILE, buffer.getvalue())
    return folder / FILE


def _told(part: Any, said: Sequence[Finding], title: str, lead: str) -> None:
    """Write the title, the protocol in a sentence, and the findings side by side."""
    part.text(0.01, 0.97, title, fontsize=15, fontweight="bold", va="top")
    part.text(0.01, 0.81, wrapped(lead, 190), fontsize=7.5, color=SOFT, va="top")
    for place, one in enumerate(said):
        x = 0.01 + place / max(len(said), 1) * 0.99
        part.text(x, 0.56, one.number, fontsize=14, fontweight="bold", va="top")
        part.text(x, 0.4, one.interval, fontsize=7.5, color=SOFT, va="top")
        part.text(x, 0.32, wrapped(one.says, COLUMNS), fontsize=7.5, va="top")


def _small(study: Study) -> list[Attack]:
    """Return the attacks on parts, those on halves of the body last."""
    return sorted(of_kind(study, "parts"), key=lambda attack: attack.target in LARGE_PARTS)


def _rows(axes: Any, study: Study, attacks: Sequence[Attack], title: str) -> None:
    """Draw what attacks cost, a row a target, the fills one below the other."""
    _bare(axes, title)
    names = by_harm(study, attacks)
    if not names:
        axes.set_axis_off()
        return
    lines = series(attacks, names, change(study, "all"))
    place, shifts = np.arange(len(names)), np.linspace(-0.26, 0.26, len(lines)) if len(lines) > 1 else [0.0]
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for (name, effects), shift, colour in zip(lines.items(), shifts, colours(lines), strict=True):
        values, low, high = _values(effects)
        axes.hlines(place + shift, low, high, color=colour, linewidth=2, alpha=0.45)
        axes.plot(values, place + shift, "o", color=colour, markersize=3.2, label=name)
    rows_named(axes, list(map(spelled, names)), "change in correct keypoints, points")
    axes.legend(loc="lower left", frameon=False, fontsize=7)


def _radii(axes: Any, study: Study) -> None:
    """Draw how the loss grows with a disc."""
    _bare(axes, "A disc on one keypoint")
    attacks = of_kind(study, "radii")
    if not attacks:
        axes.set_axis_off()
        return
    for fill, colour in zip(fills_of(attacks), colours(fills_of(attacks)), strict=True):
        some = sorted((a for a in attacks if a.fill == fill), key=lambda a: a.radius or 0.0)
        values, low, high = _values([study.changes[a.name]["all"] for a in some])
        radii = np.array([a.radius for a in some], np.float64)
        axes.fill_between(radii, low, high, color=colour, alpha=0.16, linewidth=0)
        axes.plot(radii, values, "o-", color=colour, markersize=3.2, label=fill)
    axes.set(xlabel="radius, px of a crop 192 wide", ylabel="change in correct keypoints, points")
    axes.grid(axis="y", color=LINE)
    axes.legend(frameon=False, fontsize=7)


def _scores(axes: Any, study: Study) -> None:
    """Draw by how much scores exceed what is right, in clean pictures and of covered keypoints."""
    _bare(axes, "Mean score less share correct")
    names = [CLEAN, *(f"{kind}-{fill}" for kind in ("keypoints", "parts") for fill in fills_of(of_kind(study, kind)))]
    effects = {name: study.pooled.get(name, {}).get("overconfidence") for name in names}
    known = {name: effect for name, effect in effects.items() if effect is not None and effect.value == effect.value}
    if not known:
        axes.set_axis_off()
        return
    values, low, high = _values(list(known.values()))
    place = np.arange(len(known))
    axes.axvline(0, color=SOFT, linewidth=0.8)
    axes.hlines(place, low, high, color=colours(["blackout"])[0], linewidth=2, alpha=0.45)
    axes.plot(values, place, "o", color=colours(["blackout"])[0], markersize=3.2)
    rows_named(axes, [name.replace("-", ", ") for name in known], "points; right of 0 is overconfident")


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)


def _values(effects: Sequence[Effect]) -> Any:
    """(3, N) values and the ends of their intervals, points."""
    return 100 * np.array([effect[:3] for effect in effects], np.float64).reshape(-1, 3).T
