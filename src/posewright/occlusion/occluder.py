"""An occluder covers a region of a crop with a fill, and marks what it covers as hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.picture import Pixels
from posewright.scene import HIDDEN, SEEN, Cause, Crop, Person

Alpha = NDArray[np.float32]
"""(H, W) in [0, 1]: how much of a pixel is covered."""
Region = Callable[[Crop, np.random.Generator], Alpha]
Fill = Callable[[Pixels, Alpha, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Occluder:
    """Cover a region with a fill.

    Pixels where alpha is 0 keep their value, those in between mix to alpha * fill + (1 - alpha) * pixel, cut
    to whole numbers; a seen keypoint on a pixel covered by half or more becomes hidden, by an object;
    nothing else about the people changes, and none of their keypoints is dropped.

    >>> from posewright.occlusion.fills import black
    >>> from posewright.occlusion.regions import KeypointDisc
    >>> nose_hidden = Occluder(KeypointDisc("nose", radius=18), black)  # call it with a crop and a generator
    """

    region: Region
    fill: Fill

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Return the crop as it looks behind the occluder."""
        return self.over(crop, self.region(crop, rng), rng)

    def over(self, crop: Crop, alpha: Alpha, rng: np.random.Generator) -> Crop:
        """Return the crop with the fill where `alpha` says, whatever the region."""
        covered = window(alpha)
        if covered is None:
            return crop
        pixels = _mixed(crop.pixels, self.fill(crop.pixels, alpha, rng), alpha, covered)
        return replace(crop, pixels=pixels, people=tuple(hide(person, alpha) for person in crop.people))


def window(alpha: Alpha) -> tuple[slice, slice] | None:
    """Return the rows and columns of the smallest rectangle that holds all that is covered, None if nothing is."""
    x, y, width, height = cv2.boundingRect((alpha > 0).view(np.uint8))
    return np.s_[y : y + height, x : x + width] if width else None


def _mixed(pixels: Pixels, filled: Pixels, alpha: Alpha, covered: tuple[slice, slice]) -> Pixels:
    part, mixed = alpha[covered], pixels.copy()
    hard = part == 1
    if np.array_equal(hard, part):
        cv2.copyTo(np.ascontiguousarray(filled[covered]), hard.view(np.uint8), mixed[covered])
    else:
        part = part[..., None]
        mixed[covered] = (part * filled[covered] + (1 - part) * pixels[covered]).astype(np.uint8)
    return mixed


def hide(person: Person, alpha: Alpha) -> Person:
    """Mark the seen keypoints of a person, in crop px, that lie on a pixel covered by half or more."""
    if person.visible is None:
        return person
    covered = beneath(person, alpha) & (person.visible == SEEN)
    if not covered.any():
        return person
    cause = None if person.cause is None else np.where(covered, Cause.OBJECT, person.cause).astype(np.uint8)
    return replace(person, visible=np.where(covered, HIDDEN, person.visible).astype(np.uint8), cause=cause)


def beneath(person: Person, alpha: Alpha) -> NDArray[np.bool_]:
    """(K,) where a labelled keypoint, in crop px, lies on a pixel that is covered by half or more."""
    height, width = alpha.shape
    x, y = np.rint(np.where(np.isnan(person.keypoints), -1.0, person.keypoints)).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.asarray(inside & (alpha[np.where(inside, y, 0), np.where(inside, x, 0)] >= 0.5))


def placed(shape: NDArray, centre: tuple[float, float], canvas: tuple[int, int]) -> NDArray:
    """Put an array (h, w, ...) on an empty canvas (height, width, ...), its middle at `centre` (x, y)."""
    found = np.zeros((*canvas, *shape.shape[2:]), shape.dtype)
    x, y = (round(c) - length // 2 for c, length in zip(centre, shape.shape[1::-1], strict=True))
    there = np.s_[max(y, 0) : max(y + shape.shape[0], 0), max(x, 0) : max(x + shape.shape[1], 0)]
    target = found[there]
    top, left = max(-y, 0), max(-x, 0)
    target[...] = shape[top : top + target.shape[0], left : left + target.shape[1]]
    return found
