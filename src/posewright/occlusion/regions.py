"""Regions: where an occluder lies.

Lengths are px of the crop; where a `width` is given, px of a crop that wide, and they scale with the crop's:
with width=1 a radius of 0.1 is a tenth of the crop's width.
A region that is aimed at a person covers nothing where there is no such person, or where what it is aimed at
is absent. All edges are hard: alpha is 0 or 1, except where a shape brings its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.occlusion.occluder import Alpha, Region, placed
from posewright.scene import Crop, Floats, box_around

Ranges = tuple[float, float]


@dataclass(frozen=True)
class Nothing:
    """Cover nothing: what every attack is compared with."""

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        return _none(crop)


@dataclass(frozen=True)
class KeypointDisc:
    """Cover a disc around a keypoint: the pixels whose centre is at most `radius` from it.

    shift: the centre moves by a vector drawn evenly from a disc of shift * radius.
    Pytel et al. 2020 (arXiv:2010.10451, section III): radius 6 on a crop 192 wide.
    """

    keypoint: str
    radius: float
    width: float | None = None
    shift: float = 0.0
    person: int = 0

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        radius = _px(self.radius, self.width, crop)
        (x, y), *_ = _keypoints(crop, self.person, (self.keypoint,))
        if self.shift:
            angle, reach = rng.uniform(0, 2 * np.pi), self.shift * radius * sqrt(rng.random())
            x, y = x + reach * np.cos(angle), y + reach * np.sin(angle)
        alpha = _none(crop)
        if np.isfinite(x + y):
            left, top = max(int(x - radius), 0), max(int(y - radius), 0)
            near = alpha[top : max(int(y + radius) + 2, 0), left : max(int(x + radius) + 2, 0)]
            rows, columns = np.ogrid[top : top + near.shape[0], left : left + near.shape[1]]
            near[...] = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        return alpha


@dataclass(frozen=True)
class KeypointDiscs:
    """Cover discs on at most `most` of a person's keypoints, different ones, each with a chance of its own.

    radius, width, shift: as of `KeypointDisc`. most=1 with chance=1 is a disc on any one keypoint.
    """

    most: int
    radius: float
    chance: float = 1.0
    width: float | None = None
    shift: float = 0.0
    person: int = 0

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        known = crop.people[self.person].labelled if self.person < len(crop.people) else np.zeros(0, bool)
        drawn = [k for k in rng.permutation(np.flatnonzero(known))[: self.most] if rng.random() < self.chance]
        names = [crop.skeleton.keypoints[k] for k in drawn]
        discs = [KeypointDisc(name, self.radius, self.width, self.shift, self.person) for name in names]
        return Together(tuple(discs))(crop, rng)


@dataclass(frozen=True)
class PartRectangle:
    """Cover the smallest upright rectangle of whole pixels that holds the keypoints of a body part.

    Pytel et al. 2020 (section III, Fig. 2). Departure: their code widens the head by a fifth and the hips to
    twice their extent, and guesses at parts that are labelled in part; the paper's rectangle does not.
    A part of which fewer than two keypoints are labelled has no rectangle.
    """

    part: str
    person: int = 0

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        if self.part not in crop.skeleton.parts:
            raise KeyError(f"{crop.skeleton.name} has no part {self.part!r}; it has {', '.join(crop.skeleton.parts)}")
        xy = _keypoints(crop, self.person, crop.skeleton.parts[self.part])
        xy = xy[np.isfinite(xy).all(-1)]
        return rectangle(crop, box_around(xy)) if len(xy) > 1 else _none(crop)


@dataclass(frozen=True)
class Rectangle:
    """Cover the pixels whose centre lies in a box xyxy, edges included."""

    box: tuple[float, float, float, float]

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        x0, y0, x1, y1 = self.box
        return rectangle(crop, np.array([np.ceil(x0), np.ceil(y0), np.floor(x1), np.floor(y1)]))


@dataclass(frozen=True)
class RandomSquare:
    """Cover a square around a pixel drawn from the whole crop; what hangs over the border is cut off.

    DeVries and Taylor 2017 (arXiv:1708.04552, section 3), "Cutout".
    """

    side: float
    width: float | None = None

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        height, width = crop.pixels.shape[:2]
        side = round(_px(self.side, self.width, crop))
        x, y = rng.integers(width) - side // 2, rng.integers(height) - side // 2
        return rectangle(crop, np.array([x, y, x + side - 1, y + side - 1]))


@dataclass(frozen=True)
class RandomRectangle:
    """Cover a rectangle of a share of the crop's area and of an aspect, both drawn, that lies wholly inside.

    Zhong et al. 2017 (arXiv:1708.04896, Algorithm 1), "random erasing": shape and place are drawn again until it
    fits; here at most 100 times, then nothing is covered.
    """

    area: Ranges = (0.02, 0.4)
    aspect: Ranges = (0.3, 1 / 0.3)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        height, width = crop.pixels.shape[:2]
        for _ in range(100):
            area, aspect = rng.uniform(*self.area) * height * width, rng.uniform(*self.aspect)
            h, w = round(sqrt(area * aspect)), round(sqrt(area / aspect))
            x, y = rng.integers(width), rng.integers(height)
            if x + w <= width and y + h <= height:
                return rectangle(crop, np.array([x, y, x + w - 1, y + h - 1]))
        return _none(crop)


@dataclass(frozen=True)
class Hole:
    """Cover a rectangle whose height and width are shares of the crop's, each drawn, that lies wholly inside.

    albumentations' CoarseDropout with one hole, as MMPose trains RTMPose: from 0.2 to 0.4 of each side.
    """

    share: Ranges = (0.2, 0.4)

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        height, width = crop.pixels.shape[:2]
        h, w = (max(1, int(side * rng.uniform(*self.share))) for side in (height, width))
        x, y = rng.integers(width - w + 1), rng.integers(height - h + 1)
        return rectangle(crop, np.array([x, y, x + w - 1, y + h - 1]))


@dataclass(frozen=True)
class Grid:
    """Cover the squares of a grid whose unit, a length of px, and whose offset are drawn.

    A unit of d px holds one covered square of side (1 - kept) * d. Chen et al. 2020 (arXiv:2001.04086,
    section 3.2), "GridMask": kept is their r, unit their d.
    """

    unit: Ranges = (96.0, 224.0)
    kept: float = 0.6
    width: float | None = None

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        height, width = crop.pixels.shape[:2]
        unit = max(2, round(_px(rng.uniform(*self.unit), self.width, crop)))
        side = round((1 - self.kept) * unit)
        rows = (np.arange(height) + rng.integers(unit)) % unit < side
        columns = (np.arange(width) + rng.integers(unit)) % unit < side
        return (rows[:, None] & columns).astype(np.float32)


@dataclass(frozen=True)
class Cells:
    """Cover each cell of a grid with a chance of its own; the side of the cells is drawn from `sides`, 0 for none.

    Singh and Lee 2017 (arXiv:1704.04232, section 3.1), "Hide-and-Seek": sides 16, 32, 44, 56 or none on 224.
    """

    sides: tuple[int, ...] = (0, 16, 32, 44, 56)
    chance: float = 0.5
    width: float | None = None

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        height, width = crop.pixels.shape[:2]
        side = round(_px(self.sides[rng.integers(len(self.sides))], self.width, crop))
        if side <= 0:
            return _none(crop)
        covered = rng.random((-(-height // side), -(-width // side))) < self.chance
        return covered.repeat(side, 0).repeat(side, 1)[:height, :width].astype(np.float32)


@dataclass(frozen=True)
class LimbBar:
    """Cover a bar along a limb: the pixels at most half of `thickness` from the line between its two keypoints."""

    limb: tuple[str, str]
    thickness: float
    width: float | None = None
    person: int = 0

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        start, end = _keypoints(crop, self.person, self.limb)
        reach = _px(self.thickness / 2, self.width, crop)
        rows, columns = np.indices(crop.pixels.shape[:2])
        place = np.stack([columns, rows], -1) - start
        along = end - start
        share = np.clip(place @ along / max(float(along @ along), 1e-9), 0, 1)
        with np.errstate(invalid="ignore"):
            return (np.linalg.norm(place - share[..., None] * along, axis=-1) <= reach).astype(np.float32)


@dataclass(frozen=True)
class Silhouette:
    """Cover a person's mask, grown by `margin` px; raises ValueError where the person has none."""

    margin: int = 0
    person: int = 0

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        if self.person >= len(crop.people):
            return _none(crop)
        mask = crop.people[self.person].mask
        if mask is None:
            raise ValueError("the person has no mask to cover; read the data with masks, or draw the world")
        alpha = mask.astype(np.float32)
        if self.margin:
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * self.margin + 1,) * 2)
            alpha = np.asarray(cv2.dilate(alpha, disc), np.float32)
        return alpha


@dataclass(frozen=True, eq=False)
class Shape:
    """Cover an object's shape: alpha (h, w) in [0, 1], its middle at `centre` px, cut off at the border.

    Its first pixel is round(centre) - size // 2, halves to even (Sarandi et al. 2018, arXiv:1808.09316, released code).
    """

    alpha: NDArray[np.floating]
    centre: tuple[float, float]

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        return placed(np.asarray(self.alpha, np.float32), self.centre, crop.pixels.shape[:2])


@dataclass(frozen=True)
class Together:
    """Cover what any of several regions covers."""

    regions: tuple[Region, ...]

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:
        return np.max([_none(crop), *(region(crop, rng) for region in self.regions)], axis=0)


def rectangle(crop: Crop, box: Floats) -> Alpha:
    """Return the alpha of the pixels from corner to corner of a box xyxy, rounded to whole pixels, both included."""
    alpha = _none(crop)
    x0, y0, x1, y1 = np.rint(box).astype(int)
    alpha[max(y0, 0) : max(y1 + 1, 0), max(x0, 0) : max(x1 + 1, 0)] = 1
    return alpha


def _px(length: float, width: float | None, crop: Crop) -> float:
    """Return a length in px of the crop, where a width is given from px of a crop that wide."""
    return length * (1.0 if width is None else crop.pixels.shape[1] / width)


def _none(crop: Crop) -> Alpha:
    return np.zeros(crop.pixels.shape[:2], np.float32)


def _keypoints(crop: Crop, person: int, names: tuple[str, ...]) -> Floats:
    """Return a person's keypoints (N, 2) by name; NaN where they are absent, or nobody is there."""
    places = [crop.skeleton.index(name) for name in names]
    return crop.people[person].keypoints[places] if person < len(crop.people) else np.full((len(names), 2), np.nan)
