"""Drawings: poses on pictures, and many pictures on one sheet.

The person's left is sky blue, their right is vermilion and what is in the middle is yellow, three colours that
people who are colour-blind tell apart (Okabe and Ito, "Color universal design", 2002). Where there are several people
each has a colour, of which their left is a light shade and their right a dark one. Every line has a dark edge, so that
it shows on any ground.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.picture import Pixels
from posewright.scene import HIDDEN, Floats, Person, box_around
from posewright.skeleton import Skeleton
from posewright.warp import Size

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

COLOURS: dict[str, Colour] = {"left": (86, 180, 233), "right": (213, 94, 0), "middle": (240, 228, 66)}
OF_PEOPLE: tuple[Colour, ...] = ((86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66),
                                (213, 94, 0), (0, 114, 178), (160, 160, 160))  # fmt: skip
"""A person's colour, by id where it is a number, else by place; they start anew behind the last."""
SHADES = {"left": (255, 0.45), "right": (0, 0.4), "middle": (0, 0.0)}
"""Towards which grey a person's colour is mixed on each side, and how much."""
EDGE: Colour = (20, 20, 20)
EDGE_SHARE = 0.6
"""How opaque an edge is beside its line, so that small people do not turn black."""
PAPER: Colour = (250, 250, 250)
FAINTEST = 0.2
"""How opaque a keypoint of score 0 is drawn: faint, but there."""
SLENDERNESS = 130
"""How many times as long as a line is wide a person's box is, across its diagonal."""
FAR = 1e5
"""Points further away than this (px) are drawn as if they were there; OpenCV counts in 32 bits."""

_FRACTION = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw(
    pixels: Pixels,
    people: Iterable[Person],
    skeleton: Skeleton,
    *,
    boxes: bool = False,
    width: int | None = None,
    ids: bool = False,
    least: float = 0.0,
) -> Pixels:
    """Draw poses on a copy of a picture (H, W, 3).

    Limbs are `width` px wide, by default as wide as the person is large. What has a low score is drawn faint,
    never left out: a keypoint by its own score (the person's where it has none), a limb by the lower one of its
    ends. A keypoint that is seen, or predicted, is a disc; a hidden one a ring; an absent one is not there. boxes:
    draw the people's boxes as well; ids: and write ids above their heads. least: leave out keypoints of a lower score.
    Several people have a colour each, shaded by side. Raises ValueError where a person has not the skeleton's
    keypoints.

    >>> from posewright.datasets.synthetic import world
    >>> (scene,) = world(1, seed=0)
    >>> draw(scene.pixels(), scene.people, scene.skeleton).shape == scene.pixels().shape
    True
    """
    canvas, everybody = pixels.copy(), list(people)
    for place, person in enumerate(everybody):
        if len(person) != len(skeleton):
            raise ValueError(f"a person has {len(person)} keypoints, but {skeleton.name} has {len(skeleton)}")
        wide = _width(person) if width is None else width
        if boxes and person.box is not None:
            _draw_box(canvas, person.box, wide, _opacity(1.0 if person.score is None else person.score))
        shown = _sure(person, least)
        if shown.labelled.any():
            colours = _colours(person, place) if len(everybody) > 1 or (ids and person.id is not None) else COLOURS
            _draw_person(canvas, pixels, shown, skeleton, wide, colours)
            if ids and person.id is not None:
                _write_id(canvas, shown, wide, colours["middle"])
    return canvas


def sheet(
    pictures: Sequence[Pixels],
    columns: int,
    captions: Sequence[str] | None = None,
    *,
    cell: Size = (256, 256),
    gap: int = 8,
) -> Pixels:
    """Lay pictures out on one sheet, row by row, each scaled to fit its cell with its caption below.

    cell (width, height) and gap in px. A caption that is too long ends in "..."; letters beyond ASCII
    become "?", as OpenCV's font has no others. Raises ValueError without pictures, or where captions are not
    as many.

    >>> sheet([np.zeros((10, 20, 3), np.uint8)] * 3, 2, cell=(20, 10), gap=1).shape
    (23, 43, 3)
    """
    if not pictures or columns < 1:
        raise ValueError(f"a sheet needs pictures and columns, not {len(pictures)} in {columns} columns")
    if captions is not None and len(captions) != len(pictures):
        raise ValueError(f"{len(captions)} captions for {len(pictures)} pictures")
    columns, (width, height) = min(columns, len(pictures)), cell
    line = 0 if captions is None else 20
    rows = -(-len(pictures) // columns)
    shape = (gap + rows * (height + line + gap), gap + columns * (width + gap), 3)
    page = np.full(shape, PAPER, np.uint8)
    for place, picture in enumerate(pictures):
        top = gap + place // columns * (height + line + gap)
        left = gap + place % columns * (width + gap)
        _place(page[top : top + height, left : left + width], picture)
        if captions is not None:
            _write(page[top + height : top + height + line, left : left + width], captions[place])
    return page


def side_of(*names: str) -> str:
    """Tell whose colour a keypoint or a limb has: left, right, or middle where it is neither or joins both.

    >>> side_of("left_hip", "left_knee"), side_of("neck", "left_hip"), side_of("left_hip", "right_hip")
    ('left', 'left', 'middle')
    """
    sides = {name.partition("_")[0] for name in names} & {"left", "right"}
    return sides.pop() if len(sides) == 1 else "middle"


def _colours(person: Person, place: int) -> dict[str, Colour]:
    """Return the shades of a person's colour."""
    number = person.id if isinstance(person.id, int) else place
    red, green, blue = OF_PEOPLE[number % len(OF_PEOPLE)]

    def mixed(grey: int, share: float) -> Colour:
        return tuple(round(one + share * (grey - one)) for one in (red, green, blue))  # type: ignore[return-value]

    return {side: mixed(*shade) for side, shade in SHADES.items()}


def _sure(person: Person, least: float) -> Person:
    """Return a person without the keypoints of lower score than `least`."""
    if person.scores is None or least <= 0:
        return person
    there = person.scores >= least
    visible = None if person.visible is None else np.where(there, person.visible, 0).astype(person.visible.dtype)
    return replace(person, keypoints=np.where(there[:, None], person.keypoints, np.nan), visible=visible)


def _write_id(canvas: Pixels, person: Person, width: int, colour: Colour) -> None:
    x0, y0, x1, _ = np.clip(box_around(person.keypoints), -FAR, FAR)
    text, scale = str(person.id), max(0.45, 0.12 * width)
    across = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    at = (round((x0 + x1 - across) / 2), max(round(18 * scale), round(y0) - 4 * width))
    for ink, thick in ((EDGE, 3 + width // 3), (colour, 1 + width // 4)):
        cv2.putText(canvas, text, at, _FONT, scale, ink, thick, cv2.LINE_AA)


def _draw_person(
    canvas: Pixels, below: Pixels, person: Person, skeleton: Skeleton, width: int, colours: Mapping[str, Colour]
) -> None:
    there, xy = person.labelled, np.clip(person.keypoints, -FAR, FAR)
    scores = np.full(len(person), 1.0 if person.score is None else person.score)
    opacity = [_opacity(score) for score in (scores if person.scores is None else person.scores)]
    for a, b in skeleton.limb_indices:
        if there[a] and there[b]:
            colour = colours[side_of(skeleton.keypoints[a], skeleton.keypoints[b])]
            _draw_line(canvas, xy[a], xy[b], colour, width, min(opacity[a], opacity[b]))
    for k in np.flatnonzero(there):
        _draw_disc(canvas, xy[k], colours[side_of(skeleton.keypoints[k])], _radius(width), opacity[k])
        if person.visible is not None and person.visible[k] == HIDDEN:
            _fill_discs(canvas, xy[k], [(below, _radius(width) - max(1.0, width / 2), 1.0)])


def _draw_line(canvas: Pixels, a: Floats, b: Floats, colour: Colour, width: int, opacity: float) -> None:
    ends = np.stack([a, b])
    start, shape = _window(canvas, ends, width + 2)
    layers = []
    for ink, wide, share in ((EDGE, width + 2, EDGE_SHARE), (colour, width, 1.0)):
        own, (high, across) = _window(canvas, ends, wide)
        x, y = (own - start).tolist()
        mask = np.zeros(shape, np.uint8)
        part = mask[y : y + high, x : x + across]
        cv2.line(part, _fixed(a - own), _fixed(b - own), 255, wide, cv2.LINE_AA, _FRACTION)
        layers.append((mask, ink, opacity * share))
    _blend(canvas, start, layers)


def _draw_disc(canvas: Pixels, at: Floats, colour: Colour, radius: float, opacity: float) -> None:
    _fill_discs(canvas, at, [(EDGE, radius + 1, opacity * EDGE_SHARE), (colour, radius, opacity)])


def _fill_discs(canvas: Pixels, at: Floats, discs: Sequence[tuple[Colour | Pixels, float, float]]) -> None:
    """Fill discs of (ink, radius px, opacity) around a point, the largest first."""
    start, shape = _window(canvas, at[None], int(discs[0][1]) + 2)
    layers = []
    for ink, radius, opacity in discs:
        mask = np.zeros(shape, np.uint8)
        cv2.circle(mask, _fixed(at - start), round(radius * 2**_FRACTION), 255, -1, cv2.LINE_AA, _FRACTION)
        layers.append((mask, ink, opacity))
    _blend(canvas, start, layers)


def _draw_box(canvas: Pixels, box: Floats, width: int, opacity: float) -> None:
    x0, y0, x1, y1 = np.clip(box, -FAR, FAR)
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        _draw_line(canvas, a, b, PAPER, max(1, width // 2), opacity)


def _window(canvas: Pixels, points: Floats, margin: int) -> tuple[NDArray[np.int_], tuple[int, int]]:
    """Return the corner (x, y) and the shape (h, w), at least a pixel, of the canvas' part around points."""
    corner, shape = [], []
    for across, size in zip(points.T.tolist(), (canvas.shape[1], canvas.shape[0]), strict=True):
        start = min(max(floor(min(across)) - margin, 0), size - 1)
        stop = min(max(ceil(max(across)) + margin + 1, start + 1), size)
        corner.append(start)
        shape.append(stop - start)
    return np.array(corner), (shape[1], shape[0])


def _blend(
    canvas: Pixels,
    start: NDArray[np.int_],
    layers: Sequence[tuple[NDArray[np.uint8], Colour | Pixels, float]],
) -> None:
    """Lay inks over the canvas, one upon the other, each where its mask says and as opaque as it is told.

    A mask (h, w) lies at `start`; an ink is a colour, or another picture of the canvas' size.
    """
    height, width = layers[0][0].shape
    part = np.s_[start[1] : start[1] + height, start[0] : start[0] + width]
    window = canvas[part]
    touched = reduce(np.bitwise_or, [mask for mask, _, _ in layers]).nonzero()
    below = window[touched].astype(np.float32)
    for mask, ink, opacity in layers:
        cover = np.asarray(ink[part][touched] if isinstance(ink, np.ndarray) else ink, np.float32)
        weight = mask[touched].astype(np.float32)[:, None] * np.float32(opacity / 255)
        below = np.rint(below + weight * (cover - below))
    window[touched] = below.astype(np.uint8)


def _fixed(point: Floats) -> tuple[int, int]:
    """Return a point as OpenCV takes it, with 1/16 px."""
    x, y = point.tolist()
    return round(x * 2**_FRACTION), round(y * 2**_FRACTION)


def _opacity(score: float) -> float:
    return FAINTEST + (1 - FAINTEST) * float(np.clip(np.nan_to_num(score), 0, 1))


def _radius(width: int) -> float:
    return 1.0 + 1.1 * width


def _width(person: Person) -> int:
    if person.box is None and not person.labelled.any():
        return 1
    x0, y0, x1, y1 = box_around(person.keypoints) if person.box is None else person.box
    return max(1, round(float(np.hypot(x1 - x0, y1 - y0)) / SLENDERNESS))


def _place(cell: Pixels, picture: Pixels) -> None:
    """Fit a picture into a cell, in its middle."""
    (height, width), (high, wide) = picture.shape[:2], cell.shape[:2]
    scale = min(high / height, wide / width)
    size = (max(1, min(wide, round(width * scale))), max(1, min(high, round(height * scale))))
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (high - size[1]) // 2, (wide - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = fitted


def _write(strip: Pixels, text: str) -> None:
    """Write one line into a strip, as much of it as fits."""
    text = " ".join(text.encode("ascii", "replace").decode().split())
    scale = 0.45

    def length(line: str) -> int:
        return int(cv2.getTextSize(line, _FONT, scale, 1)[0][0])

    if length(text) > strip.shape[1]:
        while text and length(text + "...") > strip.shape[1]:
            text = text[:-1]
        text += "..."
    ink = strip.copy()
    cv2.putText(ink, text, (0, 14), _FONT, scale, EDGE, 1, cv2.LINE_AA)
    strip[:] = ink
