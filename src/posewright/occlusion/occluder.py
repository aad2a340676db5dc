"""An occluder covers a region of a crop with a fill, and marks what it covers as hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    """

    region: Region
    fill: Fill

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Return the crop as it looks behind the occluder."""
        return self.over(crop, self.region(crop, rng), rng)

    def over(self, crop: Crop, alpha: Alpha, rng: np.random.Generator) -> Crop:
        """Return the crop with the fill where `alpha` says, whatever the region."""
        if not alpha.any():
            return crop
        pixels = _mixed(crop.pixels, self.fill(crop.pixels, alpha, rng), alpha)
        return replace(crop, pixels=pixels, people=tuple(hide(person, alpha) for person in crop.people))


def _mixed(pixels: Pixels, filled: Pixels, alpha: Alpha) -> Pixels:
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = alpha[window][..., None]
    mixed = pixels.copy()
    mixed[window] = (part * filled[window] + (1 - part) * pixels[window]).astype(np.uint8)
    return mixed


def hide(person: Person, alpha: Alpha) -> Person:
    """Mark the seen keypoints of a person, in crop px, that lie on a pixel covered by half or more."""
    if person.visible is None:
        return person
    covered = beneath(person, alpha) & (person.visible == SEEN)
    cause = None if person.cause is None else np.where(covered, Cause.OBJECT, person.cause).astype(np.uint8)
    return replace(person, visible=np.where(covered, HIDDEN, person.visible).astype(np.uint8), cause=cause)


def beneath(person: Person, alpha: Alpha) -> NDArray[np.bool_]:
    """(K,) where a labelled keypoint, in crop px, lies on a pixel that is covered by half or more."""
    height, width = alpha.shape
    x, y = np.rint(np.nan_to_num(person.keypoints, nan=-1.0)).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.asarray(inside & (alpha[np.where(inside, y, 0), np.where(inside, x, 0)] >= 0.5))
