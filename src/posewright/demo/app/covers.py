"""Covers: occluders that are put on a picture by hand, as words and as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.occlusion import fills
from posewright.occlusion.objects import cut_out, paste
from posewright.occlusion.occluder import Alpha, Fill, Occluder, beneath, window
from posewright.occlusion.presets import ATTACKS, WIDTH
from posewright.picture import Pixels
from posewright.scene import PADDING, Crop, Person
from posewright.skeleton import Skeleton
from posewright.warp import Warp

SHAPES = ("disc", "rectangle", "part")
FILLS = (*ATTACKS, "noise")
THICK = 0.1
"""Of a person's height: how wide a limb is cut out."""


class Cover(NamedTuple):
    """Say what is put on a picture: a shape, its middle (x, y) px, its size px, and what it shows.

    A part shows the limb of a person in the picture, whose place among the people and whose name it says.
    """

    shape: str
    x: float
    y: float
    width: float
    height: float
    fill: str
    person: int = 0
    part: str = ""


@dataclass(frozen=True)
class Covered:
    """A picture with covers on it: its pixels, how much of each is covered (H, W), and the windows that changed."""

    pixels: Pixels
    alpha: Alpha
    windows: list[tuple[slice, slice]]

    def beneath(self, person: Person) -> NDArray[np.bool_]:
        """(K,) which keypoints of a person lie beneath a cover."""
        return beneath(person, self.alpha)


def told(cover: Cover) -> str:
    """Write a cover as the command line takes it.

    >>> told(Cover("disc", 120.0, 80.5, 60.0, 60.0, "blur"))
    'disc:120,80.5,60,60:blur'
    """
    numbers = ",".join(f"{number:.6g}" for number in cover[1:5])
    return f"{cover.shape}:{numbers}:" + (f"{cover.person}/{cover.part}" if cover.shape == "part" else cover.fill)


def cover_of(text: str) -> Cover:
    """Read a cover from words such as disc:120,80.5,60,60:blur; raises ValueError.

    >>> cover_of("part:10,20,0,0:0/left_arm").part
    'left_arm'
    """
    shape, _, rest = text.partition(":")
    places, _, shown = rest.partition(":")
    person, _, part = shown.partition("/")
    try:
        numbers = [float(number) for number in places.split(",")]
        owner = int(person) if shape == "part" else 0
    except ValueError:
        numbers, owner = [], 0
    if len(numbers) != 4:
        raise ValueError(f"cover {text!r} must be as in disc:120,80,60,60:blur, the middle and the size in px")
    x, y, width, height = numbers
    fill, limb = ("", part) if shape == "part" else (shown, "")
    return checked(Cover(shape, x, y, width, height, fill, owner, limb))


def checked(cover: Cover) -> Cover:
    """Return a cover that can be put on; raises ValueError."""
    if cover.shape not in SHAPES:
        raise ValueError(f"no cover {cover.shape!r}; there are {', '.join(SHAPES)}")
    if cover.shape != "part" and cover.fill not in FILLS:
        raise ValueError(f"no fill {cover.fill!r}; there are {', '.join(FILLS)}")
    if not all(isfinite(number) and abs(number) < 1e5 for number in cover[1:5]):
        raise ValueError("a cover's place and size must be numbers of px")
    if cover.shape != "part" and not min(cover.width, cover.height) > 0:
        raise ValueError("a cover's width and height must be above 0 px")
    return cover


def put_on(pixels: Pixels, covers: Sequence[Cover], people: Sequence[Person], skeleton: Skeleton) -> Covered:
    """Put covers on a picture, one after the other; people: those of the clean picture, of whom parts are cut out."""
    shown = Crop(pixels, (), Warp(np.eye(3), (pixels.shape[1], pixels.shape[0])), skeleton,
                 (pixels.shape[1], pixels.shape[0]))  # fmt: skip
    alpha, windows, rng = np.zeros(pixels.shape[:2], np.float32), [], np.random.default_rng(0)
    for cover in covers:
        occluder = _occluder(cover, pixels, people, skeleton)
        if occluder is None:
            continue
        over = occluder.region(shown, rng)
        shown = occluder.over(shown, over, rng)
        alpha = np.maximum(alpha, over)
        if (changed := window(over)) is not None:
            windows.append(changed)
    return Covered(shown.pixels, alpha, windows)


def _occluder(cover: Cover, pixels: Pixels, people: Sequence[Person], skeleton: Skeleton) -> Occluder | None:
    """Return what hides; None for the part of a person who is not there."""
    if cover.shape == "part":
        mask = _part(cover, pixels, people, skeleton)
        return paste(cut_out(pixels, mask), (cover.x, cover.y)) if mask.any() else None
    return Occluder(lambda crop, rng: _area(cover, crop), _fill(cover.fill, pixels, people))  # noqa: ARG005


def _area(cover: Cover, crop: Crop) -> Alpha:
    """(H, W) 1 within an ellipse or a rectangle."""
    rows, columns = np.ogrid[: crop.pixels.shape[0], : crop.pixels.shape[1]]
    x, y = (columns - cover.x) / (cover.width / 2), (rows - cover.y) / (cover.height / 2)
    inside = x**2 + y**2 <= 1 if cover.shape == "disc" else (abs(x) <= 1) & (abs(y) <= 1)
    return inside.astype(np.float32)


def _fill(name: str, pixels: Pixels, people: Sequence[Person]) -> Fill:
    """Return a fill; blur is as strong as the study's on a crop of the largest person."""
    if name == "noise":
        return fills.noise
    if name != "blur":
        return ATTACKS[name]
    wide = max((float(p.box[2] - p.box[0]) for p in people if p.box is not None), default=float(pixels.shape[1]))
    padding = PADDING if isinstance(PADDING, float) else PADDING[0]
    return fills.Blur(31, 5.0, WIDTH * pixels.shape[1] / max(padding * wide, 1.0))


def _part(cover: Cover, pixels: Pixels, people: Sequence[Person], skeleton: Skeleton) -> NDArray[np.bool_]:
    """(H, W) where the limb of a person is: a thick line through its keypoints."""
    mask: Any = np.zeros(pixels.shape[:2], np.uint8)
    if cover.person not in range(len(people)) or cover.part not in skeleton.parts:
        return mask > 0
    person = people[cover.person]
    known = np.array([person.keypoints[skeleton.index(name)] for name in skeleton.parts[cover.part]])
    known = known[np.isfinite(known).all(1)]
    if len(known) and person.box is not None:
        thick = max(3, round(THICK * float(max(person.box[2:] - person.box[:2]))))
        points = np.rint(np.clip(known, -1e4, 1e4)).astype(np.int32)
        cv2.polylines(mask, [points], len(points) > 3, 255, thick)
        if len(points) > 2:
            cv2.fillConvexPoly(mask, cv2.convexHull(points), 255)
    return np.asarray(mask > 0)
