"""Objects to hide people behind: cut-outs (h, w, 4) uint8, RGB and alpha.

Geometry after Sarandi et al. 2018 (arXiv:1808.09316; isarandi/synthetic-occlusion). The objects are the
caller's: pictures from a folder, things that the synthetic world draws, parts of other people.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.occlusion.fills import Colours
from posewright.occlusion.occluder import Occluder
from posewright.occlusion.regions import PartRectangle, Shape
from posewright.picture import PictureError, Pixels, read_with_alpha
from posewright.scene import Crop

Object = NDArray[np.uint8]
RIM = 192
"""Alpha of the rim, which is what an erosion by an ellipse of RIM_SIZE px takes away."""
RIM_SIZE = 8


def paste(thing: Object, centre: tuple[float, float]) -> Occluder:
    """Return the occluder that shows an object with its middle at `centre` (x, y) px of a crop."""
    alpha = thing[..., 3].astype(np.float32) / 255
    return Occluder(Shape(alpha, centre), Colours(np.ascontiguousarray(thing[..., :3]), centre))


def resized(thing: Object, factor: float) -> Object:
    """Return an object `factor` times as large, at least one px; its size is rounded, halves to even."""
    size = tuple(max(1, round(side * factor)) for side in thing.shape[1::-1])
    way = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(thing, size, interpolation=way), np.uint8)


def cut_out(pixels: Pixels, mask: NDArray[np.bool_]) -> Object:
    """Cut an object out of a picture by its mask (H, W): the smallest rectangle around it, with a softer rim.

    Raises ValueError for an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise ValueError("the mask is empty, so there is no object to cut out")
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (RIM_SIZE, RIM_SIZE))
    inner = cv2.erode(mask.astype(np.uint8), ellipse)
    alpha = np.where(inner, 255, np.where(mask, RIM, 0)).astype(np.uint8)
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.dstack([pixels[window], alpha[window]])


def part_of(crop: Crop, part: str, person: int = 0) -> Object | None:
    """Cut a body part out of a crop, its rectangle or, where the person has a mask, what of it is the person.

    None where fewer than two of the part's keypoints are labelled or nothing of it lies in the crop.
    """
    covered = PartRectangle(part, person)(crop, np.random.default_rng(0)) > 0
    mask = crop.people[person].mask
    chosen = covered if mask is None else covered & mask
    return cut_out(crop.pixels, chosen) if chosen.any() else None


def read_objects(folder: Path) -> list[Object]:
    """Read every PNG or WebP with an alpha channel in a folder, in the order of their names.

    Raises PictureError for a file that is no such picture, FileNotFoundError where there is none.
    """
    files = sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in (".png", ".webp"))
    if not files:
        raise FileNotFoundError(f"{folder}: holds no .png or .webp; objects are pictures with an alpha channel")
    return [_read(file) for file in files]


def _read(file: Path) -> Object:
    found = read_with_alpha(file)
    if not found[..., 3].any():
        raise PictureError(f"{file}: is transparent everywhere, so it hides nothing")
    return found
