"""Figures of people in space: beside their picture, and from the front, from the side and from above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from posewright.picture import Pixels
from posewright.scene import Floats, Person
from posewright.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDES = (("from the front", 0, 1, -1), ("from the side", 2, 1, -1), ("from above", 0, 2, 1))
"""Title, the axis across, the axis down, and which way up that is drawn."""
LEFT, RIGHT, MIDDLE = "#1f77b4", "#d62728", "#444444"
"""Colours of what is left, right, and neither."""


def figure_of(pixels: Pixels, people: Sequence[Person], skeleton: Skeleton) -> Figure:
    """Draw a picture with its people on it, and each of them in space from three sides, in mm from the root."""
    from matplotlib.figure import Figure

    rows = max(len(people), 1)
    figure = Figure(figsize=(14, 3.6 * rows))
    axes = figure.subplots(rows, 4, squeeze=False)
    for row, place in zip(axes, range(rows), strict=True):
        row[0].imshow(pixels)
        row[0].axis("off")
        if place < len(people):
            limbs_on(row[0], people[place].keypoints, skeleton)
            for axis, side in zip(row[1:], SIDES, strict=True):
                from_side(axis, people[place].points3d, skeleton, *side)
        else:
            for axis in row[1:]:
                axis.axis("off")
    return figure


def from_side(
    axis: Axes, points: Floats | None, skeleton: Skeleton, title: str, across: int, down: int, up: int
) -> None:
    """Draw points (K, 3) mm from one side; y points down, z away."""
    if points is None:
        raise ValueError("the person has no points in space to draw")
    flat = np.stack([points[:, across], up * points[:, down]], -1)
    limbs_on(axis, flat, skeleton)
    axis.set_aspect("equal")
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(f"{'xyz'[across]} mm", fontsize=8)
    axis.tick_params(labelsize=7)


def limbs_on(axis: Axes, places: Floats, skeleton: Skeleton, colour: str | None = None) -> None:
    """Draw the limbs between places (K, 2), in one colour or left, right and middle in theirs."""
    for (a, b), (first, last) in zip(skeleton.limbs, skeleton.limb_indices, strict=True):
        own = colour or colour_of(a, b)
        axis.plot(*places[[first, last]].T, color=own, linewidth=2, solid_capstyle="round")
    axis.scatter(places[:, 0], places[:, 1], s=6, color=colour or "black", zorder=3)


def colour_of(a: str, b: str) -> str:
    """Return the colour of a limb: by the side that its ends are of, where they are of one."""
    sides = {name.partition("_")[0] for name in (a, b)} & {"left", "right"}
    if len(sides) != 1:
        return MIDDLE
    return LEFT if "left" in sides else RIGHT
